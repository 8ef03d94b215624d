"""What the scripts publish and answer: packed arrays, read into typed structs.

The order of the fields is the order in which ``lua/*.lua`` pack them; new ones go to the end with a
default, so that nodes of two versions understand each other.
"""

from __future__ import annotations

from typing import Any

import msgspec

CREATED, CHANGED, MESSAGE, EDITED, DELETED = 1, 2, 3, 6, 7
READ, TYPING = 8, 9
MEMBERSHIP, RELATION, SURPLUS, REVOCATION = 1, 2, 3, 4


class ChatEvent(msgspec.Struct, array_like=True, frozen=True):
    """One event of a chat's log; ``seq`` is its position. ``at`` is in ms since the epoch.

    ``kind`` says which fields mean something: all have ``by`` (who did it) and ``type`` (1 private, 2 group);
    messages have ``message_id``, ``text``, ``author`` and ``reply_to`` (0: none); creation and change have the
    state after them.
    ``deleted`` and ``rewritten``: read from the log later, the text is gone, or of a later edit.
    """

    kind: int
    seq: int
    at: int
    by: int
    type: int
    message_id: int = 0
    text: str = ""
    author: int = 0
    name: str = ""
    owner: int = 0
    users: list[int] = []
    added: list[int] = []
    removed: list[int] = []
    deleted: bool = False
    rewritten: bool = False
    reply_to: int = 0


class Signal(msgspec.Struct, array_like=True, frozen=True):
    """What happens in a chat beside its events: a member has read on, or is typing. Numbered by nothing.

    ``kind`` READ or TYPING; ``seq`` is the chat's head at that moment, ``session`` whose request it was.
    """

    kind: int
    seq: int
    user: int
    session: str
    message_id: int = 0


class ChatNews(msgspec.Struct, array_like=True, frozen=True):
    """What a chat's channel carries: the operation that caused the events, these in ``seq`` order, signals."""

    operation: str
    events: list[ChatEvent]
    signals: list[Signal] = []


class UserEvent(msgspec.Struct, array_like=True, frozen=True):
    """One change of a user's lists; ``rev`` counts them from 1 without gaps.

    ``kind`` MEMBERSHIP: ``about`` is a chat, ``holds`` whether he is a member, since or until the event
    ``version``. RELATION: ``about`` is the other user, ``holds`` whether they are friends, as of the pair's
    ``version``, and ``blocked`` whether he blocks the other one; ``t``, ``type`` and ``by`` make the 17/t to
    show (t 0: none). SURPLUS is no change and has
    no rev: the session ``operation`` is one too many. REVOCATION: ``version`` is until when his tokens are revoked,
    ``holds`` whether an operator blocks him, ``operation`` the digest of a token that is revoked from now on.
    """

    rev: int
    kind: int
    about: int
    holds: bool
    version: int
    incoming: bool = False
    outgoing: bool = False
    t: int = 0
    type: int = 0
    by: int = 0
    operation: str = ""
    blocked: bool = False


_chat_event = msgspec.msgpack.Decoder(ChatEvent, strict=False)
_chat_events = msgspec.msgpack.Decoder(list[ChatEvent], strict=False)
_chat_news = msgspec.msgpack.Decoder(ChatNews, strict=False)
_user_event = msgspec.msgpack.Decoder(UserEvent, strict=False)


def pack(event: UserEvent) -> bytes:
    return msgspec.msgpack.encode(event)


def chat_event(packed: Any) -> ChatEvent:
    return _chat_event.decode(packed)


def chat_events(packed: Any) -> list[ChatEvent]:
    return _chat_events.decode(packed)


def chat_news(packed: Any) -> ChatNews:
    return _chat_news.decode(packed)


def user_event(packed: Any) -> UserEvent:
    return _user_event.decode(packed)
