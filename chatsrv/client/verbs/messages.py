"""Op 11: the messages of a chat."""

from __future__ import annotations

import msgspec
from twisted.internet.defer import Deferred

from chatsrv.client.verbs.base import Caller, Message, ask


class Sent(msgspec.Struct, frozen=True):
    """The reply to 11/1 and 11/2: the message is stored; ``dup``: it was before. ``sent_at`` is in ms."""

    chat_id: int
    message_id: int
    seq: int
    sent_at: int
    dup: bool = False


class Changed(msgspec.Struct, frozen=True):
    """The reply to 11/6 and 11/7: which message changed, and the event's ``seq``; ``dup``: nothing changed."""

    chat_id: int
    message_id: int
    seq: int | None = None
    dup: bool = False


class Mark(msgspec.Struct, frozen=True):
    """The reply to 11/8: up to where the caller has read now."""

    chat_id: int
    message_id: int
    user_id: int | None = None


class Typing(msgspec.Struct, frozen=True):
    """The reply to 11/9."""

    chat_id: int
    user_id: int | None = None


class History(msgspec.Struct, frozen=True):
    """The reply to 11/10: messages, oldest first; ``more``: there are further ones in the direction asked."""

    chat_id: int
    messages: list[Message]
    more: bool


def send_private(
    caller: Caller, chat_id: int, message: str, *, reply_to: int | None = None, nonce: str | None = None
) -> Deferred[Sent]:
    """11/1: a message to a private chat."""
    d = {"chat_id": chat_id, "message": message, "reply_to": reply_to, "nonce": nonce}
    return ask(caller, 11, 1, d, Sent)


def send_group(
    caller: Caller, chat_id: int, message: str, *, reply_to: int | None = None, nonce: str | None = None
) -> Deferred[Sent]:
    """11/2: a message to a group."""
    d = {"chat_id": chat_id, "message": message, "reply_to": reply_to, "nonce": nonce}
    return ask(caller, 11, 2, d, Sent)


def edit(caller: Caller, chat_id: int, message_id: int, message: str) -> Deferred[Changed]:
    """11/6: another text for one's own message."""
    return ask(caller, 11, 6, {"chat_id": chat_id, "message_id": message_id, "message": message}, Changed)


def delete(caller: Caller, chat_id: int, message_id: int) -> Deferred[Changed]:
    """11/7: delete one's own message, or as the group's owner any."""
    return ask(caller, 11, 7, {"chat_id": chat_id, "message_id": message_id}, Changed)


def mark_read(caller: Caller, chat_id: int, message_id: int) -> Deferred[Mark]:
    """11/8: everything up to this message was read."""
    return ask(caller, 11, 8, {"chat_id": chat_id, "message_id": message_id}, Mark)


def typing(caller: Caller, chat_id: int) -> Deferred[Typing]:
    """11/9: the caller is writing something."""
    return ask(caller, 11, 9, {"chat_id": chat_id}, Typing)


def history(
    caller: Caller,
    chat_id: int,
    *,
    before: int | None = None,
    after: int | None = None,
    limit: int | None = None,
) -> Deferred[History]:
    """11/10: a page of messages before or after one (``after`` 0: the oldest); without either, the newest."""
    return ask(
        caller, 11, 10, {"chat_id": chat_id, "before": before, "after": after, "limit": limit}, History
    )
