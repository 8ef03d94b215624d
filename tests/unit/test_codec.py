"""The codec against RELIABILITY 3.3 and 3.4, example by example, and against rules stated a second time.

What is checked everywhere: nothing but `Malformed` comes out, the fault names the right member, and the
error's text is constant, so that no input is ever echoed.
"""

from __future__ import annotations

import json
import math
from typing import Any

from hypothesis import assume, given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import TestCase

from chatsrv.wire.codec import Incoming, Malformed, decode
from chatsrv.wire.codes import ErrorCode
from chatsrv.wire.frames import error
from chatsrv.wire.limits import Limits
from chatsrv.wire.requests import (
    ListFriends,
    SendGroup,
)
from tests.fuzz.rules import BODIES, REQUEST_KEYS, UNSUPPORTED_KEYS, verdict

CALLER = 7
LIMITS = Limits()
MARK = "SECRET-INPUT"
CONSTANTS = {code.text for code in ErrorCode}
MEMBERS = {name for d in BODIES.values() for name in d["properties"]}


def read(payload: bytes | str, limits: Limits = LIMITS, caller: int = CALLER) -> Incoming:
    return decode(payload if isinstance(payload, bytes) else payload.encode(), limits, caller)


def message(**d: Any) -> dict[str, Any]:
    return {"op": 11, "t": 2, "d": {"chat_id": 1, "message": "hi", **d}}


class CodecCase(TestCase):
    def refused(self, payload: Any, code: str, member: str | None = None, **options: Any) -> Malformed:
        """The fault in a payload, or in a document; its error text must say nothing of the input."""
        text = payload if isinstance(payload, (bytes, str)) else json.dumps(payload)
        fault = self.assertRaises(Malformed, read, text, **options)
        self.assertEqual((fault.code.code, fault.member), (code, member), text[:80])
        said = error(fault, fault.op, fault.t).message
        self.assertEqual(said, fault.code.text if member is None else f"{member}: {fault.code.text}")
        self.assertNotIn(MARK, said)
        return fault


class WhatIsNoJson(CodecCase):
    def test_a_broken_text_is_bad_json(self) -> None:
        for text in (
            "",
            " ",
            "{",
            "{} x",
            "[1,]",
            "{'op':1}",
            '{"op":1,}',
            '{"op" 1}',
            '{"op":01}',
            "\0",
            "nul",
        ):
            self.refused(text, "bad_json")

    def test_a_text_broken_inside_d_or_in_a_member_nobody_reads_is_bad_json(self) -> None:
        for broken in (
            '"\\x"',
            '"a\x01"',
            '"\\u12"',
            "01",
            "1.",
            "tru",
            "[1,]",
            '{"a":1,}',
            "NaN",
            "-Infinity",
        ):
            self.refused(
                '{"op":11,"t":2,"d":{"chat_id":1,"message":"hi","z":@}}'.replace("@", broken), "bad_json"
            )
            self.refused(
                '{"op":11,"t":2,"d":{"chat_id":1,"message":"hi"},"z":@}'.replace("@", broken), "bad_json"
            )

    def test_another_encoding_than_utf_8_is_bad_json(self) -> None:
        text = json.dumps(message())
        for encoding in ("utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le", "utf-8-sig"):
            self.refused(text.encode(encoding), "bad_json")
        self.refused(b'{"op":11,"t":2,"d":{"chat_id":1,"message":"\xff"}}', "bad_json")
        self.refused(b'{"op":11,"t":2,"d":{"chat_id":1,"message":"\xed\xa0\x80"}}', "bad_json")

    def test_what_is_not_finite_is_bad_json(self) -> None:
        for text in (
            "NaN",
            "-Infinity",
            "1e999",
            '{"op":NaN,"t":1}',
            '{"op":1e999,"t":1}',
            '{"op":1,"t":-Infinity}',
        ):
            self.refused(text, "bad_json")
        self.refused('{"op":11,"t":2,"d":{"chat_id":NaN,"message":"hi"}}', "bad_json")

    def test_deep_nesting_is_bad_json_wherever_it_is(self) -> None:
        for deep in ("[" * 3_000, "[" * 3_000 + "]" * 3_000, '{"a":' * 3_000 + "1" + "}" * 3_000):
            self.refused(deep, "bad_json")
            self.refused(
                '{"op":11,"t":2,"d":{"chat_id":1,"message":"hi","z":@}}'.replace("@", deep), "bad_json"
            )
            self.refused('{"op":11,"t":2,"d":@}'.replace("@", deep), "bad_json")
            self.refused('{"op":11,"t":2,"d":{},"\\ud800":@}'.replace("@", deep), "bad_json")


