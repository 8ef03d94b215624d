"""One client of the load generator: a WebSocket whose every frame is read and checked.

It keeps the last ``seq`` of each of its chats and fails at a hole, a repetition or a step back, at an error frame and
at a close that nobody asked for. The first failure of all is kept in `Faults` and ends the run.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable
from typing import Any

import msgspec
from picows import WSFrame, WSListener, WSMsgType, WSTransport, ws_connect

from bench.deployment import token

TIMEOUT_S = 20.0
READ_BUFFER = 4096
_NUMBERED = frozenset({(12, 1), (12, 2), (12, 6), (12, 7), (14, 1), (14, 2)})  # the events of a chat


class Faults:
    """What went wrong, in all connections of a run; ``check`` raises the first one."""

    def __init__(self) -> None:
        self.first = ""

    def add(self, what: str) -> None:
        self.first = self.first or what

    def check(self) -> None:
        if self.first:
            raise AssertionError(self.first)


class Data(msgspec.Struct):
    """Of ``d``, what the checks look at; all else is skipped."""

    chat_id: int = 0
    seq: int = 0
    message_id: int = 0
    sender_id: int = 0
    message: str = ""
    code: str = ""
    dup: bool = False


class Frame(msgspec.Struct):
    op: int
    t: int
    d: Data
    id: int = 0


_decode = msgspec.json.Decoder(Frame).decode
_encode = msgspec.json.encode


class Client(WSListener):
    """A WebSocket that knows whether its own side closes it; until then a loss is a fault."""

    def __init__(self) -> None:
        self.transport: WSTransport | None = None
        self._closing = False

    def close(self) -> None:
        self._closing = True
        if self.transport is not None:
            self.transport.disconnect()

    def on_ws_connected(self, transport: WSTransport) -> None:
        self.transport = transport


class Connection(Client):
    """A full-profile connection of one user; ``opened`` fires with hello.

    ``on_event(connection, frame)`` sees every frame that answers no `request`, after its check.
    """

    def __init__(self, user_id: int, faults: Faults) -> None:
        super().__init__()
        self.user_id = user_id
        self.faults = faults
        self.hello: dict[str, Any] = {}
        self.heads: dict[int, int] = {}
        self.events = 0  # received, hello and replies left out
        self.on_event: Callable[[Connection, Frame], None] | None = None
        self.opened: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting: dict[int, asyncio.Future[Any]] = {}
        self._ids = itertools.count(1)

    @classmethod
    async def open(cls, url: str, user_id: int, faults: Faults) -> Connection:
        connection = cls(user_id, faults)
        await connection.connect(url)
        return connection

    async def connect(self, url: str) -> None:
        """Returns when greeted."""
        await ws_connect(
            lambda: self,
            url,
            extra_headers={
                "Authorization": f"Bearer {token(self.user_id)}",
                "Sec-WebSocket-Protocol": "chatsrv.v1",
            },
            read_buffer_init_size=READ_BUFFER,
            websocket_handshake_timeout=TIMEOUT_S,
        )
        await asyncio.wait_for(self.opened, TIMEOUT_S)

    def send(self, op: int, t: int, d: dict[str, Any], request_id: int | None = None) -> None:
        self.send_raw(
            _encode({"op": op, "t": t, "d": d} | ({} if request_id is None else {"id": request_id}))
        )

    def send_raw(self, payload: bytes) -> None:
        assert self.transport is not None
        self.transport.send(WSMsgType.TEXT, payload)

    async def request(self, op: int, t: int, d: dict[str, Any]) -> Any:
        """The ``d`` of the reply; fails with the code of a 3/1."""
        request_id = -next(self._ids)  # those of a workload's own requests are positive
        waiter = self._waiting[request_id] = asyncio.get_running_loop().create_future()
        self.send(op, t, d, request_id)
        return await asyncio.wait_for(waiter, TIMEOUT_S)

    # What picows calls

    def on_ws_disconnected(self, transport: WSTransport) -> None:
        if not self._closing:
            self.faults.add(f"the connection of user {self.user_id} was closed")
        for waiter in (self.opened, *self._waiting.values()):
            if not waiter.done():
                waiter.set_exception(ConnectionError(f"the connection of user {self.user_id} was closed"))

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        if frame.msg_type != WSMsgType.TEXT:
            if frame.msg_type == WSMsgType.CLOSE:
                self.faults.add(f"user {self.user_id}: closed with {frame.get_close_code()}")
            return
        payload = frame.get_payload_as_bytes()
        if not self.hello:
            self._greeted(payload)
            return
        parsed = _decode(payload)
        if parsed.id < 0:
            self._answered(parsed.id, payload)
        else:
            self.events += 1
            self._check(parsed)
            if self.on_event is not None:
                self.on_event(self, parsed)

    def _greeted(self, payload: bytes) -> None:
        self.hello = msgspec.json.decode(payload)["d"]
        self.heads = {int(chat): head for chat, head in self.hello["heads"].items()}
        self.opened.set_result(None)

    def _answered(self, request_id: int, payload: bytes) -> None:
        frame = msgspec.json.decode(payload)
        waiter = self._waiting.pop(request_id)
        if frame["op"] == 3:
            waiter.set_exception(RuntimeError(f"user {self.user_id}: {frame['d']}"))
            return
        d = frame["d"]
        if (frame["op"], frame["t"]) in _NUMBERED and not d.get("dup"):
            self._advance(d["chat_id"], d["seq"])
        waiter.set_result(d)

    def _check(self, frame: Frame) -> None:
        if frame.op == 3:
            self.faults.add(f"user {self.user_id}: error {frame.d.code}")
        elif (frame.op, frame.t) in _NUMBERED and not frame.d.dup:
            self._advance(frame.d.chat_id, frame.d.seq)

    def _advance(self, chat_id: int, seq: int) -> None:
        before = self.heads.get(chat_id, seq - 1)
        if seq != before + 1:
            self.faults.add(f"user {self.user_id}, chat {chat_id}: event {seq} follows {before}")
        self.heads[chat_id] = seq
