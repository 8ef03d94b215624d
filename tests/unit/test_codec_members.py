"""The codec, member by member of ``d``: what each may be, and that the fault names the one that is wrong."""

from __future__ import annotations

import json
from typing import Any

from chatsrv.wire.limits import Limits
from chatsrv.wire.requests import CatchUp, CreateChat, ReadHistory, ReadInbox, SendGroup, UpdateChat
from tests.unit.test_codec import CALLER, MARK, CodecCase, message, read
from tests.unit.test_requests import BODIES


class MembersOfD(CodecCase):
    def test_ids_are_integers_from_1_to_2_53_minus_1(self) -> None:
        bad = (0, -1, 2**53, 2**53 + 1, 2**63, 2**64, 10**30, "1", 1.0, 1.5, True, None, [], {})
        for name in ("chat_id", "message_id"):
            for value in bad:
                self.refused(
                    {"op": 11, "t": 7, "d": {"chat_id": 1, "message_id": 1, name: value}}, "bad_request", name
                )
        for value in bad:
            for t in (1, 3, 4, 5):
                self.refused({"op": 16, "t": t, "d": {"user_id": value}}, "bad_request", "user_id")
            for t in (9, 10):
                self.refused({"op": 11, "t": t, "d": {"chat_id": value}}, "bad_request", "chat_id")
            self.refused({"op": 13, "t": 3, "d": {"chat_id": value}}, "bad_request", "chat_id")
            self.refused(message(reply_to=value), "bad_request", "reply_to")
            self.refused({"op": 11, "t": 10, "d": {"chat_id": 1, "before": value}}, "bad_request", "before")
            self.refused(
                {"op": 13, "t": 1, "d": {"user_ids": [2, value], "type": 2}}, "bad_request", "user_ids"
            )
        self.assertEqual(read('{"op":16,"t":1,"d":{"user_id":9007199254740991}}').request.user_id, 2**53 - 1)

    def test_a_missing_member_is_named(self) -> None:
        for (op, t), schema in BODIES.items():
            whole = {"chat_id": 1, "message_id": 1, "message": "hi", "user_ids": [2], "type": 1, "user_id": 2}
            whole |= {"chats": {"1": 1}, "token": "x"}
            for name in schema["required"]:
                d = {key: value for key, value in whole.items() if key != name}
                self.refused({"op": op, "t": t, "d": d}, "bad_request", name)

    def test_a_text_has_1_to_4000_code_points_and_is_not_only_white_space_and_has_no_nul(self) -> None:
        for bad in ("", " ", "\t\n\u2003\u00a0", "a\0b", "x" * 4_001, 5, None, ["hi"], {}, True):
            self.refused(message(message=bad), "bad_request", "message")
            edit = {"op": 11, "t": 6, "d": {"chat_id": 1, "message_id": 1, "message": bad}}
            self.refused(edit, "bad_request", "message")
        for good in ("x", "😀" * 4_000, " x ", "\u200b", MARK):
            self.assertEqual(read(json.dumps(message(message=good))).request.message, good)
        self.refused(message(message="abc"), "bad_request", "message", limits=Limits(message_chars=2))

    def test_a_name_has_up_to_64_code_points_and_no_control_characters(self) -> None:
        for bad in ("x" * 65, "a\nb", "\0", "\x7f", "\x85", 5, None, []):
            self.refused({"op": 13, "t": 2, "d": {"chat_id": 1, "chat": bad}}, "bad_request", "chat")
            self.refused(
                {"op": 13, "t": 1, "d": {"user_ids": [2], "type": 2, "chat": bad}}, "bad_request", "chat"
            )
        for good in ("", "x" * 64, "😀" * 64, "Ünï"):
            self.assertEqual(
                read(json.dumps({"op": 13, "t": 2, "d": {"chat_id": 1, "chat": good}})).request.chat, good
            )

    def test_a_list_longer_than_its_limit_is_too_large(self) -> None:
        few, many = list(range(1, 1_001)), list(range(1, 1_002))
        self.assertEqual(
            read(json.dumps({"op": 13, "t": 1, "d": {"user_ids": few, "type": 2}})).request.user_ids, few
        )
        self.refused({"op": 13, "t": 1, "d": {"user_ids": many, "type": 2}}, "too_large", "user_ids")
        for name in ("add_users", "remove_users"):
            self.refused({"op": 13, "t": 2, "d": {"chat_id": 1, name: many}}, "too_large", name)
        self.refused({"op": 13, "t": 1, "d": {"user_ids": [2] * 100_000, "type": 2}}, "too_large", "user_ids")
        chats = dict.fromkeys(map(str, few), 0)
        self.assertEqual(len(read(json.dumps({"op": 1, "t": 2, "d": {"chats": chats}})).request.chats), 1_000)
        self.refused({"op": 1, "t": 2, "d": {"chats": {**chats, "1001": 0}}}, "too_large", "chats")

    def test_a_private_chat_is_with_exactly_one_other_user(self) -> None:
        for bad in ([], [CALLER], [2, 3], [CALLER, 2, 3]):
            self.refused({"op": 13, "t": 1, "d": {"user_ids": bad, "type": 1}}, "bad_request", "user_ids")
        for good in ([2], [2, CALLER], [2, 2]):
            request = read(json.dumps({"op": 13, "t": 1, "d": {"user_ids": good, "type": 1}})).request
            assert isinstance(request, CreateChat)
            self.assertEqual(request.others(CALLER), [2])

    def test_a_type_is_1_or_2(self) -> None:
        for bad in (0, 3, "1", 1.0, True, None):
            self.refused({"op": 13, "t": 1, "d": {"user_ids": [2], "type": bad}}, "bad_request", "type")
            self.refused({"op": 16, "t": 2, "d": {"user_id": 2, "type": bad}}, "bad_request", "type")

    def test_nobody_is_both_added_and_removed(self) -> None:
        d = {"chat_id": 1, "add_users": [2, 3], "remove_users": [3]}
        self.refused({"op": 13, "t": 2, "d": d}, "bad_request", "remove_users")
        d = {"chat_id": 1, "add_users": [], "remove_users": []}
        self.assertEqual(read(json.dumps({"op": 13, "t": 2, "d": d})).request, UpdateChat(1))

    def test_nobody_befriends_or_blocks_himself_or_takes_that_back(self) -> None:
        for t in (1, 3, 4, 5):
            self.refused({"op": 16, "t": t, "d": {"user_id": CALLER}}, "bad_request", "user_id")

    def test_positions_are_by_chat_with_the_id_in_decimal_as_the_key(self) -> None:
        found = read('{"op":1,"t":2,"d":{"chats":{"9007199254740991":0,"7":9007199254740991},"epoch":""}}')
        self.assertEqual(found.request, CatchUp({2**53 - 1: 0, 7: 2**53 - 1}, ""))
        for key in (
            "",
            "0",
            "-1",
            "01",
            "+1",
            "1.0",
            "1e1",
            " 1",
            "1\n",
            "\u0661",
            "9007199254740992",
            "9" * 5_000,
        ):
            self.refused({"op": 1, "t": 2, "d": {"chats": {"5": 1, key: 1}}}, "bad_request", "chats")
        for value in (-1, 2**53, 2**70, "1", 1.0, True, None, [], {}):
            self.refused({"op": 1, "t": 2, "d": {"chats": {"5": 1, "6": value}}}, "bad_request", "chats")
        for value in ([], [[1, 1]], "{}", 1, True, None):
            self.refused({"op": 1, "t": 2, "d": {"chats": value}}, "bad_request", "chats")
        for value in (1, None, [], {}):
            self.refused({"op": 1, "t": 2, "d": {"chats": {}, "epoch": value}}, "bad_request", "epoch")

    def test_a_key_that_looks_like_a_part_of_an_errors_text_names_no_other_member(self) -> None:
        for key in ("` `$.token", "at `$.epoch`", "field `epoch`", MARK):
            self.refused({"op": 1, "t": 2, "d": {"chats": {key: 1}}}, "bad_request", "chats")

    def test_a_nonce_has_1_to_64_characters(self) -> None:
        for op, t, d in ((11, 1, {"chat_id": 1, "message": "x"}), (13, 1, {"user_ids": [2], "type": 2})):
            for bad in ("", "x" * 65, "😀" * 65, 1, None, [], True):
                self.refused({"op": op, "t": t, "d": {**d, "nonce": bad}}, "bad_request", "nonce")
            for good in ("x", "😀" * 64, "\0", " "):
                request: Any = read(json.dumps({"op": op, "t": t, "d": {**d, "nonce": good}})).request
                self.assertEqual(request.nonce, good)

    def test_a_page_of_history_is_before_or_after_a_message_and_never_longer_than_its_limit(self) -> None:
        def history(**bounds: Any) -> dict[str, Any]:
            return {"op": 11, "t": 10, "d": {"chat_id": 1, **bounds}}

        for good in ({}, {"before": 1}, {"after": 0}, {"after": 2**53 - 1, "limit": 100}, {"limit": 1}):
            self.assertEqual(read(json.dumps(history(**good))).request, ReadHistory(1, **good))
        self.refused(history(before=2, after=1), "bad_request", "after")
        self.refused(history(after=-1), "bad_request", "after")
        for limit in (0, -1, 101, 2**70, 1.0, "1", None):
            self.refused(history(limit=limit), "bad_request", "limit")
        self.refused(history(limit=11), "bad_request", "limit", limits=Limits(history_page=10))
        self.assertEqual(read(json.dumps(history(limit=500)), Limits(history_page=500)).request.page, 500)

    def test_a_page_of_the_inbox_has_1_to_100_rows_and_begins_at_a_cursor_that_looks_like_one(self) -> None:
        for good in ({}, {"cursor": "1795384416487-12", "limit": 100}, {"limit": 1}):
            self.assertEqual(read(json.dumps({"op": 13, "t": 4, "d": good})).request, ReadInbox(**good))
        for bad in (0, -1, 101, 2**70, 1.0, "1", None):
            self.refused({"op": 13, "t": 4, "d": {"limit": bad}}, "bad_request", "limit")
        for odd in (
            *(
                "",
                "x",
                "1",
                "1-",
                "-1",
                "1-2-3",
                " 1-2",
                "1-2\n",
                "1.0-2",
                "+1-2",
                "\u0661-1",
                "1" * 17 + "-1",
            ),
            *(1, None, []),
        ):
            self.refused({"op": 13, "t": 4, "d": {"cursor": odd}}, "bad_request", "cursor")

    def test_a_token_is_a_text_that_is_not_empty(self) -> None:
        for bad in ("", 1, None, [], {}):
            self.refused({"op": 1, "t": 3, "d": {"token": bad}}, "bad_request", "token")
        self.assertEqual(read(json.dumps({"op": 1, "t": 3, "d": {"token": MARK}})).request.token, MARK)

    def test_unknown_members_are_ignored_also_those_that_only_a_server_says(self) -> None:
        spoofed = {
            "sender_id": 9,
            "message_id": 9,
            "seq": 9,
            "sent_at": 9,
            "z": [{"deep": None}],
            "k" * 60_000: 1,
        }
        many = {f"member{number}": number for number in range(10_000)}
        text = json.dumps({**message(**spoofed, **many), "x": {"op": 1}, "seq": 5})
        self.assertEqual(read(text).request, SendGroup(1, "hi"))
