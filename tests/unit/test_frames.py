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
    "epoch": "e",
    "heads": {"1": 9},
    "incoming": [5],
    "outgoing": [6],
}
TEXT = {"message_id": 1, "sender_id": 2, "message": "hi", "sent_at": 3}
TOMBSTONE = {"message_id": 1, "sender_id": 2, "sent_at": 3, "deleted": True}
DETAILS = {
    "chat_id": 1,
    "type": 2,
    "chat": "n",
    "users": [3],
    "created_at": 4,
    "last_message_id": 0,
    "seq": 1,
    "read": {"3": 9},
}
ROW = {
    "chat_id": 1,
    "type": 2,
    "chat": "n",
    "users_count": 3,
    "last_message_id": 4,
    "seq": 5,
    "read": 6,
    "unread": 7,
}
RELATIONS = {"friends": [1], "incoming": [2], "outgoing": [3], "blocked": [4]}
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
    (frames.PrivateMessage(**MESSAGE, reply_to=9), 12, 1, {**MESSAGE, "reply_to": 9}),
    (frames.GroupSent(**SENT, dup=True), 12, 2, {**SENT, "dup": True}),
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
    (
        frames.Deleted(chat_id=1, message_id=2, seq=3, sender_id=4, by=5, dup=True),
        *(12, 7),
        {"chat_id": 1, "message_id": 2, "seq": 3, "sender_id": 4, "by": 5, "dup": True},
    ),
    (
        frames.ReadUpTo(chat_id=1, message_id=2, user_id=3),
        *(12, 8),
        {"chat_id": 1, "message_id": 2, "user_id": 3},
    ),
    (frames.IsTyping(chat_id=1, user_id=3), 12, 9, {"chat_id": 1, "user_id": 3}),
    (
        frames.History(chat_id=1, messages=[], more=False),
        *(12, 10),
        {"chat_id": 1, "messages": [], "more": False},
    ),
    (
        frames.History(
            chat_id=1,
            messages=[
                frames.Message(**TEXT),
                frames.Message(**TOMBSTONE),
                frames.Message(**TEXT, edited_at=4, reply_to=5),
            ],
            more=True,
        ),
        *(12, 10),
        {"chat_id": 1, "messages": [TEXT, TOMBSTONE, {**TEXT, "edited_at": 4, "reply_to": 5}], "more": True},
    ),
    (frames.ChatCreated(**STATE), 14, 1, STATE),
    (frames.ChatCreated(**STATE, dup=True), 14, 1, {**STATE, "dup": True}),
    (frames.ChatCreated(**STATE, owner_id=3), 14, 1, {**STATE, "owner_id": 3}),
    (frames.ChatChanged(**STATE, owner_id=3, by=4), 14, 2, {**STATE, "owner_id": 3, "by": 4}),
    (frames.Details(**DETAILS), 14, 3, DETAILS),
    (frames.Details(**DETAILS, owner_id=3), 14, 3, {**DETAILS, "owner_id": 3}),
    (frames.Inbox(chats=[]), 14, 4, {"chats": []}),
    (
        frames.Inbox(
            chats=[
                frames.InboxRow(**ROW),
                frames.InboxRow(**{**ROW, "type": 1}, user_id=8, last=frames.Message(**TOMBSTONE)),
            ],
            cursor="c",
        ),
        *(14, 4),
        {"chats": [ROW, {**ROW, "type": 1, "user_id": 8, "last": TOMBSTONE}], "cursor": "c"},
    ),
    (frames.FriendAsked(user_id=1, asker=2), 17, 1, {"user_id": 1, "from": 2}),
    (
        frames.FriendAsked(user_id=1, asker=2, accepted=True),
        17,
        1,
        {"user_id": 1, "from": 2, "accepted": True},
    ),
    (frames.FriendAnswered(user_id=1, type=2, answerer=1), 17, 2, {"user_id": 1, "type": 2, "from": 1}),
    (frames.FriendRemoved(user_id=1), 17, 3, {"user_id": 1}),
    (frames.Blocked(user_id=1), 17, 4, {"user_id": 1}),
    (frames.Unblocked(user_id=1), 17, 5, {"user_id": 1}),
    (frames.Relations(**RELATIONS), 17, 6, RELATIONS),
    (frames.CaughtUp(heads={"1": 2}, reset=[3]), 1, 2, {"heads": {"1": 2}, "reset": [3]}),
    (frames.Renewed(expires_at=5), 1, 3, {"expires_at": 5}),
    (frames.Renewed(), 1, 3, {}),
]


class Encoding(TestCase):
    def test_each_frame_has_exactly_the_members_of_the_protocol(self) -> None:
        for body, op, t, d in EXAMPLES:
            self.assertEqual(json.loads(encode(body)), {"op": op, "t": t, "d": d})

    def test_every_frame_the_server_lists_has_an_example(self) -> None:
        shown = {type(body) for body, *_ in EXAMPLES}
        self.assertEqual({*frames.EVENTS, *frames.REPLIES} - {frames.Hello, frames.Error}, shown)

    def test_the_core_profile_is_sent_of_its_own_accord_what_the_protocol_marks_core(self) -> None:
        core = {(event.op, event.t) for event in frames.EVENTS if event.core}
        marked = {(1, 1), (2, 1), (3, 1), (14, 1), (14, 2), (17, 1), (17, 2)}
        self.assertEqual(core, marked | {(12, t) for t in (1, 2, 6, 7)})

    def test_the_size_of_a_part_is_what_it_takes_in_the_frame(self) -> None:
        for text in ("hi", "é😀", '"\0'):
            part = frames.Message(**{**TEXT, "message": text})
            one = encode(frames.History(chat_id=1, messages=[part], more=True))
            none = encode(frames.History(chat_id=1, messages=[], more=True))
            self.assertEqual(frames.size_of(part), len(one) - len(none))

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
