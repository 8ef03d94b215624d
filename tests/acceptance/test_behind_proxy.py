"""Behind a proxy: X-Forwarded-For, and the PROXY protocol over real sockets, when configured and only then."""

import socket
import struct

from tests.acceptance.handshakes import HandshakeCase, bearer
from tests.support.raw import TEXT, RawClient, frame, upgrade
from tests.support.tokens import token_for

V2 = b"\r\n\r\n\0\r\nQUIT\n"
LIMITED = {"exempt_loopback": False, "connections_per_address": 1}


def version1(address):
    """A header of version 1, as HAProxy's ``send-proxy`` writes it."""
    kind = "TCP6" if ":" in address else "TCP4"
    return f"PROXY {kind} {address} {address} 50000 443\r\n".encode()


def version2(address):
    """A header of version 2, as HAProxy's ``send-proxy-v2`` writes it."""
    six = ":" in address
    packed = socket.inet_pton(socket.AF_INET6 if six else socket.AF_INET, address)
    body = packed * 2 + struct.pack("!HH", 50000, 443)
    return V2 + bytes([0x21, 0x21 if six else 0x11]) + struct.pack("!H", len(body)) + body


LOCAL = V2 + b"\x20\x00\0\0"  # the proxy itself looks whether we live


class Forwarded(HandshakeCase):
    settings = {**LIMITED, "trusted_proxies": ("127.0.0.1",)}

    async def test_the_limits_are_those_of_the_clients_and_the_proxy_has_none(self):
        for address in ("203.0.113.1", "203.0.113.2"):
            headers = {"X_Forwarded_For": f"198.51.100.1, {address}", **bearer(token_for(1))}
            await self.accepted(**headers)
            await self.refused(429, **headers)
        for _ in range(3):
            await self.accepted(**bearer(token_for(1)))


class NotConfigured(HandshakeCase):
    settings = LIMITED

    async def test_the_header_is_ignored(self):
        await self.accepted(X_Forwarded_For="203.0.113.1", **bearer(token_for(1)))
        await self.refused(429, X_Forwarded_For="203.0.113.2", **bearer(token_for(1)))

    async def test_a_proxy_header_is_no_request(self):
        await self.refused(400, version1("203.0.113.1") + upgrade(**bearer(token_for(1))))
        await self.refused(400, version2("203.0.113.1") + upgrade(**bearer(token_for(1))))


class ProxyProtocol(HandshakeCase):
    settings = {
        **LIMITED,
        "trusted_proxies": ("127.0.0.1",),
        "listen": ("haproxy:tcp:0:interface=127.0.0.1",),
        "head_timeout_s": 1,
    }

    def head(self, header):
        return header + upgrade(**bearer(token_for(1)))

    async def test_the_limits_are_those_of_the_clients(self):
        for header, number in ((version1, 1), (version2, 2)):
            for address in (f"203.0.113.{number}", f"2001:db8:0:{number}::1"):
                self.assertEqual((await self.answer(self.head(header(address)))).status, 101)
                await self.refused(429, self.head(header(address)))

    async def test_the_proxy_speaks_for_itself_without_limits(self):
        for _ in range(3):
            self.assertEqual((await self.answer(self.head(LOCAL))).status, 101)
            self.assertEqual((await self.answer(self.head(b"PROXY UNKNOWN ::1 ::1 1 1\r\n"))).status, 101)

    async def test_frames_of_any_size_go_both_ways_and_the_close_too(self):
        client = await RawClient.connected(self.node.port)
        self.addCleanup(client.close)
        client.send(
            version2("203.0.113.1") + upgrade(Sec_WebSocket_Protocol="chatsrv.v1", **bearer(token_for(1)))
        )
        self.assertEqual((await client.response()).status, 101)
        await client.json()
        client.say({"op": 13, "t": 1, "id": 0, "d": {"user_ids": [], "type": 2}})
        chat_id = (await client.json())["d"]["chat_id"]
        for number in range(40):
            client.say({"op": 11, "t": 2, "id": 1, "d": {"chat_id": chat_id, "message": "x" * 4000}})
            self.assertEqual((await client.json())["d"]["message_id"], number + 1)
        client.say({"op": 11, "t": 10, "id": 2, "d": {"chat_id": chat_id}})
        self.assertGreater(len((await client.json())["d"]["messages"]), 10)
        client.send(frame(TEXT, b"x" * 65537))
        self.assertEqual(await client.close_code(), 1009)
        client.send(frame(8, b"\x03\xf1"))
        await client.lost

    async def test_what_has_no_proxy_header_or_a_broken_one_is_dropped_without_an_answer(self):
        for data in (
            self.head(b""),
            self.head(b"PROXY TCP4 203.0.113.1\r\n"),
            b"PROXY " + b"x" * 200,
            self.head(V2 + b"\x21\x11\0\x01\0"),
            b"PROXY TCP4",
            V2 + b"\x21\x11\xff\xff",
        ):
            with self.assertRaisesRegex(AssertionError, "the connection ended; unread: b''", msg=data):
                await self.answer(data)


class NoProxy(HandshakeCase):
    settings = {"trusted_proxies": ("192.0.2.1",), "listen": ("haproxy:tcp:0:interface=127.0.0.1",)}

    async def test_who_is_no_trusted_proxy_is_dropped_there_whatever_he_sends(self):
        request = upgrade(**bearer(token_for(1)))
        for data in (version1("203.0.113.1") + request, request, b"PROXY TCP4 a b c d\r\n"):
            with self.assertRaisesRegex(AssertionError, "the connection ended; unread: b''", msg=data):
                await self.answer(data)
        self.assertEqual(self.flushLoggedErrors(), [])
