"""Where a connection comes from: whose word counts, and what is made of what proxies write."""

from __future__ import annotations

from typing import Any

from twisted.internet.address import IPv4Address, UNIXAddress
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.testing import StringTransport
from twisted.logger import globalLogPublisher
from twisted.protocols.policies import ProtocolWrapper, WrappingFactory
from twisted.trial.unittest import TestCase

from chatsrv.session.head import parse_head
from chatsrv.session.options import ShellOptions
from chatsrv.session.proxies import Proxies, ProxiesOnly, Source
from tests.unit.test_shell_kit import ShellCase, request

PROXY, SECOND, CLIENT = "10.0.0.1", "10.0.0.2", "203.0.113.9"


class Proxied(ProtocolWrapper):
    """As Twisted's transport behind a PROXY header."""

    said: Any

    def getPeer(self) -> Any:
        return self.said


class TheSource(TestCase):
    def source(
        self, *headers: str, peer: str = PROXY, trusted: tuple[str, ...] = ("10.0.0.0/8",), said: str = ""
    ) -> Source:
        head = parse_head(request(*headers).removesuffix(b"\r\n\r\n"), 64)
        address = UNIXAddress(None) if peer == "unix" else IPv4Address("TCP", peer, 5000)
        transport: Any = StringTransport(peerAddress=address)
        if said:
            wrapper = Proxied(WrappingFactory(None), None)
            wrapper.said = IPv4Address("TCP", said, 5001)
            wrapper.transport, transport = transport, wrapper
        return Proxies(trusted).source(transport, head)

    def address(self, *hops: str, **more: Any) -> str:
        return self.source(*(f"X-Forwarded-For: {hop}" for hop in hops), **more).address

    def test_without_trusted_proxies_nothing_but_the_socket_counts(self) -> None:
        for peer in (PROXY, "127.0.0.1", "unix"):
            self.assertEqual(self.address(CLIENT, peer=peer, trusted=(), said="198.51.100.1"), peer)

    def test_a_peer_that_is_no_trusted_proxy_speaks_for_nobody(self) -> None:
        self.assertEqual(self.address("198.51.100.1", peer=CLIENT), CLIENT)
        self.assertEqual(self.address("198.51.100.1", peer=CLIENT, said="198.51.100.1"), CLIENT)

    def test_a_trusted_one_says_who_it_is(self) -> None:
        self.assertEqual(self.address(CLIENT), CLIENT)
        self.assertEqual(self.address(CLIENT, peer="unix", trusted=("unix",)), CLIENT)
        self.assertEqual(self.address(), PROXY)

    def test_it_is_the_rightmost_address_that_is_not_trusted(self) -> None:
        self.assertEqual(self.address(f"198.51.100.1, {CLIENT}"), CLIENT)
        self.assertEqual(self.address("198.51.100.1", CLIENT), CLIENT)
        self.assertEqual(self.address(f"198.51.100.1, {CLIENT}, {SECOND}"), CLIENT)
        self.assertEqual(self.address(f"{CLIENT},{SECOND}", SECOND), CLIENT)
        self.assertEqual(self.address(f"127.0.0.1, {CLIENT}"), CLIENT)

    def test_addresses_may_have_ports_and_brackets(self) -> None:
        for written, meant in (
            (f"{CLIENT}:1234", CLIENT),
            ("2001:db8::1", "2001:db8::1"),
            ("2001:DB8:0::1", "2001:db8::1"),
            ("[2001:db8::1]", "2001:db8::1"),
            ("[2001:db8::1]:443", "2001:db8::1"),
            (f"::ffff:{CLIENT}", CLIENT),
            (f"[::ffff:{CLIENT}]:1", CLIENT),
        ):
            self.assertEqual(self.address(f"198.51.100.1, {written}"), meant, written)

    def test_what_is_no_address_ends_the_search(self) -> None:
        for garbage in (
            "unknown",
            "_hidden",
            "1.2.3",
            "1.2.3.4.5",
            "[::1",
            "::1]",
            "[]",
            "fe80::1%eth0",
            '"1.2.3.4"',
        ):
            self.assertEqual(self.address(f"{CLIENT}, {garbage}"), PROXY, garbage)
            self.assertEqual(self.address(f"{CLIENT}, {garbage}, {SECOND}"), SECOND, garbage)
            self.assertEqual(self.address(f"{garbage}, {CLIENT}"), CLIENT, garbage)
        for nothing in ("", ",", " , "):
            self.assertEqual(self.address(nothing), PROXY)

    def test_no_more_than_16_are_looked_at(self) -> None:
        self.assertEqual(self.address(", ".join([CLIENT, *[SECOND] * 15])), CLIENT)
        self.assertEqual(self.address(", ".join([CLIENT, *[SECOND] * 16])), SECOND)
        self.assertEqual(self.address(",".join([SECOND] * 700)), SECOND)

    def test_the_proxy_protocol_says_who_spoke_to_the_nearest_one(self) -> None:
        self.assertEqual(self.address(said=CLIENT), CLIENT)
        self.assertEqual(self.address("198.51.100.1", said=CLIENT), CLIENT)
        self.assertEqual(self.address(f"198.51.100.1, {CLIENT}", said=SECOND), CLIENT)
        self.assertEqual(self.address(said="garbage"), PROXY)

    def test_tls_to_a_trusted_proxy_is_as_good_as_to_us(self) -> None:
        for headers, secure in (
            (("X-Forwarded-Proto: https",), True),
            (("X-Forwarded-Proto: http",), False),
            (("X-Forwarded-Proto: https", "X-Forwarded-Proto: http"), False),
            (("X-Forwarded-Proto: http, https",), True),
            ((), False),
        ):
            self.assertEqual(self.source(*headers).secure, secure, headers)
        for others in ({"peer": CLIENT}, {"said": CLIENT}, {"trusted": ()}):
            self.assertFalse(self.source("X-Forwarded-Proto: https", **others).secure)


