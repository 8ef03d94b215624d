"""What a conformance case is: frames to send, and what has to come back."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from tests.unit.test_shell_kit import BINARY, CLOSE, CONTINUATION, PING, PONG, TEXT, client_frame

__all__ = ["BINARY", "CLOSE", "CONTINUATION", "PING", "PONG", "TEXT", "client_frame"]

Answer = tuple[str, object]
"""The kind of a frame that the server sends, and what matters in it."""

GARBAGE: Answer = ("error", "bad_json")
ANYTHING: Answer = ("anything", None)
"""Stands first: whatever comes before the rest of what is expected."""


@dataclass(frozen=True)
class Case:
    """``sent``, frame by frame, is answered by ``expected`` and nothing else.

    Where that does not end in a close, the connection still works. ``offer``: the extensions that the client offers.
    """

    section: str
    name: str
    sent: Sequence[bytes]
    expected: Sequence[Answer]
    offer: str = ""


@dataclass(frozen=True)
class Handshake:
    """The request ``sent`` is answered with ``status``, with ``headers`` (None: without that one) among the others."""

    section: str
    name: str
    sent: Sequence[bytes]
    status: int
    headers: Mapping[str, str | None] = field(default_factory=dict)


def asking(text: str = "here", size: int = 0) -> bytes:
    """A request that is answered with ``text``, filled up to ``size`` bytes; the text comes last."""
    start = '{"op":99,"t":1,"pad":"'
    end = '","id":' + json.dumps(text, ensure_ascii=False) + "}"
    return (start + "." * (size - len((start + end).encode())) + end).encode()


def answered(text: str = "here") -> Answer:
    """The answer to :func:`asking`."""
    return ("answer", text)


def pong(payload: bytes = b"") -> Answer:
    """A pong frame."""
    return ("pong", payload)


def closed(code: int | None) -> Answer:
    """A close frame; None: without a code."""
    return ("close", code)


def text_frame(payload: bytes | str = b"", **how: object) -> bytes:
    """One text frame."""
    return client_frame(TEXT, payload.encode() if isinstance(payload, str) else payload, **how)


def ask(text: str = "here", size: int = 0) -> bytes:
    """The request in one frame."""
    return text_frame(asking(text, size))


def close_frame(code: int, reason: bytes = b"") -> bytes:
    """A close frame with a body."""
    return client_frame(CLOSE, code.to_bytes(2, "big") + reason)


def fragments(*parts: bytes, rsv: int = 0) -> list[bytes]:
    """One text message in as many frames."""
    last = len(parts) - 1
    return [
        client_frame(CONTINUATION if at else TEXT, part, fin=at == last, rsv=0 if at else rsv)
        for at, part in enumerate(parts)
    ]


def pieces(payload: bytes, size: int) -> list[bytes]:
    """The payload in pieces of ``size`` bytes; the last may be shorter."""
    return [payload[start : start + size] for start in range(0, len(payload), size)]
