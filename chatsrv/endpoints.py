"""What the endpoint strings of the setting ``listen`` become: where the service listens.

Called by ``tap``, which only looks whether it works, and by ``listeners``. Three kinds are not just Twisted's own with
a longer backlog. ``systemd:`` says in one line that its socket is missing. ``haproxy:`` takes any of the others, and is
beneath their TLS: a proxy sends its header before anything else, so before the TLS that it passes on. ``ssl:`` has
Twisted's arguments, and what it does is ours: TLS 1.2 or newer, only ciphers with forward secrecy and authenticated
encryption, in the server's order, no resumption, no compression. ``certKey`` may hold the whole chain. The files are
looked at again while the node runs, at most once a second and only when somebody connects; new ones serve new
connections, and what cannot be used leaves the last good ones in place.
"""

from __future__ import annotations

import os
import re
import stat
from typing import Any

from OpenSSL import SSL, crypto
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import TCP4ServerEndpoint, serverFromString
from twisted.internet.interfaces import IOpenSSLServerConnectionCreator, IStreamServerEndpoint
from twisted.internet.ssl import AcceptableCiphers, CertificateOptions
from twisted.protocols.haproxy import proxyEndpoint
from twisted.protocols.tls import BufferingTLSTransport, TLSMemoryBIOFactory
from twisted.python.failure import Failure
from zope.interface import implementer

from chatsrv.config import BACKLOG, ConfigError, Listening, with_backlog
from chatsrv.log import Logger

