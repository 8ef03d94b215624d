"""Bytes to requests: what a client sent becomes a checked request, or a `Malformed` that names the fault.

Two steps: the envelope with ``d`` left raw, then ``d`` with the struct of its ``op`` and ``t``. Only when a
step fails is the text parsed once more, to tell a broken JSON text from a wrong type and to find the ``id``.
Called by the session for each frame; raises nothing but `Malformed`, whatever the bytes are.
"""

from __future__ import annotations

import json
import math
import re
import sys
from typing import Annotated, Any

import msgspec
from msgspec import UNSET, Meta, UnsetType

from chatsrv.wire.codes import ErrorCode
from chatsrv.wire.frames import FrameId
from chatsrv.wire.limits import Limits
from chatsrv.wire.refusal import Refused
from chatsrv.wire.requests import REQUESTS, UNSUPPORTED, Request

_Number = Annotated[int, Meta(ge=0, le=2**31)]
_StringId = Annotated[str, Meta(min_length=1, max_length=64)]


class _Envelope(msgspec.Struct):
    op: _Number
    t: _Number
    d: msgspec.Raw = msgspec.Raw(b"{}")
    id: _StringId | int | UnsetType = UNSET


class Incoming(msgspec.Struct, frozen=True):
    """A request as it came: what is asked, and the ``id`` to answer to."""

    request: Request
    id: FrameId | UnsetType


class Malformed(Refused):
    """The peer's frame is no valid request; ``id``, ``op`` and ``t`` as far as they could be read."""

    def __init__(
        self,
        code: ErrorCode,
        member: str | None = None,
        *,
        id: FrameId | UnsetType = UNSET,
        op: int | None = None,
        t: int | None = None,
    ) -> None:
        super().__init__(code, member)
        self.id = id
        self.op = op
        self.t = t


_envelope = msgspec.json.Decoder(_Envelope)
_bodies = {key: msgspec.json.Decoder(struct) for key, struct in REQUESTS.items()}
_MEMBER = re.compile(r"`\$\.([a-z_]+)|field `([a-z_]+)`")


def decode(payload: bytes, limits: Limits, caller: int) -> Incoming:
    """The request in ``payload``, checked for ``caller`` (a user id); `Malformed` if it is none."""
    try:
        envelope = _envelope.decode(payload)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise _diagnosed(payload, limits, caller) from None
    key = (envelope.op, envelope.t)
    request_id = envelope.id
    body = _bodies.get(key)
    if body is None:
        code = ErrorCode.UNSUPPORTED if key in UNSUPPORTED else ErrorCode.UNKNOWN_OP
        if not bytes(envelope.d).lstrip().startswith(b"{"):
            code = ErrorCode.BAD_FRAME
        raise Malformed(code, id=request_id, op=envelope.op, t=envelope.t)
    try:
        request = body.decode(envelope.d)
        request.check(limits, caller)
    except Refused as refused:
        raise Malformed(refused.code, refused.member, id=request_id, op=envelope.op, t=envelope.t) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as fault:
        raise _fault_in_body(fault, envelope) from None
    return Incoming(request, request_id)


def _diagnosed(payload: bytes, limits: Limits, caller: int) -> Malformed:
    """Why the envelope could not be read: no JSON text, one of another shape, or one with a lone surrogate."""
    try:
        document: Any = json.loads(
            payload.decode(), parse_constant=_no_constant, parse_float=_finite, parse_int=_integer
        )
        text = json.dumps(document, ensure_ascii=False)
    except (ValueError, RecursionError):
        return Malformed(ErrorCode.BAD_JSON)
    if not isinstance(document, dict):
        return Malformed(ErrorCode.BAD_FRAME)
    request_id = document.get("id")
    if not _storable(str(request_id)):
        return Malformed(ErrorCode.BAD_FRAME)
    if not _storable(text):
        return _surrogate(document, text, limits, caller)
    try:
        return Malformed(ErrorCode.BAD_FRAME, id=msgspec.convert(request_id, _StringId | int))
    except msgspec.ValidationError:
        return Malformed(ErrorCode.BAD_FRAME)


def _surrogate(document: dict[str, Any], text: str, limits: Limits, caller: int) -> Malformed:
    """A lone surrogate is JSON by RFC 8259 but no text: our parser stops at it, and it is a fault of its member."""
    try:
        incoming = decode(text.encode(errors="replace"), limits, caller)
    except Malformed as fault:
        return fault
    fields, d = incoming.request.__struct_fields__, document.get("d", {})
    members = (name for name in fields if not _storable(json.dumps(d.get(name), ensure_ascii=False)))
    where = {"id": incoming.id, "op": document["op"], "t": document["t"]}
    return Malformed(ErrorCode.BAD_REQUEST, next(members, None), **where)


def _no_constant(name: str) -> None:
    raise ValueError(name)


def _finite(digits: str) -> float:
    number = float(digits)
    if math.isinf(number):
        raise ValueError(digits)
    return number


def _integer(digits: str) -> float:
    """The integer; one with more digits than Python reads is JSON still, and out of every range, as this float is."""
    try:
        return int(digits)
    except ValueError:
        return sys.float_info.max


def _fault_in_body(fault: Exception, envelope: _Envelope) -> Malformed:
    found = _MEMBER.search(str(fault))
    member = found[1] or found[2] if found else None
    if isinstance(fault, (RecursionError, UnicodeDecodeError)):
        code = ErrorCode.BAD_JSON
    elif member is None:
        code = ErrorCode.BAD_FRAME
    else:
        code = ErrorCode.BAD_REQUEST
    return Malformed(code, member, id=envelope.id, op=envelope.op, t=envelope.t)


def _storable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