class TheEnvelope(CodecCase):
    def test_another_shape_than_op_t_and_d_is_bad_frame(self) -> None:
        for document in ([], [1], 1, "x", None, True, {}, {"op": 1}, {"t": 1}, {"op": None, "t": 1}):
            self.refused(json.dumps(document), "bad_frame")
        for odd in ("x" * 500, {}, [], True, None, 1.5, 11.0, "11", -1, 2**31 + 1, 2**64):
            self.refused({**message(), "op": odd}, "bad_frame")
            self.refused({**message(), "t": odd}, "bad_frame")

    def test_a_number_of_4301_digits_is_bad_frame_in_the_envelope_and_bad_request_in_d(self) -> None:
        huge = "9" * 4_301
        for sign in ("", "-"):
            self.refused('{"op":@,"t":1}'.replace("@", sign + huge), "bad_frame")
            self.refused('{"op":1,"t":@}'.replace("@", sign + huge), "bad_frame")
            self.refused('{"op":1,"t":1,"id":@}'.replace("@", sign + huge), "bad_frame")
            self.refused(
                '{"op":11,"t":7,"d":{"chat_id":1,"message_id":@}}'.replace("@", sign + huge),
                "bad_request",
                "message_id",
            )
            self.refused(
                '{"op":13,"t":1,"d":{"user_ids":[@],"type":2}}'.replace("@", sign + huge),
                "bad_request",
                "user_ids",
            )
        self.assertIsInstance(
            read('{"op":11,"t":2,"d":{"chat_id":1,"message":"hi","z":@}}'.replace("@", huge)), Incoming
        )

    def test_a_number_beyond_every_float_is_no_d(self) -> None:
        for digits in ("9" * 400, "-" + "9" * 400, "9" * 4_301):
            for op, t in ((16, 6), (16, 1), (99, 1)):
                self.refused(f'{{"op":{op},"t":{t},"d":{digits}}}', "bad_frame")

    def test_d_must_be_an_object_even_where_op_is_unknown(self) -> None:
        for op in (11, 99):
            for d in (None, [], "x", 1, True):
                self.refused({"op": op, "t": 2, "d": d}, "bad_frame")

    def test_a_missing_d_is_an_empty_one(self) -> None:
        self.refused({"op": 16, "t": 1}, "bad_request", "user_id")
        self.assertEqual(read('{"op":16,"t":6}').request, ListFriends())

    def test_an_id_is_a_string_of_1_to_64_characters_or_an_integer(self) -> None:
        for good in ("a", "é" * 64, "\0", 0, -5, 2**53, 2**64, -(2**70)):
            self.assertEqual(read(json.dumps({**message(), "id": good})).id, good)
        for bad in ("", "a" * 65, None, True, 1.5, 1.0, [], {}, ["a"]):
            self.refused({**message(), "id": bad}, "bad_frame")

    def test_a_fault_carries_the_id_op_and_t_that_could_be_read(self) -> None:
        for document, op, t in (
            ({**message(chat_id=0), "id": "q"}, 11, 2),
            ({"op": 99, "t": 3, "id": "q"}, 99, 3),
            ({"op": 11, "t": 3, "d": {}, "id": "q"}, 11, 3),
            ({"op": 11, "t": 2, "d": None, "id": "q"}, 11, 2),
            ({"op": "x", "t": 2, "id": "q"}, None, None),
        ):
            fault = self.assertRaises(Malformed, read, json.dumps(document))
            self.assertEqual((fault.id, fault.op, fault.t), ("q", op, t), document)

    def test_unknown_operations_are_told_from_those_that_are_reserved(self) -> None:
        for op, t in (
            *((0, 0), (1, 0), (1, 1), (1, 4), (2, 1), (3, 1), (11, 0), (11, 11), (12, 1), (12, 8), (12, 10)),
            *((13, 0), (13, 5), (14, 1), (14, 4), (16, 0), (16, 7), (17, 1), (17, 6), (99, 1)),
        ):
            self.refused({"op": op, "t": t, "d": {}}, "unknown_op")
        for op, t in UNSUPPORTED_KEYS:
            self.refused({"op": op, "t": t, "d": {}}, "unsupported")

    def test_the_last_of_duplicate_members_wins(self) -> None:
        found = read(
            '{"op":1,"op":11,"t":9,"t":2,"id":1,"id":"b","d":[],"d":{"chat_id":2,"chat_id":3,"message":"hi"}}'
        )
        self.assertEqual(found, Incoming(SendGroup(3, "hi"), "b"))


