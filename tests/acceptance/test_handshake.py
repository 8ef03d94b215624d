"""The handshake's refusals (PROTOCOL section 1), over raw sockets against the real server."""

import time

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa

from tests.acceptance.handshakes import BAD_TOKEN, HandshakeCase, bearer
from tests.support.raw import upgrade
from tests.support.tokens import token_for

NO_TOKEN = "Bearer"
TWO_TOKENS = 'Bearer error="invalid_request"'


def unsigned():
    """A token of the algorithm none."""
    return jwt.encode({"sub": "1", "exp": int(time.time()) + 60}, None, algorithm="none")


def of_another_family():
    """A token of another family: a key pair's, with the algorithm of the pair."""
    pair = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    return jwt.encode({"sub": "1", "exp": int(time.time()) + 60}, pair, algorithm="RS256")


class Accepted(HandshakeCase):
    async def test_a_token_in_the_header_whatever_the_case_of_the_scheme(self):
        for scheme in ("Bearer", "bearer", "BEARER"):
            await self.accepted(Authorization=f"{scheme} {token_for(1)}")

    async def test_a_token_as_a_subprotocol_and_the_answer_names_only_the_protocol(self):
        for name in ("chatsrv.v1", "chatsrv.core"):
            response = await self.accepted(Sec_WebSocket_Protocol=f"{name}, bearer.{token_for(1)}")
            self.assertEqual(response.headers["sec-websocket-protocol"], name)

    async def test_without_a_subprotocol_none_is_answered(self):
        response = await self.accepted(**bearer(token_for(1)))
        self.assertNotIn("sec-websocket-protocol", response.headers)

    async def test_an_unknown_subprotocol_is_passed_over(self):
        response = await self.accepted(Sec_WebSocket_Protocol="other", **bearer(token_for(1)))
        self.assertNotIn("sec-websocket-protocol", response.headers)
        response = await self.accepted(Sec_WebSocket_Protocol="other, chatsrv.v1", **bearer(token_for(1)))
        self.assertEqual(response.headers["sec-websocket-protocol"], "chatsrv.v1")

    async def test_the_profile_is_negotiated_beside_a_token_in_the_header(self):
        for name in ("chatsrv.v1", "chatsrv.core"):
            response = await self.accepted(Sec_WebSocket_Protocol=name, **bearer(token_for(1)))
            self.assertEqual(response.headers["sec-websocket-protocol"], name)

    async def test_the_accept_key_is_that_of_the_rfc(self):
        response = await self.accepted(**bearer(token_for(1)))
        self.assertEqual(response.headers["sec-websocket-accept"], "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=")

    async def test_its_own_origin_and_none(self):
        host = f"127.0.0.1:{self.node.port}"
        await self.accepted(Host=host, Origin=f"http://{host}", **bearer(token_for(1)))
        await self.accepted(Host=host, Origin=None, **bearer(token_for(1)))

    async def test_the_smallest_and_the_largest_user_id(self):
        for sub in ("1", str(2**53 - 1), 1, 2**53 - 1):
            await self.accepted(**bearer(token_for(1, sub=sub)))


