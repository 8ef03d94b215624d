"""The attacks: each prepares itself, then goes on until it is over, and counts how its connections ended.

Whoever is thrown out comes back at once, as often as one address may (``AGAIN_S``); so most do their harm many times.
All come from another address than the bystanders, in the limits of the default settings; those that stand for many
people from as many addresses.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple

import msgspec

from bench.connection import TIMEOUT_S
from bench.hostile.peer import Peer, frame, head

ADDRESS = "127.0.0.2"
AGAIN_S = 0.02
FIRST_USER = 1_000_000
TEXT_BYTES = 4000
WRITERS_PER_S = 15  # of the 20 requests that a connection may make
_TEXT, _TEXT_BEGUN, _CONTINUED, _PING = 0x81, 0x01, 0x00, 0x89


class Attack(NamedTuple):
    """``run`` begins when all is set up by ``prepare``. ``ends``: how its connections may end, and no other way."""

    title: str
    ends: frozenset[str]
    run: Callable[[Assault], Awaitable[None]]
    prepare: Callable[[Assault], Awaitable[None]] | None = None
    settings: dict[str, object] = {}


class Assault:
    """One attack under way. ``scale``: its part of the full size; ``ends``: how many connections ended how."""

    def __init__(self, port: int, seconds: float, scale: float) -> None:
        self.port, self.seconds, self.scale = port, seconds, scale
        self.ends: Counter[str] = Counter()
        self.figures: dict[str, float] = {}
        self.kept: list[Peer] = []
        self.tasks: list[asyncio.Task[None]] = []
        self._over_at = float("inf")

    def begin(self) -> None:
        self._over_at = asyncio.get_running_loop().time() + self.seconds

    def over(self) -> bool:
        return asyncio.get_running_loop().time() >= self._over_at

    def sized(self, full: int) -> int:
        return max(1, int(full * self.scale))

    async def again_and_again(self, do: Callable[[Peer], Awaitable[None]], address: str = ADDRESS) -> None:
        """Connect, do it, wait for the end, connect again."""
        while not self.over():
            peer = await Peer.connect(self.port, address)
            await do(peer)
            await self.count(peer)
            await asyncio.sleep(AGAIN_S)

    async def count(self, peer: Peer) -> None:
        """How it ended, or that it did not; it is over then anyhow."""
        await asyncio.wait([peer.ended], timeout=max(0.0, self._over_at - asyncio.get_running_loop().time()))
        self.ends[peer.ended.result() if not peer.is_open else "open at the end"] += 1
        peer.abort()


def address_of(number: int) -> str:
    """One of many addresses of the loopback network."""
    return f"127.1.{number // 250}.{number % 250 + 1}"


async def greeted(port: int, user_id: int, address: str = ADDRESS, far: bool = False) -> Peer:
    """A connection that was upgraded; one that was refused has ended."""
    peer = await Peer.connect(port, address, far=far)
    peer.send(head(user_id))
    await asyncio.wait([peer.greeted], timeout=TIMEOUT_S)
    return peer


def _as_user(data: bytes) -> Callable[[Assault], Awaitable[None]]:
    """Log in, then send this for ever."""

    async def run(assault: Assault) -> None:
        async def do(peer: Peer) -> None:
            peer.send(head(FIRST_USER))
            await asyncio.wait([peer.greeted], timeout=TIMEOUT_S)
            await peer.flood(data, assault.over)

        await assault.again_and_again(do)

    return run


async def _slow_handshakes(assault: Assault) -> None:
    async def do(peer: Peer) -> None:
        for byte in head(FIRST_USER):
            if not peer.is_open or assault.over():
                break
            peer.send(bytes([byte]))
            await asyncio.wait([peer.ended], timeout=1.0)

    await asyncio.gather(*(assault.again_and_again(do) for _ in range(assault.sized(2000))))


async def _endless_head(assault: Assault) -> None:
    async def do(peer: Peer) -> None:
        peer.send(b"GET /ws HTTP/1.1\r\nX: ")
        await peer.flood(b"a" * 65536, assault.over)

    await assault.again_and_again(do)


async def _bad_tokens(assault: Assault) -> None:
    request = head(
        authorization="eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c29tZXRoaW5nIGVsc2Ugd2l0aCAzMiBieXRlcw"
    )

    async def try_on() -> None:
        while not assault.over():
            peer = await Peer.connect(assault.port, ADDRESS)
            peer.send(request)
            await assault.count(peer)

    await asyncio.gather(*(try_on() for _ in range(assault.sized(50))))


async def _busy_group(assault: Assault) -> None:
    """Everybody reads, and some write so much that who stops is soon behind by more than may wait."""
    readers, writers = assault.sized(1000), 1 if assault.scale == 1 else 4
    members = range(FIRST_USER, FIRST_USER + readers)
    writing = range(members.stop, members.stop + writers)
    for user_id in (*members, *writing):
        address = address_of(user_id - FIRST_USER)
        stops = user_id - FIRST_USER < assault.sized(200)
        assault.kept.append(await greeted(assault.port, user_id, address, far=stops))
    creator = assault.kept[-1]
    created: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    creator.on_text = lambda text: _made(text, created)
    ids = [user_id for user_id in (*members, *writing) if user_id != writing[-1]]
    creator.send(
        frame(_TEXT, msgspec.json.encode({"op": 13, "t": 1, "id": 1, "d": {"user_ids": ids, "type": 2}}))
    )
    chat_id = await asyncio.wait_for(created, TIMEOUT_S)
    for writer in assault.kept[readers:]:
        assault.tasks.append(asyncio.create_task(_write(writer, chat_id, assault)))


def _made(text: bytes, created: asyncio.Future[int]) -> None:
    answer: dict[str, Any] = msgspec.json.decode(text)
    if answer.get("id") == 1 and not created.done():
        created.set_result(answer["d"]["chat_id"])


async def _write(writer: Peer, chat_id: int, assault: Assault) -> None:
    message = {"op": 11, "t": 2, "d": {"chat_id": chat_id, "message": "x" * TEXT_BYTES}}
    data = frame(_TEXT, msgspec.json.encode(message))
    while writer.is_open and not assault.over():
        writer.send(data)
        await asyncio.sleep(1 / WRITERS_PER_S)


async def _stop_reading(assault: Assault) -> None:
    everybody = assault.kept
    stopped = everybody[: assault.sized(200)]
    for peer in stopped:
        peer.transport.pause_reading()
    while not assault.over():
        await asyncio.sleep(0.1)
    for peer in stopped:
        peer.transport.resume_reading()  # what came before the end, and how it ended
    await asyncio.wait([peer.ended for peer in stopped], timeout=2.0)
    for peer in stopped:
        assault.ends["open at the end" if peer.is_open else peer.ended.result()] += 1
    read_on = everybody[len(stopped) :]
    assault.figures["readers thrown out"] = sum(not peer.is_open for peer in read_on)
    for peer in everybody:
        peer.abort()


async def _everybody_online(assault: Assault) -> None:
    for number in range(assault.sized(1000)):
        assault.kept.append(await greeted(assault.port, FIRST_USER + number, address_of(number)))


async def _reconnect(assault: Assault) -> None:
    """All are cut off and come back at once, twice."""
    loop, longest = asyncio.get_running_loop(), 0.0
    for _ in range(2):
        began = loop.time()
        for peer in assault.kept:
            peer.abort()
        back = (
            greeted(assault.port, FIRST_USER + number, address_of(number))
            for number in range(len(assault.kept))
        )
        assault.kept = await asyncio.gather(*back)
        longest = max(longest, loop.time() - began)
        for peer in assault.kept:
            assault.ends["greeted again" if peer.is_open else peer.ended.result()] += 1
        await asyncio.sleep(max(0.0, assault.seconds / 2 - (loop.time() - began)))
    assault.figures["seconds until the last was greeted"] = longest
    for peer in assault.kept:
        peer.abort()


def _ends(*ways: str) -> frozenset[str]:
    """And whoever the end of the attack finds in the middle of it."""
    return frozenset({*ways, "open at the end"})


_PIECES = frame(_CONTINUED, b"x") * 1000
ATTACKS: dict[str, Attack] = {
    "slow-handshakes": Attack("2,000 slow handshakes, a byte a second", _ends("dropped"), _slow_handshakes),
    "tiny-fragments": Attack(
        "one flooder of fragments of a byte",
        _ends("closed 1008"),
        _as_user(frame(_TEXT_BEGUN, b"x") + _PIECES),
    ),
    "pings": Attack("one flooder of pings", _ends("closed 1008"), _as_user(frame(_PING, b"x") * 1000)),
    "endless-head": Attack("an endless header", _ends("431"), _endless_head),
    "huge-frame": Attack(
        "a declared frame of 2^40 bytes",
        _ends("closed 1009"),
        _as_user(b"\x81\xff" + (2**40).to_bytes(8, "big") + bytes(65536)),
    ),
    "stopped-readers": Attack(
        "200 of 1,000 readers of a busy group stop reading",
        _ends("closed 4408", "dropped"),
        _stop_reading,
        _busy_group,
        {"members": 1100},
    ),
    "garbage-json": Attack(
        "one flooder of garbage JSON", _ends("closed 1008"), _as_user(frame(_TEXT, b"{") * 100)
    ),
    "bad-tokens": Attack(
        "a flood of handshakes with bad tokens, from one address", _ends("401", "429"), _bad_tokens
    ),
    "reconnect-storm": Attack(
        "1,000 people reconnect at once, twice", frozenset({"greeted again"}), _reconnect, _everybody_online
    ),
}
