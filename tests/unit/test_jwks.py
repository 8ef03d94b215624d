"""The keys of a JWKS URL: when they are fetched, what stays when that fails, and what is said to whom meanwhile."""

import json

from twisted.internet import reactor
from twisted.internet.task import Clock
from twisted.logger import capturedLogs, formatEvent
from twisted.trial.unittest import TestCase

from chatsrv.auth.fetch import fetcher
from chatsrv.auth.jwks import RETRY_S, JwksKeys
from chatsrv.auth.keyset import KeysUnavailable
from chatsrv.auth.tokens import InvalidToken, TokenVerifier
from tests.support.issuer import Issuer, jwk_of, key_set

REFRESH_S, UNKNOWN_KID_S = 600, 30


class _JwksCase(TestCase):
    """The schedule is a Clock's; the server, the connection and the keys are real ones."""

    timeout = 20

    def setUp(self):
        self.clock = Clock()
        self.clock.advance(1000)
        self.issuer = Issuer("a", "b")
        self.addCleanup(self.issuer.stop)
        self.issuer.publish("a")
        fetch = fetcher(reactor, self.issuer.url, timeout_s=5, max_bytes=5000, clock=self.clock)
        self.keys = JwksKeys(
            self.clock,
            fetch,
            "the set",
            refresh_s=REFRESH_S,
            unknown_kid_s=UNKNOWN_KID_S,
            random=lambda: 1.0,
        )
        self.addCleanup(self.keys.stop)
        self.verifier = TokenVerifier(self.keys)

    def outcome(self, kid, **headers):
        """What becomes of a token by this key."""
        try:
            return self.verifier.verify(self.issuer.token(kid, **headers)).user_id
        except (InvalidToken, KeysUnavailable) as error:
            return type(error)

    async def after(self, seconds):
        """So much later, when what was begun then has ended."""
        self.clock.advance(seconds)
        await self.keys.settled()

    def lines(self, logs):
        """All but those of the server in this process."""
        servers = ("twisted.python.log", "log_legacy")
        return [formatEvent(event) for event in logs if event["log_namespace"] not in servers]


class Start(_JwksCase):
    async def test_after_the_start_the_published_keys_count(self):
        await self.keys.start()
        self.assertEqual([self.outcome(kid) for kid in ("a", "a")], [7, 7])
        self.assertEqual(self.issuer.asked, 1)

    async def test_it_waits_no_longer_than_a_fetch_may_take_and_then_tries_again(self):
        self.issuer.hold()
        asked, started = self.issuer.next_request(), self.keys.start()
        await asked
        self.assertEqual(self.outcome("a"), KeysUnavailable)
        self.clock.advance(4.9)
        self.assertNoResult(started)
        self.clock.advance(0.1)
        await started
        self.assertEqual(self.outcome("a"), KeysUnavailable)
        self.assertIn("could not be fetched yet", str(self.keys))
        self.issuer.release()
        await self.after(RETRY_S[0])
        self.assertEqual(self.outcome("a"), 7)
        self.assertEqual(str(self.keys), "the keys of the set (1 now)")

    async def test_until_there_are_keys_a_token_without_id_waits_too_but_no_secrets_or_none(self):
        self.issuer.document = b""
        await self.keys.start()
        self.assertRaises(KeysUnavailable, self.keys.candidates, None, "ES256")
        for algorithm in ("HS256", "none", "", "ES999"):
            self.assertEqual(self.keys.candidates("a", algorithm), ())


class Refresh(_JwksCase):
    async def test_the_keys_are_fetched_again_from_time_to_time(self):
        await self.keys.start()
        self.issuer.publish("b")
        await self.after(REFRESH_S - 0.1)
        self.assertEqual((self.issuer.asked, self.outcome("a")), (1, 7))
        await self.after(0.1)
        self.assertEqual((self.issuer.asked, self.outcome("b")), (2, 7))
        await self.after(REFRESH_S)
        self.assertEqual(self.issuer.asked, 3)

    async def test_a_key_that_vanished_is_refused(self):
        await self.keys.start()
        self.issuer.publish("b")
        await self.after(REFRESH_S)
        self.assertEqual(self.outcome("a"), KeysUnavailable)
        await self.keys.settled()
        self.assertEqual(self.outcome("a"), InvalidToken)

    async def test_the_known_keys_count_while_new_ones_are_fetched(self):
        await self.keys.start()
        self.issuer.hold()
        asked = self.issuer.next_request()
        self.clock.advance(REFRESH_S)
        await asked
        self.assertEqual((self.outcome("a"), self.outcome("b")), (7, KeysUnavailable))
        self.issuer.release()
        await self.keys.settled()
        self.assertEqual(self.outcome("a"), 7)

    async def test_the_last_good_keys_stay_whatever_comes_instead(self):
        await self.keys.start()
        for document in (
            *(b"", b"null", b"{}", b'{"keys":[]}', b"<html>", b"x" * 5001),
            key_set({"kty": "oct", "k": "AAAA", "kid": "a"}),
        ):
            self.issuer.document = document
            asked = self.issuer.asked
            await self.after(REFRESH_S)
            self.assertEqual((self.issuer.asked, self.outcome("a")), (asked + 1, 7), document[:20])
        await self.issuer.stop()
        await self.after(REFRESH_S)
        self.assertEqual(self.outcome("a"), 7)

    async def test_what_failed_is_tried_again_at_doubling_distances(self):
        self.issuer.document = b""
        await self.keys.start()
        for pause_s in (1, 2, 4, 8, 16, 32, 60, 60):
            asked = self.issuer.asked
            await self.after(pause_s - 0.1)
            self.assertEqual(self.issuer.asked, asked, pause_s)
            await self.after(0.1)
            self.assertEqual(self.issuer.asked, asked + 1, pause_s)
        self.issuer.publish("a")
        await self.after(60)
        self.assertEqual(self.outcome("a"), 7)
        self.assertEqual(
            [call.getTime() - self.clock.seconds() for call in self.clock.getDelayedCalls()], [REFRESH_S]
        )

    async def test_a_stop_ends_the_timer_or_the_fetch(self):
        await self.keys.start()
        self.keys.stop()
        self.assertEqual(self.clock.getDelayedCalls(), [])

    async def test_a_stop_in_the_middle_of_a_fetch_ends_that(self):
        self.issuer.hold()
        asked, started = self.issuer.next_request(), self.keys.start()
        await asked
        self.keys.stop()
        await started
        self.assertEqual(self.clock.getDelayedCalls(), [])


