"""Op 12: what happened to messages, and pages of them."""

from __future__ import annotations

import msgspec
from msgspec import UNSET, UnsetType

from chatsrv.wire.frames.base import Body


class PrivateMessage(Body, frozen=True, gc=False, kw_only=True):
    """12/1: a new message in a private chat."""

    op, t = 12, 1
    chat_id: int
    message: str
    message_id: int
    seq: int
    sender_id: int
    sent_at: int
    reply_to: int | UnsetType = UNSET
    deleted: bool | UnsetType = UNSET


class GroupMessage(PrivateMessage, frozen=True, gc=False, kw_only=True):
    """12/2: a new message in a group."""

    t = 2


class PrivateSent(Body, frozen=True, gc=False, kw_only=True):
    """12/1 as a reply: the message is stored; ``dup``: it was before."""

    op, t = 12, 1
    chat_id: int
    message_id: int
    seq: int
    sent_at: int
    dup: bool | UnsetType = UNSET


class GroupSent(PrivateSent, frozen=True, gc=False, kw_only=True):
    """12/2 as a reply: the message is stored; ``dup``: it was before."""

    t = 2


class Edited(Body, frozen=True, gc=False, kw_only=True):
    """12/6: a message has another text; ``dup``, in a reply: it had it before."""

    op, t = 12, 6
    chat_id: int
    message_id: int
    message: str
    seq: int
    sender_id: int
    edited_at: int | UnsetType = UNSET
    deleted: bool | UnsetType = UNSET
    dup: bool | UnsetType = UNSET


class Deleted(Body, frozen=True, gc=False, kw_only=True):
    """12/7: a message's text is gone; ``sender_id`` is the author, ``by`` who deleted it; ``dup`` as in 12/6."""

    op, t = 12, 7
    chat_id: int
    message_id: int
    seq: int
    sender_id: int
    by: int
    dup: bool | UnsetType = UNSET


class ReadUpTo(Body, frozen=True, gc=False, kw_only=True):
    """12/8: a member has read everything up to a message."""

    op, t, core = 12, 8, False
    chat_id: int
    message_id: int
    user_id: int


class IsTyping(Body, frozen=True, gc=False, kw_only=True):
    """12/9: a member is writing something."""

    op, t, core = 12, 9, False
    chat_id: int
    user_id: int


class Message(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """A message as it is now, in pages and rows; one that was deleted has no ``message``."""

    message_id: int
    sender_id: int
    message: str | UnsetType = UNSET
    sent_at: int
    edited_at: int | UnsetType = UNSET
    deleted: bool | UnsetType = UNSET
    reply_to: int | UnsetType = UNSET


class History(Body, frozen=True, gc=False, kw_only=True):
    """12/10, the reply: a page of messages, oldest first; ``more``: there are further ones in the direction asked."""

    op, t, core = 12, 10, False
    chat_id: int
    messages: list[Message]
    more: bool
