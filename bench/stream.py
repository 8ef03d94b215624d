"""The receivers of one fan-out. All are sent the same bytes, so one copy is parsed and the others are compared to it.

Whoever is ahead extends the `Stream`, which reads each frame: the numbers must have no hole, the texts must count on
and be whole. A receiver that is behind compares what it got with the stream: the same bytes are the same frames,
each once, in order. Pings stand between frames and are answered and left out. So a receiver costs a comparison of
memory for a chunk, however many frames are in it, and still nothing is taken on trust.
"""

from __future__ import annotations

import asyncio
import base64
import os
import time
from bisect import bisect_right
from typing import Any
from urllib.parse import urlsplit

import msgspec

from bench.connection import TIMEOUT_S, Data, Faults, Frame

_decode = msgspec.json.Decoder(Frame).decode
_TEXT, _PING = 0x81, 0x89
_MOST_OF_CONTROL = 125  # bytes


class Stream:
    """``ends``: where each frame ends; ``sent_at``: when its message was due to be sent (the text says it)."""

    def __init__(self, faults: Faults, *, numbered: bool = True) -> None:
        self.bytes = bytearray()
        self.ends: list[int] = []
        self.sent_at: list[float] = []
        self.faults = faults
        self._numbered = numbered  # frames carry chatsrv's seq
        self._ids = (0, 0)  # the last frame's
        self._same: tuple[int, ...] = ()  # what all frames have in common, known from the first
        self._number = 0

    @property
    def parsed(self) -> int:
        return self.ends[-1] if self.ends else 0

    def extend(self, data: bytes) -> bytes:
        """Append, up to a control frame; returns what was not taken: nothing, or from that frame on."""
        self.bytes += data
        while (at := self.parsed) < len(self.bytes):
            if self.bytes[at] != _TEXT:
                rest = bytes(self.bytes[at:])
                del self.bytes[at:]
                return rest
            found = _frame_at(self.bytes, at)
            if found is None or found[1] > len(self.bytes):
                break
            self._read(bytes(self.bytes[slice(*found)]), found[1])
        return b""

    def _read(self, payload: bytes, end: int) -> None:
        self.ends.append(end)
        try:
            frame = _decode(payload)
            number, due = text_of(frame.d)
        except ValueError as error:
            self.faults.add(f"{error}: {payload[:80]!r}")
            due = 0.0
        else:
            self._check(frame, number, due)
        self.sent_at.append(due)

    def _check(self, frame: Frame, number: int, due: float) -> None:
        d = frame.d
        if number != self._number:
            self.faults.add(f"message {number} came where {self._number} was due")
        if d.message != text(number, due, len(d.message)):
            self.faults.add(f"message {number} has another text")
        ids, same = (d.message_id, d.seq), (frame.op, frame.t, d.chat_id, d.sender_id, len(d.message))
        if frame.op != 12 or same != (self._same or same):
            self.faults.add(f"message {number} is {same} where {self._same} was due")
        if self._numbered and number and ids != tuple(last + 1 for last in self._ids):
            self.faults.add(f"message and event {ids} follow {self._ids}")
        self._number, self._ids, self._same = number + 1, ids, same


def text_of(d: Data) -> tuple[int, float]:
    """The number of a message, and when it was to be sent."""
    return int(d.message[:10]), float(d.message[10:30])


def text(number: int, due: float, size: int) -> str:
    """A message's text of ``size`` characters that says its number and when it was due."""
    return f"{number:010d}{due:020.9f}".ljust(size, ".")


def _frame_at(data: bytes | bytearray, at: int) -> tuple[int, int] | None:
    """Where the frame's payload starts and ends; None when its head is not all there."""
    left = len(data) - at
    if left < 2:
        return None
    size, start = data[at + 1], at + 2
    if size == 126:
        if left < 4:
            return None
        size, start = int.from_bytes(data[at + 2 : at + 4], "big"), at + 4
    elif size == 127:
        if left < 10:
            return None
        size, start = int.from_bytes(data[at + 2 : at + 10], "big"), at + 10
    return start, start + size


