"""What goes wrong while operations are under way: nodes die, links break, messages of the bus come late or never.

Each fault begins before the operations, and ends after a moment that is drawn, too; then it is repaired and time
passes, so that whatever waits for a timer (a hole, a retry, the head check, the sweep) has its turn.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from chatsrv.redis.link import Link
from tests.unit.test_store_kit import TestNode, until

if TYPE_CHECKING:
    from tests.model.world import World


@dataclass(frozen=True)
class Fault:
    """``place`` is one of the two nodes; ``moment`` how far the operations get before it is over."""

    place: int
    moment: int

    async def begin(self, world: World) -> None:
        """Before the operations."""

    async def end(self, world: World) -> None:
        """When they are under way."""


class Calm(Fault):
    """Nothing goes wrong."""


class Killed(Fault):
    """``kill -9`` of the node; another one starts in its place."""

    async def end(self, world: World) -> None:
        await world.turns(self.moment)
        await world.kill(self.place)


class Drained(Fault):
    """The node stops in an orderly way, answering what it has begun; another one starts in its place."""

    async def end(self, world: World) -> None:
        await world.turns(self.moment)
        await world.drain(self.place)


class Idle(Fault):
    """For so long nothing happens that the actors of who is not connected are let go of."""

    async def end(self, world: World) -> None:
        await world.time_passes(*[5] * 16)


class Late(Fault):
    """What the bus brings to the node comes after everything else."""

    async def begin(self, world: World) -> None:
        world.nodes[self.place].held = []

    async def end(self, world: World) -> None:
        await world.quiet()
        release(world.nodes[self.place])


class Unheard(Fault):
    """What is published in the meantime does not reach the node, which knows nothing of that; but for read marks,
    which are told again only after a cut that shows."""

    async def begin(self, world: World) -> None:
        world.nodes[self.place].deaf = True

    async def end(self, world: World) -> None:
        await world.turns(3 * self.moment)
        world.nodes[self.place].deaf = False


class BusCut(Fault):
    """The node's connection for pub/sub breaks and is made anew."""

    async def end(self, world: World) -> None:
        await world.turns(self.moment)
        await _cut(world.nodes[self.place].bus.link)


class CommandsCut(Fault):
    """The node's connection for commands breaks and is made anew."""

    async def end(self, world: World) -> None:
        await world.turns(self.moment)
        await _cut(world.nodes[self.place].own_link)


@dataclass(frozen=True)
class CommandLost(Fault):
    """One command fails, or all from there on; the first one may have been carried out."""

    run_first: bool
    for_good: bool

    async def begin(self, world: World) -> None:
        link = world.nodes[self.place].own_link
        link.arm(1 + self.moment, run_first=self.run_first, for_good=self.for_good)

    async def end(self, world: World) -> None:
        await world.quiet()
        world.nodes[self.place].own_link.heal()


class AnotherEpoch(Fault):
    """The operator declares that the store has lost something: everybody starts afresh."""

    async def end(self, world: World) -> None:
        await world.turns(self.moment)
        epochs = world.watch.store.epoch
        await epochs.end(await epochs.read(), world.ledger.new_text())


async def _cut(link: Link) -> None:
    """Break it, and wait until it is made anew."""
    link._pipeline.abort("cut by the test")
    await until(lambda: not link.connected)
    await link.when_up()


def release(node: TestNode) -> None:
    """Hand over what was held."""
    held, node.held = node.held or [], None
    for channel, body in held:
        node.bus.link._on_message(channel, body)
