"""On what terms a token carries a connection: the caps, and which token may follow which."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from chatsrv.auth.keyset import KeysUnavailable, VerificationKey
from chatsrv.auth.tokens import Identity, TokenVerifier, issue_token
from chatsrv.session.token_terms import TokenTerms
from chatsrv.wire.codes import ErrorCode
from chatsrv.wire.refusal import Refused

SECRET = b"0123456789abcdef0123456789abcdef"
NOW, LONGEST_S, LEEWAY_S = 1_000_000, 3_600, 30


class TermsCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.now = float(NOW)
        verifier = TokenVerifier(VerificationKey(("HS256",), SECRET), clock=self.time, leeway_s=LEEWAY_S)
        self.terms = TokenTerms(verifier, longest_s=LONGEST_S, leeway_s=LEEWAY_S, clock=self.time)

    def time(self) -> float:
        return self.now

    def told(self, exp_s: float | None) -> tuple[float, int]:
        """For a token with this ``exp`` (seconds from now): how long it carries, and what the client is told."""
        identity = Identity(7, None if exp_s is None else int((NOW + exp_s) * 1_000), None)
        return self.terms.seconds_left(identity), self.terms.expires_at(identity) - NOW * 1_000


class Times(TermsCase):
    def test_a_token_carries_for_its_time_and_the_leeway_and_the_client_is_told_its_exp(self) -> None:
        self.assertEqual(self.told(60), (60 + LEEWAY_S, 60_000))

    def test_one_without_an_end_carries_for_the_longest_time(self) -> None:
        self.assertEqual(self.told(None), (LONGEST_S, LONGEST_S * 1_000))

    def test_one_that_ends_later_does_too(self) -> None:
        for exp_s in (LONGEST_S, LONGEST_S + 1, 10**9):
            self.assertEqual(self.told(exp_s), (LONGEST_S, LONGEST_S * 1_000))

    def test_the_leeway_is_not_added_to_the_longest_time(self) -> None:
        self.assertEqual(self.told(LONGEST_S - 1), (LONGEST_S, (LONGEST_S - 1) * 1_000))

    def test_one_within_its_leeway_carries_for_the_rest_of_it(self) -> None:
        self.assertEqual(self.told(-10), (LEEWAY_S - 10, -10_000))

    def test_the_cap_counts_from_now(self) -> None:
        identity = Identity(7, (NOW + 2 * LONGEST_S) * 1_000, None)
        self.now += LONGEST_S / 2
        self.assertEqual(self.terms.seconds_left(identity), LONGEST_S)
        self.assertEqual(self.terms.expires_at(identity), (NOW + 3 * LONGEST_S // 2) * 1_000)


class Successors(TermsCase):
    def code(self, token: str, user_id: int = 7) -> tuple[ErrorCode, str | None]:
        refused = self.assertRaises(Refused, self.terms.successor, token, user_id)
        self.assertIsNone(refused.__cause__)
        return refused.code, refused.member

    def test_a_good_token_of_the_same_user_may_follow(self) -> None:
        identity = self.terms.successor(issue_token(SECRET, 7, 60, self.time), 7)
        self.assertEqual((identity.user_id, identity.expires_at), (7, (NOW + 60) * 1_000))

    def test_a_good_one_of_another_user_is_forbidden(self) -> None:
        self.assertEqual(self.code(issue_token(SECRET, 8, 60, self.time)), (ErrorCode.FORBIDDEN, None))

    def test_a_bad_one_is_a_bad_request_whosever_it_says_it_is(self) -> None:
        bad = (ErrorCode.BAD_REQUEST, "token")
        self.assertEqual(
            self.code(issue_token(b"another secret of 32 bytes, or more", 7, 60, self.time)), bad
        )
        self.assertEqual(self.code(issue_token(SECRET, 8, -2 * LEEWAY_S, self.time)), bad)
        for nonsense in ("", "x", "a.b.c", "é", "x" * 5_000):
            self.assertEqual(self.code(nonsense), bad)

    def test_one_by_a_key_that_ended_is_bad(self) -> None:
        keys = VerificationKey(("HS256",), SECRET, not_after=NOW + 10)
        self.terms = TokenTerms(
            TokenVerifier(keys, clock=self.time), longest_s=LONGEST_S, leeway_s=LEEWAY_S, clock=self.time
        )
        token = issue_token(SECRET, 7, 60, self.time)
        self.now = NOW + 9.9
        self.assertEqual(self.terms.successor(token, 7).user_id, 7)
        self.now = NOW + 10.0
        self.assertEqual(self.code(token), (ErrorCode.BAD_REQUEST, "token"))

    def test_one_whose_key_is_being_fetched_may_come_again(self) -> None:
        class Fetching:
            def candidates(self, kid: str | None, algorithm: str) -> tuple[VerificationKey, ...]:
                raise KeysUnavailable

        self.terms = TokenTerms(TokenVerifier(Fetching()), longest_s=LONGEST_S, leeway_s=LEEWAY_S)
        self.assertEqual(self.code(issue_token(SECRET, 7, 60)), (ErrorCode.UNAVAILABLE, None))

    def test_one_that_ended_within_the_leeway_may_follow_still(self) -> None:
        identity = self.terms.successor(issue_token(SECRET, 7, -LEEWAY_S / 2, self.time), 7)
        self.assertEqual(self.terms.seconds_left(identity), LEEWAY_S / 2)
