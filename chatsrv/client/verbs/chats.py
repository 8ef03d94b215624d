"""Op 13: chats, and who is in them."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from twisted.internet.defer import Deferred

from chatsrv.client.verbs.base import Caller, Message, ask

PRIVATE, GROUP = 1, 2


class Chat(msgspec.Struct, frozen=True):
    """The reply to 13/1 and 13/2: the chat as it is now. ``type`` is 1 private, 2 group; ``dup``: it was so."""

    chat_id: int
    seq: int | None = None
    type: int | None = None
    chat: str | None = None
    users: list[int] | None = None
    owner_id: int | None = None
    dup: bool = False


class Details(msgspec.Struct, frozen=True, kw_only=True):
    """The reply to 13/3; ``read``: up to which message each member has read. ``created_at`` is in ms."""

    chat_id: int
    type: int
    chat: str
    users: list[int]
    owner_id: int | None = None
    created_at: int
    last_message_id: int
    seq: int
    read: dict[int, int]


class InboxRow(msgspec.Struct, frozen=True, kw_only=True):
    """One chat of an inbox; ``user_id``: the other one of a private chat."""

    chat_id: int
    type: int
    chat: str
    user_id: int | None = None
    users_count: int
    last_message_id: int
    seq: int
    read: int
    unread: int
    last: Message | None = None


class Inbox(msgspec.Struct, frozen=True):
    """The reply to 13/4: chats by newest activity; with ``cursor`` one asks for those behind them."""

    chats: list[InboxRow]
    cursor: str | None = None


def create_private(caller: Caller, user_id: int) -> Deferred[Chat]:
    """13/1 type 1: the one private chat with ``user_id``, new or re-opened."""
    return ask(caller, 13, 1, {"user_ids": [user_id], "type": PRIVATE}, Chat)


def create_group(
    caller: Caller, user_ids: Sequence[int], chat: str | None = None, *, nonce: str | None = None
) -> Deferred[Chat]:
    """13/1 type 2: a new group of these and the caller, named ``chat``."""
    return ask(caller, 13, 1, {"user_ids": list(user_ids), "type": GROUP, "chat": chat, "nonce": nonce}, Chat)


def update_chat(
    caller: Caller,
    chat_id: int,
    *,
    chat: str | None = None,
    add_users: Sequence[int] | None = None,
    remove_users: Sequence[int] | None = None,
) -> Deferred[Chat]:
    """13/2: rename, add, remove, leave, in one atomic step; what is None is left out."""
    d = {"chat_id": chat_id, "chat": chat, "add_users": add_users, "remove_users": remove_users}
    return ask(caller, 13, 2, d, Chat)


def details(caller: Caller, chat_id: int) -> Deferred[Details]:
    """13/3: everything about a chat but its messages."""
    return ask(caller, 13, 3, {"chat_id": chat_id}, Details)


def inbox(caller: Caller, *, cursor: str | None = None, limit: int | None = None) -> Deferred[Inbox]:
    """13/4: the caller's chats with last message and unread."""
    return ask(caller, 13, 4, {"cursor": cursor, "limit": limit}, Inbox)
