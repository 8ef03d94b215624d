"""One measured point of one run: how much was done, and what it took."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from bench.accounting import MIB, Reading


class Sample(msgspec.Struct, kw_only=True):
    """``units`` of work in ``seconds``; ``figures`` are what else the workload tells, by name.

    CPU seconds are of all nodes, of Redis and of the generator; memory is in MiB, at its most.
    """

    workload: str
    point: str
    unit: str
    units: int
    seconds: float
    node_s: float
    redis_s: float
    generator_s: float
    peak_mib: float
    latencies_ms: dict[str, float] = {}
    figures: dict[str, float] = {}
    server: str = "chatsrv"  # or the name of a peer

    @property
    def cpu_per_million(self) -> float:
        """CPU seconds of nodes and Redis per million units."""
        return (self.node_s + self.redis_s) / self.units * 1e6

    @property
    def rate(self) -> float:
        """Units a second."""
        return self.units / self.seconds


def sample(
    workload: str,
    point: str,
    unit: str,
    units: int,
    used: Reading,
    memory: Iterable[int],
    latencies_s: Sequence[float] = (),
    *,
    server: str = "chatsrv",
    **figures: float,
) -> Sample:
    return Sample(
        workload=workload,
        point=point,
        unit=unit,
        units=units,
        seconds=used.at,
        node_s=used.node_s,
        redis_s=used.redis_s,
        generator_s=used.generator_s,
        peak_mib=sum(memory) / MIB,
        server=server,
        latencies_ms=percentiles_ms(latencies_s),
        figures=figures,
    )


def percentiles_ms(seconds: Sequence[float]) -> dict[str, float]:
    """p50, p99 and p99.9 of latencies given in seconds, in ms."""
    if not seconds:
        return {}
    ranked = sorted(seconds)
    return {
        name: 1000 * ranked[min(len(ranked) - 1, int(len(ranked) * share))]
        for name, share in (("p50", 0.5), ("p99", 0.99), ("p99.9", 0.999))
    }
