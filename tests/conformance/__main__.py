"""``python -m tests.conformance [--seed N]``: every case in every chunking, and a table of how they went."""

from __future__ import annotations

import argparse
import random
import sys
import time
from collections import Counter
from collections.abc import Sequence
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import react

from tests.conformance.runner import Outcome, play
from tests.conformance.suites import suites, title
from tests.support.chat import Node
from tests.support.redis import RedisServer


async def run(seed: int) -> list[Outcome]:
    """Play the suites, each against a node of its own."""
    outcomes: list[Outcome] = []
    redis = RedisServer().start()
    try:
        for settings, cases in suites():
            node = await Node.started(redis=str(redis.address), redis_key_prefix=f"{settings}:", **settings)
            try:
                outcomes += await play(node.port, cases, seed)
            finally:
                await node.stop()
    finally:
        redis.remove()
    return outcomes


def table(outcomes: Sequence[Outcome]) -> str:
    """Cases, runs and failures by section."""
    cases, runs, failed = Counter[str](), Counter[str](), Counter[str]()
    cases.update(title(case) for case in {id(outcome.case): outcome.case for outcome in outcomes}.values())
    for outcome in outcomes:
        runs[title(outcome.case)] += 1
        failed[title(outcome.case)] += bool(outcome.wrong)
    rows = [("section", "cases", "runs", "failed")]
    rows += [(name, str(cases[name]), str(runs[name]), str(failed[name])) for name in cases]
    rows.append(("all", *(str(counts.total()) for counts in (cases, runs, failed))))
    return "\n".join(f"{name:24}{a:>7}{b:>7}{c:>8}" for name, a, b, c in rows)


async def main(seed: int) -> None:
    """Print what failed, then the table; exit with 1 if anything did."""
    started = time.monotonic()
    outcomes = await run(seed)
    wrong = [outcome for outcome in outcomes if outcome.wrong]
    for outcome in wrong:
        print(outcome)
    print(table(outcomes))
    print(f"seed {seed}, {time.monotonic() - started:.0f} s")
    if wrong:
        sys.exit(1)


def start(reactor: Any) -> Deferred[None]:
    """What ``react`` calls."""
    parser = argparse.ArgumentParser(prog="conformance", description=__doc__)
    parser.add_argument("--seed", type=int, default=random.randrange(10**6))
    return Deferred.fromCoroutine(main(parser.parse_args().seed))


if __name__ == "__main__":
    react(start)
