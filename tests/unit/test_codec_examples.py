"""RELIABILITY 3.3 and 3.4, row by row: each example that stands there, with the code that stands there.

`test_codec` and `test_codec_members` say the rules; here are the examples themselves, so that each row of
docs/reliability.md has one test. Where PROTOCOL says otherwise than a row, it holds, and the test says so.
"""

from __future__ import annotations

import json
from typing import Any

from chatsrv.wire.requests import CatchUp, SendGroup
from tests.unit.test_codec import CodecCase, message, read
from tests.unit.test_requests import BODIES

GOOD = json.dumps(message())
HUGE = "9" * 4_301
ID, USERS = BODIES[16, 1]["properties"]["user_id"], BODIES[13, 1]["properties"]["user_ids"]
WHOLE: dict[str, Any] = {
    "chat_id": 1,
    "message_id": 1,
    "message": "hi",
    "user_ids": [2],
    "type": 1,
    "user_id": 2,
}
WHOLE |= {"chats": {"1": 1}, "token": "x"}


def text_of(op: str = "11", t: str = "2", chat_id: str = "1", message: str = '"hi"', more: str = "1") -> str:
    """A send as text, in which one part may be replaced by what `json.dumps` would never write."""
    return f'{{"op":{op},"t":{t},"d":{{"chat_id":{chat_id},"message":{message},"more":{more}}}}}'


def whole(key: tuple[int, int], **changed: Any) -> dict[str, Any]:
    """A good request of this op and t but for what is changed."""
    d = {name: WHOLE[name] for name in BODIES[key]["required"]}
    return {"op": key[0], "t": key[1], "d": d | changed}


class Json(CodecCase):
    """RELIABILITY 3.3."""

    def test_not_json(self) -> None:
        for text in ("", "{", "{} x", "[1,]", "{'op':1}", GOOD.replace('"', "'"), f"{GOOD} x", GOOD[:-1]):
            self.refused(text, "bad_json")

    def test_wrong_encoding(self) -> None:
        for encoding in ("utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le", "utf-32-be"):
            self.refused(GOOD.encode(encoding), "bad_json")
        self.refused("\ufeff" + GOOD, "bad_json")

    def test_not_finite(self) -> None:
        """`1e999` is JSON by its grammar: for a member of ``d`` it is out of range, and where nobody reads, nothing."""
        for number in ("NaN", "Infinity", "-Infinity", "1e999", "-1e999"):
            self.refused(number, "bad_json")
            self.refused(text_of(op=number), "bad_json")
            self.refused(text_of(t=number), "bad_json")
        for number in ("NaN", "Infinity", "-Infinity"):
            self.refused(text_of(chat_id=number), "bad_json")
            self.refused(text_of(more=f"[{number}]"), "bad_json")
        self.refused(text_of(chat_id="1e999"), "bad_request", "chat_id")
        self.assertEqual(read(text_of(more="[1e999]")).request, SendGroup(1, "hi"))

    def test_duplicate_keys(self) -> None:
        """The last wins; one before it may not be what no member may be."""
        fault = self.refused('{"op":1,"t":1,"op":2}', "unknown_op")
        self.assertEqual((fault.op, fault.t), (2, 1))
        nested = '{"op":11,"t":2,"d":{"chat_id":%s,"message":"hi","chat_id":3}}'
        self.assertEqual(read(nested.replace("%s", "2")).request, SendGroup(3, "hi"))
        self.refused(nested.replace("%s", '"x"'), "bad_request", "chat_id")

    def test_depth(self) -> None:
        for deep in ("[" * 3_000, "[" * 3_000 + "]" * 3_000, '{"":' * 3_000 + "0" + "}" * 3_000):
            for text in (deep, text_of(op=deep), text_of(chat_id=deep), text_of(more=deep)):
                self.refused(text, "bad_json")

    def test_numbers(self) -> None:
        for number in (HUGE, f"-{HUGE}", str(2**53 + 1), "1.0", "true"):
            self.refused(text_of(op=number), "bad_frame")
            self.refused(text_of(t=number), "bad_frame")
            self.refused(text_of(chat_id=number), "bad_request", "chat_id")

    def test_strings(self) -> None:
        for text in ('"\\ud800"', '"a\\udfff"', '"\\u0000"', '"a\\u0000b"'):
            self.refused(text_of(message=text), "bad_request", "message")
        self.refused({"op": 1, "t": 2, "d": {"chats": {"7" * 2**16: 1}}}, "bad_request", "chats")
        self.assertIsInstance(read(json.dumps(message(**{"k" * 2**16: 1}))).request, SendGroup)

    def test_breadth(self) -> None:
        """A list that is one of the protocol's has a limit; members that nobody knows are ignored (PROTOCOL 2)."""
        ids, keys = list(range(1, 100_001)), {str(chat): 1 for chat in range(1, 10_001)}
        self.refused({"op": 13, "t": 1, "d": {"user_ids": ids, "type": 2}}, "too_large", "user_ids")
        for name in ("add_users", "remove_users"):
            self.refused({"op": 13, "t": 2, "d": {"chat_id": 1, name: ids}}, "too_large", name)
        self.refused({"op": 1, "t": 2, "d": {"chats": keys}}, "too_large", "chats")
        self.assertIsInstance(read(json.dumps(message(**keys))).request, SendGroup)


