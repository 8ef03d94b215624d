"""Plays cases against a server, many at once, and says what came instead of what was expected."""

from __future__ import annotations

import itertools
import json
import random
import zlib
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from twisted.internet import reactor
from twisted.internet.defer import Deferred, DeferredList
from twisted.internet.task import deferLater

from chatsrv.wire.codes import CloseCode
from tests.conformance.case import (
    ANYTHING,
    CLOSE,
    PONG,
    Answer,
    Case,
    Handshake,
    answered,
    ask,
    close_frame,
    closed,
    pong,
)
from tests.conformance.chunking import CHUNKINGS, chunked
from tests.support.raw import RawClient, upgrade
from tests.support.tokens import token_for

AT_ONCE = 8
TURNS_FOR_A_PIECE = 3  # to the end of this one, to be written, to be read
MOST_PIECES = 500  # with more a message might take the 10 s that it has, on a busy machine
_users = itertools.count(1)


class Client(RawClient):
    """Inflates what is compressed, and takes no other reserved bit."""

    @property
    def gone(self) -> bool:
        """The connection is lost."""
        return self._gone

    def _take_frame(self) -> tuple[int, bytes] | None:
        first = self.buffer[:1]
        taken = super()._take_frame()
        if taken is None or first == b"\xc1":
            return taken and (taken[0], zlib.decompressobj(-12).decompress(taken[1] + b"\x00\x00\xff\xff"))
        _check(first[0] & 0xF0, 0x80)
        return taken


class Outcome(NamedTuple):
    """One case in one chunking; ``wrong`` is empty where it went as expected."""

    case: Case | Handshake
    chunking: str
    wrong: str

    def __str__(self) -> str:
        return f"{self.case.section} {self.case.name} ({self.chunking}): {self.wrong}"


async def play(
    port: int, cases: Iterable[Case | Handshake], seed: int, chunkings: Sequence[str] = CHUNKINGS
) -> list[Outcome]:
    """Every case in every chunking that makes a difference."""
    work = iter(list(_plan(cases, seed, chunkings)))
    outcomes: list[Outcome] = []

    async def player() -> None:
        for case, how, chunks in work:
            outcomes.append(Outcome(case, how, await _played(port, case, chunks)))

    done = await DeferredList([Deferred.fromCoroutine(player()) for _ in range(AT_ONCE)], consumeErrors=True)
    for succeeded, result in done:
        if not succeeded:
            result.raiseException()
    return outcomes


def _plan(cases: Iterable[Case | Handshake], seed: int, chunkings: Sequence[str]) -> Iterator[Any]:
    dice = random.Random(seed)
    for case in cases:
        seen = set()
        for how in chunkings:
            chunks = chunked(case.sent, how, dice)
            if len(chunks) <= MOST_PIECES and tuple(chunks) not in seen:
                seen.add(tuple(chunks))
                yield case, how, chunks


async def _played(port: int, case: Case | Handshake, chunks: list[bytes]) -> str:
    client = await Client.connected(port)
    client.transport.setTcpNoDelay(True)
    try:
        if isinstance(case, Handshake):
            await _shake_hands(client, case, chunks)
        else:
            await _converse(client, case, chunks)
    except Exception as error:  # whatever it is, it belongs to this case
        return f"{type(error).__name__}: {error}"[:400]
    finally:
        await client.close()
    return ""


async def _shake_hands(client: Client, case: Handshake, chunks: list[bytes]) -> None:
    await _send(client, chunks)
    response = await client.response()
    _check(response.status, case.status)
    for name, value in case.headers.items():
        _check((name, response.headers.get(name)), (name, value))
    _check("server" in response.headers, False)
    if case.status != 101:
        _check(response.headers["connection"], "close")
        await _end(client)


async def _converse(client: Client, case: Case, chunks: list[bytes]) -> None:
    await _open(client, case.offer)
    await _send(client, chunks)
    await _expect(client, case.expected)
    if not case.expected or case.expected[-1][0] != "close":
        client.send(ask("still there"))
        await _expect(client, [answered("still there")])
        client.send(close_frame(1000))
        await _expect(client, [closed(1000)])
    await _end(client)


async def _open(client: Client, offer: str) -> None:
    """Upgraded, and one request was answered: with the first frame the server opens its budgets, and its fast path."""
    headers = {"Authorization": f"Bearer {token_for(next(_users))}", "Sec_WebSocket_Protocol": "chatsrv.v1"}
    client.send(upgrade(**headers, Sec_WebSocket_Extensions=offer or None))
    response = await client.response()
    _check((response.status, "sec-websocket-extensions" in response.headers), (101, bool(offer)))
    _check((await client.json())["op"], 1)
    client.send(ask("first"))
    await _expect(client, [answered("first")])


async def _send(client: Client, chunks: list[bytes]) -> None:
    """Each piece is read by the server, which runs in this process, before the next is written."""
    for chunk in chunks:
        if client.gone:
            return
        client.send(chunk)
        for _ in range(TURNS_FOR_A_PIECE):
            await deferLater(reactor, 0)


async def _expect(client: Client, expected: Sequence[Answer]) -> None:
    came = []
    for wanted in expected:
        if wanted == ANYTHING:
            continue
        came.append(await _answer(client))
        while expected[0] == ANYTHING and came[-1] != wanted and came[-1][0] != "close":
            came.append(await _answer(client))
        _check(came[-1], wanted)


async def _answer(client: Client) -> Answer:
    """The next frame that is no status."""
    while True:
        opcode, payload = await client.next_frame()
        if opcode == CLOSE:
            return _close(payload)
        if opcode == PONG:
            return pong(payload)
        frame = json.loads(payload)
        if frame["op"] != 2:
            return _read(frame)


def _close(payload: bytes) -> Answer:
    """Its reason is a constant of the server's, or none; never what the client said."""
    if not payload:
        return closed(None)
    code = int.from_bytes(payload[:2], "big")
    known = CloseCode.by_number(code)
    _check(payload[2:] in (b"", known.text.encode() if known else b""), True)
    return closed(code)


def _read(frame: dict[str, Any]) -> Answer:
    if frame["op"] != 3:
        return (f"{frame['op']}/{frame['t']}", frame.get("id"))
    code = frame["d"]["code"]
    return answered(frame["id"]) if code == "unknown_op" and "id" in frame else ("error", code)


async def _end(client: Client) -> None:
    """The client closes its half; the server sends nothing more and closes its own."""
    if not client.gone:
        client.transport.loseWriteConnection()
        client.lost.addTimeout(8, reactor)
        await client.lost
    _check(client.buffer, b"")


def _check(came: object, wanted: object) -> None:
    if came != wanted:
        raise AssertionError(f"came {came!r}, wanted {wanted!r}"[:400])
