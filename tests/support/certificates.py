"""Certificates made for a test: a root, and a server's certificate for localhost, signed through an intermediate."""

from __future__ import annotations

import datetime
from ipaddress import IPv4Address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

LOCAL = x509.SubjectAlternativeName([x509.DNSName("localhost"), x509.IPAddress(IPv4Address("127.0.0.1"))])


class Issuer:
    """A name with a key, and the certificate that another issuer (or itself) made for it."""

    def __init__(self, name: str, by: Issuer | None = None, *, days: int = 1, ca: bool = True) -> None:
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        signer = by or self
        now = datetime.datetime.now(datetime.UTC)
        builder = x509.CertificateBuilder(
            signer.name, self.name, self.key.public_key(), x509.random_serial_number()
        )
        builder = builder.not_valid_before(now - datetime.timedelta(days=3))
        builder = builder.not_valid_after(now + datetime.timedelta(days=days))
        builder = builder.add_extension(x509.BasicConstraints(ca, None), critical=True)
        if not ca:
            builder = builder.add_extension(LOCAL, critical=False)
        self.certificate = builder.sign(signer.key, hashes.SHA256())

    @property
    def pem(self) -> bytes:
        return self.certificate.public_bytes(serialization.Encoding.PEM)

    def key_pem(self, passphrase: bytes = b"") -> bytes:
        encryption = (
            serialization.BestAvailableEncryption(passphrase) if passphrase else serialization.NoEncryption()
        )
        return self.key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption
        )


class Files:
    """``root.pem`` for clients; ``key.pem`` and ``fullchain.pem`` for the server, as certbot writes them."""

    def __init__(self, folder: Path) -> None:
        self.key, self.fullchain, self.root = (
            str(folder / name) for name in ("key.pem", "fullchain.pem", "root.pem")
        )
        self._root = Issuer("a root")
        self._between = Issuer("between", self._root)
        Path(self.root).write_bytes(self._root.pem)
        self.renew()

    def renew(self, days: int = 1) -> Issuer:
        """Replace key and certificate by new ones, valid for so many days more."""
        server = Issuer("localhost", self._between, days=days, ca=False)
        Path(self.key).write_bytes(server.key_pem())
        Path(self.key).chmod(0o600)
        Path(self.fullchain).write_bytes(server.pem + self._between.pem)
        return server

    def endpoint(self, port: int = 0) -> str:
        """The endpoint string that uses them."""
        return f"ssl:{port}:interface=127.0.0.1:privateKey={self.key}:certKey={self.fullchain}"
