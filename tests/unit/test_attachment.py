"""One session's place in a feed, case by case: holding, being ahead or late, leaving and coming back, replies."""

from __future__ import annotations

from twisted.trial.unittest import TestCase

from chatsrv.actors import attachment as attachment_module
from chatsrv.actors import feed as feed_module
from chatsrv.actors.attachment import Attachment
from chatsrv.actors.feed import Feed
from chatsrv.store.events import DELETED, EDITED
from chatsrv.wire.codes import Profile
from tests.unit.test_feed import Recorder, change, message


class FeedCase(TestCase):
    def setUp(self) -> None:
        self.holes: list[int] = []
        self.late: list[Attachment] = []
        self.feed = Feed(1, self.holes.append, self.late.append)
        self.feed.start(4)

    def attached(self, since: int = 5, user_id: int = 1, profile: Profile = Profile.FULL) -> Recorder:
        session = Recorder(user_id, profile)
        self.feed.attach(session, since)
        return session

    def offer(self, *seqs: int) -> None:
        self.feed.offer([message(seq) for seq in seqs])


class Order(FeedCase):
    def test_events_behind_a_hole_wait_until_it_is_closed(self) -> None:
        session = self.attached()
        self.offer(7, 6, 8)
        self.assertEqual((session.seen, self.holes[-1]), ([], 3))
        self.offer(5)
        self.assertEqual(session.seen, ["e5", "e6", "e7", "e8"])
        self.assertEqual(self.holes, [3])

    def test_known_events_are_dropped(self) -> None:
        session = self.attached()
        self.offer(3, 4, 5, 5, 4, 6, 5)
        self.assertEqual((session.seen, self.holes), (["e5", "e6"], []))

    def test_what_comes_before_the_start_is_delivered_if_it_is_after_the_head(self) -> None:
        feed = Feed(1, self.holes.append, self.late.append)
        session = Recorder(1)
        feed.attach(session, 7)
        feed.offer([message(6), message(7)])
        self.assertEqual(session.seen, [])
        feed.start(6)
        self.assertEqual((session.seen, feed.position), (["e7"], 7))

    def test_what_is_beyond_the_bound_behind_a_hole_is_left_to_the_log(self) -> None:
        self.patch(feed_module, "AHEAD_EVENTS", 2)
        session = self.attached()
        self.offer(6, 7, 8)
        self.offer(5)
        self.assertEqual(session.seen, ["e5", "e6", "e7"])

    def test_a_reset_forgets_what_waited_so_that_another_life_of_the_chat_may_begin(self) -> None:
        self.offer(6, 7)
        self.feed.reset()
        session = self.attached(3)
        self.feed.start(2)
        self.offer(3, 4, 5)
        self.assertEqual((session.seen, self.feed.position), (["e3", "e4", "e5"], 5))


class Activity(FeedCase):
    def test_it_is_the_time_of_the_last_event_that_is_no_edit_and_no_deletion(self) -> None:
        self.assertEqual(self.feed.active_at, 0)
        for seq, event, at in (
            (5, message(5), 1_005),
            (6, message(6, kind=EDITED), 1_005),
            (7, message(7, kind=DELETED), 1_005),
            (8, change(8), 1_008),
        ):
            self.feed.offer([event])
            self.assertEqual((self.feed.position, self.feed.active_at), (seq, at))

    def test_it_is_known_from_the_start_and_moves_with_what_is_delivered_only(self) -> None:
        self.feed.reset()
        self.feed.offer([message(6)])
        self.feed.start(4, 77)
        self.assertEqual(self.feed.active_at, 77)
        self.offer(5)
        self.assertEqual(self.feed.active_at, 1_006)


class Profiles(FeedCase):
    def test_the_core_profile_gets_no_12_of_its_own_user_but_the_full_one_does(self) -> None:
        core, full = self.attached(profile=Profile.CORE), self.attached()
        self.feed.offer(
            [
                message(5, by=1),
                message(6, by=1, kind=6),
                message(7, by=1, kind=7),
                message(8),
                change(9, by=1),
            ]
        )
        self.assertEqual(core.seen, ["e8", "e9"])
        self.assertEqual([frame["op"] for frame in core.frames], [12, 14])
        self.assertEqual(full.seen, ["e5", "e6", "e7", "e8", "e9"])

    def test_all_sessions_get_the_same_bytes(self) -> None:
        frames: list[bytes] = []
        for user_id in (1, 2):
            self.attached(user_id=user_id).deliver = frames.append  # type: ignore[method-assign]
        self.offer(5)
        self.assertIs(frames[0], frames[1])


