"""Sockets of clients, upgraded or not: so many and no more, and who says nothing makes room first."""

from __future__ import annotations

from chatsrv.session.options import ShellOptions
from tests.unit.test_shell_kit import ShellCase, request


class Sockets(ShellCase):
    options = ShellOptions(sockets=3)

    def test_the_oldest_that_said_nothing_makes_room_for_one_more(self):
        first, second, third = (self.connect() for _ in range(3))
        self.assertEqual([wire.lost for wire in (first, second, third)], [None] * 3)
        self.connect()
        self.assertEqual([wire.lost for wire in (first, second, third)], ["aborted", None, None])

    def test_who_sends_a_request_at_once_gets_in_and_stays(self):
        for _ in range(10):
            self.connect()
        wire = self.open()
        for _ in range(10):
            self.connect()
        self.assertIsNone(wire.lost)
        self.clock.advance(0)
        self.assertEqual((len(self.factory.shells), self.factory.sockets), (1, 3))

    def test_where_all_are_upgraded_the_newcomer_goes(self):
        wires = [self.open() for _ in range(3)]
        self.assertEqual(self.connect().lost, "aborted")
        self.assertEqual([wire.lost for wire in wires], [None] * 3)

    def test_all_are_counted_out(self):
        wires = [self.connect() for _ in range(2)] + [self.open()]
        self.receive(wires[0], b"nonsense\r\n")  # is refused
        for wire in wires:
            wire.abortConnection()
        self.clock.advance(0)
        self.assertEqual(self.factory.sockets, 0)
        self.assertEqual(self.factory._not_upgraded, {})

    def test_the_next_is_let_in_when_one_has_gone(self):
        wires = [self.connect() for _ in range(3)]
        wires[2].abortConnection()
        self.clock.advance(0)
        self.receive(self.connect(), request())
        self.assertEqual([wire.lost for wire in wires[:2]], [None, None])
