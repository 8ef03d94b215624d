"""When a chat's log is read, and what becomes of what it says. The store and the bus answer when the test tells them.

The stand-ins have only what the reader calls, each a Deferred per call; the rules of what a log answers are
the store's, and tested with it.
"""

from __future__ import annotations

from collections.abc import Iterable
from types import SimpleNamespace
from typing import Any

import msgspec
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import TestCase

from chatsrv.actors.feed import Feed
from chatsrv.actors.log_reader import HOLE_EVENTS, HOLE_S, PAGE, RETRY_S, LogReader
from chatsrv.redis import Unavailable
from chatsrv.store.chats import Head, Page
from chatsrv.wire.codes import CloseCode
from tests.unit.test_feed import Recorder, change, message

DOWN = Unavailable("down", sent=False)


def page(head: int, events: Iterable[Any] = (), *, gone: bool = False, since: int = 1) -> Page:
    """What the log answers; ``since`` when user 1 is a member now (0: he is not)."""
    return Page(Head(head, 0, gone), list(events), {1: since})


class Calls:
    """Calls that wait for their answer, oldest first: ``(what, arguments, Deferred)``."""

    def __init__(self) -> None:
        self.waiting: list[tuple[str, tuple[Any, ...], Deferred[Any]]] = []

    def method(self, name: str) -> Any:
        def call(*args: Any) -> Deferred[Any]:
            answer: Deferred[Any] = Deferred()
            self.waiting.append((name, args, answer))
            return answer

        return call

    @property
    def names(self) -> list[str]:
        return [name for name, _, _ in self.waiting]

    def answer(self, name: str, result: Any = None) -> tuple[Any, ...]:
        """Answer the oldest call, which must be this; its arguments."""
        found, args, answer = self.waiting.pop(0)
        assert found == name, f"{found} was called, not {name}"
        answer.errback(result) if isinstance(result, Exception) else answer.callback(result)
        return args


class Actor:
    chat_id = 1
    committing = False

    def __init__(self, node: Any) -> None:
        self.reader = LogReader(self, node)  # type: ignore[arg-type]
        self.feed = Feed(1, self.reader.hole, self.reader.late)

    @property
    def wanted(self) -> bool:
        return len(self.feed) > 0

    def on_news(self, payload: bytes) -> None:
        raise NotImplementedError


class ReaderCase(TestCase):
    def setUp(self) -> None:
        self.clock, self.calls, self.crashes, self.losses = Clock(), Calls(), [], 0
        node = SimpleNamespace(
            clock=self.clock,
            bus=SimpleNamespace(subscribe=self.calls.method("subscribe")),
            channels=SimpleNamespace(chat=lambda chat_id: f"c:{chat_id}"),
            store=SimpleNamespace(
                chats=SimpleNamespace(events=self.calls.method("events"), head=self.calls.method("head"))
            ),
            chats=SimpleNamespace(crashed=lambda *args: self.crashes.append(args)),
            epoch=SimpleNamespace(lost=self.lost_epoch),
        )
        self.actor = Actor(node)
        self.reader, self.feed = self.actor.reader, self.actor.feed
        self.session = Recorder(1)

    def lost_epoch(self) -> None:
        self.losses += 1

    def tearDown(self) -> None:
        self.reader.stop()
        self.assertEqual((self.clock.getDelayedCalls(), self.crashes), ([], []))

    def started(self, position: int = 4) -> None:
        self.feed.start(position)
        self.feed.attach(self.session, position + 1)

    def log(self, first: int, head: int, *, most: int = PAGE) -> Page:
        return page(head, [message(seq) for seq in range(first, head + 1)][:most])


