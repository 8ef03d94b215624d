"""Who is in which chat in W4, and all of them connected. Chats of two are private, larger ones are groups.

At the end a new connection of everybody, and the history and read marks of some chats, must show what was said.

Sizes follow Zipf's law (the n-th largest chat has 1/n of the largest one's members, so a size has the weight 1/size²)
from 2 to 200: four in ten are private chats, and a member of a chat drawn by chance sees about 40 in it. Every user is
in the same number of chats; who with whom is drawn.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Iterable, Iterator, Sequence
from itertools import accumulate
from random import Random
from typing import NamedTuple, TypeVar

from bench.connection import TIMEOUT_S, Connection, Faults
from bench.deployment import Deployment
from bench.ledger import Chat, Ledger, Tally
from bench.person import Person

T = TypeVar("T")

SMALLEST, LARGEST = 2, 200
AT_ONCE = 50  # connections opened, or chats created, at the same time
POLL_S = 0.005
CHATS_COMPARED = 100
TIMED = 50  # persons at whom the latency of deliveries is read


class Population(NamedTuple):
    """All persons of a run, and what they share."""

    persons: list[Person]
    chats: list[Chat]
    ledger: Ledger
    tally: Tally

    async def until_level(self, within_s: float = TIMEOUT_S) -> None:
        """Until everybody is connected, has every answer, and has seen every event."""
        deadline = time.perf_counter() + within_s
        while not all(person.at_rest for person in self.persons) or not all(
            person.is_level() for person in self.persons
        ):
            self.ledger.faults.check()
            if time.perf_counter() > deadline:
                behind = sum(not person.is_level() for person in self.persons)
                raise AssertionError(
                    f"lost: {self.tally.waiting} requests unanswered, {behind} persons behind"
                )
            await asyncio.sleep(POLL_S)
        self.ledger.faults.check()

    def close(self) -> None:
        for person in self.persons:
            person.close()


def sizes(random: Random, memberships: int, largest: int) -> list[int]:
    """Of chats that together have so many members."""
    choices = range(SMALLEST, largest + 1)
    weights = list(accumulate(1 / size**2 for size in choices))
    drawn: list[int] = []
    left = memberships
    while left:
        size = min(left, random.choices(choices, cum_weights=weights)[0])
        if left - size == 1:  # nobody is left alone
            size += 1 if size < largest else -1
        drawn.append(size)
        left -= size
    return drawn


def seated(random: Random, users: Sequence[int], sizes: Iterable[int]) -> list[list[int]]:
    """The members of chats of these sizes, dealt from one shuffled pack of all users after the other."""
    pack: list[int] = []
    tables = []
    for size in sizes:
        table = [pack.pop() for _ in range(min(size, len(pack)))]
        if len(table) < size:
            pack = random.sample(users, len(users))
            pack.sort(key=table.__contains__, reverse=True)  # who sits here already is dealt last
            table += [pack.pop() for _ in range(size - len(table))]
        tables.append(table)
    return tables


async def settle(deployment: Deployment, users: int, chats_each: int, random: Random) -> Population:
    """Connect users 1 to ``users``, then have one member of each chat create it."""
    ledger, tally = Ledger(Faults()), Tally()
    url, every = deployment.urls[0], max(1, users // TIMED)
    persons = [Person(n + 1, url, ledger, tally, timed=n % every == 0) for n in range(users)]
    await bounded(person.connect() for person in persons)
    drawn = sizes(random, users * chats_each, min(LARGEST, users))
    chats = await bounded(
        _create(persons[members[0] - 1], t, members)
        for members, t in _typed(seated(random, range(1, users + 1), drawn))
    )
    for chat in chats:
        ledger.advance(chat.chat_id, 1)
        for user_id in chat.members:
            persons[user_id - 1].chats.append(chat)
    population = Population(persons, chats, ledger, tally)
    await population.until_level()
    return population


def _typed(tables: Iterable[list[int]]) -> Iterator[tuple[list[int], int]]:
    """With the type of chat: a group also where two users have a private chat already."""
    pairs: set[frozenset[int]] = set()
    for members in tables:
        pair = frozenset(members)
        private = len(pair) == 2 and pair not in pairs
        pairs.add(pair)
        yield members, 1 if private else 2


async def _create(creator: Person, t: int, members: list[int]) -> Chat:
    assert creator.member is not None
    reply = await creator.member.request(13, 1, {"user_ids": members[1:], "type": t})
    if sorted(reply["users"]) != sorted(members) or reply["type"] != t:
        raise AssertionError(f"asked for a chat of type {t} of {members}, got {reply}")
    return Chat(reply["chat_id"], t, members)


async def compare(population: Population, url: str, random: Random) -> None:
    """Hold what a new connection of everybody is told, and some chats' history, against what was said."""
    persons, chats, ledger, _ = population
    await bounded(_compare_heads(person, url, ledger) for person in persons)
    for chat in chats:
        if sorted(ledger.stored[chat.chat_id]) != list(range(1, len(ledger.stored[chat.chat_id]) + 1)):
            ledger.faults.add(f"chat {chat.chat_id}: stored are {sorted(ledger.stored[chat.chat_id])}")
    compared = random.sample(chats, min(CHATS_COMPARED, len(chats)))
    await bounded(_compare_chat(persons[chat.members[-1] - 1], chat, ledger) for chat in compared)
    ledger.faults.check()


async def _compare_heads(person: Person, url: str, ledger: Ledger) -> None:
    fresh = await Connection.open(url, person.user_id, ledger.faults)
    if fresh.heads != {chat.chat_id: ledger.heads[chat.chat_id] for chat in person.chats}:
        ledger.faults.add(f"user {person.user_id}: a fresh hello has other heads than the chats")
    fresh.close()


async def _compare_chat(person: Person, chat: Chat, ledger: Ledger) -> None:
    assert person.member is not None
    page = await person.member.request(11, 10, {"chat_id": chat.chat_id, "limit": 100})
    details = await person.member.request(13, 3, {"chat_id": chat.chat_id})
    ledger.check_present(page, details, chat)


async def bounded(doings: Iterable[Awaitable[T]]) -> list[T]:
    """The results of all, `AT_ONCE` at a time."""
    gate = asyncio.Semaphore(AT_ONCE)

    async def one(doing: Awaitable[T]) -> T:
        async with gate:
            return await doing

    return await asyncio.gather(*map(one, doings))
