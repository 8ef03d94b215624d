"""A real node that listens with TLS, real certificates, and clients of other libraries: OpenSSL by way of ``ssl``."""

from __future__ import annotations

import os
import socket
import ssl
import tempfile
from pathlib import Path

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import TCP4ClientEndpoint, connectProtocol
from twisted.internet.protocol import Protocol
from twisted.internet.task import deferLater
from twisted.internet.threads import deferToThread

from tests.acceptance.test_behind_proxy import version1, version2
from tests.support.certificates import Files
from tests.support.chat import ChatCase
from tests.support.raw import upgrade
from tests.support.tokens import token_for

PATIENCE_S = 10.0
HEAD_S = 0.4


class _TlsCase(ChatCase):
    settings = {"head_timeout_s": HEAD_S}

    async def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.files = Files(Path(folder.name))
        os.environ["SSL_CERT_FILE"] = self.files.root
        self.addCleanup(os.environ.pop, "SSL_CERT_FILE")
        await super().setUp()

    async def started_node(self, **settings):
        node = await super().started_node(listen=(self.endpoint(),), **settings)
        node.__class__ = type("TlsNode", (type(node),), {"url": f"wss://localhost:{node.port}/ws"})
        return node

    def endpoint(self):
        return self.files.endpoint()

    def shake(self, **bounds):
        """Connect with TLS: its version, its cipher, and how many certificates the server showed."""
        context = ssl.create_default_context(cafile=self.files.root)
        context.set_ciphers(bounds.pop("ciphers", "ALL:@SECLEVEL=0"))
        for name, version in bounds.items():
            setattr(context, name, version)

        def shake():
            with (
                socket.create_connection(("127.0.0.1", self.node.port), PATIENCE_S) as plain,
                context.wrap_socket(plain, server_hostname="localhost") as secure,
            ):
                secure.sendall(upgrade())
                return secure.version(), secure.cipher()[0], secure.recv(64), secure.compression()

        return deferToThread(shake)


class Versions(_TlsCase):
    async def test_1_2_and_1_3_are_spoken_and_the_chain_leads_to_the_root(self):
        for version, name in ((ssl.TLSVersion.TLSv1_2, "TLSv1.2"), (ssl.TLSVersion.TLSv1_3, "TLSv1.3")):
            spoken, _cipher, answer, compression = await self.shake(
                minimum_version=version, maximum_version=version
            )
            self.assertEqual((spoken, compression), (name, None))
            self.assertTrue(answer.startswith(b"HTTP/1.1 401 "), answer)

    async def test_1_0_and_1_1_are_refused(self):
        for version in (ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1):
            try:
                await self.shake(minimum_version=version, maximum_version=version)
            except (ssl.SSLError, ConnectionError) as error:
                self.assertIn("PROTOCOL_VERSION", str(error).upper().replace(" ", "_"))
            else:
                self.fail(f"{version} was spoken")

    async def test_the_server_chooses_among_good_ciphers_and_refuses_others(self):
        old = {"maximum_version": ssl.TLSVersion.TLSv1_2}
        weakest_first = (
            "ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384"
        )
        _, cipher, *_ = await self.shake(ciphers=weakest_first, **old)
        self.assertEqual(cipher, "ECDHE-ECDSA-AES256-GCM-SHA384")
        with self.assertRaises((ssl.SSLError, ConnectionError)):
            await self.shake(ciphers="ECDHE-ECDSA-AES256-SHA384:ECDHE-ECDSA-AES128-SHA:AES256-SHA", **old)


class Chat(_TlsCase):
    async def test_people_chat_over_tls(self):
        ann, bob = await self.users(1, 2)
        chat_id = await self.private(ann, bob)
        for number in range(20):
            text = f"{number} " * 900  # beyond one TLS record when many are joined
            await ann.call(11, 1, chat_id=chat_id, message=text)
            await bob.expect(12, 1, chat_id=chat_id, message=text)
        page = await bob.call(11, 10, chat_id=chat_id, limit=100)
        self.assertEqual(len(page["messages"]), 20)