class Beginning(ReaderCase):
    def test_the_channel_is_heard_before_the_head_is_read_and_then_the_feed_begins(self) -> None:
        ready = self.reader.ready()
        self.assertEqual(self.calls.names, ["subscribe"])
        self.assertEqual(self.calls.answer("subscribe"), ("c:1", self.actor.on_news))
        self.assertNoResult(ready)
        self.calls.answer("head", Head(7, 0, False, 1_000))
        self.successResultOf(ready)
        self.assertEqual((self.feed.position, self.feed.active_at, self.calls.waiting), (7, 1_000, []))

    def test_where_the_feed_has_begun_it_is_ready_at_once(self) -> None:
        self.started()
        self.successResultOf(self.reader.ready())
        self.assertEqual(self.calls.waiting, [])

    def test_all_who_wait_hear_when_the_store_cannot_tell_and_it_is_tried_again(self) -> None:
        self.feed.hold(self.session)
        waiting = [self.reader.ready(), self.reader.ready()]
        self.calls.answer("subscribe", DOWN)
        for ready in waiting:
            self.failureResultOf(ready, Unavailable)
        self.calls.answer("subscribe", DOWN)
        self.clock.advance(RETRY_S)
        self.assertEqual(self.calls.names, ["subscribe"])

    def test_stopping_answers_who_waits(self) -> None:
        ready = self.reader.ready()
        self.reader.stop()
        self.failureResultOf(ready, Unavailable)

    def test_who_waits_is_answered_even_if_his_session_left_meanwhile(self) -> None:
        self.actor.committing = True
        self.feed.hold(self.session)
        ready = self.reader.ready()
        self.feed.detach(self.session)
        self.clock.advance(HOLE_S)
        self.calls.answer("subscribe")
        self.calls.answer("head", Head(3, 0, False))
        self.successResultOf(ready)


class Holes(ReaderCase):
    def test_a_hole_is_given_200_ms_to_close_by_itself(self) -> None:
        self.started()
        self.feed.offer([message(6)])
        self.clock.advance(HOLE_S - 0.001)
        self.assertEqual(self.calls.waiting, [])
        self.clock.advance(0.001)
        self.assertEqual(self.calls.answer("events", self.log(5, 6)), (1, 4, PAGE, {1}))
        self.assertEqual((self.session.seen, self.calls.waiting), (["e5", "e6"], []))

    def test_behind_64_events_it_is_read_at_once(self) -> None:
        self.started()
        self.feed.offer([message(seq) for seq in range(6, 5 + HOLE_EVENTS)])
        self.assertEqual((HOLE_EVENTS, self.calls.waiting), (64, []))
        self.feed.offer([message(5 + HOLE_EVENTS)])
        self.assertEqual(self.calls.names, ["events"])
        self.calls.answer("events", self.log(5, 69))
        self.assertEqual(len(self.session.seen), 65)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_pages_are_read_until_the_head(self) -> None:
        self.started()
        self.reader.start()
        self.calls.answer("events", self.log(5, 9, most=3))
        self.assertEqual(self.calls.waiting[0][1], (1, 7, PAGE, {1}))
        self.calls.answer("events", self.log(8, 9))
        self.assertEqual((self.session.seen, self.calls.waiting), ([f"e{n}" for n in range(5, 10)], []))

    def test_nothing_new_is_nothing_to_do(self) -> None:
        self.started()
        self.reader.start()
        self.calls.answer("events", self.log(5, 4))
        self.assertEqual((self.session.codes, self.session.seen, self.calls.waiting), ([], [], []))

    def test_when_asked_while_it_reads_it_reads_once_more(self) -> None:
        self.started()
        for _ in range(3):
            self.reader.start()
        self.assertEqual(len(self.calls.waiting), 1)
        self.calls.answer("events", self.log(5, 5))
        self.calls.answer("events", self.log(6, 5))
        self.assertEqual(self.calls.waiting, [])

    def test_what_the_bus_brings_while_the_log_is_read_does_no_harm(self) -> None:
        self.started()
        self.reader.start()
        self.feed.offer([message(5)])
        self.calls.answer("events", self.log(5, 4))
        self.assertEqual((self.session.codes, self.session.seen, self.feed.position), ([], ["e5"], 5))

    def test_an_unreachable_store_is_tried_again_every_second_while_somebody_listens(self) -> None:
        self.started()
        self.feed.expect(self.session, 6, self.session.reply)
        self.reader.start()
        for _ in range(3):
            self.calls.answer("events", DOWN)
            self.assertEqual(self.session.seen, ["r-"])
            self.clock.advance(RETRY_S - 0.01)
            self.assertEqual(self.calls.waiting, [])
            self.clock.advance(0.01)
        self.calls.answer("events", DOWN)
        self.feed.detach(self.session)
        self.clock.advance(RETRY_S)
        self.assertEqual(self.calls.waiting, [])

    def test_a_bug_of_ours_is_reported_as_a_crash_of_the_actor(self) -> None:
        self.started()
        self.reader.start()
        self.calls.answer("events", ValueError("bug"))
        (actor, failure, _), self.crashes = self.crashes[0], []
        self.assertIs(actor, self.actor)
        failure.trap(ValueError)


