"""Op 14: chats, their members, and the inbox."""

from __future__ import annotations

import msgspec
from msgspec import UNSET, UnsetType

from chatsrv.wire.frames.base import Body
from chatsrv.wire.frames.messages import Message


class ChatCreated(Body, frozen=True, kw_only=True):
    """14/1: a chat exists, with its state; ``dup``, in a reply: it existed before."""

    op, t = 14, 1
    chat_id: int
    seq: int
    type: int
    chat: str
    users: list[int]
    owner_id: int | UnsetType = UNSET
    dup: bool | UnsetType = UNSET


class ChatChanged(ChatCreated, frozen=True, kw_only=True):
    """14/2: the state of a chat after a change of its name or members; ``dup``, in a reply: nothing changed."""

    t = 2
    by: int | UnsetType = UNSET


class Details(Body, frozen=True, kw_only=True):
    """14/3, the reply: a chat as it is now; ``read``: up to which message each member has read."""

    op, t, core = 14, 3, False
    chat_id: int
    type: int
    chat: str
    users: list[int]
    owner_id: int | UnsetType = UNSET
    created_at: int
    last_message_id: int
    seq: int
    read: dict[str, int]


class InboxRow(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """One chat of an inbox; ``user_id``: the other one of a private chat. ``last``: its last message."""

    chat_id: int
    type: int
    chat: str
    user_id: int | UnsetType = UNSET
    users_count: int
    last_message_id: int
    seq: int
    read: int
    unread: int
    last: Message | UnsetType = UNSET


class Inbox(Body, frozen=True, kw_only=True):
    """14/4, the reply: chats by newest activity; ``cursor`` asks for those behind them, if there are any."""

    op, t, core = 14, 4, False
    chats: list[InboxRow]
    cursor: str | UnsetType = UNSET