class Schema(CodecCase):
    """RELIABILITY 3.4."""

    def test_envelope(self) -> None:
        for document in (
            [],
            [message()],
            {"t": 2, "d": {}},
            {"op": "x" * 500, "t": 2},
            {"op": 11, "t": {}},
            {**message(), "d": None},
        ):
            self.refused(document, "bad_frame")

    def test_operation(self) -> None:
        for op, t in ((0, 0), (99, 1), (11, 99), (1, 1), (1, 4), (2, 1), (3, 1), (12, 1), (14, 2), (17, 1)):
            self.refused({"op": op, "t": t, "d": {}}, "unknown_op")

    def test_fields(self) -> None:
        for key, schema in BODIES.items():
            for name in schema["required"]:
                document = whole(key)
                del document["d"][name]
                self.refused(document, "bad_request", name)
                self.refused(whole(key, **{name: None}), "bad_request", name)
        for text in ("", " ", "\t\r\n", "x" * 4_001, "😀" * 4_001, "é" * 8_193, 7, ["hi"]):
            for key in ((11, 1), (11, 2), (11, 6)):
                self.refused(whole(key, message=text), "bad_request", "message")
        for key in ((13, 1), (13, 2)):
            for name in ("a\nb", "\x1b[31m", "\x00", "\x7f", "\x9b", "x" * 65):
                self.refused(whole(key, chat=name), "bad_request", "chat")

    def test_a_text_at_its_limit_has_less_than_16_kib(self) -> None:
        self.assertLess(len(read(json.dumps(message(message="😀" * 4_000))).request.message.encode()), 2**14)

    def test_ids(self) -> None:
        """Each member of each request that is an id, or a list of ids."""
        for key, schema in BODIES.items():
            for name, rule in schema["properties"].items():
                if rule not in (ID, USERS) or name == "limit":
                    continue
                for bad in (0, -1, 2**53, 2**63, 2**64, "1", 1.5, 1.0, True, None, [], {}):
                    value = [2, bad] if rule is USERS else bad
                    self.refused(whole(key, **{name: value}), "bad_request", name)

    def test_ids_as_keys(self) -> None:
        for bad in ("0", "-1", "01", "+1", " 1", "1.5", "1e3", "", "x", "٣", str(2**53), str(2**63)):
            self.refused({"op": 1, "t": 2, "d": {"chats": {bad: 1}}}, "bad_request", "chats")
        self.assertEqual(read('{"op":1,"t":2,"d":{"chats":{"3":0}}}').request, CatchUp({3: 0}))

    def test_ranges(self) -> None:
        """Beyond the head is no fault of shape: history ends there, a catch-up answers `reset` (PROTOCOL 3)."""
        for limit in (0, 101):
            self.refused(whole((11, 10), limit=limit), "bad_request", "limit")
            self.refused(whole((13, 4), limit=limit), "bad_request", "limit")
        self.refused(whole((11, 10), before=2, after=1), "bad_request", "after")

    def test_oneself(self) -> None:
        for t in (1, 3, 4, 5):
            self.refused(whole((16, t), user_id=7), "bad_request", "user_id", caller=7)

    def test_spoofed_server_fields(self) -> None:
        spoofed = {"sender_id": 9, "message_id": 9, "seq": 9, "sent_at": 9, "by": 9, "dup": True}
        self.assertEqual(read(json.dumps(message(**spoofed) | spoofed)).request, SendGroup(1, "hi"))
