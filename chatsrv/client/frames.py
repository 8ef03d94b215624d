"""A frame as the client sees it, hello as a struct, and their JSON. Sans-IO.

The client is lenient: members it does not know are ignored (PROTOCOL section 2), and the members of
``d`` are checked only where the library itself reads them (hello, errors).
"""

from __future__ import annotations

from typing import Any

import msgspec

from chatsrv.client.errors import RequestRefused
from chatsrv.wire.codes import ErrorCode

ERROR = (3, 1)
HELLO = (1, 1)


class Frame(msgspec.Struct, frozen=True, omit_defaults=True):
    """One frame of PROTOCOL section 2, in either direction; without ``id`` from the server: an event."""

    op: int
    t: int
    d: dict[str, Any] = {}
    id: int | str | None = None

    @property
    def kind(self) -> tuple[int, int]:
        """``(op, t)``: what the frame is."""
        return self.op, self.t


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """What the server allows, as hello says it; None for what it does not say."""

    frame_bytes: int | None = None
    message_chars: int | None = None
    requests_per_s: float | None = None
    burst: int | None = None
    history_page: int | None = None
    members: int | None = None


class Hello(msgspec.Struct, frozen=True, kw_only=True):
    """The first frame of every connection, 1/1. Times are milliseconds since the Unix epoch."""

    chat_ids: list[int]
    friend_ids: list[int]
    user_id: int | None = None
    session_id: str | int | None = None
    server_time: int | None = None
    expires_at: int | None = None
    epoch: str | None = None
    heads: dict[int, int] = {}
    incoming: list[int] = []
    outgoing: list[int] = []
    limits: Limits = Limits()


class CaughtUp(msgspec.Struct, frozen=True, kw_only=True):
    """The reply to 1/2: where each replay stopped, and the chats that could not be replayed in full."""

    heads: dict[int, int] = {}
    reset: list[int] = []


_decoder = msgspec.json.Decoder(Frame)
_encoder = msgspec.json.Encoder()


def decode(payload: bytes | str) -> Frame:
    """The frame in one text message; ``msgspec.MsgspecError`` when there is none in it."""
    return _decoder.decode(payload)


def encode(frame: Frame) -> bytes:
    """One text message; an empty ``d`` and an absent ``id`` are left out."""
    return _encoder.encode(frame)


def hello_of(frame: Frame) -> Hello:
    """What a 1/1 says; ``msgspec.MsgspecError`` when ``frame`` is none."""
    if frame.kind != HELLO:
        raise msgspec.ValidationError(f"{frame.op}/{frame.t} came instead of hello")
    return msgspec.convert(frame.d, Hello, str_keys=True)


def refusal_of(frame: Frame) -> RequestRefused:
    """The error a 3/1 stands for; a code this library does not know counts as ``internal``."""
    name, message, retry = (frame.d.get(key) for key in ("code", "message", "retry_after_ms"))
    try:
        code = ErrorCode.by_name(str(name))
    except KeyError:
        return RequestRefused(ErrorCode.INTERNAL, f"{name}: {message}")
    return RequestRefused(code, str(message), retry if isinstance(retry, int) else None)
