"""Many connections that do nothing, each of another user, as lean as the generator can have them.

Each must be sent exactly its 1/1 and its 2/1, then pings, and nothing else; what else comes, or that the connection
ends, is the first of the run's `Faults`.
"""

from __future__ import annotations

import asyncio
import base64
import os
import random
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any
from urllib.parse import urlsplit

import msgspec

from bench.connection import TIMEOUT_S, Faults
from bench.deployment import token

_TEXT, _PING, _PONG = 0x81, 0x89, 0x8A


class Crowd:
    """What the connections of a run share. ``chats``: of each user; ``pings``: answered so far, by all."""

    def __init__(self, url: str, chats: int) -> None:
        self.faults = Faults()
        self.chats = chats
        self.pings = 0
        self.open: list[Idle] = []
        parts = urlsplit(url)
        self.host, self.port = parts.hostname or "", parts.port or 0
        self._request = (
            f"GET {parts.path} HTTP/1.1\r\nHost: {parts.netloc}\r\nUpgrade: websocket\r\n"
            "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: chatsrv.v1\r\n"
        )

    def requests(self, users: Sequence[int]) -> list[tuple[int, bytes]]:
        """What each of them asks of the server, made beforehand: tokens take their time."""
        return [(user, self._request_of(user)) for user in users]

    def _request_of(self, user_id: int) -> bytes:
        key = base64.b64encode(os.urandom(16)).decode()
        own = f"Sec-WebSocket-Key: {key}\r\nAuthorization: Bearer {token(user_id)}\r\n\r\n"
        return (self._request + own).encode()

    async def grow(self, requests: Sequence[tuple[int, bytes]], at_once: int) -> list[float]:
        """Connect these users, so many at once; seconds until each was greeted."""
        latencies: list[float] = []
        due = iter(requests)  # shared: each takes the next one

        async def open_some() -> None:
            for user, request in due:
                latencies.append(await self._open(user, request))

        await asyncio.gather(*(open_some() for _ in range(at_once)))
        self.faults.check()
        return latencies

    async def _open(self, user_id: int, request: bytes) -> float:
        loop = asyncio.get_running_loop()
        idle = Idle(self, user_id, request)
        await loop.create_connection(lambda: idle, self.host, self.port)
        self.open.append(idle)
        return await asyncio.wait_for(idle.ready, TIMEOUT_S)

    async def ask(self, count: int) -> None:
        """So many of them make a request each and must be answered; all must be open."""
        self.faults.check()
        asked = random.Random(count).sample(self.open, min(count, len(self.open)))
        await asyncio.wait_for(asyncio.gather(*(idle.ask() for idle in asked)), TIMEOUT_S)
        self.faults.check()

    def close(self) -> None:
        for idle in self.open:
            idle.close()


class Idle(asyncio.Protocol):
    """One user's connection. ``ready`` fires with 2/1: seconds from the start of connecting until 1/1 was read."""

    def __init__(self, crowd: Crowd, user_id: int, request: bytes) -> None:
        self.ready: asyncio.Future[float] = asyncio.get_running_loop().create_future()
        self._crowd, self._user_id, self._request = crowd, user_id, request
        self._began = time.perf_counter()
        self._greeted_s = 0.0
        self._data = b""  # of the handshake's answer, or of a frame, that is not all there
        self._take: Callable[[dict[str, Any]], None] | None = None  # what the next text frame must be
        self._answer: asyncio.Future[None] | None = None
        self._transport: Any = None
        self._closing = False

    def ask(self) -> asyncio.Future[None]:
        """The user's lists; fires when they came."""
        self._answer = asyncio.get_running_loop().create_future()
        self._take = self._answered
        self._send(_TEXT, b'{"op":16,"t":6,"id":1}')
        return self._answer

    def close(self) -> None:
        self._closing = True
        self._transport.abort()

    # What must come, in this order

    def _upgraded(self, data: bytes) -> bytes:
        """Through the answer to the handshake; what is behind it."""
        head, end, behind = data.partition(b"\r\n\r\n")
        if not end:
            self._data = data
            return b""
        self._expect(head.startswith(b"HTTP/1.1 101 "), f"refused: {head[:80]!r}")
        self._take = self._greeted
        return behind

    def _greeted(self, frame: dict[str, Any]) -> None:
        self._greeted_s = time.perf_counter() - self._began
        self._expect((frame["op"], frame["t"]) == (1, 1), "no 1/1 came first")
        d = frame["d"]
        named = len(d.get("chat_ids", ()))
        self._expect(d.get("user_id") == self._user_id and named == self._crowd.chats, f"greeted with {d}")
        self._take = self._told_status

    def _told_status(self, frame: dict[str, Any]) -> None:
        self._expect(frame == {"op": 2, "t": 1, "d": {"user_ids": []}}, f"{frame} for the first 2/1")
        self._take = self._surprised
        if not self.ready.done():
            self.ready.set_result(self._greeted_s)

    def _surprised(self, frame: dict[str, Any]) -> None:
        self._expect(False, f"was sent {frame}")

    def _answered(self, frame: dict[str, Any]) -> None:
        is_answer = (frame["op"], frame["t"], frame.get("id")) == (17, 6, 1)
        self._expect(is_answer, f"was sent {frame} for an answer")
        self._take = self._surprised
        if self._answer is not None and is_answer:
            self._answer.set_result(None)

    def _expect(self, holds: bool, otherwise: str) -> None:
        if not holds:
            self._crowd.faults.add(f"user {self._user_id}: {otherwise}")

    # What asyncio calls

    def connection_made(self, transport: Any) -> None:
        self._transport = transport
        transport.write(self._request)
        self._request = b""

    def connection_lost(self, exc: Exception | None) -> None:
        self._expect(self._closing, f"the connection was lost: {exc}")
        for waiting in (self.ready, self._answer):
            if waiting is not None and not waiting.done():
                waiting.set_exception(AssertionError(self._crowd.faults.first))

    def data_received(self, data: bytes) -> None:
        data, self._data = self._data + data, b""
        if self._take is None:
            data = self._upgraded(data)
        position = 0
        for first, payload, end in frames(data):
            position = end
            if first == _PING:
                self._crowd.pings += 1
                self._send(_PONG, payload)
            elif first == _TEXT and self._take is not None:
                self._take(msgspec.json.decode(payload))
            else:
                self._expect(False, f"was sent a frame that begins with {first:#x}")
        if position < len(data):
            self._data = data[position:]

    def _send(self, first: int, payload: bytes) -> None:
        """A short frame, masked with zeros."""
        self._transport.write(bytes((first, 0x80 | len(payload))) + bytes(4) + payload)


def frames(data: bytes) -> Iterator[tuple[int, bytes, int]]:
    """First byte, payload and end of each frame that is all there."""
    position = 0
    while len(data) >= position + 2:
        size, start = data[position + 1], position + 2
        if size > 125:
            behind = start + (2 if size == 126 else 8)
            size, start = int.from_bytes(data[start:behind], "big"), behind
        if start + size > len(data):
            return
        yield data[position], data[start : start + size], start + size
        position = start + size
