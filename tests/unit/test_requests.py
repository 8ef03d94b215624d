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
from chatsrv.wire.requests import REQUESTS, UNSUPPORTED, CreateChat, SendPrivate, UpdateChat, check_name

ID = {"type": "integer", "minimum": 1, "maximum": 2**53 - 1}
KIND = {"enum": [1, 2], "type": "integer"}
NUMBER = {"type": "integer", "minimum": 0, "maximum": 2**31}
TEXT = {"type": "string", "minLength": 1, "pattern": r"\S", "not": {"pattern": r"\x00"}}
NAME = {"type": "string", "not": {"pattern": r"[\x00-\x1f\x7f-\x9f]"}}
USERS = {"type": "array", "items": ID}


def d_of(*required: str, **properties: Any) -> dict[str, Any]:
    return {"type": "object", "required": list(required), "properties": properties}


BODIES: dict[tuple[int, int], dict[str, Any]] = {
    (11, 1): d_of("chat_id", "message", chat_id=ID, message=TEXT),
    (11, 2): d_of("chat_id", "message", chat_id=ID, message=TEXT),
    (11, 6): d_of("chat_id", "message_id", "message", chat_id=ID, message_id=ID, message=TEXT),
    (11, 7): d_of("chat_id", "message_id", chat_id=ID, message_id=ID),
    (13, 1): d_of("user_ids", "type", user_ids=USERS, type=KIND, chat=NAME),
    (13, 2): d_of("chat_id", chat_id=ID, chat=NAME, add_users=USERS, remove_users=USERS),
    (16, 1): d_of("user_id", user_id=ID),
    (16, 2): d_of("user_id", "type", user_id=ID, type=KIND),
}
REQUEST_KEYS = frozenset(BODIES)
UNSUPPORTED_KEYS = frozenset(
    {(1, 2), (1, 3), (11, 3), (11, 4), (11, 5), (11, 8), (11, 9), (11, 10), (13, 3), (13, 4)}
    | {(16, 3), (16, 4), (16, 5), (16, 6)}
)
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
    long = {
        "too_large" for name in ("user_ids", "add_users", "remove_users") if _longer(d, key, name, limits)
    }
    if not Strict(BODIES[key]).is_valid(d) or _out_of_range(key, d, limits, caller):
        return {"bad_request", *long}
    return long or {"ok"}


def _longer(d: Any, key: tuple[int, int], name: str, limits: Limits) -> bool:
    return (
        name in BODIES[key]["properties"] and isinstance(d.get(name), list) and len(d[name]) > limits.members
    )


def _out_of_range(key: tuple[int, int], d: Any, limits: Limits, caller: int) -> bool:
    text = d["message"] if key in {(11, 1), (11, 2), (11, 6)} else ""
    name = d.get("chat", "") if key[0] == 13 else ""
    return (
        len(text) > limits.message_chars
        or len(name) > limits.name_chars
        or (key == (13, 1) and d["type"] == 1 and len({*d["user_ids"]} - {caller}) != 1)
        or (key == (13, 2) and not {*d.get("add_users", [])}.isdisjoint(d.get("remove_users", [])))
        or (key == (16, 1) and d["user_id"] == caller)
    )


class TheStatement(TestCase):
    def test_it_names_exactly_the_requests_there_are(self) -> None:
        self.assertEqual(set(REQUESTS), REQUEST_KEYS)
        self.assertEqual(UNSUPPORTED, UNSUPPORTED_KEYS)

    def test_the_structs_have_exactly_the_members_it_names(self) -> None:
        for key, schema in BODIES.items():
            self.assertEqual(set(REQUESTS[key].__struct_fields__), set(schema["properties"]))

    def test_it_tells_an_integer_from_a_float_and_a_boolean(self) -> None:
        for value, wanted in ((1, {"ok"}), (1.0, {"bad_request"}), (True, {"bad_request"})):
            self.assertEqual(verdict({"op": 16, "t": 1, "d": {"user_id": value}}, Limits(), 7), wanted)


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