class Commits(ReaderCase):
    def test_it_waits_for_a_commit_in_flight(self) -> None:
        self.started()
        self.actor.committing = True
        self.reader.start()
        self.feed.offer([message(seq) for seq in range(6, 90)])
        self.assertEqual(self.calls.waiting, [])
        self.actor.committing = False
        self.clock.advance(HOLE_S)
        self.assertEqual(self.calls.names, ["events"])
        self.calls.answer("events", self.log(5, 89))

    def test_but_not_for_ever_for_under_load_there_is_always_one(self) -> None:
        self.started()
        self.actor.committing = True
        self.feed.offer([message(6)])
        self.clock.advance(HOLE_S)
        self.calls.answer("events", self.log(5, 6))
        self.assertEqual(self.session.seen, ["e5", "e6"])


class LateSessions(ReaderCase):
    def late(self, since: int = 2) -> None:
        self.feed.start(4)
        self.feed.attach(self.session, since)

    def test_a_late_session_gets_what_it_lacks_page_by_page(self) -> None:
        self.late()
        self.assertEqual(self.calls.answer("events", self.log(2, 4, most=2)), (1, 1, PAGE, [1]))
        self.assertEqual(self.calls.answer("events", self.log(4, 4)), (1, 3, PAGE, [1]))
        self.feed.offer([message(5)])
        self.assertEqual(self.session.seen, ["e2", "e3", "e4", "e5"])

    def test_it_is_tried_again_a_second_later(self) -> None:
        self.late()
        self.calls.answer("events", DOWN)
        self.clock.advance(RETRY_S)
        self.calls.answer("events", self.log(5, 4))
        self.calls.answer("events", self.log(2, 4))
        self.assertEqual(self.session.seen, ["e2", "e3", "e4"])

    def test_a_repair_of_the_chat_does_not_forget_who_waits_for_that(self) -> None:
        self.late()
        self.calls.answer("events", DOWN)
        self.reader.start()
        self.assertEqual(self.calls.names, ["events", "events"])
        self.calls.answer("events", self.log(5, 4))
        self.calls.answer("events", self.log(2, 4))
        self.assertEqual(self.session.seen, ["e2", "e3", "e4"])

    def test_one_that_the_log_cannot_serve_any_more_is_closed_with_1001(self) -> None:
        other = Recorder(2)
        self.late()
        self.feed.attach(other, 5)
        self.calls.answer("events", self.log(3, 4))
        self.assertEqual((self.session.codes, self.session.seen), ([CloseCode.GOING_AWAY], []))
        self.assertEqual((other.codes, self.feed.subscribers()), ([], [other]))

    def test_one_that_left_while_the_log_was_read_is_not_touched(self) -> None:
        self.late()
        self.feed.detach(self.session)
        self.calls.answer("events", self.log(3, 4))
        self.assertEqual((self.session.codes, self.session.seen), ([], []))

    def test_one_whose_hello_covers_more_by_now_goes_on_from_there(self) -> None:
        self.late()
        self.feed.hold(self.session)
        self.feed.release(self.session, 4)
        self.calls.answer("events", self.log(2, 4))
        self.feed.offer([message(5)])
        self.assertEqual((self.session.codes, self.session.seen), ([], ["e5"]))

    def test_one_who_was_removed_in_what_it_lacks_is_let_go(self) -> None:
        self.late()
        self.calls.answer("events", page(4, [change(2, removed=[1]), message(3), message(4)], since=0))
        self.assertEqual((self.session.seen, len(self.feed), self.calls.waiting), (["e2"], 0, []))

    def test_a_bug_of_ours_does_not_forget_him(self) -> None:
        self.late()
        self.calls.answer("events", ValueError("bug"))
        self.assertEqual(len(self.crashes), 1)
        self.crashes.clear()
        self.reader.start()
        self.calls.answer("events", self.log(5, 4))
        self.calls.answer("events", self.log(2, 4))
        self.assertEqual(self.session.seen, ["e2", "e3", "e4"])


