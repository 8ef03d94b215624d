"""One attack on one fresh node: what the bystanders, the node's memory and its CPU were before, during and after."""

from __future__ import annotations

import asyncio
import sys
from random import Random
from typing import Any
from urllib.parse import urlsplit

import msgspec

from bench.accounting import MIB
from bench.connection import Faults
from bench.deployment import Deployment, deployed
from bench.hostile.attacks import ATTACKS
from bench.hostile.bystanders import Bystanders
from bench.sample import percentiles_ms

#: The limits per address hold here too, or nothing on the loopback interface would be limited.
SETTINGS: dict[str, object] = {"exempt_loopback": False}
LOOK_S = 0.05
PREPARING_S = 60.0
TWICE, FLOOR_MS = 2.0, 5.0


class Outcome(msgspec.Struct, kw_only=True):
    """Latencies in ms, memory of the node in MiB, CPU in percent of a core. ``faults``: what must not happen."""

    attack: str
    before_ms: dict[str, float]
    during_ms: dict[str, float]
    mib_before: float
    mib_most: float
    mib_after: float
    cpu_before: float
    cpu_during: float
    messages: int
    ends: dict[str, int]
    figures: dict[str, float]
    faults: str

    @property
    def allowed_ms(self) -> float:
        """The most that the bystanders' p99 may be."""
        return max(TWICE * self.before_ms["p99"], self.before_ms["p99"] + FLOOR_MS)

    @property
    def held(self) -> bool:
        return self.during_ms["p99"] <= self.allowed_ms


class Extent(msgspec.Struct, frozen=True):
    """``scale``: of the attacks' sizes. ``settings``: beside `SETTINGS`. ``after_s``: until memory is read again."""

    before_s: float
    during_s: float
    after_s: float
    scale: float = 1.0
    settings: dict[str, object] = {}


async def outcome(name: str, extent: Extent, seed: int) -> Outcome:
    attack = ATTACKS[name]
    with deployed(settings={**SETTINGS, **attack.settings, **extent.settings}) as deployment:
        people = Bystanders(Faults(), Random(seed))
        await people.arrive(deployment.urls[0])
        attacker = await _attacker(name, deployment, extent)
        try:
            return await _measured(name, extent, deployment, people, attacker)
        finally:
            if attacker.returncode is None:
                attacker.kill()
                await attacker.wait()


async def _measured(
    name: str, extent: Extent, deployment: Deployment, people: Bystanders, attacker: Any
) -> Outcome:
    await _line(attacker, PREPARING_S)  # ready
    await asyncio.sleep(extent.before_s / 8)  # of no interest
    before, cpu_before, _ = await _watched(deployment, people, asyncio.sleep(extent.before_s))
    mib_before = deployment.memory()[0] / MIB
    attacker.stdin.write(b"go\n")
    told = asyncio.ensure_future(_line(attacker, extent.during_s + PREPARING_S))
    during, cpu_during, mib_most = await _watched(deployment, people, asyncio.sleep(extent.during_s))
    said = msgspec.json.decode(await told)
    await asyncio.sleep(extent.after_s)
    mib_after = deployment.memory()[0] / MIB
    await people.leave()
    strange = {end: count for end, count in said["ends"].items() if end not in ATTACKS[name].ends}
    return Outcome(
        attack=name,
        before_ms=before,
        during_ms=during,
        mib_before=mib_before,
        mib_most=mib_most,
        mib_after=mib_after,
        cpu_before=cpu_before,
        cpu_during=cpu_during,
        messages=people.written,
        ends=said["ends"],
        figures=said["figures"],
        faults=people.faults.first or (f"attackers ended otherwise: {strange}" if strange else ""),
    )


async def _attacker(name: str, deployment: Deployment, extent: Extent) -> Any:
    port = urlsplit(deployment.urls[0]).port
    arguments = (name, str(port), str(extent.during_s), str(extent.scale))
    pipe = asyncio.subprocess.PIPE
    return await asyncio.create_subprocess_exec(
        sys.executable, "-m", "bench.hostile.attacker", *arguments, stdin=pipe, stdout=pipe
    )


async def _line(attacker: Any, within_s: float) -> bytes:
    line: bytes = await asyncio.wait_for(attacker.stdout.readline(), within_s)
    if not line:
        raise AssertionError("the attacker ended")
    return line


async def _watched(
    deployment: Deployment, people: Bystanders, while_: Any
) -> tuple[dict[str, float], float, float]:
    """The bystanders' latencies, the node's CPU in percent, and its memory at most, while something goes on."""
    people.latencies = []
    began, going_on, most = deployment.reading(), asyncio.ensure_future(while_), 0
    while not going_on.done():
        most = max(most, deployment.memory()[0])
        await asyncio.wait([going_on], timeout=LOOK_S)
    used = deployment.reading().since(began)
    return percentiles_ms(people.latencies), 100 * used.node_s / used.at, most / MIB
