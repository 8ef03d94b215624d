"""What a text from a client must be answered, stated by hand: JSON Schemas for the rows, RFC 8259 for the text.

``verdict`` judges a parsed document, ``judge`` the bytes. Where the rules leave the server a choice (several
faults at once, numbers that JSON has and no float can hold), the answer is a set. Knows nothing of ``chatsrv``.
Sources: PROTOCOL sections 2 to 4; RELIABILITY 3.3 and 3.4.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, NamedTuple

from jsonschema import Draft202012Validator
from jsonschema.validators import extend

from tests.fuzz.json_text import DEEP, SHALLOW, NotJson, depth_of, parsed


class Bounds(NamedTuple):
    """The limits of 1/1 (and the length of a name) as they are by default."""

    message_chars: int = 4_000
    name_chars: int = 64
    members: int = 1_000
    history_page: int = 100


DEFAULT = Bounds()

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
FRAME_ID = {"anyOf": [{"type": "integer"}, {"type": "string", "minLength": 1, "maxLength": 64}]}
FRAME = {
    "type": "object",
    "required": ["op", "t"],
    "properties": {"op": NUMBER, "t": NUMBER, "d": {"type": "object"}, "id": FRAME_ID},
}
#: JSON Schema takes 1.0 for an integer; this protocol does not.
Strict = extend(
    Draft202012Validator,
    type_checker=Draft202012Validator.TYPE_CHECKER.redefine("integer", lambda _, value: type(value) is int),
)
_frame, _frame_id = Strict(FRAME), Strict(FRAME_ID)
_bodies = {key: Strict(schema) for key, schema in BODIES.items()}

OK, GARBAGE = frozenset({"ok"}), frozenset({"bad_json", "bad_frame"})


class Verdict(NamedTuple):
    """``codes`` it may be refused with (``ok``: it is a request), ``members`` that may be named, and ``id``."""

    codes: frozenset[str]
    members: frozenset[str | None] = frozenset({None})
    id: str | int | None = None


NO_JSON = Verdict(frozenset({"bad_json"}))


def judge(payload: bytes, caller: int, bounds: Bounds = DEFAULT) -> Verdict:
    """The verdict about a frame as ``caller`` sent it."""
    try:
        text = payload.decode()
        depth = depth_of(text)
    except (UnicodeDecodeError, NotJson):
        return NO_JSON
    if depth >= DEEP:
        return NO_JSON
    if depth > SHALLOW:
        raise ValueError("whether this depth is accepted is not said; nobody should ask")
    document = parsed(text)
    judged_as = _with_surrogates if document.lone else judged
    found = judged_as(document.value, caller, bounds)
    if document.infinite:
        found = found._replace(codes=found.codes | {"bad_json"}, members=found.members | {None})
    return _of_repeated(found) if document.repeated else found


def _of_repeated(found: Verdict) -> Verdict:
    """The last of repeated members is meant; one before it that is wrong may be refused all the same."""
    names = {name for body in BODIES.values() for name in body["properties"]}
    return found._replace(
        codes=found.codes | {"bad_frame", "bad_request"}, members=found.members | names | {None}
    )


def judged(document: Any, caller: int, bounds: Bounds = DEFAULT) -> Verdict:
    """The verdict about a parsed frame without lone surrogates."""
    request_id = document.get("id") if isinstance(document, dict) else None
    if request_id is not None and not _frame_id.is_valid(request_id):
        request_id = None
    codes = verdict(document, bounds, caller)
    members: set[str | None] = {None}
    if codes & {"bad_request", "too_large"}:
        members = set(_faults((document["op"], document["t"]), document.get("d", {}), bounds, caller))
    return Verdict(frozenset(codes), frozenset(members), request_id)


def _with_surrogates(document: Any, caller: int, bounds: Bounds) -> Verdict:
    """A lone surrogate is no text: in ``id`` a bad frame, in ``d`` a bad request, whatever else is right."""
    if isinstance(document, dict) and not _is_text(document.get("id")):
        return Verdict(frozenset({"bad_frame"}))
    found = judged(_replaced(document), caller, bounds)
    if not found.codes & {"ok", "bad_request", "too_large"}:
        return found
    d = document.get("d", {})
    lone = {
        name
        for name in d
        if name in BODIES[document["op"], document["t"]]["properties"] and not _is_text(d[name])
    }
    return Verdict(found.codes - OK | {"bad_request"}, found.members - {None} | (lone or {None}), found.id)


def _is_text(value: Any) -> bool:
    return json.dumps(value, ensure_ascii=False).encode(errors="replace") == json.dumps(
        value, ensure_ascii=False
    ).encode("utf-8", "surrogatepass")


def _replaced(document: Any) -> Any:
    return json.loads(json.dumps(document, ensure_ascii=False).encode(errors="replace"))


def verdict(document: Any, bounds: Any, caller: int) -> set[str]:
    """The codes with which a parsed frame may be refused, or ``{"ok"}``."""
    if not _frame.is_valid(document):
        return {"bad_frame"}
    key, d = (document["op"], document["t"]), document.get("d", {})
    if key in UNSUPPORTED_KEYS:
        return {"unsupported"}
    if key not in BODIES:
        return {"unknown_op"}
    long = {"too_large" for _ in _longer(key, d, bounds)}
    if not _bodies[key].is_valid(d) or any(_out_of_range(key, d, bounds, caller)):
        return {"bad_request", *long}
    return long or {"ok"}


def _faults(key: tuple[int, int], d: Any, bounds: Any, caller: int) -> Iterator[str]:
    """The members of ``d`` that are wrong."""
    yield from _longer(key, d, bounds)
    schema = BODIES[key]
    yield from (name for name in schema["required"] if name not in d)
    wrong = {str(error.path[0]) for error in _bodies[key].iter_errors(d) if error.path}
    yield from wrong
    yield from _out_of_range(
        key, {name: value for name, value in d.items() if name not in wrong}, bounds, caller
    )


def _longer(key: tuple[int, int], d: Any, bounds: Any) -> Iterator[str]:
    for name in LISTS:
        value = d.get(name)
        if (
            name in BODIES[key]["properties"]
            and isinstance(value, (list, dict))
            and len(value) > bounds.members
        ):
            yield name


def _out_of_range(key: tuple[int, int], d: Any, bounds: Any, caller: int) -> Iterator[str]:
    """What is beyond types; of members that are of their types, or not there."""
    if key in {(11, 1), (11, 2), (11, 6)} and len(d.get("message", "")) > bounds.message_chars:
        yield "message"
    if key in {(13, 1), (13, 2)} and len(d.get("chat", "")) > bounds.name_chars:
        yield "chat"
    if key == (1, 2) and any(int(chat_id) > MOST for chat_id in d.get("chats", ())):
        yield "chats"
    if key == (11, 10) and {"before", "after"} <= d.keys():
        yield from ("before", "after")
    if key == (11, 10) and d.get("limit", 1) > bounds.history_page:
        yield "limit"
    if key == (13, 1) and d.get("type") == 1 and "user_ids" in d and len({*d["user_ids"]} - {caller}) != 1:
        yield "user_ids"
    if key == (13, 2) and not {*d.get("add_users", [])}.isdisjoint(d.get("remove_users", [])):
        yield from ("add_users", "remove_users")
    if key in NOT_ONESELF and d.get("user_id") == caller:
        yield "user_id"
