"""``Issuer``: whoever signs tokens, with its key set at a real HTTP or HTTPS address of this machine."""

from __future__ import annotations

import datetime
import json
import time
from ipaddress import IPv4Address
from typing import Any

import jwt
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa
from cryptography.x509.oid import NameOID
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm
from twisted.internet import reactor, ssl
from twisted.internet.defer import Deferred
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET, Site

_WRITERS: Any = (
    (rsa.RSAPublicKey, RSAAlgorithm),
    (ec.EllipticCurvePublicKey, ECAlgorithm),
    ((ed25519.Ed25519PublicKey, ed448.Ed448PublicKey), OKPAlgorithm),
)


def jwk_of(private: Any, kid: str | None = None, **members: Any) -> dict[str, Any]:
    """The public half as a JSON Web Key."""
    public = private.public_key()
    writer = next(writer for kind, writer in _WRITERS if isinstance(public, kind))
    jwk = writer.to_jwk(public, as_dict=True)
    jwk.pop("key_ops", None)
    return {**jwk, **({} if kid is None else {"kid": kid}), **members}


def key_set(*jwks: Any) -> bytes:
    """The document."""
    return json.dumps({"keys": list(jwks)}).encode()


class Certificate:
    """One that this machine does not trust, for 127.0.0.1."""

    def __init__(self) -> None:
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "a test")])
        now = datetime.datetime.now(datetime.UTC)
        certificate = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(days=1))
            .not_valid_after(now + datetime.timedelta(days=1))
            .add_extension(x509.SubjectAlternativeName([x509.IPAddress(IPv4Address("127.0.0.1"))]), False)
            .add_extension(x509.BasicConstraints(True, None), True)
            .sign(key, hashes.SHA256())
        )
        self.pem = certificate.public_bytes(serialization.Encoding.PEM)
        private = key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        self.server = ssl.PrivateCertificate.loadPEM(private + self.pem).options()


class Issuer(Resource):
    """Answers with ``document``, or whatever ``answer`` (given the request) does. ``asked`` counts.

    ``keys`` are private keys by key id; ``publish`` makes a document of some of them.
    """

    isLeaf = True

    def __init__(self, *kids: str, certificate: Certificate | None = None) -> None:
        super().__init__()
        self.keys: dict[str, Any] = {kid: ec.generate_private_key(ec.SECP256R1()) for kid in kids}
        self.document = b""
        self.publish(*kids)
        self.asked = 0
        self.requests: list[Any] = []
        self.answer: Any = lambda request: self.document
        self.when_asked: Deferred[None] | None = None
        listen = {"interface": "127.0.0.1", "backlog": 50}
        if certificate is None:
            self.port = reactor.listenTCP(0, Site(self), **listen)
        else:
            self.port = reactor.listenSSL(0, Site(self), certificate.server, **listen)
        scheme = "http" if certificate is None else "https"
        self.url = f"{scheme}://127.0.0.1:{self.port.getHost().port}/jwks.json"

    def publish(self, *kids: str) -> None:
        """From now on the set has these keys."""
        self.document = key_set(*(jwk_of(self.keys[kid], kid) for kid in kids))

    def token(self, kid: str, user_id: int = 7, *, ttl_s: float = 600, **headers: Any) -> str:
        """A good token, by a key that may be published or not."""
        if kid not in self.keys:
            self.keys[kid] = ec.generate_private_key(ec.SECP256R1())
        claims = {"sub": str(user_id), "exp": int(time.time() + ttl_s)}
        return jwt.encode(claims, self.keys[kid], algorithm="ES256", headers={"kid": kid, **headers})

    def next_request(self) -> Deferred[None]:
        """Fires when it is asked."""
        self.when_asked = Deferred()
        return self.when_asked

    def hold(self) -> None:
        """Take requests and leave them unanswered, in ``requests``."""
        self.answer = lambda request: NOT_DONE_YET

    def release(self) -> None:
        """Answer what waits, and all that comes."""
        self.answer = lambda request: self.document
        waiting, self.requests = self.requests, []
        for request in waiting:
            request.write(self.document)
            request.finish()

    def render_GET(self, request: Any) -> Any:
        self.asked += 1
        waiting, self.when_asked = self.when_asked, None
        if waiting is not None:
            waiting.callback(None)
        answer = self.answer(request)
        if answer is NOT_DONE_YET:
            self.requests.append(request)
            request.notifyFinish().addErrback(
                lambda _: request in self.requests and self.requests.remove(request)
            )
        return answer

    def stop(self) -> Any:
        """Listen no more."""
        return self.port.stopListening()
