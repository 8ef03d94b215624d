"""The rules for requests stated a second time, as JSON Schemas read off PROTOCOL section 3, and the structs.

`verdict` is what `test_codec` holds the codec to; here it is made sure that the statement itself is sound,
and that the structs' own checks and helpers do what the actors count on.
"""

from __future__ import annotations

from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.validators import extend
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

MOST = 2**53 - 1
ID = {"type": "integer", "minimum": 1, "maximum": MOST}
POSITION = {"type": "integer", "minimum": 0, "maximum": MOST}
KIND = {"enum": [1, 2], "type": "integer"}
NUMBER = {"type": "integer", "minimum": 0, "maximum": 2**31}
TEXT = {"type": "string", "minLength": 1, "pattern": r"\S", "not": {"pattern": r"\x00"}}
NAME = {"type": "string", "not": {"pattern": r"[\x00-\x1f\x7f-\x9f]"}}
USERS = {"type": "array", "items": ID}
BY_CHAT = {
    "type": "object",
    "propertyNames": {"pattern": r"^[1-9][0-9]{0,15}\Z"},
    "additionalProperties": POSITION,
}
PAGE = {"type": "integer", "minimum": 1, "maximum": 100}


def string(least: int, most: int | None = None) -> dict[str, Any]:
    return {"type": "string", "minLength": least} | ({} if most is None else {"maxLength": most})


NONCE = string(1, 64)
CURSOR = {"type": "string", "pattern": r"^[0-9]{1,16}-[0-9]{1,16}\Z"}


def d_of(*required: str, **properties: Any) -> dict[str, Any]:
    return {"type": "object", "required": list(required), "properties": properties}


SEND = d_of("chat_id", "message", chat_id=ID, message=TEXT, nonce=NONCE, reply_to=ID)
USER = d_of("user_id", user_id=ID)

BODIES: dict[tuple[int, int], dict[str, Any]] = {
    (1, 2): d_of("chats", chats=BY_CHAT, epoch=string(0)),
    (1, 3): d_of("token", token=string(1)),
    (11, 1): SEND,
    (11, 2): SEND,
    (11, 6): d_of("chat_id", "message_id", "message", chat_id=ID, message_id=ID, message=TEXT),
    (11, 7): d_of("chat_id", "message_id", chat_id=ID, message_id=ID),
    (11, 8): d_of("chat_id", "message_id", chat_id=ID, message_id=ID),
    (11, 9): d_of("chat_id", chat_id=ID),
    (11, 10): d_of("chat_id", chat_id=ID, before=ID, after=POSITION, limit=ID),
    (13, 1): d_of("user_ids", "type", user_ids=USERS, type=KIND, chat=NAME, nonce=NONCE),
    (13, 2): d_of("chat_id", chat_id=ID, chat=NAME, add_users=USERS, remove_users=USERS),
    (13, 3): d_of("chat_id", chat_id=ID),
    (13, 4): d_of(cursor=CURSOR, limit=PAGE),
    (16, 1): USER,
    (16, 2): d_of("user_id", "type", user_id=ID, type=KIND),
    (16, 3): USER,
    (16, 4): USER,
    (16, 5): USER,
    (16, 6): d_of(),
}
REQUEST_KEYS = frozenset(BODIES)
UNSUPPORTED_KEYS = frozenset({(11, 3), (11, 4), (11, 5)})
#: Where one's own id is out of range: there is nothing one can be to oneself.
NOT_ONESELF = frozenset({(16, 1), (16, 3), (16, 4), (16, 5)})
LISTS = ("user_ids", "add_users", "remove_users", "chats")
FRAME = {
    "type": "object",
    "required": ["op", "t"],
    "properties": {
        "op": NUMBER,
        "t": NUMBER,
        "d": {"type": "object"},
        "id": {"anyOf": [{"type": "integer"}, {"type": "string", "minLength": 1, "maxLength": 64}]},
    },
}
#: JSON Schema takes 1.0 for an integer; this protocol does not.
Strict = extend(
    Draft202012Validator,
    type_checker=Draft202012Validator.TYPE_CHECKER.redefine("integer", lambda _, value: type(value) is int),
)


def verdict(document: Any, limits: Limits, caller: int) -> set[str]:
    """The codes with which a parsed frame may be refused, or ``{"ok"}``."""
    if not Strict(FRAME).is_valid(document):
        return {"bad_frame"}
    key, d = (document["op"], document["t"]), document.get("d", {})
    if key in UNSUPPORTED_KEYS:
        return {"unsupported"}
    if key not in BODIES:
        return {"unknown_op"}
    long = {"too_large" for name in LISTS if _longer(d, key, name, limits)}
    if not Strict(BODIES[key]).is_valid(d) or _out_of_range(key, d, limits, caller):
        return {"bad_request", *long}
    return long or {"ok"}


def _longer(d: Any, key: tuple[int, int], name: str, limits: Limits) -> bool:
    named, value = name in BODIES[key]["properties"], d.get(name)
    return named and isinstance(value, (list, dict)) and len(value) > limits.members


def _out_of_range(key: tuple[int, int], d: Any, limits: Limits, caller: int) -> bool:
    text = d["message"] if key in {(11, 1), (11, 2), (11, 6)} else ""
    name = d.get("chat", "") if key in {(13, 1), (13, 2)} else ""
    return (
        len(text) > limits.message_chars
        or len(name) > limits.name_chars
        or (key == (1, 2) and any(int(chat_id) > MOST for chat_id in d["chats"]))
        or (key == (11, 10) and ({"before", "after"} <= d.keys() or d.get("limit", 1) > limits.history_page))
        or (key == (13, 1) and d["type"] == 1 and len({*d["user_ids"]} - {caller}) != 1)
        or (key == (13, 2) and not {*d.get("add_users", [])}.isdisjoint(d.get("remove_users", [])))
        or (key in NOT_ONESELF and d["user_id"] == caller)
    )


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
