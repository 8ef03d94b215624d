"""The deadlines and the pairing of one connection, on a fake clock and a fake transport."""

from __future__ import annotations

from typing import Any

from twisted.internet.error import ConnectionDone
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from chatsrv.redis import Unavailable
from chatsrv.redis.pipeline import Pipeline


class PipelineTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.transport = StringTransport()
        self.got: list[Any] = []
        self.closed: list[str] = []
        self.pipeline = Pipeline(self.clock, 2.0, lambda pipeline: None, self.close)
        self.pipeline.makeConnection(self.transport)

    def close(self, pipeline: Pipeline, reason: str) -> None:
        self.closed.append(reason)
        pipeline.fail_all(reason)

    def send(self, name: str) -> None:
        self.pipeline.send(lambda reply: self.got.append((name, reply)), ("ECHO", name))

    def outcomes(self) -> list[tuple[str, object]]:
        return [(name, "late" if isinstance(reply, Unavailable) else reply) for name, reply in self.got]

    def test_all_commands_of_one_turn_leave_in_one_write(self) -> None:
        writes: list[bytes] = []
        self.transport.write = writes.append  # type: ignore[method-assign,assignment]
        self.send("a")
        self.send("b")
        self.assertEqual(writes, [])
        self.clock.advance(0)
        self.assertEqual(writes, [b"*2\r\n$4\r\nECHO\r\n$1\r\na\r\n*2\r\n$4\r\nECHO\r\n$1\r\nb\r\n"])

    def test_a_reply_in_pieces_is_delivered_when_it_is_whole(self) -> None:
        self.send("a")
        for byte in b"*2\r\n$3\r\n007\r\n$-1\r\n":
            self.assertEqual(self.got, [])
            self.pipeline.dataReceived(bytes([byte]))
        self.assertEqual(self.got, [("a", [b"007", None])])

    def test_each_command_is_late_at_its_own_deadline_counted_from_the_call(self) -> None:
        self.send("a")
        self.clock.advance(1.5)
        self.send("b")
        self.clock.pump([0.49, 0.02, 0])
        self.assertEqual(self.outcomes(), [("a", "late")])
        self.clock.pump([1.5, 0])
        self.assertEqual(self.outcomes(), [("a", "late"), ("b", "late")])
        self.assertTrue(all(reply.sent for _, reply in self.got))

    def test_a_late_reply_is_thrown_away_and_the_next_one_finds_its_own_command(self) -> None:
        self.send("a")
        self.clock.pump([2, 0])
        self.send("b")
        self.pipeline.dataReceived(b"+A\r\n+B\r\n")
        self.assertEqual(self.outcomes(), [("a", "late"), ("b", b"B")])
        self.clock.pump([2] * 10)
        self.assertEqual(self.outcomes(), [("a", "late"), ("b", b"B")])
        self.assertFalse(self.transport.disconnected)

    def test_a_black_hole_is_left_five_seconds_after_the_deadline(self) -> None:
        self.send("a")
        self.clock.pump([2, 0, 4.9, 0])
        self.assertFalse(self.transport.disconnected)
        self.clock.pump([0.2, 0])
        self.assertTrue(self.transport.disconnected)
        self.assertFalse(self.pipeline.usable)

    def test_what_is_sent_from_a_callback_of_a_late_command_has_its_full_time(self) -> None:
        self.pipeline.send(lambda reply: self.send("b"), ("ECHO", "a"))
        self.clock.pump([2, 0, 1.9, 0])
        self.assertEqual(self.got, [])
        self.clock.pump([0.2, 0])
        self.assertEqual(self.outcomes(), [("b", "late")])

    def test_a_loss_fails_everyone_once_and_leaves_no_timer(self) -> None:
        self.send("a")
        self.clock.pump([2, 0])
        self.send("b")
        self.pipeline.connectionLost(Failure(ConnectionDone()))
        self.assertEqual(self.outcomes(), [("a", "late"), ("b", "late")])
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.assertEqual(len(self.closed), 1)

    def test_no_timer_is_left_once_everything_is_answered(self) -> None:
        self.send("a")
        self.pipeline.dataReceived(b"+A\r\n")
        self.clock.pump([2, 0])
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_what_is_no_reply_drops_the_connection(self) -> None:
        for noise in (b"HTTP/1.1 400 Bad Request\r\n", b"+to nothing\r\n"):
            pipeline, transport = Pipeline(self.clock, 2.0, lambda _: None, self.close), StringTransport()
            pipeline.makeConnection(transport)
            pipeline.dataReceived(noise)
            self.assertTrue(transport.disconnected, noise)
