"""Endpoint strings: what ``ssl:`` takes, what is said of files that cannot be used, and how new ones come into use."""

from __future__ import annotations

import contextlib
import gc
import os
import tempfile
import weakref
from pathlib import Path
from unittest import mock

from OpenSSL import SSL
from twisted.internet import reactor
from twisted.internet.endpoints import TCP4ServerEndpoint
from twisted.internet.error import ConnectionDone
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.logger import globalLogPublisher
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from chatsrv.config import ConfigError, load_settings
from chatsrv.endpoints import LOOK_S, UNREAD_BYTES, CertificateFiles, TlsEndpoint, TlsFactory, server_endpoint
from tests.support.certificates import Files, Issuer


class _FilesCase(SynchronousTestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        self.files = Files(self.folder)
        self.clock = Clock()

    def made(self):
        return CertificateFiles(self.clock.seconds, self.files.key, self.files.fullchain)

    def logged(self):
        """What is logged from now on, as texts."""
        events = []
        globalLogPublisher.addObserver(events.append)
        self.addCleanup(globalLogPublisher.removeObserver, events.append)
        return lambda: [event["log_format"].format(**event) for event in events]


class Strings(_FilesCase):
    def test_an_ssl_string_listens_as_twisted_would_with_the_long_backlog(self):
        endpoint = server_endpoint(reactor, self.files.endpoint(8443))
        self.assertIsInstance(endpoint, TlsEndpoint)
        plain = endpoint.plain
        self.assertEqual((plain._port, plain._backlog, plain._interface), (8443, 4096, "127.0.0.1"))

    def test_what_it_says_is_taken(self):
        string = (
            rf"ssl:8443:backlog=7:interface=\:\:1:privateKey={self.files.key}:certKey={self.files.fullchain}"
        )
        endpoint = server_endpoint(reactor, string)
        self.assertEqual((endpoint.plain._backlog, endpoint.plain._interface), (7, "::1"))

    def test_key_and_certificate_may_be_one_file(self):
        both = self.folder / "a:b.pem"
        both.write_bytes(Path(self.files.fullchain).read_bytes() + Path(self.files.key).read_bytes())
        server_endpoint(reactor, f"ssl:1:privateKey={self.folder}/a\\:b.pem")

    def test_an_argument_it_does_not_know_or_lacks_is_an_error(self):
        for wrong in (":sslmethod=SSLv23_METHOD", ":nonsense=1", ":8444"):
            self.assertRaises(TypeError, server_endpoint, reactor, self.files.endpoint() + wrong)
        self.assertRaises(TypeError, server_endpoint, reactor, "ssl:8443")

    def test_a_socket_that_systemd_did_not_hand_over_is_one_line(self):
        for which in ("index=0", "name=chat"):
            error = self.assertRaises(ConfigError, server_endpoint, reactor, f"systemd:domain=INET:{which}")
            self.assertIn("systemd handed over no such socket", str(error))

        behind = self.assertRaises(
            ConfigError, server_endpoint, reactor, "haproxy:systemd:domain=INET:index=0"
        )
        self.assertIn("haproxy:systemd:domain=INET:index=0: systemd handed over no such", str(behind))

    def test_behind_a_proxy_each_is_what_it_is_alone(self):
        ours = server_endpoint(reactor, f"haproxy:{self.files.endpoint(8443)}")
        self.assertIsInstance(ours, TlsEndpoint)
        for endpoint in (ours.plain, server_endpoint(reactor, "haproxy:tcp:8443")):
            inner = endpoint._wrappedEndpoint
            self.assertEqual((inner._port, inner._backlog), (8443, 4096))
        wrong = f"haproxy:{self.files.endpoint()}:nonsense=1"
        self.assertRaises(TypeError, server_endpoint, reactor, wrong)
        os.unlink(self.files.key)
        error = self.assertRaises(ConfigError, server_endpoint, reactor, f"haproxy:{self.files.endpoint()}")
        self.assertIn("cannot be read", str(error))

    def test_all_else_is_twisteds(self):
        endpoint = server_endpoint(reactor, "tcp:8080")
        self.assertIsInstance(endpoint, TCP4ServerEndpoint)
        self.assertEqual(endpoint._backlog, 4096)

    def test_relative_files_are_those_of_the_directory_of_the_start(self):
        listen = [r"ssl:1:privateKey=a\:b.pem:certKey=/etc/c.pem", "unix:relative"]
        here = os.getcwd()
        self.assertEqual(
            load_settings({"listen": listen}, {}).listen,
            (rf"ssl:1:privateKey={here}/a\:b.pem:certKey=/etc/c.pem", "unix:relative"),
        )
        proxied = {"listen": ["haproxy:ssl:1:privateKey=b.pem"], "trusted_proxies": ["::1"]}
        self.assertEqual(load_settings(proxied, {}).listen, (f"haproxy:ssl:1:privateKey={here}/b.pem",))


class Mistakes(_FilesCase):
    def line(self):
        error = self.assertRaises(ConfigError, self.made)
        self.assertNotIn("\n", str(error))
        return str(error)

    def test_a_file_that_is_not_there(self):
        os.unlink(self.files.key)
        self.assertEqual(self.line(), f"TLS: {self.files.key} cannot be read: No such file or directory")

    def test_a_key_file_without_a_key_or_with_a_passphrase(self):
        for content in (b"", b"-----BEGIN PRIVATE KEY-----\nx\n", Issuer("x").key_pem(b"secret")):
            Path(self.files.key).write_bytes(content)
            self.assertIn("key.pem holds no private key (PEM, without a passphrase)", self.line())

    def test_a_certificate_file_without_one_or_with_a_damaged_one(self):
        damaged = b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"
        for content in (b"", damaged, Path(self.files.fullchain).read_bytes() + damaged):
            Path(self.files.fullchain).write_bytes(content)
            self.assertIn("fullchain.pem holds no certificate (PEM), or one that is damaged", self.line())

    def test_a_key_that_is_another_certificates(self):
        Path(self.files.key).write_bytes(Issuer("x").key_pem())
        self.assertIn("key.pem is not that of the first certificate in", self.line())


class Oddities(_FilesCase):
    def warnings(self):
        files, logged = self.made(), self.logged()
        files.warn()
        return logged()

    def test_nothing_is_said_of_good_files(self):
        self.assertEqual(self.warnings(), [])

    def test_a_key_that_everybody_can_read(self):
        os.chmod(self.files.key, 0o644)
        self.assertIn("everybody on this machine can read the TLS key", "".join(self.warnings()))

    def test_a_certificate_that_has_expired(self):
        self.files.renew(days=-1)
        self.assertIn("fullchain.pem has expired", "".join(self.warnings()))


class Renewal(_FilesCase):
    def shown_by(self, files):
        """The number of the certificate that a new connection is shown, and how many come with it."""
        client = SSL.Connection(SSL.Context(SSL.TLS_CLIENT_METHOD))
        client.set_connect_state()
        factory = TlsFactory(files, False, Factory.forProtocol(Protocol), self.clock)
        server, transport = factory.buildProtocol(None), _Socket()
        server.makeConnection(transport)
        while client.get_peer_certificate() is None:
            with contextlib.suppress(SSL.WantReadError):
                client.do_handshake()
            server.dataReceived(client.bio_read(65536))
            client.bio_write(transport.value())
            transport.clear()
            with contextlib.suppress(SSL.WantReadError):
                client.do_handshake()
        return client.get_peer_certificate().get_serial_number(), len(client.get_peer_cert_chain())

    def number(self, issuer):
        return issuer.certificate.serial_number

    def test_new_files_serve_connections_from_a_second_later_on(self):
        files = self.made()
        before = self.shown_by(files)
        renewed = self.files.renew()
        self.clock.advance(LOOK_S / 2)
        self.assertEqual(self.shown_by(files), before)
        self.clock.advance(LOOK_S / 2)
        self.assertEqual(self.shown_by(files), (self.number(renewed), 2))

    def test_half_a_renewal_changes_nothing_and_the_other_half_does(self):
        files = self.made()
        before = self.shown_by(files)
        renewed = self.files.renew()
        certificate = Path(self.files.fullchain).read_bytes()
        Path(self.files.fullchain).write_bytes(b"")
        self.clock.advance(LOOK_S)
        logged = self.logged()
        self.assertEqual(self.shown_by(files), before)
        self.clock.advance(LOOK_S)
        self.assertEqual(self.shown_by(files), before)
        self.assertEqual(len(logged()), 1)  # once for a change
        self.assertIn("the last certificate stays in use", logged()[0])
        Path(self.files.fullchain).write_bytes(certificate)
        self.clock.advance(LOOK_S)
        self.assertEqual(self.shown_by(files), (self.number(renewed), 2))

    def test_files_that_are_gone_change_nothing(self):
        files = self.made()
        before = self.shown_by(files)
        os.unlink(self.files.key)
        self.clock.advance(LOOK_S)
        self.assertEqual(self.shown_by(files), before)

    def test_a_link_that_leads_elsewhere_is_a_change(self):
        """As certbot renews: the names in ``live`` are links."""
        for name in ("key.pem", "fullchain.pem"):
            (self.folder / name).rename(self.folder / f"1-{name}")
            (self.folder / name).symlink_to(f"1-{name}")
        files = self.made()
        before = self.shown_by(files)
        for name in ("key.pem", "fullchain.pem"):
            (self.folder / name).unlink()
        renewed = self.files.renew()
        self.clock.advance(LOOK_S)
        self.assertNotEqual(before[0], self.number(renewed))
        self.assertEqual(self.shown_by(files), (self.number(renewed), 2))


class _Socket(StringTransport):
    """With the buffers of Twisted's connections."""

    dataBuffer, offset, _tempDataLen = b"", 0, 0


class Unread(_FilesCase):
    def test_who_goes_on_sending_and_reads_nothing_is_ended(self):
        for outbox_bytes, most in ((4096, UNREAD_BYTES), (UNREAD_BYTES, 2 * UNREAD_BYTES)):
            for waiting, ended in ((most, False), (most + 1, True)):
                self.assertEqual(self.is_ended(waiting, outbox_bytes), ended, (outbox_bytes, waiting))

    def is_ended(self, waiting, outbox_bytes):
        """Whether the next byte of a peer ends his connection when so much waits for him."""
        server, transport = self.factory(outbox_bytes).buildProtocol(None), _Socket()
        server.makeConnection(transport)
        transport.dataBuffer, transport.offset, transport._tempDataLen = bytes(waiting - 10), 5, 15
        server.dataReceived(b"\x16")
        return transport.disconnected

    def factory(self, outbox_bytes):
        """The one that listens."""
        endpoint = server_endpoint(reactor, self.files.endpoint(), outbox_bytes)
        endpoint.plain = mock.Mock()
        endpoint.listen(Factory.forProtocol(Protocol))
        (factory,), _ = endpoint.plain.listen.call_args
        return factory


class Ends(_FilesCase):
    def test_a_connection_that_is_cut_off_leaves_nothing_for_the_garbage_collector(self):
        factory = TlsFactory(self.made(), False, Factory.forProtocol(Protocol), self.clock)
        gc.collect()
        gc.disable()
        self.addCleanup(gc.enable)
        server = factory.buildProtocol(None)
        server.makeConnection(_Socket())
        left = [weakref.ref(server), weakref.ref(server._tlsConnection)]
        server.connectionLost(Failure(ConnectionDone()))
        del server
        self.assertEqual([each() for each in left], [None, None])
