"""The core requests as functions with typed arguments, over ``Connection.call``.

Each fires with the reply to its row in PROTOCOL section 3, as a struct; failures are those of
``Connection.call``. Nothing is checked here: the server is the one that judges.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import IntEnum
from typing import Any, TypeVar

import msgspec
from twisted.internet.defer import Deferred

from chatsrv.client.connection import Connection

Reply = TypeVar("Reply")


class Answer(IntEnum):
    """The ``type`` of 16/2 and 17/2."""

    ACCEPT = 1
    DENY = 2


class Sent(msgspec.Struct, frozen=True):
    """The reply to 11/1 and 11/2: the message is stored. ``sent_at`` is in ms."""

    chat_id: int
    message_id: int
    seq: int
    sent_at: int
    dup: bool = False


class Changed(msgspec.Struct, frozen=True):
    """The reply to 11/6 and 11/7: which message changed, and the event's ``seq``."""

    chat_id: int
    message_id: int
    seq: int | None = None


class Chat(msgspec.Struct, frozen=True):
    """The reply to 13/1 and 13/2: the chat as it is now. ``type`` is 1 private, 2 group."""

    chat_id: int
    seq: int | None = None
    type: int | None = None
    chat: str | None = None
    users: list[int] | None = None
    owner_id: int | None = None


class Friend(msgspec.Struct, frozen=True):
    """The reply to 16/1 and 16/2; ``accepted`` when asking accepted the other's own request."""

    user_id: int
    type: int | None = None
    accepted: bool = False


def send_private(connection: Connection, chat_id: int, message: str) -> Deferred[Sent]:
    """11/1: a message to a private chat."""
    return _ask(connection, 11, 1, {"chat_id": chat_id, "message": message}, Sent)


def send_group(connection: Connection, chat_id: int, message: str) -> Deferred[Sent]:
    """11/2: a message to a group."""
    return _ask(connection, 11, 2, {"chat_id": chat_id, "message": message}, Sent)


def edit(connection: Connection, chat_id: int, message_id: int, message: str) -> Deferred[Changed]:
    """11/6: another text for one's own message."""
    return _ask(
        connection, 11, 6, {"chat_id": chat_id, "message_id": message_id, "message": message}, Changed
    )


def delete(connection: Connection, chat_id: int, message_id: int) -> Deferred[Changed]:
    """11/7: delete one's own message, or as the group's owner any."""
    return _ask(connection, 11, 7, {"chat_id": chat_id, "message_id": message_id}, Changed)


def create_private(connection: Connection, user_id: int) -> Deferred[Chat]:
    """13/1 type 1: the one private chat with ``user_id``, new or re-opened."""
    return _ask(connection, 13, 1, {"user_ids": [user_id], "type": 1}, Chat)


def create_group(connection: Connection, user_ids: Sequence[int], chat: str | None = None) -> Deferred[Chat]:
    """13/1 type 2: a new group of these and the caller, named ``chat``."""
    named = {} if chat is None else {"chat": chat}
    return _ask(connection, 13, 1, {"user_ids": list(user_ids), "type": 2, **named}, Chat)


def update_chat(
    connection: Connection,
    chat_id: int,
    *,
    chat: str | None = None,
    add_users: Sequence[int] | None = None,
    remove_users: Sequence[int] | None = None,
) -> Deferred[Chat]:
    """13/2: rename, add, remove, leave, in one atomic step; what is None is left out."""
    wanted = {"chat": chat, "add_users": add_users, "remove_users": remove_users}
    given = {key: value for key, value in wanted.items() if value is not None}
    return _ask(connection, 13, 2, {"chat_id": chat_id, **given}, Chat)


def add_friend(connection: Connection, user_id: int) -> Deferred[Friend]:
    """16/1: ask ``user_id``, or accept if they asked first."""
    return _ask(connection, 16, 1, {"user_id": user_id}, Friend)


def answer_friend(connection: Connection, user_id: int, answer: Answer) -> Deferred[Friend]:
    """16/2: answer the open request of ``user_id``."""
    return _ask(connection, 16, 2, {"user_id": user_id, "type": int(answer)}, Friend)


def _ask(connection: Connection, op: int, t: int, d: dict[str, Any], shape: type[Reply]) -> Deferred[Reply]:
    return connection.call(op, t, d).addCallback(lambda reply: msgspec.convert(reply.d, shape))