class Surrogates(CodecCase):
    """``\\ud800`` alone is JSON, and would poison whoever encodes it later."""

    def test_one_in_a_member_is_a_bad_request_that_names_it(self) -> None:
        for d, member in (
            ({"chat_id": 1, "message": f"{MARK}\ud800"}, "message"),
            ({"chat_id": "\udfff", "message": "hi"}, "chat_id"),
            ({"chat_id": 1, "message": "hi", "z": "\ud800"}, None),
            ({"chat_id": 1, "message": "hi", "\ud800": 1}, None),
        ):
            fault = self.refused({"op": 11, "t": 2, "d": d, "id": 4}, "bad_request", member)
            self.assertEqual((fault.id, fault.op, fault.t), (4, 11, 2))
        self.refused(
            {"op": 13, "t": 1, "d": {"user_ids": [2], "type": 2, "chat": "a\udc00"}}, "bad_request", "chat"
        )

    def test_one_in_what_has_no_rules_of_its_own_is_refused_as_well(self) -> None:
        for op, t, d, member in (
            (11, 2, {"chat_id": 1, "message": "hi", "nonce": "\ud800"}, "nonce"),
            (13, 1, {"user_ids": [2], "type": 2, "nonce": f"{MARK}\udfff"}, "nonce"),
            (13, 4, {"cursor": "1-\ud800"}, "cursor"),
            (1, 2, {"chats": {}, "epoch": "\ud800"}, "epoch"),
            (1, 2, {"chats": {"1": 1, "\ud800": 1}}, "chats"),
            (1, 2, {"chats": {"1": "\ud800"}}, "chats"),
            (1, 3, {"token": f"{MARK}\ud800"}, "token"),
        ):
            self.refused({"op": op, "t": t, "d": d}, "bad_request", member)

    def test_one_beside_a_d_that_is_left_out_is_a_bad_request(self) -> None:
        for op, t in ((13, 4), (16, 6)):
            fault = self.refused({"op": op, "t": t, "id": 4, "z": "\ud800"}, "bad_request")
            self.assertEqual((fault.id, fault.op, fault.t), (4, op, t))

    def test_one_beside_a_number_of_4301_digits_leaves_that_what_it_is(self) -> None:
        huge = "9" * 4_301
        self.refused('{"op":16,"t":6,"id":@,"z":"\\ud800"}'.replace("@", huge), "bad_frame")
        self.refused(
            '{"op":16,"t":1,"d":{"user_id":@,"z":"\\ud800"}}'.replace("@", huge), "bad_request", "user_id"
        )
        self.refused('{"op":16,"t":6,"d":{"y":@,"z":"\\ud800"}}'.replace("@", huge), "bad_request")

    def test_a_pair_is_a_character(self) -> None:
        self.assertEqual(read(json.dumps(message(message="😀"))).request.message, "😀")

    def test_one_in_the_id_is_bad_frame_and_the_answer_has_no_id(self) -> None:
        for document in (message(), message(chat_id=0), {"op": 99, "t": 1}, {"op": "x"}):
            fault = self.refused({**document, "id": "\ud800"}, "bad_frame")
            self.assertIs(fault.id, Malformed(ErrorCode.BAD_FRAME).id)

    def test_the_limits_that_hold_are_the_configured_ones(self) -> None:
        d = {"user_ids": list(range(1, 1_500)), "type": 2, "chat": "\ud800"}
        self.refused({"op": 13, "t": 1, "d": d}, "bad_request", "chat", limits=Limits(members=2_000))
        self.refused({"op": 13, "t": 1, "d": d}, "too_large", "user_ids")


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=10,
)
IDS = st.sampled_from((1, 2, CALLER, 2**53 - 1, 0, -1, 2**53, 2**70)) | st.integers(1, 50)
TEXTS = st.sampled_from(("", " ", "x", "\0", "é" * 11, "a\nb", "x" * 10, "\u2003")) | st.text(max_size=12)
POSITIONS = st.sampled_from((0, 1, 2**53 - 1, -1, 2**53))
CHAT_KEYS = st.sampled_from(("1", "7", "9007199254740991", "9007199254740992", "0", "01", "", "x"))
WORDS = st.sampled_from(("", "x", "x" * 64, "x" * 65))
CURSORS = st.sampled_from(("1-2", "0-" + "9" * 16, "1" * 17 + "-2", "1-2\n", "-1", "12", ""))
LIMIT = st.sampled_from((1, 5, 20, 21, 100, 101, 0))
#: What a member may be: mostly right, or just beyond a bound.
LIKELY: dict[str, Any] = {
    **dict.fromkeys(("chat_id", "message_id", "user_id", "reply_to", "before"), IDS),
    **dict.fromkeys(("user_ids", "add_users", "remove_users"), st.lists(IDS, max_size=4)),
    **dict.fromkeys(("message", "chat"), TEXTS),
    **dict.fromkeys(("nonce", "epoch", "token"), WORDS),
    "cursor": CURSORS,
    "chats": st.dictionaries(CHAT_KEYS, POSITIONS, max_size=4),
    "after": POSITIONS,
    "limit": LIMIT,
    "type": st.sampled_from((1, 2, 3)),
}
VALUES = {name: likely | JSON for name, likely in LIKELY.items()}
BODY = st.one_of(
    st.fixed_dictionaries({}, optional=VALUES),
    st.fixed_dictionaries(VALUES, optional={"other": JSON}),
)
KEYS = (
    st.sampled_from(sorted(REQUEST_KEYS)) | st.sampled_from(sorted(UNSUPPORTED_KEYS)) | st.tuples(JSON, JSON)
)