class LostPositions(ReaderCase):
    def lost(self, answer: Any) -> None:
        self.started()
        self.feed.expect(self.session, 9, self.session.reply)
        self.feed.offer([message(9)])
        self.reader.start()
        self.calls.answer("events", answer)
        self.assertEqual((self.session.codes, self.session.seen), ([CloseCode.GOING_AWAY], ["r-"]))
        self.assertEqual((len(self.feed), self.feed.position), (0, None))

    def test_a_log_that_was_trimmed_beyond_the_position_closes_all_with_1001(self) -> None:
        self.lost(page(9, [message(8), message(9)]))
        self.assertEqual(self.losses, 0)

    def test_a_log_that_is_empty_before_its_head_closes_all_with_1001(self) -> None:
        self.lost(page(9))
        self.assertEqual(self.losses, 0)

    def test_a_head_before_the_position_ends_the_epoch_too(self) -> None:
        self.lost(page(3))
        self.assertEqual(self.losses, 1)

    def test_so_does_a_chat_that_is_no_longer_there_or_was_deleted_at_an_earlier_head(self) -> None:
        for head in (0, 3):
            self.setUp()
            self.lost(page(head, gone=True))
            self.assertEqual(self.losses, 1)

    def test_a_deleted_chat_is_told_to_all_as_gone(self) -> None:
        self.started()
        self.reader.start()
        self.calls.answer("events", page(9, gone=True))
        self.assertEqual(self.session.frames[0]["d"]["users"], [])
        self.assertEqual((len(self.feed), self.session.codes, self.losses), (0, [], 0))

    def test_so_is_one_whose_deletion_was_the_last_event_that_was_delivered(self) -> None:
        self.started()
        self.reader.start()
        self.calls.answer("events", page(4, gone=True))
        self.assertEqual((len(self.feed), self.session.codes, self.losses), (0, [], 0))

    def test_a_chat_that_is_yet_to_be_created_is_not_gone(self) -> None:
        self.started(0)
        self.reader.start()
        self.calls.answer("events", page(0, gone=True))
        self.assertEqual((len(self.feed), self.session.seen, self.losses), (1, [], 0))


class Strangers(ReaderCase):
    """Who is no member now gets no text of a later time, also while his removal is yet to be delivered."""

    def rewritten(self) -> Any:
        return msgspec.structs.replace(message(5), rewritten=True)

    def test_of_a_page_that_calls_him_one_he_gets_what_was_rewritten_as_deleted(self) -> None:
        for since, text in ((0, ""), (1, "text 5")):
            self.setUp()
            self.started()
            self.reader.start()
            self.calls.answer("events", page(7, [self.rewritten()], since=since))
            self.calls.answer("events", page(7, [change(6, removed=[1]), message(7)], since=since))
            self.assertEqual(self.session.frames[0]["d"]["message"], text)
            self.assertEqual(self.session.seen, ["e5", "e6"])

    def test_the_same_holds_for_one_who_came_late(self) -> None:
        self.feed.start(7)
        self.feed.attach(self.session, 5)
        events = [self.rewritten(), change(6, removed=[1]), message(7)]
        self.calls.answer("events", page(7, events, since=0))
        self.assertEqual((self.session.frames[0]["d"]["message"], self.session.seen), ("", ["e5", "e6"]))

    def test_a_page_that_does_not_speak_of_somebody_who_came_meanwhile_is_read_again(self) -> None:
        self.started()
        self.reader.start()
        other = Recorder(2)
        self.feed.attach(other, 5)
        self.calls.answer("events", self.log(5, 5))
        self.assertEqual((self.session.seen, self.calls.waiting[0][1]), ([], (1, 4, PAGE, {1, 2})))
        self.calls.answer("events", Page(Head(5, 0, False), [message(5)], {1: 1, 2: 5}))
        self.assertEqual((self.session.seen, other.seen), (["e5"], ["e5"]))


class Stopped(ReaderCase):
    def test_nothing_is_read_any_more_and_who_asks_is_answered(self) -> None:
        self.reader.stop()
        self.failureResultOf(self.reader.ready(), Unavailable)
        self.started()
        self.reader.start()
        self.feed.offer([message(6)])
        self.clock.advance(RETRY_S)
        self.assertEqual((self.calls.waiting, self.clock.getDelayedCalls()), ([], []))

    def test_an_answer_that_comes_afterwards_ends_no_epoch_for_its_own_has_ended(self) -> None:
        self.started()
        self.reader.start()
        self.feed.detach(self.session)
        self.reader.stop()
        self.calls.answer("events", page(3))
        self.assertEqual(self.losses, 0)
