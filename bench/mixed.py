"""W4: 2,000 connected users with 20 chats each do what people do, at human rates and at multiples of them.

A user writes 128 bytes every 10 s, announced by a typing notice `TYPING_S` before, and reads a chat as often as they
write; ``PER_S`` has it all. Each of a user's chats is as likely as the others, so a chat is the busier the more members
it has, and an event goes to about 40. A multiple scales all rates. Open loop: everything is due at a time drawn
before, from one seed, with exponential gaps. What depends on what was said takes the latest: one edits or deletes what
one wrote last, and reads the chat that came to life last. Half of those who lose their connection were writing
at that moment. Who is away does nothing, and is back after up to twice `AWAY_S`, at the end of the point at the latest.

A delivery is a frame received, hello left out. Latency is from the moment a message was due until it was read,
at `population.TIMED` members. Among the figures are that of answers and of catch-ups (from connecting to the answer to
1/2), and CPU time a request, of nodes and Redis; every frame sent is a request. A point with more than a second's
requests unanswered is ended there: it is not kept up with, and the last.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from random import Random
from typing import NamedTuple

from bench.deployment import Deployment, deployed
from bench.ledger import Chat
from bench.person import Person
from bench.population import Population, compare, settle
from bench.sample import Sample, percentiles_ms, sample

PER_S = {  # of one user, at x1
    "write": 1 / 10,
    "read": 1 / 10,
    "edit": 1 / 200,
    "delete": 1 / 1000,
    "look": 1 / 60,  # at the newest page of history
    "break": 1 / 300,
}
TYPING_S = 2.0
AWAY_S = 1.0
BACKLOG_S = 1.0
LEAST_BACKLOG = 50
LATE = 1.1  # of the time it was to take
SETTLING_S = 30.0


class Act(NamedTuple):
    """``at``: seconds after the beginning of the point. ``draw``: from 0 to 1, for what has to be chosen."""

    at: float
    kind: str
    person: int
    draw: float


def schedule(random: Random, persons: int, multiple: float, seconds: float) -> list[Act]:
    """What everybody does, in order; typing notices of texts that are due soon after the end are not left out."""
    acts = []
    for kind, per_s in PER_S.items():
        at, end = 0.0, seconds + (TYPING_S if kind == "write" else 0.0)
        while (at := at + random.expovariate(per_s * multiple * persons)) < end:
            act = Act(at, kind, random.randrange(persons), random.random())
            acts.append(act)
            if kind == "write":
                acts.append(act._replace(at=at - TYPING_S, kind="type"))
    return sorted(act for act in acts if 0 <= act.at < seconds)


class Load:
    """One point: acts carried out when they are due. ``kept_up``: it was not ended early, nor did it end late."""

    def __init__(self, population: Population, acts: Sequence[Act], seconds: float) -> None:
        self.kept_up = True
        self._population, self._acts, self._seconds = population, acts, seconds
        self._began = 0.0

    async def run(self) -> None:
        """Returns when all is done, answered and seen by everybody."""
        self._began = time.perf_counter()
        most = max(LEAST_BACKLOG, BACKLOG_S * len(self._acts) / self._seconds)
        for act in self._acts:
            while (wait := self._began + act.at - time.perf_counter()) > 0:
                await asyncio.sleep(wait)
            if self._population.tally.waiting > most:
                self.kept_up = False
                break
            self._do(act)
        await self._population.until_level(SETTLING_S)
        self.kept_up = self.kept_up and time.perf_counter() - self._began < LATE * self._seconds

    def _do(self, act: Act) -> None:
        person, due = self._population.persons[act.person], self._began + act.at
        if person.member is None:
            return
        chat = person.chats[int(act.draw * len(person.chats))]
        match act.kind:
            case "type":
                person.type(chat)
            case "write":
                person.write(chat, due)
            case "edit":
                person.edit(due)
            case "delete":
                person.delete(due)
            case "read":
                person.read(due)
            case "look":
                person.look(chat)
            case "break":
                self._break(person, act, chat, due)

    def _break(self, person: Person, act: Act, chat: Chat, due: float) -> None:
        if act.draw < 0.5:
            person.write(chat, due)
        away_s = 2 * AWAY_S * (2 * act.draw % 1)
        person.leave(min(away_s, self._seconds - act.at))


async def at_multiple(
    population: Population, deployment: Deployment, random: Random, multiple: float, seconds: float
) -> tuple[Sample, bool]:
    """One point, and whether it was kept up with."""
    tally = population.tally
    tally.clear()
    load = Load(population, schedule(random, len(population.persons), multiple, seconds), seconds)
    before = deployment.reading()
    await load.run()
    used = deployment.reading().since(before)
    answers, catch_ups = percentiles_ms(tally.answers), percentiles_ms(tally.catch_ups)
    point = sample(
        "W4",
        f"x{multiple:g}",
        "delivery",
        tally.delivered,
        used,
        deployment.memory("VmHWM"),
        tally.deliveries,
        requests_per_s=tally.requests / used.at,
        deliveries_per_request=tally.delivered / tally.requests,
        cpu_ms_per_request=1000 * (used.node_s + used.redis_s) / tally.requests,
        answer_p50_ms=answers["p50"],
        answer_p99_ms=answers["p99"],
        reconnects_per_s=len(tally.catch_ups) / used.at,
        catch_up_p50_ms=catch_ups.get("p50", 0.0),
        catch_up_p99_ms=catch_ups.get("p99", 0.0),
        replayed=tally.replayed,
        resent=tally.resent,
        kept_up=float(load.kept_up),
    )
    return point, load.kept_up


async def mixed(
    multiples: Sequence[float] = (1, 4, 10),
    seconds: float = 8.0,
    *,
    users: int = 2000,
    chats_each: int = 20,
    seed: int = 1,
    warm_up_s: float = 1.0,
) -> AsyncIterator[Sample]:
    """W4: a sample for each multiple of the human rates, up to the first that is not kept up with."""
    random = Random(seed)
    with deployed() as deployment:
        began = time.perf_counter()
        population = await settle(deployment, users, chats_each, random)
        settled_s = time.perf_counter() - began
        await at_multiple(population, deployment, random, 1, warm_up_s)
        for multiple in multiples:
            point, kept_up = await at_multiple(population, deployment, random, multiple, seconds)
            point.figures |= {"seed": seed, "chats": len(population.chats), "settled_s": settled_s}
            yield point
            if not kept_up:
                break
        await compare(population, deployment.urls[0], random)
        population.close()
