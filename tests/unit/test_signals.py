"""Read marks (12/8) and typing (12/9) in a feed: to whom they go, after which events, and what is dropped."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from chatsrv.actors import signals as signals_module
from chatsrv.actors.feed import Feed
from chatsrv.store.events import READ, TYPING, Signal
from chatsrv.wire.codes import Profile
from tests.unit.test_attachment import FeedCase
from tests.unit.test_feed import Recorder, change, message


class SignalCase(FeedCase):
    """The feed stands at 4. Readers and writers are users 8 and 9, on no session of this node."""

    def read(self, seq: int, user: int = 9, message_id: int = 2, session: str = "elsewhere") -> None:
        self.feed.signals.offer(Signal(READ, seq, user, session, message_id))

    def type(self, seq: int = 4, user: int = 9, session: str = "elsewhere") -> None:
        self.feed.signals.offer(Signal(TYPING, seq, user, session))


class Receivers(SignalCase):
    def test_both_go_to_every_full_session_and_to_no_core_one(self) -> None:
        sessions = [self.attached(user_id=1), self.attached(user_id=1), self.attached(user_id=2)]
        core = self.attached(profile=Profile.CORE)
        self.read(4)
        self.type()
        for session in sessions:
            self.assertEqual(session.seen, ["m9:2", "t9"])
        self.assertEqual(core.seen, [])

    def test_they_say_chat_user_and_message(self) -> None:
        session = self.attached()
        self.read(4)
        self.type()
        self.assertEqual(
            session.frames,
            [
                {"op": 12, "t": 8, "d": {"chat_id": 1, "message_id": 2, "user_id": 9}},
                {"op": 12, "t": 9, "d": {"chat_id": 1, "user_id": 9}},
            ],
        )

    def test_the_session_that_asked_is_told_nothing_but_the_users_others_are(self) -> None:
        asker, device = self.attached(user_id=1), self.attached(user_id=1)
        self.read(4, 1, session=asker.id)
        self.type(4, 1, session=asker.id)
        self.assertEqual((asker.seen, device.seen), ([], ["m1:2", "t1"]))

    def test_nor_is_it_when_the_mark_had_to_wait(self) -> None:
        for apart in (False, True):
            self.setUp()
            asker, device = self.attached(user_id=1), self.attached(user_id=1)
            if apart:
                self.feed.hold(asker)
            self.read(5, 1, session=asker.id)
            self.offer(5)
            self.feed.release(asker)
            self.assertEqual((asker.seen, device.seen), (["e5"], ["e5", "m1:2"]))

    def test_a_removed_member_is_told_nothing_any_more(self) -> None:
        out, other = self.attached(user_id=1), self.attached(user_id=2)
        self.feed.offer([change(5, removed=[1])])
        self.read(5)
        self.type(5)
        self.assertEqual((out.seen, other.seen), (["e5"], ["e5", "m9:2", "t9"]))

    def test_nor_of_what_came_before_the_event_that_removed_him(self) -> None:
        out, other = self.attached(user_id=1), self.attached(user_id=2)
        self.read(5)
        self.feed.offer([change(5, removed=[1])])
        self.assertEqual((out.seen, other.seen), (["e5"], ["e5", "m9:2"]))

    def test_nor_of_what_waits_for_his_busy_socket_when_he_is_removed(self) -> None:
        out, other = self.attached(user_id=1), self.attached(user_id=2)
        out.congested = other.congested = True
        self.read(4)
        out.deliver_receipt(2, 9, b"of another chat")
        self.feed.offer([change(5, removed=[1])])
        self.assertEqual((list(out.receipts), list(other.receipts)), ([(2, 9)], [(1, 9)]))

    def test_nor_while_it_is_known_that_he_will_be(self) -> None:
        session = self.attached()
        self.feed.estrange([1], 6)
        self.read(4)
        self.type()
        self.offer(5)
        self.read(5, 8)
        self.feed.offer([change(6, removed=[1])])
        self.assertEqual((session.seen, len(self.feed)), (["e5", "e6"], 0))


class EarlyMarks(SignalCase):
    def test_one_waits_for_the_events_that_it_speaks_of(self) -> None:
        session = self.attached()
        self.read(6)
        self.offer(5)
        self.assertEqual(session.seen, ["e5"])
        self.offer(7)
        self.assertEqual(session.seen, ["e5"])
        self.offer(6)
        self.assertEqual(session.seen, ["e5", "e6", "e7", "m9:2"])

    def test_one_of_events_that_are_known_does_not_wait(self) -> None:
        session = self.attached()
        self.read(3)
        self.read(4, 8)
        self.assertEqual((session.seen, len(self.feed.signals.early)), (["m9:2", "m8:2"], 0))

    def test_one_that_comes_before_the_feed_begins_waits_for_that(self) -> None:
        feed, session = Feed(1, self.holes.append, self.late.append), Recorder(1)
        self.feed = feed
        feed.attach(session, 7)
        self.read(6)
        self.read(7, 8)
        self.type(6)
        self.assertEqual(session.seen, [])
        feed.start(6)
        self.assertEqual(session.seen, ["m9:2"])
        self.offer(7)
        self.assertEqual(session.seen, ["m9:2", "e7", "m8:2"])

    def test_each_is_told_once_and_not_kept(self) -> None:
        session = self.attached()
        self.read(5)
        self.assertEqual(len(self.feed.signals.early), 1)
        self.offer(5)
        self.assertEqual(len(self.feed.signals.early), 0)
        self.offer(6)
        self.assertEqual(session.seen, ["e5", "m9:2", "e6"])

    def test_of_one_user_only_the_newest_is_kept(self) -> None:
        session = self.attached()
        self.read(5, message_id=2)
        self.read(6, message_id=3)
        self.read(5, 8)
        self.assertEqual(len(self.feed.signals.early), 2)
        self.offer(5)
        self.assertEqual(session.seen, ["e5", "m8:2"])
        self.offer(6)
        self.assertEqual(session.seen, ["e5", "m8:2", "e6", "m9:3"])

    def test_those_of_too_many_users_are_dropped(self) -> None:
        self.patch(signals_module, "EARLY_MARKS", 2)
        session = self.attached()
        for user in (8, 9, 10):
            self.read(5, user)
        self.read(5, 8, message_id=3)
        self.assertEqual(len(self.feed.signals.early), 2)
        self.offer(5)
        self.assertEqual(session.seen, ["e5", "m8:3", "m9:2"])


class DroppedTyping(SignalCase):
    def test_it_is_when_it_comes_before_the_events_it_follows(self) -> None:
        session = self.attached()
        self.type(5)
        self.assertEqual(len(self.feed.signals.early), 0)
        self.offer(5)
        self.assertEqual(session.seen, ["e5"])

    def test_it_is_for_a_session_whose_socket_is_busy_while_marks_wait(self) -> None:
        busy, idle = self.attached(), self.attached(user_id=2)
        busy.congested = True
        self.type()
        self.read(4)
        self.assertEqual((busy.seen, list(busy.receipts)), ([], [(1, 9)]))
        self.assertEqual(idle.seen, ["t9", "m9:2"])

    def test_it_is_for_a_session_that_is_apart(self) -> None:
        held, late, other = self.attached(), self.attached(3), self.attached(user_id=2)
        self.feed.hold(held)
        self.type()
        self.feed.release(held)
        self.feed.caught_up(self.late[0], [message(3), message(4)])
        self.assertEqual((held.seen, late.seen, other.seen), ([], ["e3", "e4"], ["t9"]))


class Apart(SignalCase):
    """A session that is not in step is told of marks when it is, after the events they speak of."""

    def test_one_that_holds_is_told_after_what_was_held(self) -> None:
        session = self.attached()
        self.feed.hold(session)
        self.feed.hold(session)
        self.offer(5)
        self.read(5)
        self.offer(6)
        self.feed.release(session)
        self.assertEqual(session.seen, [])
        self.feed.release(session)
        self.assertEqual(session.seen, ["e5", "e6", "m9:2"])

    def test_one_whose_socket_is_busy_by_then_is_told_later(self) -> None:
        session = self.attached()
        self.feed.hold(session)
        self.read(4)
        session.congested = True
        self.feed.release(session)
        self.assertEqual((session.seen, list(session.receipts)), ([], [(1, 9)]))

    def test_it_is_told_once_and_of_each_user_the_newest(self) -> None:
        session = self.attached()
        self.feed.hold(session)
        for message_id in (1, 2, 3):
            self.read(4, message_id=message_id)
            self.read(4, 8, message_id)
        self.feed.release(session)
        self.assertEqual(session.seen, ["m9:3", "m8:3"])
        self.feed.hold(session)
        self.feed.release(session)
        self.assertEqual(session.seen, ["m9:3", "m8:3"])

    def test_one_whose_hello_covers_more_than_was_delivered_is_told_when_that_is(self) -> None:
        session = Recorder(1)
        self.feed.hold(session)
        self.feed.release(session, 6)
        self.read(4)
        self.offer(5)
        self.assertEqual(session.seen, [])
        self.offer(6)
        self.assertEqual(session.seen, ["m9:2"])

    def test_one_that_was_late_is_told_when_it_has_caught_up(self) -> None:
        session = self.attached(3)
        self.read(4)
        self.assertEqual(session.seen, [])
        self.feed.caught_up(self.late[0], [message(3), message(4)])
        self.assertEqual(session.seen, ["e3", "e4", "m9:2"])

    def test_one_that_is_not_greeted_because_it_is_no_member_is_never_told(self) -> None:
        session = Recorder(1)
        self.feed.hold(session)
        self.read(4)
        self.feed.detach(session)
        self.feed.release(session)
        self.assertEqual(session.seen, [])

    def test_a_core_session_is_not_told_then_either(self) -> None:
        session = self.attached(profile=Profile.CORE)
        self.feed.hold(session)
        self.read(4)
        self.feed.release(session)
        self.assertEqual(session.seen, [])


STEPS = st.lists(
    st.sampled_from(("event", "next", "read", "type", "hold", "release")) | st.integers(1, 3), max_size=40
)


class AnyOrder(SignalCase):
    @settings(print_blob=True, max_examples=300, deadline=None)
    @given(STEPS, st.randoms(use_true_random=False))
    def test_a_mark_follows_its_events_and_the_last_one_of_each_user_arrives(
        self, steps: list[str | int], random: Any
    ) -> None:
        self.setUp()
        session, head, marks, user = self.attached(), 4, dict[int, tuple[int, int]](), 1
        on_the_way: list[int] = []
        for number, step in enumerate(steps, 1):
            if isinstance(step, int):
                user = step
            elif step == "event":
                head += 1
                on_the_way.append(head)
            elif step == "next" and on_the_way:
                self.offer(on_the_way.pop(random.randrange(len(on_the_way))))
            elif step == "read":
                marks[user] = head, number
                self.read(head, user, number)
            elif step == "type":
                self.type(head, user)
            elif step == "hold":
                self.feed.hold(session)
            elif step == "release":
                self.feed.release(session)
        while self.feed._attached[session].holds:
            self.feed.release(session)
        self.offer(*on_the_way)
        self.assertEqual([e for e in session.seen if e[0] == "e"], [f"e{seq}" for seq in range(5, head + 1)])
        for user, (seq, number) in marks.items():
            told = [place for place, what in enumerate(session.seen) if what.startswith(f"m{user}:")]
            self.assertEqual(session.seen[told[-1]], f"m{user}:{number}")
            self.assertTrue(seq == 4 or f"e{seq}" in session.seen[: told[-1]], session.seen)