class HalfOpen(_TlsCase):
    async def connected(self):
        return await connectProtocol(TCP4ClientEndpoint(reactor, "127.0.0.1", self.node.port), _Peer())

    async def ended(self, peers):
        for peer in peers:
            await peer.lost.addTimeout(PATIENCE_S, reactor)

    async def test_who_never_says_hello_or_half_of_it_is_gone_after_the_heads_time(self):
        hello = await self.hello()
        peers = [await self.connected() for _ in range(50)]
        for number, peer in enumerate(peers):
            peer.transport.write(hello[: number * 4])
        await self.ended(peers)
        self.assertEqual(self.node.service._admission.connections, 0)
        await self.shake()  # and others come in

    async def test_who_shakes_hands_but_sends_no_head_is_gone_too(self):
        context = ssl.create_default_context(cafile=self.files.root)

        def wait():
            with (
                socket.create_connection(("127.0.0.1", self.node.port), PATIENCE_S) as plain,
                context.wrap_socket(plain, server_hostname="localhost") as secure,
            ):
                try:
                    return secure.recv(1)
                except ConnectionError:
                    return b""

        self.assertEqual(await deferToThread(wait), b"")

    async def test_who_speaks_no_tls_is_gone_at_once(self):
        peer = await self.connected()
        peer.transport.write(upgrade())
        await self.ended([peer])
        self.assertNotIn(b"HTTP", peer.data)

    async def hello(self):
        """What a client sends first."""
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        client = ssl.create_default_context().wrap_bio(incoming, outgoing, server_hostname="localhost")
        with self.assertRaises(ssl.SSLWantReadError):
            client.do_handshake()
        return outgoing.read()


class Renewed(_TlsCase):
    async def test_a_new_certificate_is_shown_to_who_connects_and_nobody_is_disconnected(self):
        ann = await self.user(1)
        before = await self.certificate()
        self.files.renew()
        deadline = reactor.seconds() + PATIENCE_S
        while await self.certificate() == before:
            self.assertLess(reactor.seconds(), deadline)
            await deferLater(reactor, 0.1)
        await ann.sync()

    def certificate(self):
        return deferToThread(ssl.get_server_certificate, ("127.0.0.1", self.node.port))


class _BehindAProxy(_TlsCase):
    """The proxy passes TLS on unread, and says before it, in the clear, whose it is."""

    settings = {
        "head_timeout_s": 2,
        "trusted_proxies": ("127.0.0.1",),
        "exempt_loopback": False,
        "connections_per_address": 1,
    }

    def endpoint(self):
        return f"haproxy:{self.files.endpoint()}"

    def status(self, header):
        """The begin of the answer to a handshake; the connection stays open until the end of the test."""
        context = ssl.create_default_context(cafile=self.files.root)
        plain = socket.create_connection(("127.0.0.1", self.node.port), PATIENCE_S)
        self.addCleanup(plain.close)

        def ask():
            plain.sendall(header)
            secure = context.wrap_socket(plain, server_hostname="localhost")
            self.addCleanup(secure.close)
            secure.sendall(upgrade(Authorization=f"Bearer {token_for(1)}"))
            return secure.recv(12)

        return deferToThread(ask)

    async def dropped(self, header):
        with self.assertRaises((ssl.SSLError, ConnectionError)):
            await self.status(header)


class BehindAProxy(_BehindAProxy):
    async def test_the_limits_are_those_of_the_clients(self):
        for version, number in ((version1, 1), (version2, 2)):
            for address in (f"203.0.113.{number}", f"2001:db8:0:{number}::1"):
                self.assertEqual(await self.status(version(address)), b"HTTP/1.1 101")
                self.assertEqual(await self.status(version(address)), b"HTTP/1.1 429")

    async def test_tls_without_a_header_is_dropped(self):
        await self.dropped(b"")


class BehindAnotherProxy(_BehindAProxy):
    settings = {**_BehindAProxy.settings, "trusted_proxies": ("192.0.2.1",)}

    async def test_who_is_no_trusted_proxy_is_dropped(self):
        await self.dropped(version2("203.0.113.1"))
        self.assertEqual(self.flushLoggedErrors(), [])


class _Peer(Protocol):
    def __init__(self):
        self.data = b""
        self.lost = Deferred()

    def dataReceived(self, data):
        self.data += data

    def connectionLost(self, reason=None):
        self.lost.callback(None)
