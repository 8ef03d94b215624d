"""A WebSocket client of bytes, for what no library would send: wrong handshakes and broken frames.

``RawClient`` sends any bytes and parses what comes back: first one HTTP answer, then WebSocket frames. It
masks, but checks nothing; a test says exactly which bytes go out.
"""

from __future__ import annotations

import json
import os
import struct
from typing import Any, NamedTuple

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import TCP4ClientEndpoint, connectProtocol
from twisted.internet.protocol import Protocol

from tests.support.tokens import token_for

PATIENCE_S = 8.0
TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10


class Response(NamedTuple):
    """An HTTP answer; header names are lower-case."""

    status: int
    headers: dict[str, str]
    body: bytes


def upgrade(path: str = "/ws", **headers: str | None) -> bytes:
    """A good upgrade request; a header given as None is left out, ``_`` in a name is ``-``."""
    given: dict[str, str | None] = {
        "Host": "127.0.0.1",
        "Upgrade": "websocket",
        "Connection": "Upgrade",
        "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
        "Sec-WebSocket-Version": "13",
    }
    given.update({name.replace("_", "-"): value for name, value in headers.items()})
    lines = [f"{name}: {value}" for name, value in given.items() if value is not None]
    return "\r\n".join([f"GET {path} HTTP/1.1", *lines, "", ""]).encode()


def frame(opcode: int, payload: bytes = b"", *, fin: bool = True, masked: bool = True, rsv: int = 0) -> bytes:
    """One WebSocket frame as a client sends it (RFC 6455 section 5.2)."""
    head = bytes([(0x80 if fin else 0) | rsv << 4 | opcode])
    bit = 0x80 if masked else 0
    size = len(payload)
    if size < 126:
        head += bytes([bit | size])
    elif size < 65536:
        head += bytes([bit | 126]) + struct.pack("!H", size)
    else:
        head += bytes([bit | 127]) + struct.pack("!Q", size)
    if not masked:
        return head + payload
    key = os.urandom(4)
    return head + key + bytes(byte ^ key[i % 4] for i, byte in enumerate(payload))


class RawClient(Protocol):
    """One TCP connection."""

    def __init__(self) -> None:
        self.buffer = b""
        self.lost: Deferred[None] = Deferred()
        self._reader: Deferred[None] | None = None
        self._gone = False

    @classmethod
    async def connected(cls, port: int) -> RawClient:
        """A connection to the loopback interface."""
        client: RawClient = await connectProtocol(TCP4ClientEndpoint(reactor, "127.0.0.1", port), cls())
        return client

    @classmethod
    async def open(cls, port: int, user_id: int, profile: str | None = "chatsrv.v1") -> RawClient:
        """A connection after the upgrade and after hello."""
        client = await cls.connected(port)
        auth = {"Authorization": f"Bearer {token_for(user_id)}"}
        client.send(upgrade(Sec_WebSocket_Protocol=profile, **auth))
        response = await client.response()
        assert response.status == 101, response
        client.hello = await client.json()
        assert (client.hello["op"], client.hello["t"]) == (1, 1), client.hello
        return client

    # -- Twisted calls these

    def dataReceived(self, data: bytes) -> None:
        self.buffer += data
        self._wake()

    def connectionLost(self, reason: Any = None) -> None:
        self._gone = True
        self._wake()
        self.lost.callback(None)

    # -- the verbs

    def send(self, data: bytes) -> None:
        """Write any bytes."""
        self.transport.write(data)

    def say(self, value: Any) -> None:
        """Send a text message: a str as it is, anything else as JSON."""
        text = value if isinstance(value, str) else json.dumps(value)
        self.send(frame(TEXT, text.encode("utf-8", "surrogatepass")))

    async def response(self) -> Response:
        """The HTTP answer: up to ``Content-Length``, or to the end of the connection."""
        while b"\r\n\r\n" not in self.buffer:
            await self._more()
        head, _, self.buffer = self.buffer.partition(b"\r\n\r\n")
        status_line, *lines = head.decode("latin-1").split("\r\n")
        pairs = (line.split(":", 1) for line in lines)
        headers = {name.strip().lower(): value.strip() for name, value in pairs}
        size = 0 if status_line.split()[1] == "101" else int(headers.get("content-length", 0))
        while len(self.buffer) < size:
            await self._more()
        body, self.buffer = self.buffer[:size], self.buffer[size:]
        return Response(int(status_line.split()[1]), headers, body)

    async def next_frame(self) -> tuple[int, bytes]:
        """Opcode and payload of the next frame."""
        while (taken := self._take_frame()) is None:
            await self._more()
        return taken

    async def next_text(self) -> bytes:
        """The next text message as it came; status frames are skipped."""
        while True:
            opcode, payload = await self.next_frame()
            assert opcode == TEXT, (opcode, payload)
            if json.loads(payload)["op"] != 2:
                return payload

    async def json(self) -> Any:
        """The next text message, parsed; status frames are skipped."""
        return json.loads(await self.next_text())

    async def next_of(self, wanted: int) -> bytes:
        """The payload of the next frame with this opcode; others before it are dropped."""
        opcode, payload = await self.next_frame()
        while opcode != wanted:
            opcode, payload = await self.next_frame()
        return payload

    async def close_code(self) -> int:
        """Read up to the close frame; its code."""
        return int.from_bytes((await self.next_of(CLOSE))[:2], "big")

    async def close(self) -> None:
        """Drop the connection and wait for its end."""
        if not self._gone:
            self.transport.abortConnection()
            await self.lost

    # -- inside

    def _take_frame(self) -> tuple[int, bytes] | None:
        data = self.buffer
        if len(data) < 2:
            return None
        size, at = data[1] & 0x7F, 2
        if size >= 126:
            at = 4 if size == 126 else 10
            if len(data) < at:
                return None
            size = int.from_bytes(data[2:at], "big")
        if len(data) < at + size:
            return None
        self.buffer = data[at + size :]
        return data[0] & 0x0F, data[at : at + size]

    async def _more(self) -> None:
        assert not self._gone, f"the connection ended; unread: {self.buffer!r}"
        self._reader = Deferred()
        self._reader.addTimeout(PATIENCE_S, reactor)
        await self._reader

    def _wake(self) -> None:
        reader, self._reader = self._reader, None
        if reader is not None and not reader.called:
            reader.callback(None)
