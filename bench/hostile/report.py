"""The outcomes as the section of docs/reliability.md that says what hostile peers cost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from bench.hostile.attacks import ATTACKS
from bench.hostile.bystanders import PAIRS, PER_S
from bench.hostile.scene import FLOOR_MS, Outcome

COLUMNS = (
    "attack",
    "p50 / p99, ms",
    "during",
    "MiB",
    "at most",
    "after",
    "CPU",
    "during",
    "how they ended",
    "verdict",
)


def markdown(header: Mapping[str, str], outcomes: Sequence[Outcome], failure: str = "") -> str:
    lines = [
        "## What hostile peers cost the others",
        "",
        f"{PAIRS} pairs of people write {PER_S:g} messages a second together. Their latency is from the moment a "
        "message was due until the other one read it. Memory is the node's, CPU in percent of one core. The verdict is "
        f"*held* when their p99 at most doubled, or rose by at most {FLOOR_MS:g} ms. Every attack meets a fresh node "
        "with the default limits, also per address; who is thrown out comes back at once. All messages of the people "
        "were answered and read, and no attacker ended otherwise than he should.",
        "",
    ]
    if failure:
        lines[2] = f"**Failed, so this is not all: {failure}**"
    lines += [_row(COLUMNS), _row(["---"] * len(COLUMNS)), *(_row(_cells(each)) for each in outcomes), ""]
    lines += [f"- {name}: {text}" for name, text in header.items()]
    return "\n".join(lines) + "\n"


def line(outcome: Outcome) -> str:
    """One line on the terminal."""
    return " | ".join(_cells(outcome)) + (f" | {outcome.faults}" if outcome.faults else "")


def _cells(outcome: Outcome) -> list[str]:
    told = [f"{count:,} {end}" for end, count in sorted(outcome.ends.items(), key=lambda item: -item[1])]
    told += [f"{name}: {value:.3g}" for name, value in outcome.figures.items()]
    return [
        ATTACKS[outcome.attack].title,
        _latencies(outcome.before_ms),
        _latencies(outcome.during_ms),
        f"{outcome.mib_before:.0f}",
        f"+{outcome.mib_most - outcome.mib_before:.1f}",
        f"{outcome.mib_after - outcome.mib_before:+.1f}",
        f"{outcome.cpu_before:.0f} %",
        f"{outcome.cpu_during:.0f} %",
        ", ".join(told),
        "held" if outcome.held else f"**p99 over {outcome.allowed_ms:.1f}**",
    ]


def _latencies(ms: Mapping[str, float]) -> str:
    return f"{ms['p50']:.1f} / {ms['p99']:.1f}"


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"
