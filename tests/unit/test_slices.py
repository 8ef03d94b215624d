"""What one event gives to a large group leaves in slices; everybody else's frames go out between them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.testing import StringTransport
from twisted.trial.unittest import TestCase

from chatsrv.actors.feed import Feed
from chatsrv.session.flusher import FEW, LEAST_WAITING, SLICE, Flusher
from chatsrv.session.outbox import Outbox
from tests.unit.test_feed import Recorder, message


class Turns:
    """A reactor of which the test says when a turn ends: what is put off in one runs in the next."""

    def __init__(self) -> None:
        self.calls: list[Callable[[], None]] = []

    def callLater(self, seconds: float, call: Callable[[], None]) -> None:
        self.calls.append(call)

    def turn(self) -> None:
        calls, self.calls = self.calls, []
        assert len(calls) <= 1, "the flusher has one timer"
        for call in calls:
            call()


class Member(Recorder):
    """A session with a real outbox."""

    def __init__(self, user_id: int, flusher: Flusher) -> None:
        super().__init__(user_id)
        self.transport = StringTransport()
        self.outbox = Outbox(self.transport, flusher, 262144, lambda: None)
        self.deliver = self.outbox.write  # type: ignore[method-assign]

    @property
    def told(self) -> int:
        """How many events came out at the other end."""
        return self.transport.value().count(b'"seq"')


class SliceCase(TestCase):
    def setUp(self) -> None:
        self.reactor = Turns()
        self.flusher = Flusher(self.reactor)
        self.user_id = 0

    def chat(self, members: int) -> tuple[Feed, list[Member]]:
        feed = Feed(1, lambda behind: None, lambda attachment: None)
        feed.start(4)
        sessions = []
        for _ in range(members):
            self.user_id += 1
            sessions.append(Member(self.user_id, self.flusher))
            feed.attach(sessions[-1], 5)
        return feed, sessions

    def told(self, sessions: list[Member], events: int = 1) -> int:
        return len([session for session in sessions if session.told == events])

    def rest(self) -> int:
        """The turns until nothing waits."""
        turns = 0
        while self.reactor.calls:
            self.reactor.turn()
            turns += 1
        return turns


class Slices(SliceCase):
    def test_as_many_as_a_slice_leave_in_one_turn_and_one_more_in_two(self) -> None:
        for members, turns in ((SLICE, 1), (SLICE + 1, 2)):
            feed, sessions = self.chat(members)
            feed.offer([message(5)])
            self.assertEqual(self.rest(), turns)
            self.assertEqual(self.told(sessions), members)

    def test_a_large_group_gets_an_event_slice_by_slice(self) -> None:
        feed, sessions = self.chat(4 * SLICE)
        feed.offer([message(5)])
        for turn in (1, 2, 3, 4):
            self.reactor.turn()
            self.assertEqual(self.told(sessions), turn * SLICE)
        self.assertEqual(self.reactor.calls, [])

    def test_what_another_chat_writes_between_the_slices_leaves_at_once(self) -> None:
        large, many = self.chat(4 * SLICE)
        small, pair = self.chat(2)
        large.offer([message(5)])
        self.reactor.turn()
        small.offer([message(5)])
        self.reactor.turn()
        self.assertEqual((self.told(pair), self.told(many)), (2, 2 * SLICE - 2))

    def test_also_what_it_writes_in_the_same_turn_and_after_it(self) -> None:
        large, many = self.chat(4 * SLICE)
        small, few = self.chat(SLICE - LEAST_WAITING)
        large.offer([message(5)])
        small.offer([message(5)])
        self.reactor.turn()
        self.assertEqual((self.told(few), self.told(many)), (len(few), LEAST_WAITING))

    def test_what_a_crowd_of_small_groups_writes_in_one_turn_leaves_in_it(self) -> None:
        groups = [self.chat(FEW) for _ in range(2 * SLICE // FEW)]
        for feed, _ in groups:
            feed.offer([message(5)])
        self.assertEqual(self.rest(), 1)
        self.assertEqual([self.told(few) for _, few in groups], [FEW] * len(groups))

    def test_the_sender_has_the_reply_before_the_group_has_the_event(self) -> None:
        large, many = self.chat(4 * SLICE)
        sender = many[-1]
        large.expect(sender, 5, lambda event: sender.outbox.write(b"reply"))
        large.offer([message(5, by=sender.user_id)])
        self.reactor.turn()
        self.assertEqual(sender.transport.value(), b"reply")

    def test_frames_of_later_turns_join_those_that_wait_in_order(self) -> None:
        large, many = self.chat(4 * SLICE)
        for seq in (5, 6, 7):
            large.offer([message(seq)])
            self.reactor.turn()
        self.rest()
        self.assertEqual(self.told(many, 3), 4 * SLICE)
        orders = {session.transport.value() for session in many}
        self.assertEqual(len(orders), 1)
        (order,) = orders
        self.assertLess(order.index(b'"seq":5'), order.index(b'"seq":6'))
        self.assertLess(order.index(b'"seq":6'), order.index(b'"seq":7'))

    def test_none_of_them_waits_for_ever_however_much_others_write(self) -> None:
        large, many = self.chat(2 * SLICE)
        large.offer([message(5)])
        self.reactor.turn()
        before = self.told(many)
        others = [Member(10_000 + n, self.flusher) for n in range(SLICE)]
        for turn in range(10):
            for number, other in enumerate(others):
                other.outbox.write(b"%d-%d" % (turn, number))
            self.reactor.turn()
            self.assertEqual(self.told(many), min(2 * SLICE, before + (turn + 1) * LEAST_WAITING))
        self.rest()
        self.assertEqual(
            {other.transport.value()[-3:] for other in others[:10]}, {b"9-%d" % n for n in range(10)}
        )

    def test_one_that_fails_or_is_gone_keeps_no_other(self) -> None:
        large, many = self.chat(2 * SLICE)
        large.offer([message(5)])
        many[SLICE].transport.write = lambda data: 1 / 0  # type: ignore[assignment]
        many[SLICE + 1].transport.producer.stopProducing()
        many[-1].outbox.close()
        self.rest()
        self.assertEqual(self.told(many), 2 * SLICE - 2)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_calls_at_the_end_of_the_turn_do_not_wait_for_the_slices(self) -> None:
        seen: list[Any] = []
        large, many = self.chat(2 * SLICE)
        large.offer([message(5)])
        self.flusher.at_turn_end(lambda: seen.append(self.told(many)))
        self.reactor.turn()
        self.assertEqual(seen, [SLICE])
        self.rest()
