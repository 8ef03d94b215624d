"""W3: authenticated connections that do nothing, each of another user: what opening one takes, and having it.

Opening is a closed loop with ``OPENING`` connections under way, as fast as the server takes them; latency is from
the start of the TCP connect until 1/1 was read, so mostly the wait of one among ``OPENING``. At rest, the server
pings each connection once per ping interval and is answered; at the end, some are asked whether they still work.
Memory is resident memory of the nodes: the sockets' buffers in the kernel are not in it.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence

from bench.connection import Connection, Faults
from bench.crowd import Crowd
from bench.deployment import LIMITS, Deployment, deployed
from bench.sample import Sample, sample

OPENING = 100
WARM_UP = 100
SETTLE_S = 1.0
ASKED = 200
PING_INTERVAL_S = 25.0  # the server's default
MEMBERS, CREATORS = 10, 10  # of each chat, where there are chats; so many make them at once
KIB = 1024


async def _make_chats(url: str, users: Sequence[int], chats: int) -> None:
    """Each ``MEMBERS`` users that follow each other get so many groups."""
    firsts = iter(range(0, len(users), MEMBERS))  # shared: each takes the next ones
    faults = Faults()

    async def make_some() -> None:
        for first in firsts:
            members = users[first : first + MEMBERS]
            creator = await Connection.open(url, members[0], faults)
            body = {"user_ids": list(members[1:]), "type": 2, "chat": "bench"}
            await asyncio.gather(*(creator.request(13, 1, body) for _ in range(chats)))
            creator.close()

    await asyncio.gather(*(make_some() for _ in range(CREATORS)))
    faults.check()


async def idle(count: int, seconds: float, *, chats: int = 0) -> AsyncIterator[Sample]:
    """Opening ``count`` connections, then having them for so long; with ``chats``, each user is in so many.

    ``seconds`` under the ping interval shorten that, so that the time at rest has a ping for each connection
    wherever opening took no longer than that; a figure says how many there were. Chats are made on a second node,
    which then has nothing to do, so that the measured growth is all of the first one's.
    """
    interval_s = min(PING_INTERVAL_S, seconds)
    users = range(1, WARM_UP + count + 1)
    name = f"{count:,} users" + (f" with {chats} chats" if chats else "")
    with deployed(2 if chats else 1, {**LIMITS, "ping_interval_s": interval_s}) as deployment:
        if chats:
            await _make_chats(deployment.urls[-1], users, chats)
        crowd = Crowd(deployment.urls[0], chats)
        await crowd.grow(crowd.requests(users[:WARM_UP]), 1)
        await asyncio.sleep(SETTLE_S)
        yield await _opening(f"{name}, opening", crowd, deployment, users[WARM_UP:])
        yield await _at_rest(f"{name}, at rest, pinged every {interval_s:g} s", crowd, deployment, seconds)
        await crowd.ask(ASKED)
        crowd.close()


async def _opening(name: str, crowd: Crowd, measured: Deployment, users: Sequence[int]) -> Sample:
    """The CPU time has in it what goes on when all are open, for ``SETTLE_S``; the rate does not."""
    requests = crowd.requests(users)
    node_before, redis_before = measured.memory()
    before = measured.reading()
    latencies = await crowd.grow(requests, OPENING)
    opened = measured.reading().since(before)
    await asyncio.sleep(SETTLE_S)
    used = measured.reading().since(before)._replace(at=opened.at)
    node, redis = measured.memory()
    return sample(
        "W3",
        name,
        "connection",
        len(users),
        used,
        measured.memory("VmHWM"),
        latencies,
        kib_per_connection=(node - node_before) / KIB / len(users),
        redis_kib_per_connection=(redis - redis_before) / KIB / len(users),
        cpu_ms_per_connection=1000 * (used.node_s + used.redis_s) / len(users),
    )


async def _at_rest(name: str, crowd: Crowd, measured: Deployment, seconds: float) -> Sample:
    count, pings = len(crowd.open), crowd.pings
    before = measured.reading()
    await asyncio.sleep(seconds)
    used = measured.reading().since(before)
    crowd.faults.check()
    return sample(
        "W3",
        name,
        "connection-second",
        int(count * used.at),
        used,
        measured.memory("VmHWM"),
        core_percent=100 * (used.node_s + used.redis_s) / used.at,
        pings_per_connection=(crowd.pings - pings) / count,
    )
