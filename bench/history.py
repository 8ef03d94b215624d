"""W5, growth with what is stored: pages of history, and the catch-up of a hundred events, in chats of several sizes.

All chats are filled first, over one connection with many messages under way. Then the sizes are measured in turn,
again and again, so that what else the machine does falls on all of them alike. Readers in a closed loop ask for
pages: the newest, one at a random place and the oldest, in turn; then many connections catch up on the last events
of each chat, each once. All that comes is compared with what was written: message N says N.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncIterator, Awaitable, Sequence
from itertools import cycle, product
from typing import Any

from bench.accounting import Reading
from bench.connection import TIMEOUT_S, Connection, Faults, Frame
from bench.deployment import LIMITS, Deployment, deployed
from bench.sample import Sample, sample

TEXT_CHARS = 128
LIMIT = 50
MISSED = 100  # events, in each catch-up
UNDER_WAY = 400  # messages that wait for their answer
READERS = 4
CATCHING_UP = 200  # connections: the server makes a second catch-up with the same chat wait
WARM_UP_S = 0.5
ROUNDS = 5
PLACES = ("newest", "random", "oldest")
SEED = 20
_WRITER, _READER = 1, 2


def text(number: int) -> str:
    return f"message {number} ".ljust(TEXT_CHARS, ".")


class Filling:
    """A chat and who writes there; ``size``: messages stored, all answered."""

    def __init__(self, connection: Connection, chat_id: int) -> None:
        self.size = 0
        self.chat_id = chat_id
        self._connection = connection
        self._room = asyncio.Semaphore(UNDER_WAY)

    @property
    def head(self) -> int:
        """The last ``seq``: the creation is 1, and each message is one."""
        return self.size + 1

    async def fill(self, size: int) -> float:
        """Write so many, in an empty chat; messages a second."""
        began = time.perf_counter()
        self._connection.on_event = self._answered
        for number in range(1, size + 1):
            await asyncio.wait_for(self._room.acquire(), TIMEOUT_S)
            body = text(number).encode()
            self._connection.send_raw(
                b'{"op":11,"t":2,"id":%d,"d":{"chat_id":%d,"message":"%b"}}' % (number, self.chat_id, body)
            )
        for _ in range(UNDER_WAY):  # all answered
            await asyncio.wait_for(self._room.acquire(), TIMEOUT_S)
        for _ in range(UNDER_WAY):
            self._room.release()
        self._connection.faults.check()
        return size / (time.perf_counter() - began)

    def _answered(self, connection: Connection, frame: Frame) -> None:
        self.size += 1
        if not frame.id == frame.d.message_id == self.size:
            connection.faults.add(f"answer {frame.id} names message {frame.d.message_id}, due: {self.size}")
        self._room.release()


class Reader:
    """One connection of the other user, which asks for one thing at a time."""

    def __init__(self, connection: Connection, number: int) -> None:
        self.connection = connection
        self._random = random.Random(SEED + number)
        self._places = cycle(PLACES)
        self._due = 0  # the message that the next event must bring
        connection.on_event = self._came

    async def page(self, chat: Filling) -> tuple[str, float]:
        """The next place's page; which place, and the seconds it took."""
        place, size = next(self._places), chat.size
        before = size + 1 if place == "newest" else self._random.randint(LIMIT + 1, size + 1)
        bound = {"newest": {}, "random": {"before": before}, "oldest": {"after": 0}}[place]
        first = 1 if place == "oldest" else before - LIMIT
        began = time.perf_counter()
        d = await self.connection.request(11, 10, {"chat_id": chat.chat_id, "limit": LIMIT, **bound})
        took = time.perf_counter() - began
        self._compare(d, range(first, first + LIMIT), size > LIMIT if place == "oldest" else first > 1)
        return place, took

    def _compare(self, d: dict[str, Any], ids: range, more: bool) -> None:
        came = [(m["message_id"], m["sender_id"], m["message"]) for m in d["messages"]]
        if came != [(number, _WRITER, text(number)) for number in ids] or d["more"] is not more:
            self.connection.faults.add(f"the page of {ids} is {came}, more: {d['more']}")
        self.connection.faults.check()

    async def catch_up(self, chat: Filling) -> None:
        """As if the last events had been missed: `Connection` checks their ``seq`` from there on."""
        chat_id, head = chat.chat_id, chat.head
        self._due = chat.size - MISSED + 1
        self.connection.heads[chat_id] = head - MISSED
        d = await self.connection.request(1, 2, {"chats": {str(chat_id): head - MISSED}})
        complete = self._due == chat.size + 1 and self.connection.heads[chat_id] == head
        if not complete or d != {"heads": {str(chat_id): head}, "reset": []}:
            self.connection.faults.add(f"a catch-up to {head} ended before {self._due} with {d}")
        self.connection.faults.check()

    def _came(self, connection: Connection, frame: Frame) -> None:
        d = frame.d
        if (frame.op, frame.t, d.message_id, d.message) != (12, 2, self._due, text(self._due)):
            connection.faults.add(f"a replay brought {frame} where message {self._due} was due")
        self._due += 1


