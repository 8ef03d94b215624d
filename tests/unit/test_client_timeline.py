"""``Timeline``: each chat's events once and in order, whichever way they came."""

import random
import time

from twisted.trial.unittest import SynchronousTestCase

from chatsrv.client import Frame, Hello
from chatsrv.client.timeline import Hole, Reset, Timeline, is_numbered
from tests.unit.test_client_kit import CHAT, ME, members_at, message_at


def hello(heads, epoch="e"):
    return Hello(chat_ids=list(heads), friend_ids=[], user_id=ME, heads=heads, epoch=epoch)


def event(seq, **members):
    return Frame(12, 2, message_at(seq, **members))


def change(seq, *users, t=2, chat_id=CHAT):
    return Frame(14, t, members_at(seq, *users, chat_id=chat_id))


class TimelineCase(SynchronousTestCase):
    def setUp(self):
        self.timeline = Timeline(held_most=3)
        self.timeline.begin(hello({CHAT: 5}))

    def given(self, *frames):
        """What comes out: an event's ``seq``, a reset's chats, a hole."""
        steps = [step for frame in frames for step in self.timeline.receive(frame)]
        return [step.d["seq"] if isinstance(step, Frame) else step for step in steps]

    def read(self, steps):
        return [step.d["seq"] if isinstance(step, Frame) else step for step in steps]


class Live(TimelineCase):
    def test_the_first_hello_is_where_it_starts(self):
        timeline = Timeline()
        self.assertEqual(timeline.begin(hello({CHAT: 5, 8: 1})), ([], {}))
        self.assertEqual((timeline.position(CHAT), timeline.position(8)), (5, 1))

    def test_events_follow_each_other(self):
        self.assertEqual(self.given(event(6), event(7), change(8, ME, 2)), [6, 7, 8])

    def test_one_that_was_given_is_not_given_again(self):
        self.assertEqual(self.given(event(5), event(6), event(6), event(2)), [6])

    def test_a_missing_one_is_a_hole_and_nothing_is_skipped(self):
        self.assertEqual(self.given(event(7)), [Hole(CHAT)])
        self.assertEqual(self.timeline.position(CHAT), 5)

    def test_being_added_starts_a_chat_there(self):
        self.assertEqual(self.given(change(41, ME, 2, chat_id=9), event(42, chat_id=9)), [41, 42])

    def test_creating_one_starts_it_there(self):
        self.assertEqual(self.given(change(1, ME, t=1, chat_id=9), event(2, chat_id=9)), [1, 2])

    def test_being_removed_ends_it(self):
        self.assertEqual(self.given(change(6, 2, 3)), [6])
        self.assertIsNone(self.timeline.position(CHAT))

    def test_a_removal_told_twice_is_given_once(self):
        self.assertEqual(self.given(change(6, 2), change(6, 2)), [6])

    def test_coming_back_starts_it_again(self):
        self.assertEqual(self.given(change(6, 2), change(9, ME, 2), event(10)), [6, 9, 10])

    def test_a_message_of_a_chat_that_never_began_is_a_hole(self):
        self.assertEqual(self.given(event(3, chat_id=9)), [Hole(9)])

    def test_only_chat_events_with_their_position_are_numbered(self):
        self.assertTrue(is_numbered(event(1)))
        for other in (Frame(12, 8, message_at(1)), Frame(2, 1, {}), Frame(12, 2, {"chat_id": 7})):
            self.assertFalse(is_numbered(other))


