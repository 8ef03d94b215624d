"""The token bucket and the tally: what they let pass, and when again."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import TestCase

from chatsrv.session.limits import Tally, TokenBucket


class Buckets(TestCase):
    def test_the_burst_passes_at_once_and_one_more_does_not(self) -> None:
        bucket = TokenBucket(20, 100, 0.0)
        self.assertEqual([bucket.take(0.0) for _ in range(100)], [0] * 100)
        self.assertEqual(bucket.take(0.0), 50)

    def test_the_wait_is_what_is_left_of_it_and_then_one_passes(self) -> None:
        bucket = TokenBucket(20, 1, 0.0)
        bucket.take(0.0)
        self.assertEqual(bucket.take(0.02), 30)
        self.assertEqual(bucket.take(0.05), 0)
        self.assertEqual(bucket.take(0.05), 50)

    def test_a_dear_request_takes_more_and_at_most_all_there_can_be(self) -> None:
        bucket = TokenBucket(20, 100, 0.0)
        self.assertEqual(bucket.take(0.0, 60), 0)
        self.assertEqual(bucket.take(0.0, 60), 1_000)
        self.assertEqual(bucket.take(1.0, 60), 0)
        self.assertEqual(bucket.take(6.0, 5_000), 0)
        self.assertEqual(bucket.take(6.0, 5_000), 5_000)

    def test_a_refusal_costs_nothing(self) -> None:
        bucket = TokenBucket(10, 1, 0.0)
        bucket.take(0.0)
        for tenth in range(100):
            bucket.take(tenth / 1_000)
        self.assertEqual(bucket.take(0.1), 0)

    def test_rest_fills_it_up_to_the_burst_and_no_further(self) -> None:
        bucket = TokenBucket(20, 3, 0.0)
        self.assertEqual([bucket.take(1_000.0) > 0 for _ in range(4)], [False, False, False, True])

    @settings(print_blob=True, deadline=None)
    @given(st.integers(1, 1_000), st.integers(1, 50), st.lists(st.floats(0, 3), max_size=200))
    def test_never_more_than_burst_and_rate_allow_and_never_a_wait_of_nothing(
        self, rate: int, burst: int, pauses: list[float]
    ) -> None:
        bucket, now, passed = TokenBucket(rate, burst, 0.0), 0.0, 0
        for pause in pauses:
            now += pause
            wait_ms = bucket.take(now)
            passed += not wait_ms
            self.assertTrue(0 <= wait_ms <= 1_000 / rate + 1)
        self.assertLessEqual(passed, burst + now * rate + 1e-6)

    @settings(print_blob=True, deadline=None)
    @given(st.integers(1, 1_000), st.floats(0, 0.9))
    def test_who_waits_as_long_as_told_and_a_millisecond_passes(self, rate: int, pause: float) -> None:
        bucket = TokenBucket(rate, 1, 0.0)
        bucket.take(0.0)
        wait_ms = bucket.take(pause / rate)
        self.assertEqual(bucket.take(pause / rate + (wait_ms + 1) / 1_000), 0)


class Tallies(TestCase):
    def test_its_limit_is_allowed_and_one_more_is_too_much(self) -> None:
        tally = Tally(10, 60.0)
        self.assertEqual([tally.too_much(0.0) for _ in range(11)], [False] * 10 + [True])

    def test_what_is_longer_ago_than_the_window_does_not_count(self) -> None:
        tally = Tally(1, 60.0)
        self.assertFalse(tally.too_much(0.0))
        self.assertTrue(tally.too_much(60.0))
        self.assertFalse(tally.too_much(120.1))

    def test_it_remembers_no_more_than_the_window_holds(self) -> None:
        tally = Tally(5, 10.0)
        for second in range(1_000):
            tally.too_much(float(second))
        self.assertEqual(len(tally._times), 11)
