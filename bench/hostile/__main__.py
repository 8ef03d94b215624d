"""``python -m bench.hostile``: make every attack, print a line for each, write ``hostile.json`` and ``hostile.md``.

Ends with exit code 1 when a bystander lost something or an attacker ended otherwise than he should. Times are no
reason: the report has the verdict.
"""

from __future__ import annotations

import argparse
import resource
import shlex
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import uvloop

from bench.__main__ import until_terminated
from bench.deployment import GENERATOR_CORE, pin
from bench.hostile.attacks import ATTACKS
from bench.hostile.report import line, markdown
from bench.hostile.scene import SETTINGS, Extent, Outcome, outcome
from bench.machine import header

FULL = Extent(before_s=8.0, during_s=12.0, after_s=2.0)
#: A tenth of everybody, in a third of the time, and waiting limits that are crossed in it.
QUICK = Extent(0.5, 2.5, 0.3, 0.1, {"head_timeout_s": 1.0, "outbox_bytes": 16384, "close_timeout_s": 1.0})


async def measure(names: Sequence[str], extent: Extent, seed: int, outcomes: list[Outcome]) -> None:
    for name in names:
        outcomes.append(await outcome(name, extent, seed))
        print(time.strftime("%H:%M:%S"), line(outcomes[-1]), flush=True)


def main(arguments: Sequence[str]) -> int:
    options = parse(arguments)
    extent = QUICK if options.quick else FULL
    command = shlex.join(["python", "-m", "bench.hostile", *arguments])
    head = header(command, f"{extent.before_s:g} s before, {extent.during_s:g} s during", options.seed)
    changed = {**SETTINGS, **extent.settings}
    head["settings raised"] = ", ".join(f"{name} = {value}" for name, value in changed.items())
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    pin(GENERATOR_CORE)
    outcomes: list[Outcome] = []
    began = time.monotonic()
    uvloop.run(until_terminated(measure(options.only, extent, options.seed, outcomes)))
    head["took"] = f"{(time.monotonic() - began) / 60:.1f} minutes"
    failure = "; ".join(f"{each.attack}: {each.faults}" for each in outcomes if each.faults)
    write(options.out, head, outcomes, failure)
    if failure:
        print(f"failed: {failure}", file=sys.stderr)
    return 1 if failure else 0


def write(directory: Path, head: dict[str, str], outcomes: Sequence[Outcome], failure: str) -> None:
    directory.mkdir(parents=True, exist_ok=True)
    told = [{**msgspec.to_builtins(each), "held": each.held} for each in outcomes]
    whole = {"header": head, "failure": failure, "outcomes": told}
    (directory / "hostile.json").write_bytes(msgspec.json.format(msgspec.json.encode(whole), indent=1))
    (directory / "hostile.md").write_text(markdown(head, outcomes, failure), encoding="utf-8")
    print(f"written: {directory}/hostile.json, {directory}/hostile.md")


def parse(arguments: Sequence[str]) -> Any:
    parser = argparse.ArgumentParser("python -m bench.hostile", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="smaller and shorter attacks, in about a minute")
    parser.add_argument("--only", type=_attacks, default=tuple(ATTACKS), help=", ".join(ATTACKS))
    parser.add_argument("--out", type=Path, default=Path("var/bench"), help="a directory; default: var/bench")
    parser.add_argument("--seed", type=int, default=1, help="of when who writes; default: 1")
    return parser.parse_args(arguments)


def _attacks(text: str) -> tuple[str, ...]:
    chosen = tuple(text.split(","))
    if not set(chosen) <= set(ATTACKS):
        raise argparse.ArgumentTypeError(f"of {', '.join(ATTACKS)}")
    return chosen


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
