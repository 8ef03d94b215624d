"""The cut of the conformance cases: each of them at once, frame by frame and byte by byte."""

from tests.conformance.case import Case, closed, text_frame
from tests.conformance.runner import play
from tests.conformance.suites import suites
from tests.support.chat import ChatCase

CUT = ("whole", "frames", "bytes")
SEED = 1
"""Of chunkings that are drawn; those of the cut are not."""


class Conformance(ChatCase):
    timeout = 180

    async def test_every_case_goes_as_expected_at_once_frame_by_frame_and_byte_by_byte(self):
        outcomes = await play(self.node.port, suites()[0][1], SEED, CUT)
        self.assertEqual([str(outcome) for outcome in outcomes if outcome.wrong], [])
        self.assertGreater(len({outcome.case.name for outcome in outcomes}), 250)

    async def test_a_case_that_goes_otherwise_is_told(self):
        for sent, expected in (
            ([text_frame("x")], []),
            ([text_frame("x")], [closed(1000)]),
            ([], [closed(1000)]),
            ([text_frame("x"), text_frame("x")], [("error", "bad_json")]),
        ):
            case = Case("0", "wrong", [*sent, b"\x89\x80abcd"], expected)
            (outcome,) = await play(self.node.port, [case], 1, ["whole"])
            self.assertIn("AssertionError", outcome.wrong)


class ConformanceOfCompression(ChatCase):
    timeout = 180
    settings = suites()[1][0]

    async def test_every_case_goes_as_expected_at_once_frame_by_frame_and_byte_by_byte(self):
        outcomes = await play(self.node.port, suites()[1][1], SEED, CUT)
        self.assertEqual([str(outcome) for outcome in outcomes if outcome.wrong], [])
