"""The bench as it is, for a moment: the real load generator against a real server, and what it says in the end.

Run by pytest alone. Nothing here looks at a time: the checks are the generator's own, and that the report is whole.
"""

from __future__ import annotations

import functools
import json
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from bench.growth import Entry
from bench.sample import Sample

ROOT = Path(__file__).resolve().parents[2]
LASTS_S = 0.3
LONGEST_S = 120

# Goes when the process does: trial knows no tearDownModule.
OUT = tempfile.TemporaryDirectory(prefix="chatsrv-bench-test-")


@functools.cache
def ran() -> tuple[int, str]:
    """Exit code and output of one short run of W1 and W2."""
    command = [sys.executable, "-m", "bench", "--quick", "--no-peers", "--only", "W1,W2"]
    command += ["--seconds", str(LASTS_S), "--out", OUT.name]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        said, _ = process.communicate(timeout=LONGEST_S)
    except subprocess.TimeoutExpired:
        process.terminate()  # and it ends its servers
        said, _ = process.communicate(timeout=LONGEST_S)
    return process.returncode, said


def results() -> dict[str, Any]:
    code, said = ran()
    assert code == 0, said
    found: dict[str, Any] = json.loads(Path(OUT.name, "results.json").read_text())
    return found


def samples(series: str) -> dict[str, dict[str, Any]]:
    """By point."""
    return {e["sample"]["point"]: e["sample"] for e in results()["entries"] if e["series"] == series}


class ShortRun(SynchronousTestCase):
    def test_every_delivery_of_a_rate_is_counted_and_none_beside_it(self) -> None:
        from bench.plan import QUICK

        found = samples("W1")
        counted = 0
        for rate in QUICK.rates:
            point = found.get(f"100 members, {rate:,}/s")
            if point is not None:  # nothing is sent at the rates above saturation
                messages = int(rate / 100 * LASTS_S)
                self.assertEqual((point["unit"], point["units"]), ("delivery", messages * 100))
                counted += 1
        self.assertGreaterEqual(counted, 2, list(found))

    def test_pairs_play_with_and_without_nonces(self) -> None:
        found = samples("W2")
        self.assertEqual(set(found), {"500 pairs", "500 pairs, nonces"})
        for point in found.values():
            self.assertGreaterEqual(point["units"], 500)  # each pair's first message at least
            self.assertEqual(point["server"], "chatsrv")

    def test_every_sample_has_what_it_took(self) -> None:
        for entry in results()["entries"]:
            sample = entry["sample"]
            used = [sample[name] for name in ("seconds", "node_s", "redis_s", "generator_s", "peak_mib")]
            self.assertGreater(min(used), 0, sample)
            ranked = [sample["latencies_ms"][name] for name in ("p50", "p99", "p99.9")]
            self.assertEqual(ranked, sorted(ranked))
            self.assertGreater(ranked[0], 0)

    def test_the_report_is_whole_and_names_every_point_and_what_it_depends_on(self) -> None:
        found = results()
        text = Path(OUT.name, "results.md").read_text()
        self.assertEqual(found["failure"], "")
        for name in (
            "date",
            "commit",
            "machine",
            "versions",
            "settings raised",
            "durations",
            "seed",
            "command",
        ):
            self.assertTrue(found["header"][name], name)
            self.assertIn(found["header"][name], text)
        for entry in found["entries"]:
            self.assertIn(f"| {entry['sample']['point']} (", text)
            self.assertIn(entry["sample"]["point"], ran()[1])


class FailedCheck(SynchronousTestCase):
    """Of a plan that loses something after its first point."""

    def test_it_is_said_with_workload_and_point_and_what_was_measured_stays(self) -> None:
        import asyncio

        from bench.__main__ import CheckFailed, measure
        from bench.plan import Step

        point = Sample(
            workload="W9",
            point="7 users",
            unit="message",
            units=1,
            seconds=1.0,
            node_s=1.0,
            redis_s=0.0,
            generator_s=0.1,
            peak_mib=1.0,
        )

        async def losing() -> AsyncIterator[Sample]:
            yield point
            raise AssertionError("lost: 3 sent, 2 acknowledged")

        entries: list[Entry] = []
        running = measure([Step("W9", "losing", losing)], 3, entries)
        failed = self.assertRaises(CheckFailed, asyncio.run, running)
        for words in ("W9, losing, round 1", "7 users", "lost: 3 sent, 2 acknowledged"):
            self.assertIn(words, str(failed))
        self.assertEqual([entry.sample for entry in entries], [point])
