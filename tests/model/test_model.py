"""Random steps of users, devices and nodes, after each of which all devices are in step. See the package.

Environment: ``CHATSRV_MODEL_RUNS`` and ``CHATSRV_MODEL_STEPS`` say how many runs and how long, ``CHATSRV_MODEL_SEED``
which ones (``random``: others each time; without it the same). The seed is printed.
"""

from __future__ import annotations

import atexit
import functools
import os
import random
from collections import Counter
from collections.abc import Sequence
from typing import Any
from uuid import uuid4

from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis.stateful import run_state_machine_as_test
from twisted.internet.defer import Deferred
from twisted.internet.threads import deferToThread

import chatsrv.actors.handoff
from chatsrv.store.events import chat_news
from chatsrv.wire.limits import Limits
from tests.model.machine import Devices
from tests.support.redis import RedisServer
from tests.unit.test_store_kit import NodeCase, TestNode

RUNS = int(os.environ.get("CHATSRV_MODEL_RUNS", "20"))
STEPS = int(os.environ.get("CHATSRV_MODEL_STEPS", "30"))
SHRINK = int(os.environ.get("CHATSRV_MODEL_SHRINK", "1"))
MARK = "marker:all"
NO_LIMITS = Limits(requests_per_s=10**9, burst=10**6)


@functools.cache
def exact_redis() -> RedisServer:
    """A server that trims a stream to exactly the length asked for, so that short logs are short."""
    server = RedisServer("--stream-node-max-entries", "1").start()
    atexit.register(server.remove)
    return server


class ModelCase(NodeCase):
    """Makes the nodes of one run after the other."""

    timeout = 3600
    options = {"limits": NO_LIMITS, "connections_per_user": 10**6}

    def redis_of_test(self) -> RedisServer:
        return exact_redis()

    def begin(self, log_events: int) -> None:
        """A run on an empty store."""
        self.outside.flushall()
        self.prefix = f"{uuid4().hex[:8]}:"
        self.log_events = log_events  # type: ignore[misc]

    async def node(self, **options: Any) -> TestNode:
        """Its bus can be ``deaf``, or ``held`` (a list) what it hears; it tells when it hears the `mark`."""
        node = await super().node(**options)
        heard = node.bus.link._on_message
        node.held, node.deaf, node.marked = None, False, None

        def filtered(channel: bytes, body: bytes) -> None:
            mark = channel == MARK.encode()
            if node.held is not None and not mark:
                node.held.append((channel, body))
            elif mark or not node.deaf or _has_signals(channel, body):
                heard(channel, body)

        node.bus.link._on_message = filtered
        await node.bus.subscribe(MARK, lambda _: node.marked.callback(None))
        return node

    async def mark(self, nodes: Sequence[TestNode]) -> None:
        """Wait until each has heard everything that was published so far."""
        for node in nodes:
            node.marked = Deferred()
        await self.link.call("PUBLISH", MARK, "")
        for node in nodes:
            await node.marked

    def check_log(self) -> None:
        """No node has logged an error."""
        for failure in self.flushLoggedErrors():
            raise AssertionError(f"logged: {failure.getTraceback()}")


class DevicesInStep(ModelCase):
    async def test_whatever_happens_every_device_shows_what_one_that_connects_afresh_is_told(self) -> None:
        chosen = os.environ.get("CHATSRV_MODEL_SEED", "1")
        number = random.randrange(2**32) if chosen == "random" else int(chosen)
        print(f"model seed {number}, {RUNS} runs of {STEPS} steps")
        self.patch(chatsrv.actors.handoff, "SWEEP_AGE_MS", 0)
        Devices.case, self.tally = self, Counter()
        how = settings(
            max_examples=RUNS,
            stateful_step_count=STEPS,
            deadline=None,
            database=None,
            report_multiple_bugs=False,
            phases=[Phase.generate] + [Phase.shrink] * SHRINK,
            suppress_health_check=list(HealthCheck),
        )
        try:
            await deferToThread(run_state_machine_as_test, seed(number)(Devices), settings=how)
        except Exception as failure:
            print("\n".join(getattr(failure, "__notes__", ())))
            raise
        finally:
            print(dict(sorted(self.tally.items())))


def _has_signals(channel: bytes, body: bytes) -> bool:
    """Whether a chat's channel carries a read mark, or that somebody is typing."""
    return b":c:" in channel and bool(chat_news(body).signals)
