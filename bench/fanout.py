"""W1: one group, one sender, everybody else listens. Open loop: messages are due at fixed times, come what may.

A delivery is a frame to a member: the event to each listener, and the reply to the sender. Latency is from the
moment a message was due until it was read, at ten of the listeners.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from typing import Protocol

from bench.connection import Connection, Faults, Frame
from bench.deployment import LIMITS, Deployment, deployed, token
from bench.peers import Peer
from bench.sample import Sample, sample
from bench.stream import Receiver, Stream, text

TEXT_BYTES = 128
TIMED = 10
SETTLE_S = 0.2
LONGEST_S = 60.0


class Sender(Protocol):
    @property
    def acknowledged(self) -> int:
        """How many messages were answered."""

    def send(self, number: int, due: float) -> None: ...


class ChatSender:
    """The member who writes, every message with an ``id``."""

    def __init__(self, connection: Connection, chat_id: int) -> None:
        self.acknowledged = 0
        self._connection = connection
        self._chat_id = chat_id
        connection.on_event = self._answered

    def send(self, number: int, due: float) -> None:
        body = text(number, due, TEXT_BYTES)
        self._connection.send_raw(
            b'{"op":11,"t":2,"id":%d,"d":{"chat_id":%d,"message":"%b"}}'
            % (number + 1, self._chat_id, body.encode())
        )

    def _answered(self, connection: Connection, frame: Frame) -> None:
        self.acknowledged += 1
        if frame.id != self.acknowledged:
            connection.faults.add(f"answer {frame.id} came where {self.acknowledged} was due")


class PeerSender:
    """A connection of a bare peer, which sends everything to all, this one included."""

    def __init__(self, receiver: Receiver) -> None:
        self._receiver = receiver

    @property
    def acknowledged(self) -> int:
        return self._receiver.frames

    def send(self, number: int, due: float) -> None:
        body = text(number, due, TEXT_BYTES)
        frame = b'{"op":12,"t":2,"d":{"chat_id":1,"message":"%b","message_id":%d,"seq":%d,"sender_id":1}}'
        self._receiver.send(frame % (body.encode(), number + 1, number + 1))


class Group:
    """A sender and its listeners; ``members`` of them together."""

    def __init__(self, sender: Sender, receivers: Sequence[Receiver], stream: Stream, members: int) -> None:
        self.members = members
        self.sent = 0
        self._sender, self._receivers, self._stream = sender, receivers, stream

    async def send(self, per_s: float, count: int) -> list[float]:
        """``count`` messages at that rate; returns when everybody has them, with latencies in seconds."""
        for receiver in self._receivers:
            if receiver.chunks is not None:
                receiver.chunks.clear()
        began, first = time.perf_counter(), self.sent
        while self.sent - first < count:
            due = began + (self.sent - first) / per_s
            wait = due - time.perf_counter()
            if wait > 0:
                await asyncio.sleep(wait)
            self._sender.send(self.sent, due)
            self.sent += 1
        await self._until_level(began + LONGEST_S)
        return self._latencies()

    async def _until_level(self, deadline: float) -> None:
        """Until everything was received and checked by everybody."""
        while not self._level():
            self._stream.faults.check()
            if time.perf_counter() > deadline:
                raise AssertionError(f"lost: {self.sent} sent, {self._sender.acknowledged} acknowledged")
            await asyncio.sleep(0.001)
        self._stream.faults.check()

    def _level(self) -> bool:
        sent = self.sent
        return self._sender.acknowledged == sent and all(r.frames == sent for r in self._receivers)

    def _latencies(self) -> list[float]:
        sent_at = self._stream.sent_at
        chunks = [chunk for receiver in self._receivers for chunk in receiver.chunks or ()]
        return [at - due for at, first, behind in chunks for due in sent_at[first:behind]]

    def close(self) -> None:
        for receiver in self._receivers:
            receiver.close()


async def chat_group(deployment: Deployment, members: int, *, first_user: int = 1) -> Group:
    """Members of a new group on all nodes in turn, each connected once."""
    faults = Faults()
    stream = Stream(faults)
    users = range(first_user, first_user + members)
    urls = deployment.urls
    writer = await Connection.open(urls[0], users[0], faults)
    created = await writer.request(13, 1, {"user_ids": list(users[1:]), "type": 2, "chat": "bench"})
    receivers = [
        await Receiver.open(urls[n % len(urls)], stream, token=token(user), timed=n <= TIMED)
        for n, user in enumerate(users)
        if n
    ]
    await asyncio.sleep(SETTLE_S)
    return Group(ChatSender(writer, created["chat_id"]), receivers, stream, members)


async def peer_group(peer: Peer, members: int) -> Group:
    """As many connections to a bare peer."""
    stream = Stream(Faults())
    receivers = [
        await Receiver.open(peer.group_url, stream, greeted=False, timed=n <= TIMED) for n in range(members)
    ]
    return Group(PeerSender(receivers[0]), receivers, stream, members)


async def at_rates(
    workload: str, group: Group, measured: Deployment | Peer, rates: Sequence[int], seconds: float
) -> AsyncIterator[Sample]:
    """One sample for each rate of deliveries a second, until one is not kept up with; then one at half the most."""
    reached = 0.0
    for rate in rates:
        point = await _at_rate(workload, f"{rate:,}/s", group, measured, rate, seconds)
        yield point
        reached = max(reached, point.rate)
        if point.rate < 0.9 * rate:
            yield await _at_rate(workload, "half of saturation", group, measured, reached / 2, seconds)
            return


async def _at_rate(
    workload: str, name: str, group: Group, measured: Deployment | Peer, rate: float, seconds: float
) -> Sample:
    per_s = rate / group.members
    count = max(1, int(per_s * seconds))
    before = measured.reading()
    latencies = await group.send(per_s, count)
    used = measured.reading().since(before)
    return sample(
        workload,
        f"{group.members} members, {name}",
        "delivery",
        count * group.members,
        used,
        measured.memory("VmHWM"),
        latencies,
    )


async def fan_out(
    rates: Sequence[int], seconds: float, members: int = 100, nodes: int = 1
) -> AsyncIterator[Sample]:
    """W1, and W6 with more nodes than one."""
    with deployed(nodes, LIMITS) as deployment:
        group = await chat_group(deployment, members)
        async for point in at_rates("W1" if nodes == 1 else "W6 fan-out", group, deployment, rates, seconds):
            yield point
        group.close()
