"""Waiting for several things at once: one wave, the first failure, nothing begun after it; and not for ever.

The link is a stand-in that has room when the test says so; how a link makes room is tested with the link.
"""

from __future__ import annotations

import gc
import inspect
from collections.abc import Coroutine
from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from chatsrv.actors import waiting
from chatsrv.actors.waiting import together, within
from chatsrv.redis import Unavailable


class Bug(Exception):
    pass


class TogetherCase(SynchronousTestCase):
    """``start`` begins with ``count`` jobs; each is a Deferred of ``jobs`` once it is begun."""

    def setUp(self) -> None:
        self.patch(waiting, "TOGETHER", 3)
        self.rooms: list[Deferred[None]] = []
        self.jobs: dict[int, Deferred[Any]] = {}
        self.coroutines: list[Coroutine[Any, Any, Any]] = []

    def room(self, *, hello: bool = False) -> Deferred[None]:
        self.rooms.append(Deferred())
        return self.rooms[-1]

    def make_room(self) -> None:
        self.rooms.pop(0).callback(None)

    async def job(self, number: int) -> Any:
        self.jobs[number] = Deferred()
        return await self.jobs[number]

    def start(self, count: int) -> Deferred[list[Any]]:
        return self.start_with(*(self.job(number) for number in range(count)))

    def start_with(self, *jobs: Coroutine[Any, Any, Any]) -> Deferred[list[Any]]:
        self.coroutines = list(jobs)
        return Deferred.fromCoroutine(together(self, jobs))  # type: ignore[arg-type]

    def check_nothing_is_left(self) -> None:
        """No coroutine that was neither begun nor closed, no error that nobody took."""
        states = {inspect.getcoroutinestate(coroutine) for coroutine in self.coroutines}
        self.assertLessEqual(states, {inspect.CORO_CLOSED, inspect.CORO_SUSPENDED})
        gc.collect()
        self.assertEqual(self.flushLoggedErrors(), [])


class Together(TogetherCase):
    def test_the_results_come_in_the_order_of_the_questions(self) -> None:
        done = self.start(2)
        self.make_room()
        self.jobs[1].callback("b")
        self.assertNoResult(done)
        self.jobs[0].callback("a")
        self.assertEqual(self.successResultOf(done), ["a", "b"])

    def test_of_nothing_the_result_is_empty_at_once(self) -> None:
        self.assertEqual(self.successResultOf(self.start(0)), [])
        self.assertEqual(self.rooms, [])

    def test_each_part_waits_for_room_and_not_for_the_part_before(self) -> None:
        done = self.start(7)
        self.assertEqual(set(self.jobs), set())
        for begun in (3, 6, 7):
            self.make_room()
            self.assertEqual(set(self.jobs), set(range(begun)))
        self.assertEqual(self.rooms, [])
        for number, job in self.jobs.items():
            job.callback(number)
        self.assertEqual(self.successResultOf(done), list(range(7)))


class Failing(TogetherCase):
    def test_the_first_failure_is_raised_as_it_is(self) -> None:
        done = self.start(3)
        self.make_room()
        self.jobs[2].errback(Bug("first"))
        self.assertEqual(self.failureResultOf(done, Bug).getErrorMessage(), "first")
        self.jobs[0].errback(Bug("second"))
        self.jobs[1].callback(None)
        self.check_nothing_is_left()

    def test_what_was_not_begun_by_then_never_is(self) -> None:
        for while_waiting in (True, False):
            self.setUp()
            done = self.start(9)
            self.make_room()
            if not while_waiting:
                self.make_room()
            self.jobs[0].errback(Bug())
            begun = len(self.jobs)
            self.make_room()
            self.failureResultOf(done, Bug)
            self.assertEqual((len(self.jobs), self.rooms), (begun, []))
            self.check_nothing_is_left()

    def test_one_that_fails_at_once_stops_the_others_of_later_parts(self) -> None:
        async def fails() -> None:
            raise Bug

        done = self.start_with(fails(), *(self.job(number) for number in range(9)))
        self.make_room()
        self.failureResultOf(done, Bug)
        self.assertEqual((set(self.jobs), self.rooms), ({0, 1}, []))
        self.check_nothing_is_left()

    def test_where_there_is_no_room_any_more_that_is_raised(self) -> None:
        for begun in (False, True):
            self.setUp()
            done = self.start(5)
            if begun:
                self.make_room()
            self.rooms.pop().errback(Unavailable("down", sent=False))
            self.failureResultOf(done, Unavailable)
            self.assertEqual(len(self.jobs), 3 * begun)
            for job in self.jobs.values():
                job.errback(Bug())
            self.check_nothing_is_left()

    def test_who_gives_up_gives_up_all_of_it(self) -> None:
        for begun in (False, True):
            self.setUp()
            done = self.start(5)
            if begun:
                self.make_room()
                self.make_room()
            done.cancel()
            self.failureResultOf(done, CancelledError)
            self.assertEqual(len(self.jobs), 5 * begun)
            self.check_nothing_is_left()


class Within(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock, self.job = Clock(), Deferred[str]()

    def start(self) -> Deferred[str]:
        async def work() -> str:
            return await self.job

        return Deferred.fromCoroutine(within(self.clock, 5, work()))

    def test_in_time_it_is_the_result_and_no_timer_is_left(self) -> None:
        done = self.start()
        self.clock.advance(4.9)
        self.job.callback("x")
        self.assertEqual((self.successResultOf(done), self.clock.getDelayedCalls()), ("x", []))

    def test_a_failure_is_raised_as_it_is(self) -> None:
        done = self.start()
        self.job.errback(Bug())
        self.failureResultOf(done, Bug)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_what_takes_longer_is_given_up_as_unavailable(self) -> None:
        done = self.start()
        self.clock.advance(5)
        self.failureResultOf(done, Unavailable)
        self.assertTrue(self.job.called)
