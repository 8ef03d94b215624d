"""The statement of the rules that the codec is held to (`tests.fuzz.rules`), and the structs of the requests.

It is made sure that the statement itself is sound, and that the structs' own checks and helpers do what the
actors count on.
"""

from __future__ import annotations

from twisted.trial.unittest import TestCase

from chatsrv.wire.limits import Limits
from chatsrv.wire.refusal import Refused
from chatsrv.wire.requests import (
    REQUESTS,
    UNSUPPORTED,
    CatchUp,
    CreateChat,
    ListFriends,
    ReadHistory,
    ReadInbox,
    RemoveFriend,
    SendPrivate,
    UpdateChat,
    check_name,
)
from tests.fuzz.rules import BODIES, MOST, REQUEST_KEYS, UNSUPPORTED_KEYS, verdict


class TheStatement(TestCase):
    def test_it_names_exactly_the_requests_there_are(self) -> None:
        self.assertEqual(set(REQUESTS), REQUEST_KEYS)
        self.assertEqual(UNSUPPORTED, UNSUPPORTED_KEYS)

    def test_the_structs_have_exactly_the_members_it_names(self) -> None:
        for key, schema in BODIES.items():
            self.assertEqual(set(REQUESTS[key].__struct_fields__), set(schema["properties"]))

    def test_it_takes_only_the_canonical_decimal_of_an_id_as_a_key(self) -> None:
        for key, wanted in (
            *(("1", "ok"), ("10", "ok"), (f"{MOST}", "ok"), (f"{MOST + 1}", "bad_request")),
            *(
                (odd, "bad_request")
                for odd in ("", "0", "01", "+1", "-1", "1.0", " 1", "1\n", "\u0661", "x", "9" * 17)
            ),
        ):
            document = {"op": 1, "t": 2, "d": {"chats": {key: 1}}}
            self.assertEqual(verdict(document, Limits(), 7), {wanted}, key)

    def test_it_tells_an_integer_from_a_float_and_a_boolean(self) -> None:
        for value, wanted in ((1, {"ok"}), (1.0, {"bad_request"}), (True, {"bad_request"})):
            self.assertEqual(verdict({"op": 16, "t": 1, "d": {"user_id": value}}, Limits(), 7), wanted)


class Costs(TestCase):
    """Ten ids, or rows, count as one request more; so do more messages than the default page has."""

    def test_a_long_list_counts_for_more(self) -> None:
        for count, cost in ((0, 1), (9, 1), (10, 2), (99, 10), (1_000, 101)):
            ids = list(range(1, count + 1))
            self.assertEqual(CatchUp(dict.fromkeys(ids, 0)).cost, cost, count)
            self.assertEqual(CreateChat(ids, 2).cost, cost, count)
            self.assertEqual(
                UpdateChat(1, add_users=ids[: count // 2], remove_users=ids[count // 2 :]).cost, cost
            )

    def test_a_long_page_counts_for_more(self) -> None:
        for limit, cost in ((1, 1), (50, 1), (51, 2), (100, 2)):
            self.assertEqual(ReadHistory(1, limit=limit).cost, cost, limit)
        for limit, cost in ((1, 1), (9, 1), (10, 2), (100, 11)):
            self.assertEqual(ReadInbox(limit=limit).cost, cost, limit)

    def test_without_a_limit_a_page_counts_as_its_default_does(self) -> None:
        self.assertEqual((ReadHistory(1).page, ReadHistory(1).cost), (50, 1))
        self.assertEqual((ReadInbox().page, ReadInbox().cost), (50, 6))

    def test_any_other_request_counts_for_one(self) -> None:
        self.assertEqual([SendPrivate(1, "x" * 4_000).cost, RemoveFriend(2).cost], [1, 1])

    def test_whole_lists_count_for_five(self) -> None:
        self.assertEqual(ListFriends().cost, 5)


class TheStructs(TestCase):
    def test_the_others_are_each_named_once_in_ascending_order_without_the_caller(self) -> None:
        self.assertEqual(CreateChat([5, 3, 5, 7, 4], 2).others(7), [3, 4, 5])

    def test_a_request_cannot_be_changed(self) -> None:
        with self.assertRaises(AttributeError):
            SendPrivate(1, "x").chat_id = 2  # type: ignore[misc]

    def test_the_default_lists_are_not_shared(self) -> None:
        UpdateChat(1).add_users.append(9)
        self.assertEqual(UpdateChat(1).add_users, [])

    def test_a_name_with_a_lone_surrogate_is_refused_by_the_check_itself(self) -> None:
        self.assertRaises(Refused, check_name, "a\ud800", Limits())
