"""The frames as PROTOCOL section 3 writes them: exact member names, what is left out, and the id of a reply."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import UNSET
from twisted.trial.unittest import TestCase

from chatsrv.wire import frames
from chatsrv.wire.codec import Malformed
from chatsrv.wire.codes import ErrorCode
from chatsrv.wire.frames import encode, error
from chatsrv.wire.framing import frame_text
from chatsrv.wire.limits import Limits
from chatsrv.wire.refusal import Refused

SENT = {"chat_id": 1, "message_id": 2, "seq": 3, "sent_at": 4}
MESSAGE = {**SENT, "message": "hi", "sender_id": 5}
STATE = {"chat_id": 1, "seq": 2, "type": 2, "chat": "n", "users": [3, 4]}
HELLO = {
    "chat_ids": [1],
    "friend_ids": [2],
    "user_id": 3,
    "session_id": "s",
    "server_time": 4,
    "heads": {"1": 9},
    "incoming": [5],
    "outgoing": [6],
}
EXAMPLES: list[tuple[frames.Body, int, int, dict[str, Any]]] = [
    (frames.Status([2, 3]), 2, 1, {"user_ids": [2, 3]}),
    (frames.Status([]), 2, 1, {"user_ids": []}),
    (frames.PrivateMessage(**MESSAGE), 12, 1, MESSAGE),
    (frames.GroupMessage(**MESSAGE), 12, 2, MESSAGE),
    (
        frames.GroupMessage(**{**MESSAGE, "message": ""}, deleted=True),
        12,
        2,
        {**MESSAGE, "message": "", "deleted": True},
    ),
    (frames.PrivateSent(**SENT), 12, 1, SENT),
    (frames.GroupSent(**SENT), 12, 2, SENT),
    (
        frames.Edited(chat_id=1, message_id=2, message="x", seq=3, sender_id=4, edited_at=5),
        *(12, 6),
        {"chat_id": 1, "message_id": 2, "message": "x", "seq": 3, "sender_id": 4, "edited_at": 5},
    ),
    (
        frames.Deleted(chat_id=1, message_id=2, seq=3, sender_id=4, by=5),
        *(12, 7),
        {"chat_id": 1, "message_id": 2, "seq": 3, "sender_id": 4, "by": 5},
    ),
    (frames.ChatCreated(**STATE), 14, 1, STATE),
    (frames.ChatCreated(**STATE, owner_id=3), 14, 1, {**STATE, "owner_id": 3}),
    (frames.ChatChanged(**STATE, owner_id=3, by=4), 14, 2, {**STATE, "owner_id": 3, "by": 4}),
    (frames.FriendAsked(user_id=1, asker=2), 17, 1, {"user_id": 1, "from": 2}),
    (
        frames.FriendAsked(user_id=1, asker=2, accepted=True),
        17,
        1,
        {"user_id": 1, "from": 2, "accepted": True},
    ),
    (frames.FriendAnswered(user_id=1, type=2, answerer=1), 17, 2, {"user_id": 1, "type": 2, "from": 1}),
]


class Encoding(TestCase):
    def test_each_frame_has_exactly_the_members_of_the_protocol(self) -> None:
        for body, op, t, d in EXAMPLES:
            self.assertEqual(json.loads(encode(body)), {"op": op, "t": t, "d": d})

    def test_every_frame_the_server_lists_has_an_example(self) -> None:
        shown = {type(body) for body, *_ in EXAMPLES}
        self.assertLessEqual(set(frames.FRAMES) - {frames.Hello, frames.Error}, shown)

    def test_a_reply_is_the_same_frame_with_the_id_as_the_client_wrote_it(self) -> None:
        for body, op, t, d in EXAMPLES:
            for request_id in ("a", 'quote"\\\n\0é😀', "1", 1, 0, -5, 2**53, 2**70):
                found = json.loads(encode(body, request_id))
                self.assertEqual(found, {"op": op, "t": t, "d": d, "id": request_id})
                self.assertIs(type(found["id"]), type(request_id))

    def test_without_an_id_there_is_no_member_id(self) -> None:
        for nothing in (None, UNSET):
            self.assertNotIn("id", json.loads(encode(frames.Status([]), nothing)))

    def test_hello_tells_the_limits_and_the_expiry_only_if_there_is_one(self) -> None:
        found = json.loads(encode(frames.Hello(**HELLO, limits=Limits())))
        told = found["d"].pop("limits")
        self.assertEqual(found, {"op": 1, "t": 1, "d": HELLO})
        wanted = {"frame_bytes", "message_chars", "requests_per_s", "burst", "history_page", "members"}
        self.assertLessEqual(wanted, set(told))
        self.assertEqual(told["message_chars"], 4_000)
        found = json.loads(encode(frames.Hello(**HELLO, expires_at=77, limits=Limits())))
        self.assertEqual(found["d"]["expires_at"], 77)

    @settings(print_blob=True, deadline=None)
    @given(st.text(), st.text(min_size=1, max_size=64))
    def test_any_text_and_any_id_come_back_as_they_were(self, text: str, request_id: str) -> None:
        body = frames.GroupMessage(**{**MESSAGE, "message": text})
        found = json.loads(encode(body, request_id).decode())
        self.assertEqual((found["d"]["message"], found["id"]), (text, request_id))


class Errors(TestCase):
    def test_an_error_says_the_code_the_constant_text_and_what_was_refused(self) -> None:
        for code in ErrorCode:
            found = json.loads(encode(error(Refused(code), 11, 2), "q"))
            d = {"op": 11, "t": 2, "code": code.code, "message": code.text}
            self.assertEqual(found, {"op": 3, "t": 1, "d": d, "id": "q"})

    def test_the_member_stands_before_the_text(self) -> None:
        d = json.loads(encode(error(Refused(ErrorCode.BAD_REQUEST, "chat_id"), 11, 2)))["d"]
        self.assertEqual(d["message"], f"chat_id: {ErrorCode.BAD_REQUEST.text}")

    def test_op_and_t_are_left_out_where_they_could_not_be_read(self) -> None:
        d = json.loads(encode(error(Malformed(ErrorCode.BAD_JSON))))["d"]
        self.assertEqual(d, {"code": "bad_json", "message": ErrorCode.BAD_JSON.text})

    def test_op_and_t_zero_are_told(self) -> None:
        self.assertEqual(json.loads(encode(error(Refused(ErrorCode.UNKNOWN_OP), 0, 0)))["d"]["op"], 0)

    def test_the_delay_is_told_where_there_is_one(self) -> None:
        d = json.loads(encode(error(Refused(ErrorCode.RATE_LIMITED, retry_after_ms=50), 11, 2)))["d"]
        self.assertEqual(d["retry_after_ms"], 50)


class Framing(TestCase):
    def test_the_length_takes_the_shortest_form(self) -> None:
        for length, header in (
            (0, b"\x81\x00"),
            (125, b"\x81\x7d"),
            (126, b"\x81\x7e\x00\x7e"),
            (65_535, b"\x81\x7e\xff\xff"),
            (65_536, b"\x81\x7f\x00\x00\x00\x00\x00\x01\x00\x00"),
        ):
            self.assertEqual(frame_text(b"%" * length), header + b"%" * length)
