"""What the tests of the shell share: a transport, a receiver that records, and frames as a client sends them.

No tests are in here. ``ShellCase`` runs a shell on a ``task.Clock`` and in-memory transports; its cleanup asserts
that no timer is left.
"""

from __future__ import annotations

from collections.abc import Iterable

from twisted.internet.address import IPv4Address
from twisted.internet.error import ConnectionAborted, ConnectionDone
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure
from twisted.trial.unittest import TestCase

from chatsrv.auth.keyset import KeysUnavailable
from chatsrv.auth.tokens import Identity, InvalidToken
from chatsrv.session.admission import Admission
from chatsrv.session.factory import ShellFactory
from chatsrv.session.options import ShellOptions
from chatsrv.session.shell import Shell
from chatsrv.wire.codes import CloseCode

KEY = "dGhlIHNhbXBsZSBub25jZQ=="
TEXT, BINARY, CONTINUATION, CLOSE, PING, PONG = 1, 2, 0, 8, 9, 10


class Verifier:
    """Stands in for ``TokenVerifier``: ``user-7`` is user 7's token, ``bug`` makes it raise, the key of ``later`` is
    being fetched, all others are bad."""

    def verify(self, token: str) -> Identity:
        if token == "bug":
            raise RuntimeError("a bug in the verifier")
        if token == "later":
            raise KeysUnavailable
        name, _, number = token.partition("-")
        if name != "user":
            raise InvalidToken("not a token of these tests")
        return Identity(int(number), None, None)


class Recorder:
    """A receiver that remembers what it was told; ``fail`` names the method that raises, ``on_message`` is called."""

    def __init__(self, shell: Shell, fail: str = "") -> None:
        self.shell = shell
        self.fail = fail
        self.told: list[object] = []
        self.on_message = lambda payload: None

    def opened(self) -> None:
        self._tell("opened")

    def received(self, payload: bytes) -> None:
        self._tell(payload)
        self.on_message(payload)

    def closed(self) -> None:
        self._tell("closed")

    def _tell(self, what: object) -> None:
        self.told.append(what)
        if what == self.fail or (self.fail == "received" and isinstance(what, bytes)):
            raise RuntimeError(f"a bug in {self.fail}")

    @property
    def messages(self) -> list[object]:
        return [what for what in self.told if isinstance(what, bytes)]


class Wire(StringTransport):
    """An in-memory transport that behaves as a TCP one at the end: both ways of closing lose the connection."""

    def __init__(self, clock: Clock, host: str = "192.0.2.1") -> None:
        super().__init__(peerAddress=IPv4Address("TCP", host, 50000))
        self.clock = clock
        self.stuck = False
        self.lost: str | None = None
        self.protocol: Shell

    def loseConnection(self) -> None:
        self.disconnecting = True
        if not self.stuck and self.producer is None:
            self._end("closed", ConnectionDone())

    def abortConnection(self) -> None:
        self._end("aborted", ConnectionAborted())

    def _end(self, how: str, error: Exception) -> None:
        if self.lost is None:
            self.lost = how
            self.clock.callLater(0, self._connection_lost, Failure(error))

    def _connection_lost(self, reason: Failure) -> None:
        self.producer = None
        self.protocol.connectionLost(reason)

    def unregisterProducer(self) -> None:
        super().unregisterProducer()
        if self.disconnecting:
            self.loseConnection()


def request(
    *extra: str,
    token: str | None = "user-7",
    target: str = "/ws",
    method: str = "GET",
    version: str = "HTTP/1.1",
    without: Iterable[str] = (),
    **changed: str,
) -> bytes:
    """A request's head; ``changed`` headers are named with underscores, ``extra`` are whole lines."""
    headers = {
        "Host": "chat.example",
        "Upgrade": "websocket",
        "Connection": "keep-alive, Upgrade",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": KEY,
    }
    if token is not None:
        headers["Authorization"] = f"Bearer {token}"
    names = {name.lower().replace("-", "_"): name for name in headers}
    headers.update({names.get(name, name.replace("_", "-")): value for name, value in changed.items()})
    lines = [f"{name}: {value}" for name, value in headers.items() if name not in without]
    return "\r\n".join([f"{method} {target} {version}", *lines, *extra, "", ""]).encode("latin-1")


