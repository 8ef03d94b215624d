"""Arithmetic over the rounds of a run: spreads, ratios of two servers, growth along a series. For the report.

A machine's speed drifts from one minute to the next, so a ratio is only ever taken within a round, and the median of
the rounds' ratios is what counts. A point that a round does not have (it was saturated before) is left out of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from statistics import median
from typing import NamedTuple

import msgspec

from bench.sample import Sample

Value = Callable[[Sample], float]
ByRound = Mapping[int, float]


class Entry(msgspec.Struct):
    """A sample, the round it is of, and the series, such as ``W5 pairs``, that the plan took it for."""

    round: int
    series: str
    sample: Sample


class Spread(NamedTuple):
    low: float
    middle: float
    high: float


def spread(values: Iterable[float]) -> Spread:
    """Least, median and most of at least one value."""
    ranked = sorted(values)
    return Spread(ranked[0], median(ranked), ranked[-1])


class Series:
    """The samples of one series, of all its servers and rounds."""

    def __init__(self, entries: Iterable[Entry], name: str) -> None:
        self._entries = [entry for entry in entries if entry.series == name]

    @property
    def servers(self) -> list[str]:
        """In the order in which they were measured first."""
        return list(dict.fromkeys(entry.sample.server for entry in self._entries))

    def points(self, server: str) -> list[str]:
        """In the order in which they came first."""
        return list(dict.fromkeys(e.sample.point for e in self._entries if e.sample.server == server))

    def samples(self, server: str, point: str) -> list[Sample]:
        """One of each round."""
        return [sample for _, sample in self._of(server, point)]

    def values(self, server: str, point: str, value: Value) -> dict[int, float]:
        """By round."""
        return {number: value(sample) for number, sample in self._of(server, point)}

    def most(self, server: str, value: Value) -> dict[int, float]:
        """The highest of all points, by round."""
        best: dict[int, float] = {}
        for entry in self._entries:
            if entry.sample.server == server:
                best[entry.round] = max(best.get(entry.round, 0.0), value(entry.sample))
        return best

    def _of(self, server: str, point: str) -> list[tuple[int, Sample]]:
        return [
            (entry.round, entry.sample)
            for entry in self._entries
            if entry.sample.server == server and entry.sample.point == point
        ]


def ratio(of: ByRound, to: ByRound) -> float | None:
    """The median of the ratios within each round that has both; None when no round has."""
    both = [of[number] / to[number] for number in of if to.get(number)]
    return median(both) if both else None


def growth(series: Series, server: str, points: Sequence[str], value: Value) -> float | None:
    """What the last point costs, in terms of the first; None when there are not two."""
    if len(points) < 2:
        return None
    return ratio(series.values(server, points[-1], value), series.values(server, points[0], value))
