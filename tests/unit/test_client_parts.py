"""The small parts of the client: pauses, pacing, verdicts, tokens, announcements."""

from twisted.internet.defer import Deferred, succeed
from twisted.internet.error import ConnectError
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from chatsrv.client import (
    CloseCode,
    ConnectionClosed,
    ConnectTimeout,
    HandshakeRefused,
    Limits,
    NoToken,
    TokenUnavailable,
    Unsuitable,
)
from chatsrv.client.announcement import Announcement
from chatsrv.client.backoff import Backoff
from chatsrv.client.pacing import Pacing, cost_of
from chatsrv.client.tokens import Tokens
from chatsrv.client.verdict import AGAIN, NEW_TOKEN, STOP, Verdict, judge


class Pauses(SynchronousTestCase):
    def test_the_bound_doubles_up_to_the_cap(self):
        backoff = Backoff(lambda: 0.5, 1.0, 10.0)
        self.assertEqual([backoff.pause_s(tries) for tries in range(6)], [0.5, 1, 2, 4, 5, 5])

    def test_a_pause_is_a_random_part_of_its_bound(self):
        numbers = iter((0.0, 0.25, 0.75))
        backoff = Backoff(lambda: next(numbers), 8.0, 60.0)
        self.assertEqual([backoff.pause_s(0) for _ in range(3)], [0, 2, 6])

    def test_many_tries_are_no_large_number(self):
        self.assertEqual(Backoff(lambda: 1.0).pause_s(10**9), 30)


class ThePacing(SynchronousTestCase):
    def setUp(self):
        self.pacing = Pacing(Limits(requests_per_s=10, burst=100), 0.0)

    def sent_at_once(self, now, cost=1):
        count = 0
        while not self.pacing.wait_s(now, cost):
            self.pacing.take(cost)
            count += 1
        return count

    def test_a_burst_is_sent_at_once_but_for_what_is_kept_back(self):
        self.assertEqual(self.sent_at_once(0.0), 80)

    def test_then_the_rate_holds(self):
        self.sent_at_once(0.0)
        self.assertEqual(self.sent_at_once(1.0), 10)
        self.assertAlmostEqual(self.pacing.wait_s(1.0, 1), 0.1)

    def test_a_dear_request_waits_longer(self):
        self.sent_at_once(0.0)
        self.assertAlmostEqual(self.pacing.wait_s(0.0, 30), 3.0)

    def test_one_that_costs_more_than_everything_waits_for_a_full_bucket(self):
        self.pacing.take(1)
        self.assertAlmostEqual(self.pacing.wait_s(0.0, 10_000), 0.1)
        self.assertEqual(self.pacing.wait_s(0.1, 10_000), 0)

    def test_no_more_than_a_burst_is_saved_up(self):
        self.assertEqual(self.sent_at_once(1e6), 80)

    def test_after_too_much_nothing_is_sent_for_a_while(self):
        self.pacing.close(0.0, 2.5)
        self.assertEqual([self.pacing.wait_s(now, 1) for now in (0.0, 2.0, 2.5)], [2.5, 0.5, 0])

    def test_a_server_that_names_no_limits_has_the_usual_ones(self):
        self.pacing = Pacing(Limits(), 0.0)
        self.assertEqual(self.sent_at_once(0.0), 80)
        self.assertAlmostEqual(self.pacing.wait_s(0.0, 1), 1 / 20)

    def test_a_request_costs_what_the_server_counts(self):
        ids = list(range(1, 101))
        costs = {
            1: cost_of(11, 1, {"chat_id": 1, "message": "x"}),
            2: cost_of(11, 10, {"chat_id": 1, "limit": 51}),
            6: cost_of(13, 4, {}),
            11: cost_of(13, 1, {"user_ids": ids, "type": 2}),
            21: cost_of(13, 2, {"chat_id": 1, "add_users": ids, "remove_users": [1000 + i for i in ids]}),
        }
        self.assertEqual(list(costs), list(costs.values()))
        self.assertEqual(cost_of(1, 2, {"chats": dict.fromkeys(ids, 3), "epoch": "e"}), 11)

    def test_what_is_no_request_costs_one(self):
        self.assertEqual([cost_of(99, 1, {}), cost_of(13, 1, {"user_ids": "x"})], [1, 1])


