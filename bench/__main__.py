"""``python -m bench``: run the plan, print a line per sample, write ``results.json`` and ``results.md``.

Ends with exit code 1 when a check failed: something was lost, came twice, in another order, or not at all. What was
measured until then is written, and the report says that it is not whole.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import resource
import shlex
import signal
import sys
import time
import traceback
from collections.abc import Coroutine, Sequence
from contextlib import aclosing
from pathlib import Path
from typing import Any

import msgspec
import uvloop

from bench.deployment import GENERATOR_CORE, pin
from bench.growth import Entry
from bench.machine import header
from bench.plan import FULL, QUICK, WORKLOADS, Extent, Step, plan
from bench.report import line, markdown


class CheckFailed(Exception):
    """Says in which workload, after which point, and what."""


async def measure(steps: Sequence[Step], rounds: int, entries: list[Entry]) -> None:
    """Add an entry for each sample as it comes; whole rounds, one after the other."""
    for number in range(1, rounds + 1):
        for step in steps:
            await _run(step, number, entries)
            gc.collect()  # the next one shall not pay for what this one left


async def _run(step: Step, number: int, entries: list[Entry]) -> None:
    """One step. Its points come in a fixed order, so the last one that came tells where it failed."""
    last = ""
    try:
        async with aclosing(step.run()) as samples:  # type: ignore[type-var]  # all are generators
            async for sample in samples:
                last = f', after the point "{sample.point}"'
                entries.append(Entry(number, step.series or sample.workload, sample))
                print(time.strftime("%H:%M:%S"), line(entries[-1]), flush=True)
    except Exception as error:
        # What the tasks still running say when they are cut off is of no interest any more.
        asyncio.get_running_loop().set_exception_handler(lambda loop, context: None)
        what = str(error) if isinstance(error, AssertionError) else repr(error)
        raise CheckFailed(f"{step.workload}, {step.name}, round {number}{last}: {what}") from error


def main(arguments: Sequence[str]) -> int:
    options = parse(arguments)
    extent = extent_of(options)
    head = header(
        shlex.join(["python", "-m", "bench", *arguments]),
        f"{options.repeats} rounds; {extent}",
        options.seed,
    )
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    pin(GENERATOR_CORE)
    steps = [step for step in plan(extent, options.seed) if step.workload in options.only]
    entries: list[Entry] = []
    began, failure = time.monotonic(), ""
    try:
        uvloop.run(until_terminated(measure(steps, options.repeats, entries)))
    except CheckFailed as failed:
        failure = str(failed)
        if not isinstance(failed.__cause__, AssertionError):
            traceback.print_exception(failed.__cause__)
    head["took"] = f"{(time.monotonic() - began) / 60:.1f} minutes"
    write(options.out, head, entries, failure)
    if failure:
        print(f"failed: {failure}", file=sys.stderr)
    return 1 if failure else 0


async def until_terminated(work: Coroutine[Any, Any, None]) -> None:
    """SIGTERM ends it like control-C, so that no server is left behind."""
    task = asyncio.current_task()
    assert task is not None
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    await work


def extent_of(options: Any) -> Extent:
    extent = QUICK if options.quick else FULL
    if options.seconds:
        extent = extent.lasting(options.seconds)
    return extent if options.peers else extent._replace(peers=())


def write(directory: Path, head: dict[str, str], entries: Sequence[Entry], failure: str) -> None:
    """All samples as they are, and the report."""
    directory.mkdir(parents=True, exist_ok=True)
    whole = {"header": head, "failure": failure, "entries": entries}
    (directory / "results.json").write_bytes(msgspec.json.format(msgspec.json.encode(whole), indent=1))
    (directory / "results.md").write_text(markdown(head, entries, failure), encoding="utf-8")
    print(f"written: {directory}/results.json, {directory}/results.md")


def parse(arguments: Sequence[str]) -> Any:
    parser = argparse.ArgumentParser("python -m bench", description="Measure what chatsrv costs.")
    parser.add_argument("--quick", action="store_true", help="fewer and shorter points, in under two minutes")
    parser.add_argument("--only", type=_workloads, default=WORKLOADS, help="such as W1,W2; default: all")
    parser.add_argument("--repeats", type=int, help="rounds of everything; default: 3, quick: 1")
    parser.add_argument("--seconds", type=float, help="how long each point lasts, instead of the plan's")
    parser.add_argument("--no-peers", dest="peers", action="store_false", help="chatsrv alone")
    parser.add_argument("--out", type=Path, default=Path("var/bench"), help="a directory; default: var/bench")
    parser.add_argument("--seed", type=int, default=1, help="of what is random in the workloads; default: 1")
    options = parser.parse_args(arguments)
    options.repeats = options.repeats or (1 if options.quick else 3)
    return options


def _workloads(text: str) -> tuple[str, ...]:
    chosen = tuple(text.upper().split(","))
    if not set(chosen) <= set(WORKLOADS):
        raise argparse.ArgumentTypeError(f"of {', '.join(WORKLOADS)}")
    return chosen


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
