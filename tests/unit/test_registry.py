"""The registry: one actor per key, supervision, and passivation."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred

from chatsrv.kernel import Envelope, Overdue
from tests.unit.test_actor import ActorCase, failing


class Spawning(ActorCase):
    def test_a_key_has_one_actor_from_its_first_use_on(self) -> None:
        self.assertIs(self.registry.get("a"), self.actor)
        self.assertIsNone(self.registry.find("b"))
        other = self.registry.get("b")
        self.assertIs(self.registry.find("b"), other)
        self.assertEqual((len(self.registry), set(self.registry)), (2, {self.actor, other}))

    def test_stopping_stops_every_actor_once_and_leaves_no_timer(self) -> None:
        self.registry.start()
        self.registry.stop()
        self.registry.stop()
        self.assertEqual((self.actor.stops, len(self.registry), self.clock.getDelayedCalls()), (1, 0, []))


class Clearing(ActorCase):
    def test_all_actors_are_let_go_and_the_next_use_of_each_spawns_a_fresh_one(self) -> None:
        other = self.registry.get("b")
        self.registry.clear()
        self.assertEqual((self.actor.stops, other.stops, len(self.registry)), (1, 1, 0))
        self.assertIsNot(self.registry.get("a"), self.actor)

    def test_what_waits_is_answered_and_what_is_under_way_ends_by_itself(self) -> None:
        under_way: Deferred[Any] = Deferred()
        self.post(lambda envelope: under_way.addCallback(lambda _: envelope.answer("done")))
        self.post(failing(AssertionError("carried out")))
        self.registry.clear()
        self.assertEqual([type(answer) for answer in self.answers], [Overdue])
        under_way.callback(None)
        self.assertEqual(self.answers[1:], ["done"])

    def test_the_registry_goes_on_as_it_was(self) -> None:
        self.registry.start()
        self.addCleanup(self.registry.stop)
        self.registry.clear()
        self.registry.get("a")
        for _ in range(90):
            self.clock.advance(1)
        self.assertIsNone(self.registry.find("a"))


class Supervising(ActorCase):
    def crash(self, times: int) -> None:
        for _ in range(times):
            self.post(failing(ValueError("bug")))
        self.assertEqual(len(self.flushLoggedErrors(ValueError)), times)

    def test_the_fourth_crash_within_ten_seconds_stops_the_actor(self) -> None:
        self.crash(3)
        self.assertEqual((self.actor.restarts, self.actor.stops), (3, 0))
        self.clock.advance(9.9)
        self.crash(1)
        self.assertEqual((self.actor.restarts, self.actor.stops), (3, 1))
        self.assertIsNone(self.registry.find("a"))

    def test_crashes_further_apart_only_restart_it(self) -> None:
        for _ in range(10):
            self.crash(1)
            self.clock.advance(3.5)
        self.assertEqual((self.actor.restarts, self.actor.stops), (10, 0))

    def test_each_actor_is_counted_for_itself(self) -> None:
        self.crash(3)
        self.post(failing(ValueError()), self.registry.get("b"))
        self.flushLoggedErrors(ValueError)
        self.assertEqual(self.registry.get("b").restarts, 1)

    def test_the_next_use_spawns_a_fresh_one_with_a_clean_record(self) -> None:
        self.crash(4)
        fresh = self.registry.get("a")
        self.assertIsNot(fresh, self.actor)
        self.post(failing(ValueError()), fresh)
        self.flushLoggedErrors(ValueError)
        self.assertEqual((fresh.restarts, fresh.stops), (1, 0))

    def test_a_crash_of_one_that_was_replaced_does_not_stop_its_successor(self) -> None:
        self.crash(4)
        fresh = self.registry.get("a")
        self.crash(4)
        self.assertIs(self.registry.find("a"), fresh)
        self.assertEqual(fresh.stops, 0)

    def test_what_waits_for_a_stopped_actor_is_answered_and_not_carried_out(self) -> None:
        done: Deferred[Any] = Deferred()
        self.crash(3)
        self.post(lambda envelope: done)
        waiting: list[Any] = []
        for _ in range(3):
            self.actor.post(Envelope(failing(AssertionError("carried out")), waiting.append))
        done.errback(ValueError())
        self.flushLoggedErrors(ValueError)
        self.assertEqual([type(answer) for answer in waiting], [Overdue] * 3)
        self.assertEqual(self.actor.stops, 1)

    def test_what_waits_when_the_registry_stops_is_answered(self) -> None:
        self.post(lambda envelope: Deferred())
        self.post(failing(AssertionError("carried out")))
        self.registry.stop()
        self.assertEqual([type(answer) for answer in self.answers], [Overdue])


class Passivating(ActorCase):
    def setUp(self) -> None:
        super().setUp()
        self.registry.start()
        self.addCleanup(self.registry.stop)

    def pass_time(self, seconds: int) -> None:
        for _ in range(seconds):
            self.clock.advance(1)

    def test_one_that_idles_for_its_time_is_stopped(self) -> None:
        self.pass_time(60)
        self.assertEqual(self.actor.stops, 0)
        self.pass_time(30)
        self.assertEqual(self.actor.stops, 1)
        self.assertIsNone(self.registry.find("a"))

    def test_one_that_somebody_counts_on_stays(self) -> None:
        self.actor.needed = True
        self.pass_time(600)
        self.assertIs(self.registry.find("a"), self.actor)

    def test_one_that_works_stays_and_so_does_one_with_mail(self) -> None:
        self.post(lambda envelope: Deferred())
        self.post(lambda envelope: None)
        self.pass_time(600)
        self.assertIs(self.registry.find("a"), self.actor)

    def test_being_wanted_in_between_begins_the_time_anew(self) -> None:
        self.pass_time(50)
        self.actor.needed = True
        self.pass_time(20)
        self.actor.needed = False
        self.pass_time(50)
        self.assertEqual(self.actor.stops, 0)
        self.pass_time(40)
        self.assertEqual(self.actor.stops, 1)