class Holding(FeedCase):
    def test_what_is_held_follows_the_release_but_for_what_the_hello_covers(self) -> None:
        session = Recorder(1)
        self.feed.hold(session)
        self.offer(5, 6, 7)
        self.assertEqual(session.seen, [])
        self.feed.release(session, 6)
        self.offer(8)
        self.assertEqual(session.seen, ["e7", "e8"])

    def test_a_hello_that_covers_more_than_was_delivered_skips_it(self) -> None:
        session = Recorder(1)
        self.feed.hold(session)
        self.feed.release(session, 7)
        self.offer(5, 6, 7, 8)
        self.assertEqual(session.seen, ["e8"])

    def test_holds_are_counted(self) -> None:
        session = self.attached()
        self.feed.hold(session)
        self.feed.hold(session)
        self.offer(5)
        self.feed.release(session)
        self.assertEqual(session.seen, [])
        self.feed.release(session)
        self.assertEqual(session.seen, ["e5"])
        self.feed.release(session)
        self.offer(6)
        self.assertEqual(session.seen, ["e5", "e6"])

    def test_one_that_holds_too_much_lets_go_of_it_and_reads_the_log_later(self) -> None:
        self.patch(attachment_module, "HELD_EVENTS", 2)
        session = self.attached()
        self.feed.hold(session)
        self.feed.expect(session, 6, session.reply)
        self.offer(5, 6, 7, 8)
        self.assertLessEqual(len(self.feed._attached[session].held), 2)
        self.feed.release(session)
        self.assertEqual((session.seen, len(self.late)), ([], 1))
        self.feed.caught_up(self.late[0], [message(seq) for seq in (5, 6, 7, 8)])
        self.offer(9)
        self.assertEqual(session.seen, ["e5", "r6", "e7", "e8", "e9"])

    def test_nobody_who_is_closed_is_attached_or_held(self) -> None:
        session = Recorder(1)
        session.is_closed = True
        self.feed.attach(session, 5)
        self.feed.hold(session)
        self.assertEqual((len(self.feed), session.feeds), (0, set()))


class BeingLate(FeedCase):
    def test_one_that_needs_older_events_calls_for_them_once_and_gets_all_in_order(self) -> None:
        session = self.attached(3)
        self.offer(5, 6)
        self.assertEqual((session.seen, len(self.late)), ([], 1))
        self.feed.caught_up(self.late[0], [message(3), message(4), message(5)])
        self.assertEqual(session.seen, ["e3", "e4", "e5", "e6"])

    def test_a_page_that_does_not_reach_calls_for_the_next(self) -> None:
        session = self.attached(1)
        self.offer(5)
        for start in (1, 3):
            self.feed.caught_up(self.late[-1], [message(start), message(start + 1)])
        self.assertEqual((session.seen, len(self.late)), (["e1", "e2", "e3", "e4", "e5"], 2))

    def test_what_the_log_brings_waits_as_well_while_a_reply_is_on_the_way(self) -> None:
        session = self.attached(3)
        self.feed.hold(session)
        self.feed.caught_up(self.late[0], [message(3), message(4, by=1)])
        self.assertEqual(session.seen, [])
        self.assertTrue(self.feed.expect(session, 4, session.reply))
        self.feed.release(session)
        self.feed.caught_up(self.late[1], [message(3), message(4, by=1)])
        self.assertEqual(session.seen, ["e3", "r4"])

    def test_a_hello_while_the_log_is_read_covers_what_it_brings(self) -> None:
        session = self.attached(2)
        self.feed.hold(session)
        self.feed.release(session, 4)
        self.feed.caught_up(self.late[0], [message(2), message(3), message(4)])
        self.offer(5)
        self.assertEqual((session.seen, len(self.late)), (["e5"], 1))

    def test_one_whose_removal_the_log_brings_is_detached_and_can_come_back(self) -> None:
        session = self.attached(2)
        self.feed.caught_up(self.late[0], [message(2), change(3, removed=[1])])
        self.assertEqual((session.seen, len(self.feed), session.feeds), (["e2", "e3"], 0, set()))
        self.assertEqual(len(self.late), 1)
        self.feed.attach(session, 5)
        self.offer(5)
        self.assertEqual(session.seen, ["e2", "e3", "e5"])


