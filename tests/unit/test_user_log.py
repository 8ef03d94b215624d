"""A user's changes in the order of ``rev``: from the bus, from his short log, or as the difference of whole lists."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import TestCase

from chatsrv.actors.user_log import EARLY_EVENTS, RETRY_S, UserLog
from chatsrv.redis import Unavailable
from chatsrv.store.events import UserEvent
from chatsrv.store.users import UserLists
from tests.unit.test_log_reader import Calls

DOWN = Unavailable("down", sent=False)


def event(rev: int) -> UserEvent:
    return UserEvent(rev, 1, about=rev, holds=True, version=1)


def lists(rev: int) -> UserLists:
    return UserLists(rev, 1_000, {}, set(), set(), set(), set())


class Actor:
    """What the log tells: numbers applied, and ``("lists", rev, show)`` for lists taken over."""

    user_id = 1
    wanted = True

    def __init__(self, calls: Calls, clock: Clock) -> None:
        self.told: list[Any] = []
        self.crashes: list[Any] = []
        self.lost: list[bool] = []
        self.unsubscribed: list[str] = []
        users = SimpleNamespace(**{name: calls.method(name) for name in ("events", "rev", "read")})
        bus = SimpleNamespace(subscribe=calls.method("subscribe"), unsubscribe=self.unsubscribed.append)
        channels = SimpleNamespace(user=lambda user_id: f"u:{user_id}")
        epoch = SimpleNamespace(lost=lambda: self.lost.append(True))
        self.node = SimpleNamespace(
            clock=clock, bus=bus, channels=channels, store=SimpleNamespace(users=users), epoch=epoch
        )
        self.registry = SimpleNamespace(crashed=lambda *args: self.crashes.append(args))

    def apply(self, change: UserEvent) -> None:
        self.told.append(change.rev)

    def adopt(self, lists: UserLists, *, show: bool) -> None:
        self.told.append(("lists", lists.rev, show))


class LogCase(TestCase):
    def setUp(self) -> None:
        self.clock, self.calls = Clock(), Calls()
        self.actor = Actor(self.calls, self.clock)
        self.log = UserLog(self.actor)  # type: ignore[arg-type]
        subscribed = Deferred.fromCoroutine(self.log.subscribe())
        channel, self.heard = self.calls.answer("subscribe")
        self.successResultOf(subscribed)
        self.assertEqual(channel, "u:1")

    def hear(self, *revs: int) -> None:
        for rev in revs:
            self.heard(msgspec.msgpack.encode(event(rev)))

    def began(self, rev: int = 4) -> None:
        self.log.seen(lists(rev))
        self.actor.told.clear()


class Hearing(LogCase):
    def test_what_is_published_before_the_lists_are_read_waits_for_them(self) -> None:
        self.hear(3, 4, 5, 6)
        self.assertEqual(self.actor.told, [])
        self.log.seen(lists(4))
        self.assertEqual((self.actor.told, self.log.rev), ([("lists", 4, False), 5, 6], 6))

    def test_a_hole_in_what_waited_is_refilled(self) -> None:
        self.hear(5, 7)
        self.log.seen(lists(4))
        self.calls.answer("rev", 7)
        self.assertEqual(self.calls.answer("events", [event(6), event(7)]), (1, 5))
        self.assertEqual(self.actor.told, [("lists", 4, False), 5, 6, 7])

    def test_what_waits_is_bounded(self) -> None:
        self.hear(*range(1, EARLY_EVENTS + 10))
        self.assertEqual(len(self.log._early), EARLY_EVENTS)

    def test_the_next_change_is_applied_and_known_ones_are_dropped(self) -> None:
        self.began()
        self.hear(5, 5, 3, 6)
        self.assertEqual((self.actor.told, self.calls.waiting), ([5, 6], []))

    def test_a_hole_is_refilled_from_the_log(self) -> None:
        self.began()
        self.hear(7)
        self.assertEqual(self.actor.told, [])
        self.calls.answer("rev", 7)
        self.assertEqual(self.calls.answer("events", [event(5), event(6), event(7)]), (1, 4))
        self.hear(8)
        self.assertEqual((self.actor.told, self.calls.waiting), ([5, 6, 7, 8], []))

    def test_lists_of_a_later_rev_that_a_second_session_reads_are_refilled_up_to(self) -> None:
        self.began()
        self.log.seen(lists(4))
        self.assertEqual(self.calls.waiting, [])
        self.log.seen(lists(6))
        self.calls.answer("rev", 6)
        self.calls.answer("events", [event(5), event(6)])
        self.assertEqual(self.actor.told, [5, 6])


class Refilling(LogCase):
    def test_before_the_lists_were_read_there_is_nothing_to_refill(self) -> None:
        self.log.refill()
        self.assertEqual(self.calls.waiting, [])

    def test_what_is_published_meanwhile_does_not_make_the_log_useless(self) -> None:
        self.began()
        self.log.refill()
        self.calls.answer("rev", 6)
        self.hear(5)
        self.calls.answer("events", [event(5), event(6)])
        self.assertEqual((self.actor.told, self.calls.waiting), ([5, 6], []))

    def test_when_nothing_is_new_the_lists_are_left_alone(self) -> None:
        self.began()
        self.log.refill()
        self.calls.answer("rev", 4)
        self.assertEqual((self.actor.told, self.calls.waiting), ([], []))

    def test_a_rev_that_the_bus_overtook_is_nothing_to_worry_about(self) -> None:
        self.began()
        self.log.refill()
        self.hear(5)
        self.calls.answer("rev", 4)
        self.assertEqual((self.actor.told, self.calls.waiting), ([5], []))

    def test_beyond_the_end_of_the_log_the_lists_are_read_again_and_the_differences_shown(self) -> None:
        for events, rev in (([event(50), event(51)], 51), ([], 51)):
            self.setUp()
            self.began()
            self.log.refill()
            self.calls.answer("rev", rev)
            self.calls.answer("events", events)
            self.calls.answer("read", lists(rev))
            self.assertEqual((self.actor.told, self.log.rev), ([("lists", rev, True)], rev))
            self.hear(rev + 1)
            self.assertEqual(self.actor.told[1:], [rev + 1])

    def test_lists_older_than_what_was_published_meanwhile_are_not_gone_back_to(self) -> None:
        self.began(4)
        self.log.refill()
        self.calls.answer("rev", 5)
        self.calls.answer("events", [])
        self.hear(5)
        self.calls.answer("read", lists(4))
        self.assertEqual((self.actor.told, self.log.rev), ([5], 5))
        self.calls.answer("rev", 5)
        self.assertEqual(self.calls.waiting, [])

    def test_a_store_that_is_behind_what_was_applied_has_lost_its_tail(self) -> None:
        self.began(4)
        self.log.refill()
        self.calls.answer("rev", 3)
        self.assertEqual((self.actor.lost, self.actor.told, self.calls.waiting), ([True], [], []))

    def test_once_stopped_it_judges_the_store_no_more(self) -> None:
        self.began(4)
        self.log.refill()
        self.log.stop()
        self.calls.answer("rev", 3)
        self.assertEqual((self.actor.lost, self.calls.waiting), ([], []))

    def test_asked_while_it_reads_it_reads_once_more(self) -> None:
        self.began()
        for _ in range(3):
            self.log.refill()
        self.assertEqual(len(self.calls.waiting), 1)
        for rev in (5, 6):
            self.calls.answer("rev", rev)
            self.assertEqual(self.calls.answer("events", [event(rev)]), (1, rev - 1))
        self.assertEqual((self.actor.told, self.calls.waiting), ([5, 6], []))

    def test_an_unreachable_store_is_tried_again_every_second_while_somebody_is_there(self) -> None:
        self.began()
        self.log.refill()
        for step in ("rev", "events", "read"):
            if step != "rev":
                self.calls.answer("rev", 9)
            if step == "read":
                self.calls.answer("events", [])
            self.calls.answer(step, DOWN)
            self.assertEqual(self.calls.waiting, [])
            self.clock.advance(RETRY_S)
        self.actor.wanted = False
        self.calls.answer("rev", DOWN)
        self.clock.advance(RETRY_S)
        self.assertEqual((self.calls.waiting, self.actor.told), ([], []))

    def test_a_bug_of_ours_is_reported_as_a_crash_and_does_not_stop_later_readings(self) -> None:
        self.began()
        self.log.refill()
        self.calls.answer("rev", ValueError("bug"))
        self.assertEqual(len(self.actor.crashes), 1)
        self.log.refill()
        self.calls.answer("rev", 5)
        self.calls.answer("events", [event(5)])
        self.assertEqual(self.actor.told, [5])

    def test_stopping_leaves_the_channel_and_no_timer(self) -> None:
        self.began()
        self.log.refill()
        self.calls.answer("rev", DOWN)
        self.log.stop()
        self.assertEqual((self.actor.unsubscribed, self.clock.getDelayedCalls()), (["u:1"], []))
        self.log.refill()
        self.calls.answer("rev", DOWN)
        self.assertEqual(self.clock.getDelayedCalls(), [])


class AnyInterleaving(LogCase):
    @settings(print_blob=True, max_examples=300, deadline=None)
    @given(
        st.lists(
            st.tuples(st.sampled_from(("change", "hear", "lose", "answer", "refill")), st.integers(0, 5))
        )
    )
    def test_while_the_log_reaches_back_each_change_is_applied_once_and_in_order(
        self, happenings: Any
    ) -> None:
        self.setUp()
        self.began(0)
        head, bus = 0, []
        for what, r in happenings:
            if what == "change":
                head += 1
                bus.append(head)
            elif what == "refill":
                self.log.refill()
            elif what == "answer":
                self.answer_oldest(head)
            elif bus:
                lost_or_heard = bus.pop(r % len(bus))
                if what == "hear":
                    self.hear(lost_or_heard)
        self.log.refill()
        while self.calls.waiting:
            self.answer_oldest(head)
        self.assertEqual(self.actor.told, list(range(1, head + 1)))

    def answer_oldest(self, head: int) -> None:
        if self.calls.waiting:
            name, args, _ = self.calls.waiting[0]
            log = [event(rev) for rev in range(args[-1] + 1, head + 1)]
            self.calls.answer(name, log if name == "events" else head if name == "rev" else lists(head))
