"""W1 and W2 of a bare peer: the same load, the same checks, on the same cores. A peer that cannot be had gives nothing.

In W2 both sides of a pair get each message. The writer's own copy stands for the answer that chatsrv gives, so that
there, too, each message is read once and sent twice.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Sequence

import msgspec
from picows import WSFrame, WSMsgType, WSTransport, ws_connect

from bench.connection import READ_BUFFER, TIMEOUT_S, Client, Faults
from bench.fanout import at_rates, peer_group
from bench.pairs import OPENING, TEXT, Table, rally
from bench.peers import Peer, running
from bench.sample import Sample


async def peer_fan_out(
    name: str, rates: Sequence[int], seconds: float, members: int = 100
) -> AsyncIterator[Sample]:
    """W1 of a peer: see `fanout.fan_out`."""
    with running(name) as peer:
        if peer is not None:
            group = await peer_group(peer, members)
            async for point in at_rates("W1", group, peer, rates, seconds):
                yield msgspec.structs.replace(point, server=name)
            group.close()


async def peer_pairs(
    name: str, count: int, seconds: float, *, warm_up_s: float = 1.0
) -> AsyncIterator[Sample]:
    """W2 of a peer: see `pairs.pairs`."""
    with running(name) as peer:
        if peer is not None:
            table = Table(Faults())
            players = await peer_players(peer, count, table)
            point = f"{count:,} pairs"
            await rally("W2", point, players, table, peer, warm_up_s)
            played = await rally("W2", point, players, table, peer, seconds)
            yield msgspec.structs.replace(played, server=name)
            for player in players:
                player.close()


def _message(number: int, pair: int, side: int) -> bytes:
    """As long as what chatsrv is sent and sends; no two of a pair are the same."""
    return b'{"op":12,"t":1,"d":{"chat_id":%d,"message":"%b","message_id":%d,"sender_id":%d}}' % (
        pair,
        TEXT.encode(),
        number,
        side,
    )


class PeerPlayer(Client):
    """One side, 0 or 1, of a pair: gets its messages, numbered from 1, each once and in order."""

    def __init__(self, pair: int, side: int, table: Table) -> None:
        super().__init__()
        self.written_at = 0.0
        self.written = b""  # the last one, and its number
        self.number = 0
        self.other = self
        self._pair, self._side, self._table = pair, side, table
        self._came = 0

    def play(self) -> None:
        assert self.transport is not None
        self.number = (
            self._came + 1
        )  # all before it has come: one message of the pair is on its way at a time
        self.written = _message(self.number, self._pair, self._side)
        self._table.written += 1
        self.written_at = time.perf_counter()
        self.transport.send(WSMsgType.TEXT, self.written)

    # What picows calls

    def on_ws_disconnected(self, transport: WSTransport) -> None:
        if not self._closing:
            self._table.faults.add(f"a connection of pair {self._pair} was closed")

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        if frame.msg_type == WSMsgType.PING or frame.msg_type == WSMsgType.PONG:
            return
        payload = frame.get_payload_as_bytes()
        self._came += 1
        writer = self if self.number == self._came else self.other
        if frame.msg_type != WSMsgType.TEXT or writer.number != self._came or payload != writer.written:
            self._table.faults.add(f"pair {self._pair} got {payload[:80]!r} where {self._came} was due")
        elif writer is self:
            self._table.acknowledged += 1
        else:
            self._delivered()

    def _delivered(self) -> None:
        table = self._table
        table.delivered += 1
        table.latencies.append(time.perf_counter() - self.other.written_at)
        if table.running:
            self.play()


async def peer_players(peer: Peer, pairs: int, table: Table) -> list[PeerPlayer]:
    """Both sides of each pair; the first of each begins."""
    gate = asyncio.Semaphore(OPENING)
    seats = [(PeerPlayer(n, 0, table), PeerPlayer(n, 1, table)) for n in range(pairs)]

    async def seat(number: int, player: PeerPlayer, other: PeerPlayer) -> None:
        player.other = other
        async with gate:
            await ws_connect(
                lambda: player,
                peer.pair_url(number),
                read_buffer_init_size=READ_BUFFER,
                websocket_handshake_timeout=TIMEOUT_S,
            )

    both = [(n, *pair) for n, pair in enumerate(seats)]
    await asyncio.gather(*(seat(n, *way) for n, one, two in both for way in ((one, two), (two, one))))
    return [player for pair in seats for player in pair]
