"""What a single frame from the server must be like, whatever came before it (PROTOCOL sections 2 and 3)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from chatsrv.client import Frame, Hello

CHAT_EVENTS = {(12, 1), (12, 2), (12, 6), (12, 7), (14, 1), (14, 2)}
"""What has a ``seq``: an event of a chat, or the reply to who caused it."""
CORE = {(1, 1), (2, 1), (3, 1), *CHAT_EVENTS, (17, 1), (17, 2)}
KINDS = {*CORE, (1, 2), (1, 3), (1, 4), (12, 8), (12, 9), (12, 10), (14, 3), (14, 4)}
KINDS |= {(17, 3), (17, 4), (17, 5), (17, 6)}
CATCH_UP = (1, 2)

MAX_ID = 2**53 - 1
IDS = {"chat_id", "message_id", "reply_to", "sender_id", "user_id", "owner_id", "by", "from", "seq"}
IDS |= {"sent_at", "edited_at", "created_at", "expires_at", "users_count"}
COUNTS = {"last_message_id", "unread"}
ID_LISTS = {
    "users",
    "user_ids",
    "chat_ids",
    "friend_ids",
    "friends",
    "incoming",
    "outgoing",
    "blocked",
    "reset",
}
BY_ID = {"heads", "read"}


def check(holds: bool, what: str, frame: Any) -> None:
    """Raise when it does not."""
    if not holds:
        raise AssertionError(f"{what}: {frame}")


def check_hello(hello: Hello) -> None:
    """The 1/1 names its user, the store's life, and each chat with its head."""
    check(is_id(hello.user_id) and bool(hello.epoch), "a hello without user or epoch", hello)
    check(set(hello.heads) == set(hello.chat_ids), "heads of other chats", hello)
    for ids in (hello.chat_ids, hello.friend_ids, hello.incoming, hello.outgoing, list(hello.heads.values())):
        check(all(is_id(value) for value in ids), "holds no id", hello)


def check_shape(frame: Frame) -> None:
    """Ids, lists and messages are what they have to be."""
    for d in _objects(frame.d):
        _check_members(d, frame)
    messages = frame.d.get("messages", ())
    numbers = [message["message_id"] for message in messages]
    check(numbers == sorted(set(numbers)), "not oldest first", frame)
    for message in [*messages, *(row["last"] for row in frame.d.get("chats", ()) if "last" in row)]:
        check(("message" in message) != message.get("deleted", False), "text or deleted, not both", frame)
    if frame.op == 12 and frame.d.get("deleted"):
        check(frame.d["message"] == "", "the text of a deleted message", frame)


def is_id(value: Any) -> bool:
    return type(value) is int and 1 <= value <= MAX_ID


def _objects(d: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """``d`` and the rows and messages in it."""
    yield d
    for row in [*d.get("messages", ()), *d.get("chats", ())]:
        yield row
        yield row.get("last", {})


def _check_members(d: dict[str, Any], frame: Frame) -> None:
    for name, value in d.items():
        if name in IDS:
            check(is_id(value), f"{name} is no id", frame)
        elif name in COUNTS or (name == "read" and "unread" in d):
            check(value == 0 or is_id(value), f"{name} is no number", frame)
        elif name in ID_LISTS:
            check(all(is_id(each) for each in value), f"{name} holds no id", frame)
            check(len(value) == len(set(value)), f"{name} names one twice", frame)
        elif name in BY_ID:
            ids = [int(key) for key in value] + list(value.values())
            check(all(is_id(each) for each in ids), f"{name} holds no id", frame)