class AVerdict(SynchronousTestCase):
    def test_on_a_close_code_is_that_of_the_registry(self):
        stops = {1000, 1002, 1003, 1007, 1008, 1009, 4409}
        for code in CloseCode:
            verdict = judge(ConnectionClosed(code.code, ""))
            self.assertEqual(verdict.stop, code.code in stops, code)
            self.assertEqual(verdict.new_token, code is CloseCode.UNAUTHORIZED)

    def test_on_an_unknown_end_is_again(self):
        self.assertEqual({judge(ConnectionClosed(code, "")) for code in (1006, 1012, 3000, 4999)}, {AGAIN})

    def test_on_a_status_before_the_upgrade(self):
        for status in (301, 400, 403, 404, 405, 414, 426, 431):
            self.assertEqual(judge(HandshakeRefused(status, {})), STOP, status)
        for status in (408, 429, 500, 502, 503, 504):
            self.assertEqual(judge(HandshakeRefused(status, {})), AGAIN, status)
        self.assertEqual(judge(HandshakeRefused(401, {})), NEW_TOKEN)

    def test_waits_as_long_as_the_server_asks(self):
        for status in (429, 503):
            refused = HandshakeRefused(status, {"retry-after": "7"})
            self.assertEqual(judge(refused), Verdict(at_least_s=7))

    def test_on_what_may_pass_is_again(self):
        for error in (ConnectError(), ConnectTimeout(10), OSError(), TokenUnavailable("x")):
            self.assertEqual(judge(error), AGAIN, error)

    def test_on_what_will_not_pass_is_stop(self):
        for error in (NoToken(), Unsuitable(), ValueError("no URL")):
            self.assertEqual(judge(error), STOP, error)


class TheTokens(SynchronousTestCase):
    def setUp(self):
        self.clock, self.answers, self.asked = Clock(), [], 0
        self.tokens = Tokens(self.clock, self.ask)

    def ask(self):
        self.asked += 1
        answer = self.answers.pop(0) if self.answers else f"t{self.asked}"
        if isinstance(answer, Exception):
            raise answer
        return answer

    def test_may_come_as_a_string_a_deferred_or_a_coroutine(self):
        async def coroutine():
            return "c"

        self.answers = ["s", succeed("d"), coroutine()]
        self.assertEqual([self.successResultOf(self.tokens.fresh()) for _ in range(3)], ["s", "d", "c"])

    def test_are_kept_while_nothing_is_known_against_them(self):
        self.assertEqual([self.successResultOf(self.tokens.get()) for _ in range(3)], ["t1"] * 3)

    def test_are_asked_for_again_when_spoilt(self):
        self.successResultOf(self.tokens.get())
        self.tokens.spoil()
        self.assertEqual(self.successResultOf(self.tokens.get()), "t2")

    def test_are_due_after_four_fifths_or_a_minute_before_the_end_whichever_is_later(self):
        for life_s, due_s in ((10, 8), (300, 240), (3600, 3540), (-5, 0)):
            self.tokens.lives_for(life_s)
            self.assertEqual(self.tokens.due_in_s(), due_s)

    def test_are_asked_for_again_when_due(self):
        self.successResultOf(self.tokens.get())
        self.tokens.lives_for(10)
        self.clock.advance(7.9)
        self.assertEqual(self.successResultOf(self.tokens.get()), "t1")
        self.clock.advance(0.2)
        self.assertEqual(self.successResultOf(self.tokens.get()), "t2")
        self.assertIsNone(self.tokens.due_in_s())

    def test_without_an_end_are_never_due(self):
        self.tokens.lives_for(10)
        self.tokens.lives_for(None)
        self.assertIsNone(self.tokens.due_in_s())

    def test_a_callback_that_fails_says_why(self):
        self.answers = [KeyError("why")]
        error = self.failureResultOf(self.tokens.fresh(), TokenUnavailable).value
        self.assertIsInstance(error.__cause__, KeyError)

    def test_a_callback_that_has_none_for_ever_passes_through(self):
        self.answers = [NoToken("gone")]
        self.failureResultOf(self.tokens.fresh(), NoToken)

    def test_what_is_no_string_is_the_programs_mistake(self):
        self.answers = [succeed(b"bytes")]
        self.failureResultOf(self.tokens.fresh(), ValueError)

    def test_a_callback_that_does_not_answer_is_given_up(self):
        unanswered = Deferred()
        self.answers = [unanswered]
        token = self.tokens.fresh()
        self.clock.advance(30)
        self.failureResultOf(token)
        self.assertEqual(self.clock.getDelayedCalls(), [])


class AnAnnouncement(SynchronousTestCase):
    def test_reaches_everyone_who_waits_and_who_asks_later(self):
        announcement = Announcement()
        early = announcement.wait()
        self.assertNoResult(early)
        announcement.make(None)
        self.assertEqual([self.successResultOf(d) for d in (early, announcement.wait())], [None, None])

    def test_forgets_who_stopped_waiting(self):
        announcement = Announcement()
        gone = announcement.wait()
        gone.cancel()
        self.failureResultOf(gone)
        announcement.make(1)
