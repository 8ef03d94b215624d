"""People who chat in private, each message due at a time drawn before, whatever else goes on.

Every message must be answered and must reach the other side; latency is from the moment it was due until it was read
there. Every frame is checked by `Connection`.
"""

from __future__ import annotations

import asyncio
import time
from random import Random

from bench.connection import TIMEOUT_S, Connection, Faults, Frame

PAIRS = 50
PER_S = 100.0  # messages of all together
OPENING = 20


class Bystanders:
    """``latencies`` of what was read since they were last cleared, in seconds; ``faults`` has the first mishap."""

    def __init__(self, faults: Faults, random: Random) -> None:
        self.faults = faults
        self.latencies: list[float] = []
        self.written = self.answered = self.delivered = 0
        self._random = random
        self._chats: list[tuple[Connection, int]] = []
        self._due: dict[tuple[int, int], float] = {}
        self._task: asyncio.Task[None] | None = None

    async def arrive(self, url: str) -> None:
        """Connect, make the chats, and begin to write."""
        gate = asyncio.Semaphore(OPENING)

        async def seat(first: int) -> None:
            async with gate:
                one, other = [await Connection.open(url, first + n, self.faults) for n in (0, 1)]
                created = await one.request(13, 1, {"user_ids": [first + 1], "type": 1})
                await other.request(13, 3, {"chat_id": created["chat_id"]})
                for connection in (one, other):
                    connection.on_event = self._came
                    self._chats.append((connection, created["chat_id"]))

        await asyncio.gather(*(seat(1 + 2 * n) for n in range(PAIRS)))
        self._task = asyncio.create_task(self._write())

    async def leave(self) -> None:
        """Stop writing; returns when everything was answered and read."""
        assert self._task is not None
        self._task.cancel()
        deadline = time.perf_counter() + TIMEOUT_S
        while not self.written == self.answered == self.delivered and time.perf_counter() < deadline:
            await asyncio.sleep(0.01)
        if not self.written == self.answered == self.delivered:
            self.faults.add(
                f"of {self.written} messages {self.answered} were answered, {self.delivered} delivered"
            )
        for connection, _ in self._chats:
            connection.close()

    async def _write(self) -> None:
        due = time.perf_counter()
        while True:
            due += self._random.expovariate(PER_S)
            if (wait := due - time.perf_counter()) > 0:
                await asyncio.sleep(wait)
            connection, chat_id = self._random.choice(self._chats)
            self.written += 1
            self._due[chat_id, self.written] = due
            d = {"chat_id": chat_id, "message": str(self.written)}
            connection.send(11, 1, d, self.written)

    def _came(self, connection: Connection, frame: Frame) -> None:
        if frame.id:
            self.answered += 1
        elif (frame.op, frame.t) == (12, 1):
            self.delivered += 1
            due = self._due.pop((frame.d.chat_id, int(frame.d.message)), None)
            if due is None:
                self.faults.add(f"user {connection.user_id} got what nobody wrote: {frame.d.message!r}")
            else:
                self.latencies.append(time.perf_counter() - due)
