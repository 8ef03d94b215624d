"""What a run's figures depend on beside the code: commit, machine, versions, settings. The head of the report."""

from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path

from bench.deployment import GENERATOR_CORE, LIMITS, SERVER_CORE, versions

ROOT = Path(__file__).resolve().parents[1]


def header(command: str, durations: str, seed: int) -> dict[str, str]:
    """Name and text of each line."""
    return {
        "date": time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime()),
        "commit": commit(),
        "machine": machine(),
        "cores": cores(),
        "versions": ", ".join(f"{name} {version}" for name, version in versions().items()),
        "settings raised": ", ".join(f"{name} = {value:,}" for name, value in LIMITS.items()),
        "durations": durations,
        "seed": str(seed),
        "command": command,
    }


def commit() -> str:
    """The commit of this checkout, and whether that is all of it."""
    short = _git("rev-parse", "--short=12", "HEAD")
    if not short:
        return "unknown: no git checkout"
    return short + (" and uncommitted changes" if _git("status", "--porcelain") else "")


def machine() -> str:
    memory = int(_line_of("/proc/meminfo", "MemTotal").split()[0]) / 1024**2
    model = _line_of("/proc/cpuinfo", "model name") or os.uname().machine
    return f"{model}, {os.cpu_count()} cores, {memory:.1f} GiB, {os.uname().sysname} {os.uname().release}"


def cores() -> str:
    if (os.cpu_count() or 1) < 2:
        return "one, shared by all: no figure here means anything"
    return f"nodes, Redis and peers on {SERVER_CORE}, the generator on {GENERATOR_CORE}"


def _git(*arguments: str) -> str:
    try:
        done = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        return ""
    return done.stdout.strip()


def _line_of(path: str, name: str) -> str:
    """What stands behind the colon in the first line of that name; empty when there is none."""
    for line in Path(path).read_text().splitlines():
        key, _, rest = line.partition(":")
        if key.strip() == name:
            return rest.strip()
    return ""
