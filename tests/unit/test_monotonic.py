"""Timers that no jump of the wall clock moves (RELIABILITY F29)."""

from unittest import mock

from twisted.internet.base import ReactorBase
from twisted.internet.selectreactor import SelectReactor
from twisted.trial.unittest import SynchronousTestCase

from chatsrv import monotonic

HOUR_S = 3600


class Timers(SynchronousTestCase):
    """A reactor of their own, that nobody runs; the clock that Twisted reads is the test's."""

    def setUp(self) -> None:
        self.wall_s, self.steady_s = 1_800_000_000.0, 100.0
        self.patch(ReactorBase, "seconds", staticmethod(lambda: self.wall_s))
        self.patch(monotonic, "time", mock.Mock(monotonic=lambda: self.steady_s))
        self.reactor = SelectReactor()
        self.addCleanup(self.reactor.removeAll)
        self.fired: list[str] = []

    def pass_s(self, seconds: float) -> None:
        """Time goes by on both clocks, and the reactor comes round."""
        self.wall_s += seconds
        self.steady_s += seconds
        self.reactor.runUntilCurrent()

    def test_neither_fire_nor_wait_when_the_wall_clock_jumps(self) -> None:
        monotonic.use(self.reactor)
        self.reactor.callLater(10, self.fired.append, "ten")
        for jump in (HOUR_S, -2 * HOUR_S):
            self.wall_s += jump
            self.pass_s(1)
            self.assertEqual(self.fired, [])
            self.assertLessEqual(self.reactor.timeout(), 10)
        self.pass_s(7)
        self.assertEqual(self.fired, [])
        self.pass_s(2)
        self.assertEqual(self.fired, ["ten"])

    def test_may_be_moved_as_ever(self) -> None:
        monotonic.use(self.reactor)
        call = self.reactor.callLater(10, self.fired.append, "late")
        self.wall_s -= HOUR_S
        call.reset(1)
        self.pass_s(2)
        self.assertEqual(self.fired, ["late"])

    def test_of_twisted_alone_do(self) -> None:
        """What this is for: when this fails, Twisted needs no help any more."""
        self.reactor.callLater(10, self.fired.append, "early")
        self.wall_s += HOUR_S
        self.reactor.runUntilCurrent()
        self.assertEqual(self.fired, ["early"])

    def test_that_are_pending_already_are_an_error(self) -> None:
        self.reactor.callLater(10, self.fired.append, "pending")
        self.assertRaises(RuntimeError, monotonic.use, self.reactor)