LOOK_S = 1.0
#: What may wait unsent when its peer goes on sending; far more than an outbox of the default size hands over.
UNREAD_BYTES = 2**20
#: Beside the three of TLS 1.3, which OpenSSL has by itself.
CIPHERS = AcceptableCiphers.fromOpenSSLCipherString(
    "TLS13-AES-256-GCM-SHA384:TLS13-CHACHA20-POLY1305-SHA256:TLS13-AES-128-GCM-SHA256:"
    "ECDHE+AESGCM:ECDHE+CHACHA20"
)
_CERTIFICATE = re.compile(rb"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.DOTALL)
_log = Logger()


def server_endpoint(reactor: Any, description: str, outbox_bytes: int = 0) -> IStreamServerEndpoint:
    """The endpoint. Raises ``ConfigError`` for files and sockets not to be had, else what Twisted's parsers like.

    ``outbox_bytes``: what the outbox of a connection may hand over at its end, beside what TLS itself sends.
    """
    it = Listening(description)
    if it.kind == "ssl":
        return _ssl(reactor, it, max(UNREAD_BYTES, 2 * outbox_bytes))
    plain = _twisteds(reactor, it)
    return proxyEndpoint(plain) if it.proxied else plain


def _ssl(reactor: Any, it: Listening, unread_bytes: int) -> TlsEndpoint:
    pairs = [re.split(r"(?<!\\)=", argument, maxsplit=1) for argument in it.arguments]
    given = [[re.sub(r"\\(.)", r"\1", part) for part in pair] for pair in pairs]
    positional = [pair[0] for pair in given if len(pair) == 1]
    plain, files = _tls_parts(reactor, *positional, **dict(pair for pair in given if len(pair) == 2))
    return TlsEndpoint(proxyEndpoint(plain) if it.proxied else plain, files, unread_bytes)


def _twisteds(reactor: Any, it: Listening) -> IStreamServerEndpoint:
    try:
        endpoint: IStreamServerEndpoint = serverFromString(reactor, with_backlog(it.inner))
    except (IndexError, KeyError):
        if not it.handed_over:
            raise
        raise ConfigError(
            f"cannot listen on {it.description}: systemd handed over no such socket; is the .socket unit started?"
        ) from None
    return endpoint


def _tls_parts(
    reactor: Any,
    port: str,
    *,
    privateKey: str,
    certKey: str = "",
    interface: str = "",
    backlog: str = str(BACKLOG),
    extraCertChain: str = "",
) -> tuple[TCP4ServerEndpoint, CertificateFiles]:
    files = CertificateFiles(reactor.seconds, privateKey, certKey or privateKey, extraCertChain)
    return TCP4ServerEndpoint(reactor, int(port), int(backlog), interface), files


@implementer(IStreamServerEndpoint)
class TlsEndpoint:
    """Says when it begins to listen what is odd about its files, which is no reason not to."""

    def __init__(self, plain: IStreamServerEndpoint, files: CertificateFiles, unread_bytes: int) -> None:
        self.plain, self._files, self._unread_bytes = plain, files, unread_bytes

    def listen(self, factory: Any) -> Deferred[Any]:
        self._files.warn()
        secure = TlsFactory(self._files, False, factory)
        secure.unread_bytes = self._unread_bytes
        listening: Deferred[Any] = self.plain.listen(secure)
        return listening


class _Tls(BufferingTLSTransport):
    """Ends who has TLS itself answer and does not read that: key updates, which no queue of ours sees."""

    factory: TlsFactory

    def dataReceived(self, data: bytes) -> None:
        super().dataReceived(data)  # type: ignore[no-untyped-call]
        plain: Any = self.transport
        if len(plain.dataBuffer) - plain.offset + plain._tempDataLen > self.factory.unread_bytes:
            self.abortConnection()  # type: ignore[no-untyped-call]

    def _tlsShutdownFinished(self, reason: Failure | None) -> None:
        """Takes the traceback off: its frames would keep a dead connection's 40 KiB until a rare collection."""
        if reason is not None:
            reason.cleanFailure()
        super()._tlsShutdownFinished(reason)  # type: ignore[no-untyped-call]


class TlsFactory(TLSMemoryBIOFactory):
    """Puts TLS under the connections of another factory. ``unread_bytes``: see `UNREAD_BYTES`."""

    protocol = _Tls
    unread_bytes = UNREAD_BYTES


@implementer(IOpenSSLServerConnectionCreator)
class CertificateFiles:
    """Makes the TLS side of each connection, from PEM files that may be replaced. ``seconds``: a monotonic clock."""

    def __init__(self, seconds: Any, key: str, certificate: str, chain: str = "") -> None:
        self._seconds = seconds
        self._key = key
        self._certificates = tuple(filter(None, (certificate, chain)))
        self._stamp = self._stamp_now()
        self._options = self._loaded()
        self._look_at = seconds() + LOOK_S

    def serverConnectionForTLS(self, protocol: Any) -> SSL.Connection:
        if self._seconds() >= self._look_at:
            self._look_at = self._seconds() + LOOK_S
            self._look()
        return self._options.serverConnectionForTLS(protocol)

    def _look(self) -> None:
        """Load the files again if they are others than last time; a pair that does not fit waits for its other half."""
        stamp = self._stamp_now()
        if stamp == self._stamp:
            return
        self._stamp = stamp
        try:
            self._options = self._loaded()
        except ConfigError as error:
            _log.error("{error}; the last certificate stays in use", error=str(error))
        else:
            _log.info("a new certificate is in use: {file}", file=self._certificates[0])
            self.warn()

    def warn(self) -> None:
        """Log what is odd about the files in use."""
        if self._expired():
            _log.warn("the certificate in {file} has expired", file=self._certificates[0])
        if os.stat(self._key).st_mode & stat.S_IROTH:
            _log.warn("everybody on this machine can read the TLS key {file}: chmod o= it", file=self._key)

    def _stamp_now(self) -> tuple[tuple[int, int, int] | None, ...]:
        return tuple(map(_stamp, (self._key, *self._certificates)))

    def _loaded(self) -> CertificateOptions:
        key = _key_in(self._key)
        own, *chain = [each for file in self._certificates for each in _certificates_in(file)]
        options = CertificateOptions(
            privateKey=key, certificate=own, extraCertChain=chain, acceptableCiphers=CIPHERS
        )
        try:
            options.getContext()
        except SSL.Error:
            raise ConfigError(
                f"TLS: the key in {self._key} is not that of the first certificate in {self._certificates[0]}"
            ) from None
        self._expired = own.has_expired
        return options


def _stamp(file: str) -> tuple[int, int, int] | None:
    try:
        found = os.stat(file)
    except OSError:
        return None
    return found.st_mtime_ns, found.st_ino, found.st_size


def _read(file: str) -> bytes:
    try:
        with open(file, "rb") as opened:
            return opened.read()
    except OSError as error:
        raise ConfigError(f"TLS: {file} cannot be read: {error.strerror}") from None


def _key_in(file: str) -> crypto.PKey:
    try:
        return crypto.load_privatekey(crypto.FILETYPE_PEM, _read(file), passphrase=b"")
    except (crypto.Error, ValueError, TypeError):
        raise ConfigError(f"TLS: {file} holds no private key (PEM, without a passphrase)") from None


def _certificates_in(file: str) -> list[crypto.X509]:
    found = _CERTIFICATE.findall(_read(file))
    try:
        certificates = [crypto.load_certificate(crypto.FILETYPE_PEM, each) for each in found]
    except (crypto.Error, ValueError):
        certificates = []
    if not certificates:
        raise ConfigError(f"TLS: {file} holds no certificate (PEM), or one that is damaged")
    return certificates
