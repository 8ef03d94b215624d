"""What the server sends: one struct per ``d`` of PROTOCOL section 3, and their encoding.

A frame is encoded once, then the same bytes go to everyone (`encode`); a reply is the same struct with
the request's ``id`` beside it. Members left out by the protocol are `UNSET`.
"""

from __future__ import annotations

from typing import ClassVar

import msgspec
from msgspec import UNSET, UnsetType, field

from chatsrv.wire.codes import ErrorCode
from chatsrv.wire.limits import Limits
from chatsrv.wire.refusal import Refused

FrameId = str | int


class Body(msgspec.Struct, frozen=True, gc=False):
    """The ``d`` of a frame; ``op`` and ``t`` belong to the struct, or are given per object where ``t`` varies."""

    op: ClassVar[int]
    t: ClassVar[int]


class Hello(Body, frozen=True, kw_only=True):
    """1/1, the first frame of every connection."""

    op, t = 1, 1
    chat_ids: list[int]
    friend_ids: list[int]
    user_id: int
    session_id: str
    server_time: int
    expires_at: int | UnsetType = UNSET
    heads: dict[str, int]
    incoming: list[int]
    outgoing: list[int]
    limits: Limits


class Status(Body, frozen=True):
    """2/1: the receiver's friends who are online now."""

    op, t = 2, 1
    user_ids: list[int]


class Error(Body, frozen=True, kw_only=True):
    """3/1: the request was refused."""

    op_: int | UnsetType = field(name="op", default=UNSET)
    t_: int | UnsetType = field(name="t", default=UNSET)
    code: str
    message: str
    retry_after_ms: int | UnsetType = UNSET


Error.op, Error.t = 3, 1


class PrivateMessage(Body, frozen=True, gc=False, kw_only=True):
    """12/1: a new message in a private chat."""

    op, t = 12, 1
    chat_id: int
    message: str
    message_id: int
    seq: int
    sender_id: int
    sent_at: int
    deleted: bool | UnsetType = UNSET


class GroupMessage(PrivateMessage, frozen=True, gc=False, kw_only=True):
    """12/2: a new message in a group."""

    t = 2


class PrivateSent(Body, frozen=True, gc=False, kw_only=True):
    """12/1 as a reply: the message is stored."""

    op, t = 12, 1
    chat_id: int
    message_id: int
    seq: int
    sent_at: int


class GroupSent(PrivateSent, frozen=True, gc=False, kw_only=True):
    """12/2 as a reply: the message is stored."""

    t = 2


class Edited(Body, frozen=True, gc=False, kw_only=True):
    """12/6: a message has another text."""

    op, t = 12, 6
    chat_id: int
    message_id: int
    message: str
    seq: int
    sender_id: int
    edited_at: int | UnsetType = UNSET
    deleted: bool | UnsetType = UNSET


class Deleted(Body, frozen=True, gc=False, kw_only=True):
    """12/7: a message's text is gone; ``sender_id`` is the author, ``by`` who deleted it."""

    op, t = 12, 7
    chat_id: int
    message_id: int
    seq: int
    sender_id: int
    by: int


class ChatCreated(Body, frozen=True, kw_only=True):
    """14/1: a chat exists, with its state."""

    op, t = 14, 1
    chat_id: int
    seq: int
    type: int
    chat: str
    users: list[int]
    owner_id: int | UnsetType = UNSET


class ChatChanged(ChatCreated, frozen=True, kw_only=True):
    """14/2: the state of a chat after a change of its name or members."""

    t = 2
    by: int | UnsetType = UNSET


class FriendAsked(Body, frozen=True, gc=False, kw_only=True):
    """17/1: somebody asked for friendship."""

    op, t = 17, 1
    user_id: int
    asker: int = field(name="from")
    accepted: bool | UnsetType = UNSET


class FriendAnswered(Body, frozen=True, gc=False, kw_only=True):
    """17/2: a request was accepted (type 1) or denied (type 2)."""

    op, t = 17, 2
    user_id: int
    type: int
    answerer: int = field(name="from")


FRAMES: tuple[type[Body], ...] = (
    Hello,
    Status,
    Error,
    PrivateMessage,
    GroupMessage,
    Edited,
    Deleted,
    ChatCreated,
    ChatChanged,
    FriendAsked,
    FriendAnswered,
)

_encoder = msgspec.json.Encoder()


def encode(body: Body, request_id: FrameId | UnsetType | None = None) -> bytes:
    """The frame as UTF-8 JSON text; with ``id`` when it is the reply to a request that had one."""
    if request_id is None or request_id is UNSET:
        return b'{"op":%d,"t":%d,"d":%b}' % (body.op, body.t, _encoder.encode(body))
    return b'{"op":%d,"t":%d,"id":%b,"d":%b}' % (
        body.op,
        body.t,
        _encoder.encode(request_id),
        _encoder.encode(body),
    )


def error(refused: Refused, op: int | None = None, t: int | None = None) -> Error:
    """The 3/1 for a refusal; ``message`` is constant per code, with the member's name, never input."""
    code: ErrorCode = refused.code
    return Error(
        op_=UNSET if op is None else op,
        t_=UNSET if t is None else t,
        code=code.code,
        message=code.text if refused.member is None else f"{refused.member}: {code.text}",
        retry_after_ms=UNSET if refused.retry_after_ms is None else refused.retry_after_ms,
    )
