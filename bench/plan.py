"""What is run: the steps of one round, in full and in quick. ``__main__`` runs as many rounds as there are repeats.

A step is one deployment with its population; it gives one sample per point. The peers stand in turn with chatsrv's
own W1 and W2, so that every ratio is of minutes that lie side by side.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from functools import partial
from typing import NamedTuple

from bench.fanout import fan_out
from bench.history import history
from bench.idle import idle
from bench.mixed import mixed
from bench.pairs import pairs
from bench.peers import PEERS
from bench.peers.measured import peer_fan_out, peer_pairs
from bench.sample import Sample

WORKLOADS = ("W1", "W2", "W3", "W4", "W5", "W6")


class Step(NamedTuple):
    """``run`` starts the deployment and measures; ``series``: that of its samples, if it is not their workload."""

    workload: str
    name: str
    run: Callable[[], AsyncIterator[Sample]]
    series: str = ""


class Extent(NamedTuple):
    """How much of it: seconds per point, and the points. Rates are deliveries a second, of a group of 100."""

    peers: tuple[str, ...]
    fan_out_s: float
    rates: tuple[int, ...]
    pairs_s: float
    pairs: int
    idle_s: float
    idle: int
    mixed_s: float
    multiples: tuple[float, ...]  # of human rates
    people: int
    chats: int  # of each of them
    history_s: float
    sizes: tuple[int, ...]
    members: tuple[int, ...]
    members_rate: int
    growing_pairs: tuple[int, ...]
    two_nodes_rates: tuple[int, ...]

    def lasting(self, seconds: float) -> Extent:
        """The same points, each for so long."""
        return self._replace(
            fan_out_s=seconds, pairs_s=seconds, idle_s=seconds, mixed_s=seconds, history_s=seconds
        )

    @property
    def warm_up_s(self) -> float:
        """How long pairs play before they are measured."""
        return min(1.0, self.pairs_s)

    def __str__(self) -> str:
        return (
            f"{self.fan_out_s:g} s per point of fan-out, {self.pairs_s:g} s of pairs, {self.idle_s:g} s at rest, "
            f"{self.mixed_s:g} s of mixed, {self.history_s:g} s of history"
        )


FULL = Extent(
    peers=PEERS,
    fan_out_s=1.5,
    rates=(5_000, 50_000, 100_000, 250_000, 500_000, 1_000_000, 2_000_000, 3_000_000, 5_000_000),
    pairs_s=3.0,
    pairs=500,
    idle_s=25.0,
    idle=10_000,
    mixed_s=5.0,
    multiples=(1, 2, 4),
    people=2_000,
    chats=20,
    history_s=1.0,
    sizes=(100, 1_000, 10_000, 100_000),
    members=(10, 100, 1_000),
    members_rate=20_000,
    growing_pairs=(100, 500, 1_000, 5_000),
    two_nodes_rates=(5_000, 50_000, 100_000, 500_000, 1_000_000),
)
QUICK = Extent(
    peers=("floor", "plain"),
    fan_out_s=0.7,
    rates=(5_000, 50_000, 100_000, 500_000),
    pairs_s=1.0,
    pairs=500,
    idle_s=3.0,
    idle=1_000,
    mixed_s=3.0,
    multiples=(1, 4),
    people=300,
    chats=10,
    history_s=0.5,
    sizes=(100, 1_000, 10_000),
    members=(10, 100),
    members_rate=20_000,
    growing_pairs=(100, 500),
    two_nodes_rates=(5_000, 50_000, 100_000),
)


def plan(extent: Extent, seed: int) -> list[Step]:
    """The steps of a round."""
    return [
        *_fan_out(extent),
        *_pairs(extent),
        *_standing(extent, seed),
        *_growth(extent),
        *_two_nodes(extent),
    ]


def _fan_out(extent: Extent) -> list[Step]:
    rates, seconds = extent.rates, extent.fan_out_s
    own = Step("W1", "100 members", partial(fan_out, rates, seconds))
    return [own, *(Step("W1", name, partial(peer_fan_out, name, rates, seconds)) for name in extent.peers)]


def _pairs(extent: Extent) -> list[Step]:
    count, seconds, warm_up_s = extent.pairs, extent.pairs_s, extent.warm_up_s
    own = partial(pairs, count, seconds, warm_up_s=warm_up_s)
    return [
        Step("W2", f"{count:,} pairs with nonces", partial(own, nonces=True)),
        Step("W2", f"{count:,} pairs", own),
        *(
            Step("W2", name, partial(peer_pairs, name, count, seconds, warm_up_s=warm_up_s))
            for name in extent.peers
        ),
    ]


def _standing(extent: Extent, seed: int) -> list[Step]:
    people = partial(
        mixed, extent.multiples, extent.mixed_s, users=extent.people, chats_each=extent.chats, seed=seed
    )
    return [
        Step("W3", f"{extent.idle:,} users", partial(idle, extent.idle, extent.idle_s)),
        Step("W4", f"{extent.people:,} users", people),
    ]


def _growth(extent: Extent) -> list[Step]:
    rates = (extent.members_rate,)
    return [
        *(
            Step("W5", f"{count:,} members", partial(fan_out, rates, extent.fan_out_s, count), "W5 members")
            for count in extent.members
        ),
        *(
            Step(
                "W5",
                f"{count:,} pairs",
                partial(pairs, count, extent.pairs_s, warm_up_s=extent.warm_up_s),
                "W5 pairs",
            )
            for count in extent.growing_pairs
        ),
        Step("W5", "history", partial(history, extent.sizes, extent.history_s)),
    ]


def _two_nodes(extent: Extent) -> list[Step]:
    return [
        Step("W6", "fan-out", partial(fan_out, extent.two_nodes_rates, extent.fan_out_s, nodes=2)),
        Step(
            "W6",
            f"{extent.pairs:,} pairs",
            partial(pairs, extent.pairs, extent.pairs_s, nodes=2, warm_up_s=extent.warm_up_s),
        ),
    ]