class AtTheEndpoint(TestCase):
    def test_who_is_no_trusted_proxy_is_dropped_and_the_log_says_so(self) -> None:
        events: list[Any] = []
        globalLogPublisher.addObserver(events.append)
        self.addCleanup(globalLogPublisher.removeObserver, events.append)
        factory = ProxiesOnly(Factory.forProtocol(Protocol), Proxies((PROXY,)))
        for address in (IPv4Address("TCP", PROXY, 5000), IPv4Address("TCP", CLIENT, 5000), UNIXAddress(None)):
            transport: Any = StringTransport(peerAddress=address)
            factory.buildProtocol(address).makeConnection(transport)
            self.assertEqual(transport.disconnecting, getattr(address, "host", "") != PROXY)
        self.assertEqual(
            [(e["peer"], e["log_level"].name) for e in events], [(CLIENT, "warn"), ("unix", "warn")]
        )
        self.assertIn("not among the trusted_proxies", events[0]["log_format"])


class AtTheShell(ShellCase):
    options = ShellOptions(trusted_proxies=("192.0.2.1",))

    def setUp(self) -> None:
        super().setUp()
        self.admission._per_address = 1

    def status(self, *headers: str, host: str = "192.0.2.1", origin: str | None = None) -> int:
        wire = self.connect(host)
        own = () if origin is None else (f"Origin: {origin}",)
        self.receive(wire, request(*headers, *own))
        return int(wire.value().split()[1])

    def test_clients_of_one_proxy_are_counted_apart_and_each_is_limited(self) -> None:
        self.assertEqual(self.status("X-Forwarded-For: 203.0.113.1"), 101)
        self.assertEqual(self.status("X-Forwarded-For: 203.0.113.2"), 101)
        self.assertEqual(self.status("X-Forwarded-For: 203.0.113.3, 203.0.113.1"), 429)
        self.wires[0].abortConnection()
        self.clock.advance(0)
        self.assertEqual(self.status("X-Forwarded-For: 203.0.113.1"), 101)

    def test_a_client_that_comes_directly_cannot_take_another_address(self) -> None:
        self.assertEqual(self.status("X-Forwarded-For: 203.0.113.1", host="198.51.100.1"), 101)
        self.assertEqual(self.status("X-Forwarded-For: 203.0.113.2", host="198.51.100.1"), 429)

    def test_who_came_over_https_is_of_that_origin_only(self) -> None:
        https = "X-Forwarded-Proto: https"
        self.assertEqual(self.status(https, origin="http://chat.example"), 403)
        self.assertEqual(self.status(https, origin="https://chat.example"), 101)