class Receiver(asyncio.Protocol):
    """A member who only listens. ``opened`` fires when it was greeted (chatsrv) or upgraded (a bare peer).

    ``chunks``, kept when ``timed``: when frames ``[first, behind the last)`` came.
    """

    def __init__(
        self, stream: Stream, host: str, path: str, headers: str, *, greeted: bool, timed: bool
    ) -> None:
        self.opened: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.chunks: list[tuple[float, int, int]] | None = [] if timed else None
        self.frames = 0
        self._stream = stream
        self._request = (
            f"GET {path} HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Key: {base64.b64encode(os.urandom(16)).decode()}\r\nSec-WebSocket-Version: 13\r\n"
            f"{headers}\r\n"
        )
        self._greeted = greeted
        self._head = b""
        self._position = 0
        self._transport: Any = None
        self._control = b""
        self._closing = False

    @classmethod
    async def open(
        cls, url: str, stream: Stream, *, token: str = "", greeted: bool = True, timed: bool = False
    ) -> Receiver:
        parts = urlsplit(url)
        assert parts.hostname
        assert parts.port
        headers = f"Authorization: Bearer {token}\r\nSec-WebSocket-Protocol: chatsrv.v1\r\n" if token else ""
        receiver = cls(stream, parts.netloc, parts.path, headers, greeted=greeted, timed=timed)
        loop = asyncio.get_running_loop()
        await loop.create_connection(lambda: receiver, parts.hostname, parts.port)
        await asyncio.wait_for(receiver.opened, TIMEOUT_S)
        return receiver

    def send(self, payload: bytes) -> None:
        """One text message, masked with zeros."""
        size = len(payload)
        head = bytes((0x81, 0x80 | size)) if size < 126 else bytes((0x81, 0xFE)) + size.to_bytes(2, "big")
        self._transport.write(head + bytes(4) + payload)

    def close(self) -> None:
        self._closing = True
        self._transport.abort()

    # What asyncio calls

    def connection_made(self, transport: Any) -> None:
        self._transport = transport
        transport.write(self._request.encode())

    def connection_lost(self, exc: Exception | None) -> None:
        if not self._closing:
            self._stream.faults.add(f"a receiver was cut off: {exc}")
        if not self.opened.done():
            self.opened.set_exception(ConnectionError(f"not opened: {self._head[:200]!r}"))

    def data_received(self, data: bytes) -> None:
        if not self.opened.done():
            data = self._opening(data)
            if not data:
                return
        now = time.perf_counter()
        if self._control:
            data, self._control = self._control + data, b""
        while data:
            data = self._take(data)
        stream, first = self._stream, self.frames
        self.frames = bisect_right(stream.ends, self._position, first)
        if self.chunks is not None and self.frames > first:
            self.chunks.append((now, first, self.frames))

    def _opening(self, data: bytes) -> bytes:
        """Through the answer to the handshake and hello; what is behind them."""
        self._head += data
        end = self._head.find(b"\r\n\r\n")
        if end < 0:
            return b""
        if not self._head.startswith(b"HTTP/1.1 101"):
            self._transport.abort()
            return b""
        behind = end + 4
        for op in (1, 2) if self._greeted else ():  # 1/1, and the 2/1 that follows it
            found = _frame_at(self._head, behind)
            if found is None or found[1] > len(self._head):
                return b""
            if _decode(self._head[slice(*found)]).op != op:
                self._stream.faults.add(f"a receiver was not greeted but sent {self._head[behind:][:200]!r}")
            behind = found[1]
        self.opened.set_result(None)
        return self._head[behind:]

    def _take(self, data: bytes) -> bytes:
        """Some of it; returns the rest."""
        stream, position = self._stream, self._position
        known = len(stream.bytes) - position
        if not known:
            rest = stream.extend(data)
            self._position = len(stream.bytes)
            return self._control_frame(rest) if rest else b""
        part = data if len(data) <= known else data[:known]
        if stream.bytes.startswith(part, position):
            self._position += len(part)
            return data[len(part) :]
        return self._take_frame(data)

    def _take_frame(self, data: bytes) -> bytes:
        """Somewhere in it a ping stands between two frames: go on frame by frame."""
        ends, position = self._stream.ends, self._position
        index = bisect_right(ends, position)
        if data[0] != _TEXT and position == (ends[index - 1] if index else 0):
            return self._control_frame(data)
        size = ends[index] - position if index < len(ends) else len(data)
        if size < len(data) and self._stream.bytes.startswith(data[:size], position):
            self._position += size
            return data[size:]
        self._stream.faults.add(f"a receiver got other bytes than the rest, at {position}")
        self._transport.abort()
        return b""

    def _control_frame(self, data: bytes) -> bytes:
        """Answer a ping; what is behind it."""
        if data[0] != _PING or data[1:2] > bytes((_MOST_OF_CONTROL,)):
            self._stream.faults.add(f"a receiver got a frame that begins with {data[:2].hex()}")
            self._transport.abort()
            return b""
        found = _frame_at(data, 0)
        if found is None or found[1] > len(data):
            self._control = data
            return b""
        payload = data[slice(*found)]
        self._transport.write(bytes((0x8A, 0x80 | len(payload))) + bytes(4) + payload)
        return data[found[1] :]
