"""Peers that go on sending when their connection is at its end: read up to a bound, and gone in time."""

from __future__ import annotations

from chatsrv.wire.codes import CloseCode
from tests.unit.test_shell_kit import CLOSE, ShellCase, client_frame, text

BOUND = 262144


class Floods(ShellCase):
    def reads(self, wire):
        return wire.producerState == "producing"

    def flood(self, wire, size):
        for _ in range(size // 65536):
            self.receive(wire, bytes(65536))

    def assert_ends(self, wire):
        self.assertIsNone(wire.lost)
        self.clock.advance(self.factory.options.close_handshake_s)
        self.assertEqual(wire.lost, "aborted")
        self.assert_nothing_is_left()

    def test_behind_a_failure(self):
        wire = self.open()
        self.receive(wire, client_frame(3))
        self.flood(wire, BOUND)
        self.assertTrue(self.reads(wire))
        self.receive(wire, b"x")
        self.assertFalse(self.reads(wire))
        self.assert_ends(wire)

    def test_behind_a_refused_head(self):
        wire = self.connect()
        self.receive(wire, b"GET /ws HTTP/1.1\r\nX: " + b"a" * 9000)
        self.assertTrue(wire.value().startswith(b"HTTP/1.1 431 "))
        self.flood(wire, BOUND)
        self.assertTrue(self.reads(wire))
        self.receive(wire, b"x")
        self.assertFalse(self.reads(wire))
        self.assert_ends(wire)

    def test_messages_behind_a_close_of_ours(self):
        """They may be what was under way; so the peer's close frame behind them counts, up to the bound."""
        wire = self.open()
        wire.protocol.close_with(CloseCode.GOING_AWAY)
        for _ in range(10):
            self.receive(wire, text(b"x" * 1000))
        self.assertTrue(self.reads(wire))
        self.receive(wire, client_frame(CLOSE, b"\x03\xe8"))
        self.clock.advance(0)
        self.assertEqual(wire.lost, "closed")