def client_frame(
    opcode: int,
    payload: bytes = b"",
    fin: bool = True,
    mask: bytes | None = b"\x01\x80\xfe\x37",
    rsv: int = 0,
    length_bytes: int | None = None,
    length: int | None = None,
) -> bytes:
    """A frame as a client sends it; ``length_bytes`` (0, 2, 8) forces an encoding, ``length`` a false length."""
    size = len(payload) if length is None else length
    if length_bytes is None:
        length_bytes = 0 if size < 126 else 2 if size < 65536 else 8
    marker = {0: size, 2: 126, 8: 127}[length_bytes]
    header = bytes([fin << 7 | rsv << 4 | opcode, marker | (0x80 if mask is not None else 0)])
    header += size.to_bytes(length_bytes, "big") if length_bytes else b""
    if mask is None:
        return header + payload
    return header + mask + bytes(byte ^ mask[index % 4] for index, byte in enumerate(payload))


def text(payload: bytes | str) -> bytes:
    return client_frame(TEXT, payload.encode() if isinstance(payload, str) else payload)


def server_frames(data: bytes) -> list[tuple[int, bytes]]:
    """Opcode and payload of the server's frames; fails on anything that is no whole unmasked frame."""
    frames = []
    while data:
        size, start = data[1], 2
        if size == 126:
            size, start = int.from_bytes(data[2:4], "big"), 4
        elif size == 127:
            size, start = int.from_bytes(data[2:10], "big"), 10
        assert data[0] & 0x70 == 0
        assert size + start <= len(data), "the stream ends inside a frame"
        frames.append((data[0] & 0x0F, data[start : start + size]))
        data = data[start + size :]
    return frames


def close_codes(frames: Iterable[tuple[int, bytes]]) -> list[int]:
    """The codes of the close frames among them, 0 for one without."""
    return [int.from_bytes(payload[:2], "big") for opcode, payload in frames if opcode == CLOSE]


class ShellCase(TestCase):
    """A factory on a clock, and connections to it."""

    options = ShellOptions()

    def setUp(self) -> None:
        self.clock = Clock()
        self.sessions: list[Recorder] = []
        self.fail_in = ""
        self.admission = Admission(
            seconds=self.clock.seconds, max_connections=100, user_handshakes_burst=10**6
        )
        self.factory = self.make_factory()
        self.wires: list[Wire] = []
        self.addCleanup(self.assert_nothing_is_left)

    def make_factory(self, **changed: object) -> ShellFactory:
        arguments = {
            "reactor": self.clock,
            "verifier": Verifier(),
            "admission": self.admission,
            "open_session": self.open_session,
            "options": self.options,
        }
        return ShellFactory(**{**arguments, **changed})

    def open_session(self, shell: Shell) -> Recorder:
        self.sessions.append(Recorder(shell, self.fail_in))
        return self.sessions[-1]

    def connect(self, host: str = "192.0.2.1") -> Wire:
        wire = Wire(self.clock, host)
        wire.protocol = self.factory.buildProtocol(None)
        wire.protocol.makeConnection(wire)
        self.wires.append(wire)
        return wire

    def open(self, head: bytes | None = None, **options: object) -> Wire:
        """An open connection; what the handshake wrote is cleared away."""
        wire = self.connect(**options)
        self.receive(wire, request() if head is None else head)
        self.assertTrue(wire.value().startswith(b"HTTP/1.1 101 "), wire.value())
        wire.clear()
        return wire

    def receive(self, wire: Wire, data: bytes) -> None:
        """The peer's bytes arrive, and the turn ends."""
        if wire.lost is None:
            wire.protocol.dataReceived(data)
        self.clock.advance(0)
        self.clock.advance(0)

    def frames(self, wire: Wire) -> list[tuple[int, bytes]]:
        self.clock.advance(0)
        return server_frames(wire.value())

    def assert_closing(self, wire: Wire, code: CloseCode) -> None:
        """One close frame with that code and its constant text is the last thing on the wire."""
        frames = self.frames(wire)
        self.assertEqual(close_codes(frames), [code.code])
        self.assertEqual(frames[-1], (CLOSE, code.code.to_bytes(2, "big") + code.text.encode()))

    def assert_nothing_is_left(self) -> None:
        for wire in self.wires:
            if wire.lost is None:
                wire.abortConnection()
        self.clock.advance(0)
        self.clock.advance(0)
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.assertEqual(self.admission.connections, 0)
        self.assertEqual(self.factory.shells, set())
        for session in self.sessions:
            self.assertEqual(session.told.count("closed"), session.told.count("opened"))
