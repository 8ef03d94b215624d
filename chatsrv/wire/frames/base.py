"""What all frames from the server share: the base struct and the encoding."""

from __future__ import annotations

from typing import ClassVar

import msgspec
from msgspec import UNSET, UnsetType

FrameId = str | int

_encoder = msgspec.json.Encoder()


class Body(msgspec.Struct, frozen=True, gc=False):
    """The ``d`` of a frame; ``op`` and ``t`` belong to the struct. ``core``: the core profile may be sent it
    without having asked for it."""

    op: ClassVar[int]
    t: ClassVar[int]
    core: ClassVar[bool] = True


def encode(body: Body, request_id: FrameId | UnsetType | None = None) -> bytes:
    """The frame as UTF-8 JSON text; with ``id`` when it is the reply to a request that had one."""
    if request_id is None or request_id is UNSET:
        return b'{"op":%d,"t":%d,"d":%b}' % (body.op, body.t, _encoder.encode(body))
    name = b"%d" % request_id if type(request_id) is int else _encoder.encode(request_id)
    return b'{"op":%d,"t":%d,"id":%b,"d":%b}' % (body.op, body.t, name, _encoder.encode(body))


def size_of(part: msgspec.Struct) -> int:
    """How many bytes a part of a body takes, for pages that are bounded in bytes."""
    return len(_encoder.encode(part))