def likely_body(key: tuple[int, int]) -> st.SearchStrategy[dict[str, Any]]:
    """All that a request must have, and some of what it may have."""
    schema = BODIES[key]
    may = {name: LIKELY[name] for name in schema["properties"]}
    return st.fixed_dictionaries({name: may.pop(name) for name in schema["required"]}, optional=may)


REQUEST = st.sampled_from(sorted(REQUEST_KEYS)).flatmap(
    lambda key: st.builds(lambda d: {"op": key[0], "t": key[1], "d": d}, likely_body(key))
)
ENVELOPE = REQUEST | st.builds(
    lambda key, rest: {"op": key[0], "t": key[1], **rest},
    KEYS,
    st.fixed_dictionaries({}, optional={"d": BODY | JSON, "id": st.text(max_size=66) | JSON, "more": JSON})
    | st.fixed_dictionaries({"d": BODY}),
)
SMALL = Limits(message_chars=10, name_chars=10, members=3, history_page=20)


class AnyInput(CodecCase):
    @settings(print_blob=True, max_examples=300, deadline=None)
    @given(REQUEST | ENVELOPE | JSON)
    def test_every_document_is_judged_as_the_schemas_judge_it(self, document: Any) -> None:
        wanted = verdict(document, SMALL, CALLER)
        try:
            found = read(json.dumps(document), SMALL)
        except Malformed as fault:
            self.assertIn(fault.code.code, wanted)
            self.assertIn(error(fault).message.rpartition(": ")[2], CONSTANTS)
            self.assertIn(fault.member, {None, *MEMBERS})
        else:
            self.assertEqual(wanted, {"ok"})
            request, d = found.request, document.get("d", {})
            self.assertEqual((request.op, request.t), (document["op"], document["t"]))
            for name in request.__struct_fields__:
                if name in d:
                    self.assertEqual(getattr(request, name), as_struct(name, d[name]))

    @settings(print_blob=True, max_examples=500, deadline=None)
    @given(st.binary(max_size=60))
    def test_arbitrary_bytes_raise_malformed_and_nothing_else(self, payload: bytes) -> None:
        self.assertRaises(Malformed, read, payload)

    @settings(print_blob=True, max_examples=300, deadline=None)
    @given(ENVELOPE, st.booleans(), st.data())
    def test_a_damaged_text_is_bad_json_exactly_when_another_parser_says_so(
        self, document: Any, escaped: bool, data: Any
    ) -> None:
        text = json.dumps(document, ensure_ascii=escaped)
        at = data.draw(st.integers(0, len(text)))
        cut = data.draw(st.integers(0, 3))
        piece = data.draw(st.sampled_from((*'"\\{}[]:,0-.e \0', "", "\\ud800")))
        text = text[:at] + piece + text[at + cut :]
        try:
            code = read(text).request and ""
        except Malformed as fault:
            code = fault.code.code
        self.assertEqual(code == "bad_json", not is_json(text), text)


def as_struct(name: str, value: Any) -> Any:
    """Objects keyed by id have numbers as keys inside."""
    return {int(key): position for key, position in value.items()} if name == "chats" else value


def is_json(text: str) -> bool:
    """What Python's parser says; numbers beyond a float are left out, for both answers are right there."""

    def refuse(constant: str) -> None:
        raise ValueError(constant)

    def finite(number: str) -> float:
        assume(math.isfinite(float(number)))
        return float(number)

    try:
        json.loads(text, parse_constant=refuse, parse_float=finite)
    except ValueError:
        return False
    return True
