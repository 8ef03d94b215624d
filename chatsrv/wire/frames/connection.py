"""Ops 1 to 3: the connection, who is online, errors."""

from __future__ import annotations

from msgspec import UNSET, UnsetType, field

from chatsrv.wire.codes import ErrorCode
from chatsrv.wire.frames.base import Body
from chatsrv.wire.limits import Limits
from chatsrv.wire.refusal import Refused


class Hello(Body, frozen=True, kw_only=True):
    """1/1, the first frame of every connection."""

    op, t = 1, 1
    chat_ids: list[int]
    friend_ids: list[int]
    user_id: int
    session_id: str
    server_time: int
    expires_at: int | UnsetType = UNSET
    epoch: str
    heads: dict[str, int]
    incoming: list[int]
    outgoing: list[int]
    limits: Limits


class CaughtUp(Body, frozen=True, kw_only=True):
    """1/2, the reply after a replay: where it stopped in each chat, and which could not be replayed."""

    op, t, core = 1, 2, False
    heads: dict[str, int]
    reset: list[int]


class Renewed(Body, frozen=True, kw_only=True):
    """1/3, the reply: the connection's token is another one now."""

    op, t, core = 1, 3, False
    expires_at: int | UnsetType = UNSET


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
