"""One hostile connection: it sends what its attack says, reads only while it is told to, and knows how it ended."""

from __future__ import annotations

import asyncio
import base64
import os
import socket
from collections.abc import Callable
from typing import Any

from bench.crowd import frames
from bench.deployment import token

_CLOSE, _PING, _PONG = 0x88, 0x89, 0x8A
_HOST = "127.0.0.1"


def head(user_id: int = 0, *, authorization: str = "") -> bytes:
    """A good request of that user, or one with these credentials."""
    key = base64.b64encode(os.urandom(16)).decode()
    return (
        f"GET /ws HTTP/1.1\r\nHost: {_HOST}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: chatsrv.v1\r\n"
        f"Sec-WebSocket-Key: {key}\r\nAuthorization: Bearer {authorization or token(user_id)}\r\n\r\n"
    ).encode()


def frame(first: int, payload: bytes = b"") -> bytes:
    """A frame of up to 65,535 bytes, masked with zeros."""
    size = len(payload)
    length = bytes([0x80 | size]) if size < 126 else bytes([0xFE]) + size.to_bytes(2, "big")
    return bytes([first]) + length + bytes(4) + payload


class Peer(asyncio.Protocol):
    """``greeted`` fires with the first frame (the upgrade was accepted), ``ended`` says how it ended.

    That is the status of a refusal, ``closed`` and the code of the server's close frame, or ``dropped`` for an end
    without a word. ``on_text`` gets every text message behind the first one.
    """

    def __init__(self) -> None:
        loop = asyncio.get_running_loop()
        self.greeted: asyncio.Future[None] = loop.create_future()
        self.ended: asyncio.Future[str] = loop.create_future()
        self.on_text: Callable[[bytes], None] | None = None
        self.transport: Any = None
        self._data = b""
        self._status = 0
        self._code = 0
        self._writable = asyncio.Event()

    @classmethod
    async def connect(cls, port: int, address: str, *, far: bool = False) -> Peer:
        """From that address of the loopback network; ``far``: the kernels take as little unread as over a real one."""
        plain = socket.socket()
        plain.setblocking(False)
        if far:
            plain.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, 1460)
        loop = asyncio.get_running_loop()
        try:
            plain.bind((address, 0))
            await loop.sock_connect(plain, (_HOST, port))
            _, peer = await loop.create_connection(cls, sock=plain)
        except BaseException:
            plain.close()
            raise
        return peer

    @property
    def is_open(self) -> bool:
        return not self.ended.done()

    def send(self, data: bytes) -> None:
        """What comes too late is dropped."""
        if not self.transport.is_closing():
            self.transport.write(data)

    async def flood(self, data: bytes, over: Callable[[], bool]) -> None:
        """Send it again and again, as fast as it is taken, until the connection has ended or it is ``over``."""
        while self.is_open and not over():
            await self._writable.wait()
            self.send(data)
            await asyncio.sleep(0)

    def abort(self) -> None:
        self.transport.abort()

    # What asyncio calls

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        self._writable.set()

    def pause_writing(self) -> None:
        self._writable.clear()

    def resume_writing(self) -> None:
        self._writable.set()

    def connection_lost(self, exc: Exception | None) -> None:
        self._writable.set()
        if not self.greeted.done():
            self.greeted.cancel()
        if self._code:
            self.ended.set_result(f"closed {self._code}")
        else:
            self.ended.set_result("dropped" if self._status in (0, 101) else str(self._status))

    def data_received(self, data: bytes) -> None:
        data = self._data + data
        if not self._status:
            first, end, behind = data.partition(b"\r\n\r\n")
            if not end:
                self._data = data
                return
            self._status, data = int(first.split(b" ", 2)[1]), behind
        position = 0
        if self._status == 101:
            for opening, payload, end_of in frames(data):
                position = end_of
                self._took(opening, payload)
        self._data = data[position:]

    def _took(self, opening: int, payload: bytes) -> None:
        if opening == _CLOSE:
            self._code = int.from_bytes(payload[:2], "big")
        elif opening == _PING:
            self.send(frame(_PONG, payload))
        elif not self.greeted.done():
            self.greeted.set_result(None)
        elif self.on_text is not None and opening == 0x81:
            self.on_text(payload)
