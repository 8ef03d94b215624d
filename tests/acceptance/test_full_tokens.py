"""1/3 and ``expires_at`` (PROTOCOL section 3, Connection): a token that is renewed on a live connection."""

import time

import jwt

from tests.support.chat import CORE, FULL, ChatCase
from tests.support.tokens import token_for

SOON_S = 2
"""As whole seconds count, 1 to 2."""
BAD = (None, 1, True, [], {}, "")


def token_until(seconds, user_id=1):
    return token_for(user_id, exp=int(time.time() + seconds))


def unsigned(user_id=1):
    return jwt.encode({"sub": str(user_id), "exp": int(time.time()) + 500}, None, algorithm="none")


class Renewing:
    settings = {"jwt_leeway_s": 0}

    def until(self, seconds):
        """About that time, in ms."""
        return (time.time() + seconds) * 1000

    async def test_the_reply_says_until_when(self):
        alice = await self.user(1, token=token_until(300))
        self.assertApproximates(alice.hello.expires_at, self.until(300), 5000)
        for seconds in (600, 200, 900):
            renewed = await alice.call(1, 3, token=token_until(seconds))
            self.assertEqual(set(renewed), {"expires_at"})
            self.assertApproximates(renewed["expires_at"], self.until(seconds), 5000)

    async def test_a_bad_token_is_a_bad_request_and_never_echoed(self):
        alice = await self.user(1)
        other_secret = token_for(1, secret="another secret of more than 32 bytes, of no use")
        for token in ("x", "a.b.c", token_until(-60), token_for(0), other_secret, unsigned(), "x" * 10_000):
            error = await alice.refused(1, 3, token=token)
            self.assertEqual((error.code.code, "token" in error.message), ("bad_request", True), token)
            self.assertTrue(token == "x" or token not in error.message)
        for token in BAD:
            error = await alice.refused(1, 3, token=token)
            self.assertEqual((error.code.code, "token" in error.message), ("bad_request", True), token)
        self.assertEqual(await alice.refusal_code(1, 3), "bad_request")
        await alice.sync()

    async def test_a_lone_surrogate_in_it_is_a_bad_request(self):
        alice = await self.user(1)
        alice.connection.send_text(b'{"op":1,"t":3,"d":{"token":"\\ud800"}}')
        self.assertIn("token", (await alice.expect_error("bad_request", op=1, t=3))["message"])


class RenewingInTheFullProfile(Renewing, ChatCase):
    async def test_without_id_the_reply_is_an_event(self):
        alice = await self.user(1)
        alice.send(1, 3, token=token_until(300))
        renewed = await alice.expect(1, 3)
        self.assertApproximates(renewed["expires_at"], self.until(300), 5000)


class RenewingInTheCoreProfile(Renewing, ChatCase):
    profile = CORE


class Ends(ChatCase):
    settings = {"jwt_leeway_s": 0}

    async def test_the_last_good_token_decides_when_a_connection_ends(self):
        soon = token_until(SOON_S)
        by_id, silently, left, refused, shortened = [
            await self.user(1, profile, token=token)
            for profile, token in ((FULL, soon), (CORE, soon), (FULL, soon), (FULL, soon), (FULL, None))
        ]
        await by_id.call(1, 3, token=token_until(300))
        silently.send(1, 3, token=token_until(300))
        self.assertEqual(await refused.refusal_code(1, 3, token=token_until(300, user_id=2)), "forbidden")
        self.assertEqual(await refused.refusal_code(1, 3, token="x"), "bad_request")
        await shortened.call(1, 3, token=soon)
        for ended in (left, refused, shortened):
            self.assertEqual((await ended.connection.closed).code, 4401)
        for lasting in (by_id, silently):
            await lasting.sync()
            lasting.nothing_arrived()


class LongTokens(ChatCase):
    settings = {"jwt_connection_s": 100, "jwt_require_exp": False}

    async def test_a_connection_lasts_no_longer_than_the_setting_says(self):
        for token in (token_until(5000), token_for(1, exp=None)):
            alice = await self.user(1, token=token)
            self.assertApproximates(alice.hello.expires_at, (time.time() + 100) * 1000, 5000)
            for again in (token_until(9000), token_for(1, exp=None)):
                renewed = await alice.call(1, 3, token=again)
                self.assertApproximates(renewed["expires_at"], (time.time() + 100) * 1000, 5000)
            renewed = await alice.call(1, 3, token=token_until(50))
            self.assertApproximates(renewed["expires_at"], (time.time() + 50) * 1000, 5000)


class ShortConnections(ChatCase):
    settings = {"jwt_connection_s": 1}

    async def test_the_longest_connection_ends_with_4401_too(self):
        alice = await self.user(1, token=token_until(5000))
        self.assertEqual((await alice.connection.closed).code, 4401)