class Refused(HandshakeCase):
    async def test_no_token(self):
        protocol = {"Sec_WebSocket_Protocol": "chatsrv.v1"}
        for headers in ({}, {"Authorization": "Bearer "}, {"Authorization": "Basic eDp5"}, protocol):
            response = await self.refused(401, **headers)
            self.assertEqual(response.headers["www-authenticate"], NO_TOKEN, headers)

    async def test_a_token_in_the_url_is_no_token(self):
        response = await self.refused(401, upgrade(f"/ws?token={token_for(1)}"))
        self.assertEqual(response.headers["www-authenticate"], NO_TOKEN)

    async def test_two_tokens(self):
        token = token_for(1)
        twice = upgrade(**bearer(token)).replace(
            b"\r\n\r\n", f"\r\nAuthorization: Bearer {token}\r\n\r\n".encode()
        )
        both = upgrade(Sec_WebSocket_Protocol=f"chatsrv.v1, bearer.{token}", **bearer(token))
        comma = upgrade(Authorization=f"Bearer {token}, Bearer {token}")
        protocols = upgrade(Sec_WebSocket_Protocol=f"chatsrv.v1, bearer.{token}, bearer.{token}")
        for data in (twice, both, comma, protocols):
            response = await self.refused(400, data)
            self.assertEqual(response.headers["www-authenticate"], TWO_TOKENS)

    async def test_bad_tokens_all_get_the_same_answer(self):
        now = int(time.time())
        tokens = [
            "x",
            "a.b.c",
            "x" * 5000,
            token_for(1)[:-3],
            token_for(1) + "x",
            token_for(1, secret="y" * 40),
        ]
        tokens += [token_for(1, exp=now - 60), token_for(1, exp=None), token_for(1, exp=str(now + 60))]
        tokens += [token_for(1, nbf=now + 600), token_for(1, aud="someone else")]
        tokens += [
            token_for(1, sub=sub) for sub in ("", "0", "-1", str(2**53), "x", "1.5", " 1", "+1", "01x")
        ]
        tokens += [token_for(1, sub=sub) for sub in (0, -1, 2**53, 1.5, True, None, [1])]
        tokens += [unsigned(), of_another_family()]
        bodies, challenges = set(), set()
        for token in tokens:
            response = await self.refused(401, **bearer(token))
            bodies.add(response.body)
            challenges.add(response.headers.get("www-authenticate"))
        self.assertEqual((len(bodies), challenges), (1, {BAD_TOKEN}))

    async def test_a_bad_token_as_a_subprotocol(self):
        response = await self.refused(401, Sec_WebSocket_Protocol="chatsrv.v1, bearer.a.b.c")
        self.assertEqual(response.headers["www-authenticate"], BAD_TOKEN)

    async def test_a_foreign_origin(self):
        host = f"127.0.0.1:{self.node.port}"
        foreign = (
            "https://evil.example",
            "null",
            "file://",
            f"http://{host}.evil.example",
            "http://127.0.0.1:1",
        )
        for origin in foreign:
            await self.refused(403, Host=host, Origin=origin, **bearer(token_for(1)))

    async def test_another_path(self):
        for path in ("/", "/ws/", "/wss", "/WS", "/ws/../x", "//ws", "/health%"):
            await self.refused(404, upgrade(path, **bearer(token_for(1))))

    async def test_no_websocket_request(self):
        plain = b"GET /ws HTTP/1.1\r\nHost: x\r\n\r\n"
        for data in (plain, upgrade(Upgrade=None, **bearer(token_for(1))), upgrade(Upgrade="h2c")):
            response = await self.refused(426, data)
            self.assertEqual(response.headers["upgrade"].lower(), "websocket")

    async def test_another_websocket_version(self):
        for version in ("12", "8", "14", "0", "x", "1_3"):
            response = await self.refused(426, Sec_WebSocket_Version=version, **bearer(token_for(1)))
            self.assertEqual(response.headers["sec-websocket-version"], "13")

    async def test_what_is_no_good_http(self):
        for data, status in (
            (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", 400),
            (b"SSH-2.0-OpenSSH_9.2\r\n\r\n", 400),
            (upgrade(Host=None, **bearer(token_for(1))), 400),
            (upgrade(Sec_WebSocket_Key="short", **bearer(token_for(1))), 400),
            (upgrade(Sec_WebSocket_Key=None, **bearer(token_for(1))), 400),
            (upgrade(**bearer(token_for(1))).replace(b"GET", b"POST", 1), 405),
            (upgrade(**bearer(token_for(1))).replace(b"HTTP/1.1", b"HTTP/1.0", 1), 505),
            (upgrade(X="x" * 9000, **bearer(token_for(1))), 431),
            (upgrade("/ws?" + "x" * 2000, **bearer(token_for(1))), 414),
        ):
            await self.refused(status, data)

    async def test_an_answer_tells_nothing_about_the_server(self):
        for data in (upgrade(), upgrade("/nowhere"), b"x<\x1b[31m\r\n\r\n", upgrade(**bearer(token_for(1)))):
            response = await self.answer(data)
            text = repr(response).lower()
            self.assertNotIn("autobahn", text)
            self.assertNotIn("\x1b", text)
            self.assertNotIn("twisted", text)
