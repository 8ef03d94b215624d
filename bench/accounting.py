"""What processes used, from the operating system's accounting: CPU time to the nanosecond, resident memory.

Linux only: reads ``/proc``. CPU time is that of all threads of a process, user and system.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

MIB = 1024 * 1024


def cpu_s(pid: int) -> float:
    """Seconds that the process and its threads have run."""
    tasks = Path(f"/proc/{pid}/task").iterdir()
    return sum(int((task / "schedstat").read_bytes().split()[0]) for task in tasks) / 1e9


def memory(pid: int, field: str = "VmRSS") -> int:
    """Bytes of resident memory, now or (``VmHWM``) at their most."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(field + ":"):
            return int(line.split()[1]) * 1024
    raise LookupError(field)


def children(pid: int) -> list[int]:
    """The processes that this one started and that still run."""
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


class Reading(NamedTuple):
    """CPU seconds so far: of the nodes, of Redis, of the generator; and when it was read."""

    node_s: float
    redis_s: float
    generator_s: float
    at: float

    def since(self, earlier: Reading) -> Reading:
        return Reading(*(now - then for now, then in zip(self, earlier, strict=True)))


def read(nodes: Iterable[int], redis: Iterable[int]) -> Reading:
    return Reading(sum(map(cpu_s, nodes)), sum(map(cpu_s, redis)), cpu_s(os.getpid()), time.perf_counter())
