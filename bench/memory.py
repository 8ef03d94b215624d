"""How much memory in Redis a stored message takes: 50,000 of 100 bytes in one chat, with all that comes with them.

Run by ``make bench-memory``. Fills one chat with messages without and one with a nonce each, through the store's own
scripts in an embedded Redis with an empty data directory and the default settings, and prints bytes per message.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import Any
from uuid import uuid4

from twisted.internet.defer import Deferred
from twisted.internet.task import react

from chatsrv.redis import RedisLink
from chatsrv.redis.embedded import EmbeddedRedis
from chatsrv.store import Store
from chatsrv.store.chats import Draft
from chatsrv.store.keys import Keys

MESSAGES, BATCH = 50_000, 50
TEXT = "x" * 100
MEMBERS = 10
PARTS = ("meta", "members", "messages", "marks", "nonces:0", "nonces:1")
PLAIN, WITH_NONCES = 1, 2
PREFIX = "chatsrv:"


def drafts(nonces: bool) -> list[Draft]:
    """A batch, from all members in turn."""
    return [Draft(1 + n % MEMBERS, 2, TEXT, uuid4().hex if nonces else "") for n in range(BATCH)]


async def fill(store: Store, chat_id: int, *, nonces: bool) -> None:
    await store.chats.create_group(chat_id, "g", 1, range(2, MEMBERS + 1), "bench", "op")
    for _ in range(MESSAGES // BATCH):
        done: Deferred[Any] = Deferred()
        store.chats.appender(chat_id, "bench").append(drafts(nonces), "op", done.callback)
        reply = await done
        if isinstance(reply, Exception) or any(type(result) is bytes for result in reply):
            sys.exit(f"the store answered {reply!r}")


async def used(link: RedisLink) -> int:
    """All memory that Redis has allocated, in bytes."""
    info = (await link.call("INFO", "memory")).decode()
    return int(dict(line.split(":", 1) for line in info.splitlines() if ":" in line)["used_memory"])


async def print_parts(link: RedisLink, chat_id: int) -> None:
    for part, key in zip(PARTS, Keys(PREFIX).chat(chat_id, *PARTS), strict=True):
        size = await link.call("MEMORY", "USAGE", key, "SAMPLES", 0)
        if size and size >= MESSAGES:
            print(f"    {part}: {size / MESSAGES:.0f}")


async def measure(link: RedisLink) -> None:
    store = Store(link, PREFIX)
    await link.load(list(store.scripts.values()))
    at_first = await used(link)
    await fill(store, PLAIN, nonces=False)
    plain = (await used(link) - at_first) / MESSAGES
    print(f"bytes per message of {len(TEXT)} bytes, all included: {plain:.0f}")
    await print_parts(link, PLAIN)
    between = await used(link)
    await fill(store, WITH_NONCES, nonces=True)
    extra = (await used(link) - between) / MESSAGES - plain
    print(f"more for a nonce of 32 characters, for one to two days: {extra:.0f}")
    await print_parts(link, WITH_NONCES)


async def main(reactor: Any) -> None:
    with tempfile.TemporaryDirectory() as directory:
        redis = EmbeddedRedis(reactor, Path(directory), fsync="no")
        link = RedisLink(reactor, await redis.start())
        link.start()
        try:
            await link.when_up()
            print(f"Redis {redis.version}, {MESSAGES:,} messages")
            await measure(link)
        finally:
            await link.stop()
            await redis.stop()


if __name__ == "__main__":
    react(lambda reactor: Deferred.fromCoroutine(main(reactor)))
