"""Hostile peers against a real node, for a moment: how they end, what memory it costs, that nobody else loses anything.

The load generator of ``make hostile`` in its quick extent, with the attacks whose end the conformance cases do not
show. Run by pytest alone, like the bench. Nothing here looks at a time: who is disturbed how much is told by the full
run on a quiet machine.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from bench.hostile.attacks import ATTACKS

ROOT = Path(__file__).resolve().parents[2]
LONGEST_S = 280
MOST_MIB = 16
CUT = ("slow-handshakes", "tiny-fragments", "stopped-readers", "reconnect-storm")
MIDDLE = "open at the end"  # whoever the end of the attack finds in the middle of it


class Hostile(SynchronousTestCase):
    def test_everything_ends_as_it_should_and_costs_nobody_a_message(self) -> None:
        """One test, so that it is run once however the tests are spread over processes."""
        folder = tempfile.TemporaryDirectory(prefix="chatsrv-hostile-test-")
        self.addCleanup(folder.cleanup)
        code, said = ran(folder.name)
        self.assertEqual(code, 0, said)
        told = json.loads(Path(folder.name, "hostile.json").read_text())
        self.outcomes = {outcome["attack"]: outcome for outcome in told["outcomes"]}
        self.assertEqual(set(self.outcomes), set(CUT))
        self.every_message_of_the_others_was_answered_and_read()
        self.memory_is_bounded()
        self.ended("slow-handshakes", "dropped")
        self.ended("tiny-fragments", "closed 1008")
        self.readers_that_stop_are_thrown_out_and_the_others_are_not()
        self.everybody_comes_back_from_a_storm()
        self.the_report_names_every_attack(Path(folder.name, "hostile.md").read_text())

    def every_message_of_the_others_was_answered_and_read(self) -> None:
        for outcome in self.outcomes.values():
            self.assertEqual(outcome["faults"], "", outcome["attack"])
            self.assertGreater(outcome["messages"], 0)

    def memory_is_bounded(self) -> None:
        for outcome in self.outcomes.values():
            self.assertLess(outcome["mib_most"] - outcome["mib_before"], MOST_MIB, outcome["attack"])

    def readers_that_stop_are_thrown_out_and_the_others_are_not(self) -> None:
        outcome = self.outcomes["stopped-readers"]
        thrown_out = sum(count for end, count in outcome["ends"].items() if end != MIDDLE)
        self.assertGreater(thrown_out, 0, outcome["ends"])
        self.assertEqual(outcome["figures"]["readers thrown out"], 0)

    def everybody_comes_back_from_a_storm(self) -> None:
        self.assertEqual(self.outcomes["reconnect-storm"]["ends"], {"greeted again": 200})

    def the_report_names_every_attack(self, text: str) -> None:
        for attack in CUT:
            self.assertIn(ATTACKS[attack].title, text)

    def ended(self, attack: str, *ways: str) -> dict[str, int]:
        """They ended, in these ways and no other."""
        ends = dict(self.outcomes[attack]["ends"])
        middle = ends.pop(MIDDLE, 0)
        self.assertEqual(set(ends), set(ways), f"{attack}: {ends}, {middle} in the middle")
        return ends


def ran(folder: str) -> tuple[int, str]:
    """Exit code and output of the quick run."""
    command = [sys.executable, "-m", "bench.hostile", "--quick", "--only", ",".join(CUT), "--out", folder]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        said, _ = process.communicate(timeout=LONGEST_S)
    except subprocess.TimeoutExpired:
        process.terminate()
        said, _ = process.communicate(timeout=LONGEST_S)
    return process.returncode, said
