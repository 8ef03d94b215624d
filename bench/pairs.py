"""W2: private chats, both users connected, ping-pong: each answers what the other wrote, one message at a time.

Closed loop: the rate is what the server makes of it. A message is written with an ``id``, answered, and delivered to
the other side; latency is from writing to reading there. Every frame is checked by `Connection`.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from typing import Protocol

from bench.connection import TIMEOUT_S, Connection, Faults, Frame
from bench.deployment import Deployment, deployed
from bench.peers import Peer
from bench.sample import Sample, sample

TEXT = "x" * 128
OPENING = 50  # connections opened at once


class Player(Protocol):
    """One side of a pair."""

    def play(self) -> None:
        """Write one message to the other side."""


class Table:
    """What the players of a run share: while ``running``, a message that came is answered."""

    def __init__(self, faults: Faults) -> None:
        self.faults = faults
        self.running = False
        self.written = 0
        self.acknowledged = 0
        self.delivered = 0
        self.latencies: list[float] = []

    @property
    def at_rest(self) -> bool:
        return self.written == self.acknowledged == self.delivered


class ChatPlayer:
    """One user of a private chat. ``nonces``: each message carries one."""

    def __init__(self, connection: Connection, chat_id: int, table: Table, *, nonces: bool) -> None:
        self.written_at = 0.0
        self.other: ChatPlayer = self
        self._connection, self._table = connection, table
        self._written = 0
        self._chat_id, self._nonces = chat_id, nonces
        connection.on_event = self._came

    def play(self) -> None:
        self._written += 1
        self._table.written += 1
        self.written_at = time.perf_counter()
        nonce = b',"nonce":"%d"' % self._written if self._nonces else b""
        self._connection.send_raw(
            b'{"op":11,"t":1,"id":%d,"d":{"chat_id":%d,"message":"%b"%b}}'
            % (self._written, self._chat_id, TEXT.encode(), nonce)
        )

    def _came(self, connection: Connection, frame: Frame) -> None:
        table = self._table
        if frame.id:
            table.acknowledged += 1
            if frame.id != self._written:
                table.faults.add(f"answer {frame.id} came where {self._written} was due")
            return
        if (frame.op, frame.t) == (14, 1):
            return  # the chat's creation, which may come late on another node than its creator's
        table.delivered += 1
        table.latencies.append(time.perf_counter() - self.other.written_at)
        if frame.d.message != TEXT:
            table.faults.add(f"user {connection.user_id} got another text")
        if table.running:
            self.play()


async def chat_players(
    deployment: Deployment, pairs: int, table: Table, *, nonces: bool = False, first_user: int = 1
) -> list[Player]:
    """The two users of each pair, on all nodes in turn; the first of each pair begins."""
    gate = asyncio.Semaphore(OPENING)
    urls = deployment.urls

    async def seat(first: int) -> list[Player]:
        async with gate:
            one, other = [await Connection.open(urls[n % len(urls)], first + n, table.faults) for n in (0, 1)]
            created = await one.request(13, 1, {"user_ids": [first + 1], "type": 1})
            await other.request(13, 3, {"chat_id": created["chat_id"]})
            players = [ChatPlayer(c, created["chat_id"], table, nonces=nonces) for c in (one, other)]
            players[0].other, players[1].other = players[1], players[0]
            return [*players]

    seated = await asyncio.gather(*(seat(first_user + 2 * n) for n in range(pairs)))
    return [player for pair in seated for player in pair]


async def rally(
    workload: str,
    point: str,
    players: Sequence[Player],
    table: Table,
    measured: Deployment | Peer,
    seconds: float,
) -> Sample:
    """Play for so long; ends when every message is acknowledged and delivered."""
    delivered, table.latencies = table.delivered, []
    before = measured.reading()
    table.running = True
    for player in players[::2]:
        player.play()
    await asyncio.sleep(seconds)
    table.running = False
    deadline = time.perf_counter() + TIMEOUT_S
    while not table.at_rest:
        table.faults.check()
        if time.perf_counter() > deadline:
            raise AssertionError(
                f"lost: {table.written} written, {table.acknowledged} acknowledged, {table.delivered} delivered"
            )
        await asyncio.sleep(0.005)
    table.faults.check()
    used = measured.reading().since(before)
    units = table.delivered - delivered
    return sample(workload, point, "message", units, used, measured.memory("VmHWM"), table.latencies)


async def pairs(
    count: int, seconds: float, *, nodes: int = 1, nonces: bool = False, warm_up_s: float = 1.0
) -> AsyncIterator[Sample]:
    """W2, and W6 with more nodes than one."""
    with deployed(nodes) as deployment:
        table = Table(Faults())
        players = await chat_players(deployment, count, table, nonces=nonces)
        point = f"{count:,} pairs" + (", nonces" if nonces else "")
        workload = "W2" if nodes == 1 else "W6 pairs"
        await rally(workload, point, players, table, deployment, warm_up_s)
        yield await rally(workload, point, players, table, deployment, seconds)
