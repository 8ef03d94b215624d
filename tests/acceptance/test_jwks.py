"""Tokens whose keys are published at a JWKS URL: new, vanished, unreachable ones (PROTOCOL section 1; 1/3)."""

import json

from twisted.logger import capturedLogs, formatEvent

from tests.acceptance.handshakes import BAD_TOKEN, HandshakeCase, bearer
from tests.support.issuer import Issuer
from tests.support.tokens import token_for


class _JwksCase(HandshakeCase):
    """Node and issuer are real ones."""

    async def setUp(self):
        self.issuer = Issuer("a", "b", "c")
        self.addCleanup(self.issuer.stop)
        self.issuer.publish("a")
        await super().setUp()

    async def started_node(self, **settings):
        given = {"jwt_secret": "", "jwt_jwks_url": self.issuer.url} | settings
        return await super().started_node(**given)

    def token(self, kid, user_id=7, **more):
        return self.issuer.token(kid, user_id, **more)

    async def bad(self, token):
        response = await self.refused(401, **bearer(token))
        self.assertEqual(response.headers["www-authenticate"], BAD_TOKEN)
        return response.body

    async def come_again(self, token):
        response = await self.refused(503, **bearer(token))
        self.assertGreater(int(response.headers["retry-after"]), 0)
        self.assertNotIn("www-authenticate", response.headers)


class Handshakes(_JwksCase):
    async def test_who_has_a_token_by_a_published_key_comes_in(self):
        user = await self.user(7, token=self.token("a"))
        await user.sync()
        self.assertEqual(self.issuer.asked, 1)

    async def test_a_new_key_is_503_until_the_set_was_fetched_and_then_good(self):
        self.issuer.hold()
        self.issuer.publish("a", "b")
        asked = self.issuer.next_request()
        for _ in range(3):
            await self.come_again(self.token("b"))
        await asked
        await self.accepted(**bearer(self.token("a")))
        self.issuer.release()
        await self.node.service._jwks.settled()
        await self.accepted(**bearer(self.token("b")))

    async def test_an_unknown_key_is_503_and_afterwards_401_like_every_bad_token(self):
        await self.come_again(self.token("c"))
        await self.node.service._jwks.settled()
        bodies = [
            await self.bad(token) for token in (self.token("c"), self.token("x"), self.token("a", ttl_s=-60))
        ]
        bodies += [await self.bad(token) for token in (token_for(7), "x", self.token("a")[:-4] + "AAAA")]
        self.assertEqual((len(set(bodies)), self.issuer.asked), (1, 2))

    async def test_no_token_is_in_the_log(self):
        tokens = [self.token("a"), self.token("c"), self.token("a", ttl_s=-60)]
        with capturedLogs() as logs:
            for token in tokens:
                await self.answer(**bearer(token))
            await self.node.service._jwks.settled()
            await self.answer(**bearer(tokens[1]))
        text = json.dumps(logs, default=repr)
        for token in tokens:
            for part in token.split("."):
                self.assertNotIn(part, text)


class StartLog(_JwksCase):
    def lines(self, logs):
        return [formatEvent(event) for event in logs if "tokens are checked with" in formatEvent(event)]

    async def test_it_says_where_the_keys_come_from_without_the_query(self):
        with capturedLogs() as logs:
            await self.started_node(jwt_jwks_url=f"{self.issuer.url}?secret=canary")
        self.assertEqual(self.lines(logs), [f"tokens are checked with the keys of {self.issuer.url} (1 now)"])
        ours = [
            event for event in logs if event["log_namespace"].startswith(("chatsrv", "twisted.web.client"))
        ]
        self.assertNotIn("canary", json.dumps(ours, default=repr))

    async def test_also_when_that_is_a_secret(self):
        with capturedLogs() as logs:
            await HandshakeCase.started_node(self)
        self.assertEqual(self.lines(logs), ["tokens are checked with jwt_secret (HS256, HS384)"])


class Renewals(_JwksCase):
    async def test_a_key_that_is_new_is_unavailable_and_then_good(self):
        user = await self.user(7, token=self.token("a"))
        self.issuer.hold()
        self.issuer.publish("a", "b")
        asked = self.issuer.next_request()
        self.assertEqual(await user.refusal_code(1, 3, token=self.token("b")), "unavailable")
        await asked
        self.issuer.release()
        await self.node.service._jwks.settled()
        await user.call(1, 3, token=self.token("b"))

    async def test_a_key_that_vanished_refuses_renewals_and_the_connection_goes_on(self):
        user = await self.user(7, token=self.token("a"))
        self.issuer.publish("b")
        self.assertEqual(await user.refusal_code(1, 3, token=self.token("c")), "unavailable")
        await self.node.service._jwks.settled()
        self.assertEqual(await user.refusal_code(1, 3, token=self.token("a")), "bad_request")
        await user.sync()
        await user.call(1, 3, token=self.token("b"))
        await self.bad(self.token("a"))


class Expiry(_JwksCase):
    settings = {"jwt_leeway_s": 0}

    async def test_a_connection_by_a_key_that_vanished_ends_with_its_token(self):
        user = await self.user(7, token=self.token("a", ttl_s=2))
        self.issuer.publish("b")
        await self.come_again(self.token("c"))
        await self.node.service._jwks.settled()
        self.assertEqual((await user.connection.closed).code, 4401)


class Unreachable(_JwksCase):
    settings = {"jwt_jwks_timeout_s": 0.2}

    async def setUp(self):
        self.issuer = Issuer("a")
        self.addCleanup(self.issuer.stop)
        self.issuer.hold()
        await HandshakeCase.setUp(self)

    async def test_the_node_starts_and_answers_503_until_there_are_keys(self):
        await self.come_again(self.token("a"))
        await self.bad(token_for(7))
        asked = self.issuer.next_request()
        self.issuer.release()
        await asked
        await self.node.service._jwks.settled()
        await self.accepted(**bearer(self.token("a")))