class AfterAReconnect(TimelineCase):
    def test_a_chat_that_stood_still_misses_nothing(self):
        self.assertEqual(self.timeline.begin(hello({CHAT: 5})), ([], {}))

    def test_a_chat_that_went_on_is_missed_from_its_position(self):
        self.given(event(6))
        self.assertEqual(self.timeline.begin(hello({CHAT: 9})), ([], {CHAT: 6}))

    def test_new_and_vanished_chats_are_reset(self):
        steps, missed = self.timeline.begin(hello({8: 3}))
        self.assertEqual((steps, missed), ([Reset([CHAT, 8])], {}))
        self.assertIsNone(self.timeline.position(CHAT))
        self.assertEqual(self.given(event(4, chat_id=8)), [4])

    def test_another_epoch_resets_everything(self):
        steps, missed = self.timeline.begin(hello({CHAT: 5, 8: 3}, epoch="f"))
        self.assertEqual((steps, missed, self.timeline.epoch), ([Reset([CHAT, 8])], {}, "f"))
        self.assertEqual(self.given(event(6)), [6])

    def test_a_replay_is_given_as_it_comes(self):
        self.timeline.begin(hello({CHAT: 8}))
        self.assertEqual(self.given(event(6), event(7)), [6, 7])

    def test_what_comes_live_waits_for_the_replay(self):
        self.timeline.begin(hello({CHAT: 7}))
        self.assertEqual(self.given(event(9), event(8), event(6)), [6])
        self.assertEqual(self.given(event(7)), [7, 8, 9])
        self.assertEqual(self.given(event(10)), [10])

    def test_the_end_of_a_complete_replay_changes_nothing(self):
        self.timeline.begin(hello({CHAT: 6}))
        self.given(event(6))
        self.assertEqual(self.timeline.caught_up({CHAT: 5}, []), ([], {}))

    def test_a_reset_chat_goes_on_from_the_head(self):
        self.timeline.begin(hello({CHAT: 90}))
        self.given(event(91), event(92))
        steps, again = self.timeline.caught_up({CHAT: 5}, [CHAT])
        self.assertEqual((self.read(steps), again), ([Reset([CHAT]), 91, 92], {}))

    def test_several_reset_chats_are_told_at_once(self):
        timeline = Timeline()
        timeline.begin(hello({1: 1, 2: 1, 3: 1}))
        timeline.begin(hello({1: 4, 2: 4, 3: 4}))
        steps, _ = timeline.caught_up({1: 1, 2: 1, 3: 1}, [1, 3])
        self.assertEqual(steps, [Reset([1, 2, 3])])

    def test_a_replay_that_stopped_early_is_asked_for_again(self):
        self.timeline.begin(hello({CHAT: 9}))
        self.given(event(6))
        self.assertEqual(self.timeline.caught_up({CHAT: 5}, []), ([], {CHAT: 6}))

    def test_a_replay_that_brought_nothing_is_a_reset(self):
        self.timeline.begin(hello({CHAT: 9}))
        self.assertEqual(self.timeline.caught_up({CHAT: 5}, []), ([Reset([CHAT])], {}))

    def test_a_replay_with_a_hole_is_a_reset(self):
        self.timeline.begin(hello({CHAT: 9}))
        self.assertEqual(self.given(event(6), event(8), event(9)), [6, Reset([CHAT])])
        self.assertEqual(self.given(event(10)), [10])

    def test_a_store_that_went_back_is_a_reset(self):
        self.assertEqual(self.timeline.begin(hello({CHAT: 3})), ([], {CHAT: 5}))
        self.given(event(4))
        steps, _ = self.timeline.caught_up({CHAT: 5}, [CHAT])
        self.assertEqual((self.read(steps), self.timeline.position(CHAT)), ([Reset([CHAT]), 4], 4))

    def test_too_much_that_waits_is_a_reset_without_loss(self):
        self.timeline.begin(hello({CHAT: 8}))
        self.assertEqual(self.given(*map(event, (9, 10, 11))), [])
        self.assertEqual(self.given(event(12)), [Reset([CHAT]), 9, 10, 11, 12])
        self.assertEqual(self.given(event(6), event(7), event(8), event(13)), [13])

    def test_a_removal_that_waited_ends_the_chat(self):
        self.timeline.begin(hello({CHAT: 6}))
        self.given(change(7, 2))
        self.assertEqual(self.given(event(6)), [6, 7])
        self.assertIsNone(self.timeline.position(CHAT))

    def test_a_hole_among_what_waited_is_told_after_what_follows(self):
        self.timeline.begin(hello({CHAT: 6}))
        self.given(event(7), event(9))
        self.assertEqual(self.given(event(6)), [6, 7, Hole(CHAT)])
        self.assertEqual(self.timeline.begin(hello({CHAT: 9})).missed, {CHAT: 7})

    def test_a_replay_broken_off_goes_on_where_it_stopped(self):
        self.timeline.begin(hello({CHAT: 9}))
        self.given(event(6), event(10))
        self.assertEqual(self.timeline.begin(hello({CHAT: 10})).missed, {CHAT: 6})
        self.assertEqual(self.given(*map(event, (7, 8, 9, 10))), [7, 8, 9, 10])


class Anyhow(SynchronousTestCase):
    """Chats that grow while a client comes and goes, replays mixed with live events, duplicates, resets."""

    def test_what_is_given_is_the_log_without_gaps_but_for_resets(self):
        seed = int(time.time())
        print(f"timeline seed {seed}")
        for round_ in range(200):
            self.one_life(random.Random(seed + round_))

    def one_life(self, dice):
        self.timeline = Timeline(held_most=20)
        self.heads = {chat: dice.randint(1, 5) for chat in (1, 2, 3)}
        self.last = dict(self.heads)
        for _ in range(6):
            self.begun_at = dict(self.heads)
            start, missed = self.timeline.begin(hello(self.begun_at))
            self.take(start)
            self.one_connection(dice, missed)
            self.heads = {chat: head + dice.randint(0, 4) for chat, head in self.heads.items()}

    def one_connection(self, dice, missed):
        replays = {chat: list(range(seq + 1, self.heads[chat] + 1)) for chat, seq in missed.items()}
        reset = [chat for chat in missed if dice.random() < 0.2]
        for _ in range(dice.randint(0, 60)):
            chat = dice.choice((1, 2, 3))
            if replays.get(chat) and chat not in reset and dice.random() < 0.6:
                self.take(self.timeline.receive(event(replays[chat].pop(0), chat_id=chat)))
            else:
                self.heads[chat] += 1
                for _ in range(dice.choice((1, 1, 2))):
                    self.take(self.timeline.receive(event(self.heads[chat], chat_id=chat)))
        if dice.random() < 0.7 and not any(replays[chat] for chat in replays if chat not in reset):
            self.take(self.timeline.caught_up(missed, reset)[0])
            self.assertEqual({chat: self.timeline.position(chat) for chat in self.heads}, self.heads)

    def take(self, steps):
        for step in steps:
            if isinstance(step, Reset):
                self.last.update({chat: self.begun_at[chat] for chat in step.chat_ids})
                continue
            self.assertIsInstance(step, Frame)
            chat, seq = step.d["chat_id"], step.d["seq"]
            self.assertEqual(self.last[chat], seq - 1)
            self.last[chat] = seq
