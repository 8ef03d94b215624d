"""Handshakes that depend on settings, on limits, and on the store (PROTOCOL section 1)."""

from twisted.internet.defer import Deferred

from tests.acceptance.handshakes import BAD_TOKEN, HandshakeCase, bearer
from tests.support.raw import RawClient, upgrade
from tests.support.tokens import token_for


class RefusedAfterStart(HandshakeCase):
    async def test_one_handshake_a_connection(self):
        client = await RawClient.connected(self.node.port)
        self.addCleanup(client.close)
        request = upgrade(Sec_WebSocket_Protocol="chatsrv.v1", **bearer(token_for(1)))
        client.send(request + request)
        self.assertEqual((await client.response()).status, 101)
        self.assertEqual(await client.close_code(), 1002)


class TokenInUrl(HandshakeCase):
    settings = {"token_in_url": True, "origins": ("https://app.example",)}

    async def test_a_setting_turns_it_on(self):
        response = await self.answer(upgrade(f"/ws?token={token_for(1)}"))
        self.assertEqual(response.status, 101)

    async def test_it_counts_as_a_token(self):
        await self.refused(400, upgrade(f"/ws?token={token_for(1)}", **bearer(token_for(1))))
        response = await self.refused(401, upgrade("/ws?token=abc"))
        self.assertEqual(response.headers["www-authenticate"], BAD_TOKEN)

    async def test_a_listed_origin_is_allowed(self):
        await self.accepted(Origin="https://app.example", **bearer(token_for(1)))
        await self.refused(403, Origin="https://app.example.evil", **bearer(token_for(1)))


class TokenClaims(HandshakeCase):
    settings = {"jwt_issuer": "us", "jwt_audience": "chat", "jwt_user_claim": "uid", "jwt_require_exp": False}

    async def test_configured_claims_are_checked(self):
        good = {"uid": 7, "iss": "us", "aud": "chat", "exp": None, "sub": None}
        await self.accepted(**bearer(token_for(1, **good)))
        for wrong in ({"iss": "them"}, {"iss": None}, {"aud": "x"}, {"aud": None}, {"uid": None}):
            response = await self.refused(401, **bearer(token_for(1, **{**good, **wrong})))
            self.assertEqual(response.headers["www-authenticate"], BAD_TOKEN)


class TooManyOfOneAddress(HandshakeCase):
    settings = {"exempt_loopback": False, "connections_per_address": 3, "handshake_burst": 100}

    async def test_one_connection_more_is_429(self):
        for _ in range(3):
            await self.accepted(**bearer(token_for(1)))
        response = await self.refused(429, **bearer(token_for(2)))
        self.assertGreater(int(response.headers["retry-after"]), 0)


class TooManyHandshakes(HandshakeCase):
    settings = {"exempt_loopback": False, "handshakes_per_address_per_s": 1, "handshake_burst": 2}

    async def test_one_handshake_more_is_429(self):
        for _ in range(2):
            await self.accepted(**bearer(token_for(1)))
        response = await self.refused(429, **bearer(token_for(1)))
        self.assertGreater(int(response.headers["retry-after"]), 0)


class TooManyHandshakesOfOneUser(HandshakeCase):
    settings = {"handshakes_per_user_per_s": 1, "handshake_burst_per_user": 2}

    async def test_one_handshake_more_is_429_for_who_shows_his_token(self):
        for _ in range(2):
            await self.accepted(**bearer(token_for(1)))
        response = await self.refused(429, **bearer(token_for(1)))
        self.assertGreater(int(response.headers["retry-after"]), 0)
        await self.accepted(**bearer(token_for(2)))
        await self.refused(401, **bearer(token_for(1) + "x"))


class AtCapacity(HandshakeCase):
    settings = {"max_connections": 2}

    async def test_one_connection_more_is_503(self):
        for _ in range(2):
            await self.accepted(**bearer(token_for(1)))
        response = await self.refused(503, **bearer(token_for(2)))
        self.assertGreater(int(response.headers["retry-after"]), 0)


class StoreNotReachable(HandshakeCase):
    settings = {"redis_timeout_s": 0.3, "request_timeout_s": 1}

    def redis_of_test(self):
        return self.redis_server()

    async def test_without_a_store_it_is_503(self):
        self.redis.kill()
        await self.until_refused()
        response = await self.refused(503, **bearer(token_for(2)))
        self.assertGreater(int(response.headers["retry-after"]), 0)

    async def until_refused(self):
        """A node may need one failed command to know."""
        while (await self.answer(**bearer(token_for(1)))).status == 101:
            pass


class Draining(HandshakeCase):
    def redis_of_test(self):
        return self.redis_server()

    async def test_a_draining_node_answers_what_is_in_flight_and_refuses_with_503(self):
        alice = await self.user(1)
        self.redis.pause()
        self.addCleanup(self.redis.resume)
        waiting = Deferred.fromCoroutine(alice.call(13, 1, user_ids=[], type=2))
        self.assertEqual(await alice.refusal_code(99, 1), "unknown_op")
        stopping = Deferred.fromCoroutine(self.node.stop())
        response = await self.refused(503, **bearer(token_for(2)))
        self.assertGreater(int(response.headers["retry-after"]), 0)
        self.redis.resume()
        self.assertEqual((await waiting)["owner_id"], 1)
        self.assertEqual((await alice.connection.closed).code, 1001)
        await stopping
