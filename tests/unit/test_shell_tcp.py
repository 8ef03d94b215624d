"""The shell over real loopback sockets: close codes on the wire, slow consumers, peers that never read, refusals."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable
from functools import cache

from twisted.internet import reactor, ssl
from twisted.internet.defer import Deferred, inlineCallbacks
from twisted.internet.endpoints import (
    SSL4ClientEndpoint,
    TCP4ClientEndpoint,
    UNIXClientEndpoint,
    connectProtocol,
)
from twisted.internet.interfaces import IListeningPort, IStreamClientEndpoint
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure
from twisted.trial.unittest import TestCase

from chatsrv.session.admission import Admission
from chatsrv.session.factory import ShellFactory
from chatsrv.session.options import ShellOptions
from chatsrv.session.outbox import frame_text
from chatsrv.session.shell import Shell
from chatsrv.wire.codes import CloseCode
from tests.unit.test_shell_kit import (
    CLOSE,
    TEXT,
    Recorder,
    Verifier,
    client_frame,
    request,
    server_frames,
    text,
)


class Peer(Protocol):
    """A raw client: collects what comes, and tells when a condition on it holds or the connection is gone."""

    def __init__(self) -> None:
        self.data = b""
        self.gone: Deferred[None] = Deferred()
        self._waiting: tuple[Callable[[bytes], bool], Deferred[None]] | None = None

    def dataReceived(self, data: bytes) -> None:
        self.data += data
        if self._waiting is not None and self._waiting[0](self.data):
            done = self._waiting[1]
            self._waiting = None
            done.callback(None)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self.gone.callback(None)

    def until(self, condition: Callable[[bytes], bool]) -> Deferred[None]:
        done: Deferred[None] = Deferred()
        self._waiting = (condition, done)
        self.dataReceived(b"")
        return done

    @property
    def frames(self) -> list[tuple[int, bytes]]:
        return server_frames(self.data.partition(b"\r\n\r\n")[2])


class OverSockets(TestCase):
    timeout = 20
    options = ShellOptions(close_timeout_s=0.5, close_handshake_s=0.3)

    def setUp(self) -> None:
        self.sessions: list[Recorder] = []
        self.session_closed: Deferred[None] = Deferred()
        self.on_open: Callable[[Shell], None] = lambda shell: None
        self.admission = Admission(seconds=reactor.seconds, max_connections=100)
        self.factory = ShellFactory(
            reactor=reactor,
            verifier=Verifier(),
            admission=self.admission,
            open_session=self.open_session,
            options=self.options,
        )

    def open_session(self, shell: Shell) -> Recorder:
        session = Recorder(shell)
        told_closed = session.closed
        session.opened = lambda: (session.told.append("opened"), self.on_open(shell))

        def closed() -> None:
            told_closed()
            self.session_closed.callback(None)

        session.closed = closed
        self.sessions.append(session)
        return session

    def listen(self, unix: bool) -> tuple[IListeningPort, IStreamClientEndpoint]:
        if unix:
            folder = tempfile.mkdtemp()
            self.addCleanup(shutil.rmtree, folder)
            path = f"{folder}/s"
            return reactor.listenUNIX(path, self.factory), UNIXClientEndpoint(reactor, path)
        port = reactor.listenTCP(0, self.factory, interface="127.0.0.1")
        return port, TCP4ClientEndpoint(reactor, "127.0.0.1", port.getHost().port)

    @inlineCallbacks
    def connect(self, unix: bool = False):
        port, endpoint = self.listen(unix)
        self.addCleanup(port.stopListening)
        peer = yield connectProtocol(endpoint, Peer())
        self.addCleanup(self.drop, peer)
        return peer

    @inlineCallbacks
    def open(self, **options):
        peer = yield self.connect(**options)
        peer.transport.write(request())
        yield peer.until(lambda data: b"\r\n\r\n" in data)
        return peer

    @inlineCallbacks
    def test_messages_go_both_ways_over_tcp_and_unix_sockets(self):
        for unix in (False, True):
            peer = yield self.open(unix=unix)
            session = self.sessions[-1]
            session.on_message = lambda payload, shell=session.shell: shell.send(frame_text(payload.upper()))
            peer.transport.write(text("a") + text("b" * 100_0))
            yield peer.until(lambda data: data.endswith(b"B" * 1000))
            self.assertEqual(peer.frames, [(TEXT, b"A"), (TEXT, b"B" * 1000)])
            peer.transport.write(client_frame(CLOSE, b"\x03\xe8"))
            yield peer.gone
            self.assertEqual(peer.frames[-1], (CLOSE, b"\x03\xe8"))
            yield self.session_closed
            self.session_closed = Deferred()

    @inlineCallbacks
    def test_close_codes_are_really_on_the_wire(self):
        for code in (CloseCode.GOING_AWAY, CloseCode.POLICY, CloseCode.OVERLOADED, CloseCode.REPLACED):
            peer = yield self.open()
            shell = self.sessions[-1].shell
            shell.send(frame_text(b"last"))
            shell.close_with(code)
            yield peer.gone
            self.assertEqual(
                peer.frames, [(TEXT, b"last"), (CLOSE, code.code.to_bytes(2, "big") + code.text.encode())]
            )
            yield self.session_closed
            self.session_closed = Deferred()

    @inlineCallbacks
    def test_a_refusal_reaches_a_peer_that_is_still_sending_an_endless_head(self):
        peer = yield self.connect()
        peer.transport.write(b"GET /ws HTTP/1.1\r\n" + b"X: " + b"a" * 1_000_000)
        yield peer.gone
        self.assertTrue(peer.data.startswith(b"HTTP/1.1 431 "), peer.data[:80])
        self.assertTrue(peer.data.endswith(b"\n"))

    @inlineCallbacks
    def test_a_slow_consumer_that_reads_again_gets_4408_behind_whole_frames(self):
        peer = yield self.open()
        peer.transport.pauseProducing()
        shell = self.sessions[0].shell
        sent = yield self.send_until_closing(shell)
        peer.transport.resumeProducing()
        yield peer.gone
        texts, close = peer.frames[:-1], peer.frames[-1]
        self.assertEqual(close, (CLOSE, (4408).to_bytes(2, "big") + b"slow consumer"))
        self.assertEqual(texts, [(TEXT, b"%09d" % index * 1000) for index in range(len(texts))])
        self.assertLess(len(texts), sent)
        yield self.session_closed

    @inlineCallbacks
    def test_a_slow_consumer_that_never_reads_is_aborted(self):
        peer = yield self.open()
        peer.transport.pauseProducing()
        yield self.send_until_closing(self.sessions[0].shell)
        yield self.session_closed
        yield self.until_no_shell_is_left()
        self.assertEqual(self.admission.connections, 0)

    @inlineCallbacks
    def test_a_peer_that_closes_but_never_reads_is_aborted(self):
        peer = yield self.open()
        peer.transport.pauseProducing()
        shell = self.sessions[0].shell
        while not shell.congested:
            shell.send(frame_text(b"x" * 9000))
            yield self.turn()
        peer.transport.write(client_frame(CLOSE, b"\x03\xe8"))
        yield self.session_closed
        yield self.until_no_shell_is_left()

    @inlineCallbacks
    def test_a_sender_paced_by_when_drained_is_never_slow(self):
        peer = yield self.open()
        shell = self.sessions[0].shell
        frames = [frame_text(b"%09d" % index * 1000) for index in range(1000)]
        left = iter(frames)

        def send_more() -> None:
            while not shell.congested:
                frame = next(left, None)
                if frame is None:
                    return
                shell.send(frame)
            shell.when_drained(send_more)

        send_more()
        peer.transport.pauseProducing()
        yield self.turn()
        peer.transport.resumeProducing()
        yield peer.until(lambda data: len(data) >= sum(map(len, frames)))
        self.assertEqual(len(peer.frames), 1000)

    @inlineCallbacks
    def test_a_reset_by_the_peer_is_told_and_leaves_nothing(self):
        peer = yield self.open()
        peer.transport.abortConnection()
        shell = self.sessions[0].shell
        for _ in range(3):
            shell.send(frame_text(b"x" * 100))
            yield self.turn()
        yield self.session_closed
        self.assertEqual(self.factory.shells, set())

    def drop(self, peer: Peer) -> Deferred[None]:
        if not peer.gone.called:
            peer.transport.abortConnection()
        return peer.gone

    @inlineCallbacks
    def send_until_closing(self, shell: Shell):
        count = 0
        while shell.state == shell.STATE_OPEN:
            shell.send(frame_text(b"%09d" % count * 1000))
            count += 1
            if count % 8 == 0:
                yield self.turn()
        return count

    def turn(self) -> Deferred[None]:
        done: Deferred[None] = Deferred()
        reactor.callLater(0, done.callback, None)
        return done

    @inlineCallbacks
    def until_no_shell_is_left(self):
        while self.factory.shells:
            yield self.turn()


@cache
def certificate() -> ssl.PrivateCertificate:
    return ssl.KeyPair.generate(size=2048).selfSignedCert(1, CN=b"localhost")


class OverTls(OverSockets):
    """The same over TLS, where nothing may be written past the TLS layer."""

    def listen(self, unix: bool) -> tuple[IListeningPort, IStreamClientEndpoint]:
        port = reactor.listenSSL(0, self.factory, certificate().options(), interface="127.0.0.1")
        anyone = ssl.CertificateOptions(verify=False)
        return port, SSL4ClientEndpoint(reactor, "127.0.0.1", port.getHost().port, anyone)