class Account:
    """What one size took, in all its turns."""

    def __init__(self, chat: Filling, filled_per_s: float) -> None:
        self.chat = chat
        self.point = f"{chat.size:,} messages"
        self.filled_per_s = filled_per_s
        self.pages: list[tuple[str, float]] = []
        self.catch_ups = 0
        self.used = Reading(0, 0, 0, 0)

    async def read_pages(self, readers: Sequence[Reader], seconds: float) -> None:
        """All of them, for so long."""
        until = time.perf_counter() + seconds

        async def read(reader: Reader) -> None:
            while time.perf_counter() < until:
                self.pages.append(await reader.page(self.chat))

        await asyncio.gather(*map(read, readers))

    async def catch_up(self, readers: Sequence[Reader]) -> None:
        """Each once, ``READERS`` of them at a time."""
        due = iter(readers)

        async def catch_up_some() -> None:
            for reader in due:
                await reader.catch_up(self.chat)
                self.catch_ups += 1

        await asyncio.gather(*(catch_up_some() for _ in range(READERS)))

    async def measure(self, deployment: Deployment, work: Awaitable[None]) -> None:
        before = deployment.reading()
        await work
        used = deployment.reading().since(before)
        self.used = Reading(*(sum(pair) for pair in zip(self.used, used, strict=True)))

    def of_pages(self, memory: tuple[int, int]) -> Sample:
        took = {place: [s for at, s in self.pages if at == place] for place in PLACES}
        means = {f"{place}_ms": 1000 * sum(each) / len(each) for place, each in took.items()}
        latencies = [seconds for _, seconds in self.pages]
        made = sample("W5 history", self.point, "page", len(self.pages), self.used, memory, latencies)
        made.figures = {**means, "filled_per_s": self.filled_per_s}
        return made

    def of_catch_ups(self, memory: tuple[int, int]) -> Sample:
        return sample("W5 catch-up", self.point, "catch-up", self.catch_ups, self.used, memory)


async def _filled(writer: Connection, size: int) -> Account:
    created = await writer.request(13, 1, {"user_ids": [_READER], "type": 2, "chat": "bench"})
    chat = Filling(writer, created["chat_id"])
    return Account(chat, await chat.fill(size))


async def history(sizes: Sequence[int], seconds: float) -> AsyncIterator[Sample]:
    """For each of ``sizes``, of at least ``MISSED``, one sample of pages in ``seconds`` and one of catch-ups."""
    with deployed(1, {**LIMITS, "connections_per_user": CATCHING_UP}) as deployment:
        url, faults = deployment.urls[0], Faults()
        writer = await Connection.open(url, _WRITER, faults)
        accounts = [await _filled(writer, size) for size in sizes]
        connections = [await Connection.open(url, _READER, faults) for _ in range(CATCHING_UP)]
        readers = [Reader(connection, number) for number, connection in enumerate(connections)]
        for account in accounts:
            await account.read_pages(readers[:READERS], WARM_UP_S / len(sizes))
            account.pages.clear()
        for _, account in product(range(ROUNDS), accounts):
            await account.measure(deployment, account.read_pages(readers[:READERS], seconds / ROUNDS))
        for account in accounts:
            yield account.of_pages(deployment.memory("VmHWM"))
            account.used = Reading(0, 0, 0, 0)
        for turn, account in product(range(ROUNDS), accounts):
            await account.measure(deployment, account.catch_up(readers[turn::ROUNDS]))
        for account in accounts:
            yield account.of_catch_ups(deployment.memory("VmHWM"))
        faults.check()
        for connection in (writer, *connections):
            connection.close()
