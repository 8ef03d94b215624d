"""``python -m bench.hostile.attacker ATTACK PORT SECONDS SCALE``: the process that makes one attack.

Says ``ready`` when all is prepared, begins with the next line it reads, and says how it went as JSON. It gives way to
the bystanders, whose process shares its core: their times shall not tell how busy the attacker was.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Sequence

import msgspec
import uvloop

from bench.deployment import GENERATOR_CORE, pin
from bench.hostile.attacks import ATTACKS, Assault

NICE = 15


async def make(name: str, assault: Assault) -> None:
    attack = ATTACKS[name]
    if attack.prepare is not None:
        await attack.prepare(assault)
    print("ready", flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.readline)
    assault.begin()
    await attack.run(assault)
    for task in assault.tasks:
        task.cancel()
    print(msgspec.json.encode({"ends": assault.ends, "figures": assault.figures}).decode(), flush=True)


def main(arguments: Sequence[str]) -> None:
    name, port, seconds, scale = arguments
    pin(GENERATOR_CORE)
    os.nice(NICE)

    async def run() -> None:
        await make(name, Assault(int(port), float(seconds), float(scale)))

    uvloop.run(run())


if __name__ == "__main__":
    main(sys.argv[1:])