class ComingAndGoing(FeedCase):
    def test_a_removed_member_sees_the_event_that_removed_him_and_none_after(self) -> None:
        out, other = self.attached(user_id=1), self.attached(user_id=2)
        self.feed.offer([change(5, removed=[1]), message(6)])
        self.assertEqual((out.seen, other.seen), (["e5"], ["e5", "e6"]))
        self.assertEqual((self.feed.attached(out), out.feeds), (False, set()))

    def test_one_who_leaves_gets_the_reply_in_the_place_of_the_event_and_none_after(self) -> None:
        session = self.attached()
        self.feed.expect(session, 5, session.reply)
        self.feed.offer([change(5, by=1, removed=[1]), message(6)])
        self.assertEqual((session.seen, len(self.feed)), (["r5"], 0))

    def test_a_return_that_is_known_before_the_removal_is_delivered_counts(self) -> None:
        for by in (9, 1):
            self.setUp()
            session = self.attached()
            self.feed.attach(session, 7)
            self.feed.offer([change(5, by, removed=[1]), message(6), change(7, added=[1]), message(8)])
            self.assertEqual(session.seen, ["e5", "e7", "e8"])

    def test_of_two_returns_that_are_known_each_counts(self) -> None:
        for held in (False, True):
            self.setUp()
            session = self.attached()
            if held:
                self.feed.hold(session)
            self.feed.attach(session, 7)
            self.feed.attach(session, 11)
            self.feed.offer([change(5, removed=[1]), message(6), change(7, added=[1]), message(8)])
            self.feed.offer([change(9, removed=[1]), message(10), change(11, added=[1])])
            self.feed.release(session)
            self.assertEqual(session.seen, ["e5", "e7", "e8", "e9", "e11"])

    def test_a_return_counts_once(self) -> None:
        session = self.attached()
        self.feed.attach(session, 7)
        self.feed.offer(
            [change(5, removed=[1]), message(6), change(7, added=[1]), change(8, removed=[1]), message(9)]
        )
        self.assertEqual((session.seen, len(self.feed)), (["e5", "e7", "e8"], 0))

    def test_all_sessions_of_a_removed_member_go_also_the_one_that_holds(self) -> None:
        one, holding = self.attached(), self.attached()
        self.feed.hold(holding)
        self.feed.offer([change(5, removed=[1]), message(6)])
        self.feed.release(holding)
        self.assertEqual((one.seen, holding.seen, len(self.feed)), (["e5"], ["e5"], 0))

    def test_a_delivery_that_detaches_another_session_breaks_nothing(self) -> None:
        for prepare in (lambda s: None, self.hold):
            self.setUp()
            first, second, third = (self.attached(user_id=user) for user in (1, 2, 3))
            prepare(second)

            def end(second: Recorder = second) -> None:
                second.is_closed = True
                self.feed.detach(second)

            first.on_deliver = end
            self.feed.offer([change(5, removed=[2]), message(6)])
            self.assertEqual((first.seen, third.seen), (["e5", "e6"], ["e5", "e6"]))
            self.assertEqual((len(self.feed), second.feeds), (2, set()))

    def hold(self, session: Recorder) -> None:
        self.feed.hold(session)
        self.feed.release(session, 99)

    def test_a_delivery_that_ends_its_own_session_breaks_nothing(self) -> None:
        for held in (False, True):
            self.setUp()
            session, other = self.attached(), self.attached(user_id=2)
            session.on_deliver = lambda session=session: self.feed.detach(session)
            if held:
                self.feed.hold(session)
            self.offer(5, 6)
            self.feed.release(session)
            self.assertEqual((session.seen, other.seen, len(self.feed)), (["e5"], ["e5", "e6"], 1))


class Replies(FeedCase):
    def test_a_reply_stands_in_the_place_of_its_event(self) -> None:
        asker, other = self.attached(profile=Profile.CORE), self.attached(user_id=2)
        self.assertTrue(self.feed.expect(asker, 6, asker.reply))
        self.feed.offer([message(6, by=1), message(7)])
        self.assertEqual(asker.seen, [])
        self.offer(5)
        self.assertEqual((asker.seen, other.seen), (["e5", "r6", "e7"], ["e5", "e6", "e7"]))

    def test_it_is_too_late_once_the_session_has_the_event_or_its_hello_covers_it(self) -> None:
        session, ahead = self.attached(), Recorder(2)
        self.feed.hold(ahead)
        self.feed.release(ahead, 6)
        self.offer(5)
        self.assertFalse(self.feed.expect(session, 5, session.reply))
        self.assertFalse(self.feed.expect(ahead, 6, ahead.reply))
        self.assertFalse(self.feed.expect(Recorder(3), 6, session.reply))
        self.offer(6)
        self.assertEqual(session.seen, ["e5", "e6"])

    def test_who_waits_is_answered_when_the_log_cannot_be_read_and_the_event_follows(self) -> None:
        full, core = self.attached(), self.attached(profile=Profile.CORE)
        for session in (full, core):
            self.feed.expect(session, 6, session.reply)
        self.feed.abandon_replies()
        self.feed.offer([message(5), message(6, by=1)])
        self.assertEqual((full.seen, core.seen), (["r-", "e5", "e6"], ["r-", "e5"]))

    def test_who_is_detached_while_he_waits_is_answered_once(self) -> None:
        session = self.attached()
        self.feed.expect(session, 6, session.reply)
        self.feed.detach(session)
        self.feed.detach(session)
        self.offer(5, 6)
        self.assertEqual(session.seen, ["r-"])


class TheEnd(FeedCase):
    def test_of_a_chat_that_is_gone_everyone_is_told_and_let_go(self) -> None:
        session, waiting, greeting = self.attached(), self.attached(2), Recorder(3)
        self.feed.hold(greeting)
        self.feed.expect(session, 6, session.reply)
        self.feed.gone()
        self.assertEqual(session.seen, ["e5", "r-"])
        self.assertEqual(session.frames[0], waiting.frames[0])
        self.assertEqual(
            (session.frames[0]["op"], session.frames[0]["t"], session.frames[0]["d"]["users"]), (14, 2, [])
        )
        self.assertEqual((greeting.seen, len(self.feed), session.feeds), ([], 0, set()))
        self.assertEqual(session.codes, [])
