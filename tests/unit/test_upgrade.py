"""The upgrade: the answer and the state are those that Autobahn's own handshake gives."""

from __future__ import annotations

from autobahn.twisted.websocket import WebSocketServerFactory, WebSocketServerProtocol
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport

from chatsrv.session.upgrade import switching_protocols
from tests.unit.test_shell_kit import (
    CONTINUATION,
    KEY,
    PING,
    TEXT,
    ShellCase,
    client_frame,
    request,
    text,
)

#: What a connection has of its own in Autobahn, and why no shell needs it.
NOT_KEPT = {
    "_results": "nobody listens to its events",
    "_transport_details": "the shell reads the transport itself",
    "_valid_events": "nobody listens to its events",
    "_wskey": "of the handshake",
    "is_closed": "a Deferred for applications; the receiver is told",
    "is_open": "a Deferred for applications; the receiver is told",
    "peer": "only for debug logs",
    "send_queue": "the outbox is the queue",
    "utf8validator": "made when it is first needed",
    "websocket_extensions": "of the handshake",
    "websocket_extensions_in_use": "there are none",
    "websocket_origin": "of the handshake",
    "websocket_protocol_in_use": "only for applications; the shell has its profile",
    "websocket_protocols": "of the handshake",
}
OWN = {"connected", "factory", "trafficStats", "transport"}


def opened_by_autobahn(head: bytes) -> tuple[WebSocketServerProtocol, bytes]:
    """A connection after its handshake, and what was sent."""

    class Accepting(WebSocketServerProtocol):
        def onConnect(self, request: object) -> str | None:
            return next(iter(request.protocols), None)

    factory = WebSocketServerFactory(reactor=Clock(), server="")
    factory.protocol = Accepting
    factory.setProtocolOptions(openHandshakeTimeout=0)
    wire = StringTransport()
    protocol = factory.buildProtocol(None)
    protocol.makeConnection(wire)
    protocol.dataReceived(head)
    return protocol, wire.value()


class Upgrade(ShellCase):
    def test_the_answer_is_autobahns_own(self) -> None:
        for protocol in ("chatsrv.v1", None):
            head = request(**({"Sec_WebSocket_Protocol": protocol} if protocol else {}))
            self.assertEqual(switching_protocols(KEY, protocol), opened_by_autobahn(head)[1])

    def test_an_upgraded_shell_is_in_the_state_of_what_autobahn_opened(self) -> None:
        shell = self.open().protocol
        plain, _ = opened_by_autobahn(request())
        options = set(plain.CONFIG_ATTRS)
        for name, value in vars(plain).items():
            if name not in options | OWN | set(NOT_KEPT) and not name.startswith("http_"):
                self.assertEqual(getattr(shell, name, "nothing"), value, name)
        for name in options:
            self.assertEqual(repr(getattr(shell, name))[:20], repr(getattr(self.factory, name))[:20], name)

    def test_a_closed_shell_has_no_state_of_an_open_one(self) -> None:
        wire = self.connect()
        self.assertEqual(wire.protocol.state, wire.protocol.STATE_CLOSED)
        self.receive(wire, request())
        self.assertEqual(wire.protocol.state, wire.protocol.STATE_OPEN)
        wire.abortConnection()
        self.clock.advance(0)
        self.assertEqual(wire.protocol.state, wire.protocol.STATE_CLOSED)

    def test_what_one_connection_does_shows_in_no_other(self) -> None:
        wires = [self.open() for _ in range(3)]
        self.receive(wires[0], client_frame(TEXT, b"\xe2\x82", fin=False) + client_frame(PING))
        self.receive(wires[1], text("whole"))
        self.receive(wires[2], client_frame(3))
        self.receive(wires[0], client_frame(CONTINUATION, b"\xac"))
        self.receive(wires[1], client_frame(TEXT, b"\xe2\x82\xac"[:1], fin=False))
        self.assertEqual([session.messages for session in self.sessions], [["€".encode()], [b"whole"], []])
        self.assertEqual([wire.protocol.failedByMe for wire in wires], [False, False, True])

    def test_a_quiet_connection_keeps_little_of_its_own(self) -> None:
        self.assertLess(len(vars(self.open().protocol)), 20)
