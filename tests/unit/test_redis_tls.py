"""TLS to Redis: the certificate and the host name are verified, always."""

from __future__ import annotations

import datetime
import os
import socket
import subprocess
from pathlib import Path
from unittest import SkipTest

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from twisted.internet import reactor
from twisted.trial.unittest import TestCase

from chatsrv.redis import RedisAddress, RedisLink
from tests.support.redis import RedisServer, redis_binary
from tests.unit.test_redis_link import next_turn


def write_certificate(folder: Path) -> None:
    """A key, and a certificate for localhost that signs itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.UTC)
    builder = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
    builder = builder.not_valid_before(now - datetime.timedelta(days=1))
    builder = builder.not_valid_after(now + datetime.timedelta(days=1))
    builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
    certificate = builder.sign(key, hashes.SHA256())
    (folder / "cert.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    (folder / "key.pem").write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )


class TlsTests(TestCase):
    def setUp(self) -> None:
        if b"libssl" not in subprocess.run(["ldd", redis_binary()], capture_output=True, check=False).stdout:
            raise SkipTest("this redis-server is built without TLS")
        self.server = RedisServer(password="secret")
        self.addCleanup(self.server.remove)
        write_certificate(self.server.folder)
        files = {"cert-file": "cert.pem", "key-file": "key.pem", "ca-cert-file": "cert.pem"}
        for setting, file in files.items():
            self.server.arguments += [f"--tls-{setting}", str(self.server.folder / file)]
        self.server.arguments += ["--tls-auth-clients", "no"]
        self.start_on_a_free_port()

    def start_on_a_free_port(self) -> None:
        """Whoever connects somewhere may be given the port before the server has it: then another one."""
        arguments = self.server.arguments
        for attempts_left in reversed(range(5)):
            with socket.socket() as free:
                free.bind(("127.0.0.1", 0))
                self.port = free.getsockname()[1]
            self.server.arguments = [*arguments, "--tls-port", str(self.port)]
            try:
                self.server.start()
            except RuntimeError as error:
                if not attempts_left or "Address already in use" not in str(error):
                    raise
            else:
                return

    def link(self, host: str) -> RedisLink:
        link = RedisLink(reactor, RedisAddress.from_url(f"rediss://:secret@{host}:{self.port}/0"))
        self.addCleanup(link.stop)
        link.start()
        return link

    def trust(self) -> None:
        os.environ["SSL_CERT_FILE"] = str(self.server.folder / "cert.pem")
        self.addCleanup(os.environ.pop, "SSL_CERT_FILE")

    async def error_of(self, link: RedisLink) -> str:
        while not link.last_error:
            await next_turn()
        return link.last_error

    async def test_a_trusted_certificate_is_accepted(self) -> None:
        self.trust()
        link = self.link("localhost")
        await link.when_up()
        self.assertEqual(await link.call("ECHO", "x"), b"x")

    async def test_an_unknown_certificate_is_refused(self) -> None:
        link = self.link("localhost")
        self.assertIn("certificate", await self.error_of(link))
        self.assertFalse(link.connected)

    async def test_a_certificate_for_another_host_is_refused(self) -> None:
        self.trust()
        link = self.link("127.0.0.1")
        self.assertIn("mismatch", await self.error_of(link))
        self.assertFalse(link.connected)