class UnknownKeys(_JwksCase):
    async def setUp(self):
        super().setUp()
        await self.keys.start()

    async def test_a_token_with_one_has_the_set_fetched_and_is_then_good(self):
        self.issuer.publish("a", "b")
        self.assertEqual((self.outcome("b"), self.outcome("a")), (KeysUnavailable, 7))
        await self.keys.settled()
        self.assertEqual((self.outcome("b"), self.outcome("a"), self.issuer.asked), (7, 7, 2))

    async def test_or_refused_and_for_a_while_nothing_is_fetched_for_any(self):
        self.assertEqual(self.outcome("c"), KeysUnavailable)
        await self.keys.settled()
        self.issuer.publish("a", "b")
        await self.after(UNKNOWN_KID_S - 0.1)
        for kid in ("c", "d", "b"):
            self.assertEqual(self.outcome(kid), InvalidToken)
        self.assertEqual(self.issuer.asked, 2)
        await self.after(0.1)
        self.assertEqual(self.outcome("d"), KeysUnavailable)
        await self.keys.settled()
        self.assertEqual((self.outcome("d"), self.outcome("b"), self.issuer.asked), (InvalidToken, 7, 3))

    async def test_any_number_of_them_is_one_fetch(self):
        for number in range(100):
            self.assertEqual(self.outcome(str(number)), KeysUnavailable)
        await self.keys.settled()
        self.assertEqual(self.issuer.asked, 2)

    async def test_it_puts_off_the_next_regular_fetch(self):
        await self.after(REFRESH_S - 1)
        self.outcome("c")
        await self.keys.settled()
        await self.after(REFRESH_S - 1)
        self.assertEqual(self.issuer.asked, 2)
        await self.after(1)
        self.assertEqual(self.issuer.asked, 3)

    async def test_while_the_set_cannot_be_fetched_nothing_is_refused_and_nothing_more_is_asked(self):
        self.issuer.document = b""
        self.assertEqual(self.outcome("c"), KeysUnavailable)
        await self.keys.settled()
        for _ in range(10):
            self.assertEqual((self.outcome("c"), self.outcome("a")), (KeysUnavailable, 7))
        await self.keys.settled()
        self.assertEqual(self.issuer.asked, 2)
        self.issuer.publish("a")
        await self.after(RETRY_S[0])
        self.assertEqual((self.outcome("c"), self.issuer.asked), (InvalidToken, 3))

    async def test_a_known_id_or_none_or_another_family_asks_for_nothing(self):
        self.issuer.keys["a"], good = self.issuer.keys["b"], self.issuer.keys["a"]
        self.assertEqual(self.outcome("a"), InvalidToken)
        self.issuer.keys["a"] = good
        for kid, algorithm in ((None, "RS256"), ("a", "RS256"), ("c", "HS256"), ("c", "none")):
            self.assertEqual(self.keys.candidates(kid, algorithm), ())
        for headers in (
            {"jku": self.issuer.url},
            {"crit": ["exp"]},
            {"typ": "logout+jwt"},
            {"x5u": "https://x"},
        ):
            self.assertEqual(self.outcome("c", **headers), InvalidToken)
        for kid in ("x" * 257, "\ud800"):
            self.assertEqual(self.outcome(kid), InvalidToken)
        await self.keys.settled()
        self.assertEqual(self.issuer.asked, 1)


class Logs(_JwksCase):
    async def test_each_trouble_is_one_line_and_its_end_another(self):
        self.issuer.document = b""
        with capturedLogs() as logs:
            await self.keys.start()
            await self.after(1)
            self.issuer.publish("a")
            await self.after(2)
            await self.after(REFRESH_S)
            self.issuer.document = b"{}"
            await self.after(REFRESH_S)
        self.assertEqual(
            self.lines(logs),
            [
                "the set: is no JSON Web Key Set; nobody can connect; tried again",
                "the set: token keys: 1",
                "the set: is no JSON Web Key Set; the keys from before stay; tried again",
            ],
        )

    async def test_what_is_left_out_is_said_once_in_one_line(self):
        secret = {"kty": "oct", "k": "canary", "kid": "s"}
        self.issuer.document = key_set(jwk_of(self.issuer.keys["a"], "a"), secret, 5)
        with capturedLogs() as logs:
            await self.keys.start()
            await self.after(REFRESH_S)
        lines = self.lines(logs)
        self.assertEqual(
            lines,
            [
                "the set: token keys: 1",
                "the set: 2 keys are not used: key s: is symmetric; key number 3: is no object",
            ],
        )
        self.assertNotIn("canary", json.dumps(lines))

    async def test_a_fault_of_ours_is_logged_and_fetching_goes_on(self):
        fault = self.patch(self.keys, "_took", lambda result: 1 / 0)
        await self.keys.start()
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        fault.restore()
        await self.after(1)
        self.assertEqual(self.outcome("a"), 7)
