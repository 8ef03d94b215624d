"""The outbox and the flusher: order, joining, direct writes that take a part or fail, backpressure, the bound."""

from __future__ import annotations

import socket

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.task import Clock
from twisted.internet.tcp import Connection
from twisted.internet.testing import StringTransport
from twisted.trial.unittest import TestCase

from chatsrv.session.flusher import Flusher
from chatsrv.session.outbox import Outbox, frame_text


class Spigot:
    """A socket that takes what ``allow`` says per ``send``: so many bytes, or an error."""

    def __init__(self) -> None:
        self.allow: list[int | Exception] = []
        self.sent: list[bytes] = []

    def send(self, data: bytes) -> int:
        take = self.allow.pop(0) if self.allow else len(data)
        if isinstance(take, Exception):
            raise take
        self.sent.append(data[:take])
        return min(take, len(data))


class Descriptor(Connection):
    """Twisted's own TCP transport over a pretended socket, without a reactor."""

    def __init__(self) -> None:
        self._tempDataBuffer: list[bytes] = []
        self._tempDataLen = 0
        self.socket = Spigot()
        self.connected = 1
        self.aborted = False

    def startWriting(self) -> None:
        pass

    def stopWriting(self) -> None:
        pass

    def abortConnection(self) -> None:
        self.aborted = True

    def writeSomeData(self, data: bytes) -> int:
        try:
            return self.socket.send(bytes(data))
        except BlockingIOError:
            return 0


class FramingText(TestCase):
    def test_the_header_has_the_shortest_length_there_is(self) -> None:
        for length, header in (
            (0, b"\x81\x00"),
            (125, b"\x81\x7d"),
            (126, b"\x81\x7e\x00\x7e"),
            (65535, b"\x81\x7e\xff\xff"),
            (65536, b"\x81\x7f\x00\x00\x00\x00\x00\x01\x00\x00"),
        ):
            self.assertEqual(frame_text(b"x" * length), header + b"x" * length)


class Flushing(TestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.flusher = Flusher(self.clock)

    def test_calls_run_in_order_at_the_end_of_the_turn_with_one_timer(self) -> None:
        calls: list[int] = []
        for number in range(3):
            self.flusher.at_turn_end(lambda number=number: calls.append(number))
        self.assertEqual((calls, len(self.clock.getDelayedCalls())), ([], 1))
        self.clock.advance(0)
        self.assertEqual((calls, self.clock.getDelayedCalls()), ([0, 1, 2], []))

    def test_a_call_that_raises_is_logged_and_the_others_run(self) -> None:
        calls: list[int] = []
        self.flusher.at_turn_end(lambda: 1 / 0)
        self.flusher.at_turn_end(lambda: calls.append(1))
        self.clock.advance(0)
        self.assertEqual(calls, [1])
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_calls_run_behind_the_frames_of_their_turn(self) -> None:
        transport, seen = StringTransport(), []
        self.flusher.at_turn_end(lambda: seen.append(transport.value()))
        Outbox(transport, self.flusher, 1000, lambda: None).write(b"a")
        self.clock.advance(0)
        self.assertEqual(seen, [b"a"])

    def test_an_outbox_that_fails_to_flush_is_logged_and_the_others_send(self) -> None:
        broken, sound = StringTransport(), StringTransport()
        broken.write = lambda data: 1 / 0
        for transport in (broken, sound):
            Outbox(transport, self.flusher, 1000, lambda: None).write(b"a")
        self.clock.advance(0)
        self.assertEqual(sound.value(), b"a")
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_what_a_call_defers_runs_behind_those_of_this_turn(self) -> None:
        calls: list[int] = []
        self.flusher.at_turn_end(lambda: self.flusher.at_turn_end(lambda: calls.append(2)))
        self.flusher.at_turn_end(lambda: calls.append(1))
        self.clock.advance(0)
        self.assertEqual(calls, [1, 2])


class OutboxCase(TestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.overflows = 0
        self.transport = self.make_transport()
        self.outbox = Outbox(self.transport, Flusher(self.clock), 1000, self.overflowed)

    def overflowed(self) -> None:
        self.overflows += 1
        self.outbox.drop()


class OverAnyTransport(OutboxCase):
    make_transport = StringTransport

    def test_frames_of_one_turn_are_joined_and_leave_at_its_end(self) -> None:
        self.outbox.write(b"a")
        self.outbox.write(b"b")
        self.assertEqual(self.transport.value(), b"")
        self.clock.advance(0)
        self.assertEqual(self.transport.value(), b"ab")
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_what_waits_is_bounded_while_the_transport_is_paused(self) -> None:
        self.transport.producer.pauseProducing()
        self.outbox.write(b"x" * 1000)
        self.assertEqual(self.overflows, 0)
        self.outbox.write(b"x")
        self.assertEqual((self.overflows, self.outbox.waiting), (1, 0))

    def test_much_that_waits_is_congestion_before_it_is_too_much(self) -> None:
        for limit, much in ((1_000, 250), (4_000_000, 65_536)):
            self.outbox = Outbox(self.make_transport(), Flusher(self.clock), limit, self.overflowed)
            self.outbox.write(b"x" * (much - 1))
            self.assertFalse(self.outbox.congested)
            self.outbox.write(b"x")
            self.assertTrue(self.outbox.congested)
            self.clock.advance(0)
            self.assertEqual((self.outbox.congested, self.overflows), (False, 0))

    def test_who_writes_only_while_it_is_not_congested_never_overflows_it(self) -> None:
        sent = 0

        def more() -> None:
            nonlocal sent
            while sent < 100 and not self.outbox.congested:
                self.outbox.write(b"x" * 240)
                sent += 1
            if sent < 100:
                self.outbox.when_drained(more)

        more()
        while sent < 100:
            self.clock.advance(0)
        self.clock.advance(0)
        self.assertEqual((self.overflows, len(self.transport.value())), (0, 24_000))

    def test_one_large_frame_is_no_overflow(self) -> None:
        self.outbox.write(b"x" * 5000)
        self.assertEqual((self.overflows, len(self.transport.value())), (0, 5000))

    def test_closing_writes_everything_and_takes_no_more(self) -> None:
        self.outbox.write(b"a")
        self.transport.producer.pauseProducing()
        self.outbox.write(b"b")
        self.outbox.close()
        self.outbox.write(b"c")
        self.outbox.close()
        self.clock.advance(0)
        self.assertEqual((self.transport.value(), self.transport.producer), (b"ab", None))

    def test_a_closed_outbox_is_not_opened_again_by_its_transport(self) -> None:
        self.outbox.close()
        self.outbox.resumeProducing()
        self.outbox.write(b"a")
        self.clock.advance(0)
        self.assertEqual((self.transport.value(), self.outbox.waiting), (b"", 0))

    def test_a_gone_transport_takes_the_frames_with_it(self) -> None:
        self.outbox.write(b"a")
        self.transport.producer.stopProducing()
        self.outbox.write(b"b")
        self.clock.advance(0)
        self.assertEqual((self.transport.value(), self.outbox.waiting), (b"", 0))

    def test_drained_is_told_once_when_the_congestion_ends(self) -> None:
        drained: list[bool] = []
        self.transport.producer.pauseProducing()
        self.outbox.when_drained(lambda: drained.append(self.outbox.congested))
        self.outbox.write(b"a")
        self.clock.advance(0)
        self.assertEqual(drained, [])
        self.transport.producer.resumeProducing()
        self.transport.producer.resumeProducing()
        self.assertEqual(drained, [False])

    def test_drained_is_told_at_the_turns_end_where_nothing_is_congested(self) -> None:
        drained: list[int] = []
        self.outbox.when_drained(lambda: drained.append(1))
        self.assertEqual(drained, [])
        self.clock.advance(0)
        self.assertEqual(drained, [1])

    def test_a_callback_for_drained_may_ask_again(self) -> None:
        self.outbox.when_drained(lambda: self.outbox.when_drained(lambda: self.outbox.write(b"second")))
        for _ in range(3):
            self.clock.advance(0)
        self.assertEqual(self.transport.value(), b"second")

    def test_drained_is_never_told_after_closing(self) -> None:
        drained: list[int] = []
        self.outbox.when_drained(lambda: drained.append(1))
        self.outbox.close()
        self.clock.advance(0)
        self.assertEqual(drained, [])


class OverTcp(OutboxCase):
    make_transport = Descriptor

    @property
    def sent(self) -> list[bytes]:
        return self.transport.socket.sent

    def held(self) -> bytes:
        return self.transport.dataBuffer[self.transport.offset :] + b"".join(self.transport._tempDataBuffer)

    def write(self, *frames: bytes) -> None:
        for frame in frames:
            self.outbox.write(frame)
        self.clock.advance(0)

    def test_a_turn_is_one_send_past_the_transport(self) -> None:
        self.write(b"ab", b"cd")
        self.assertEqual((self.sent, self.held()), ([b"abcd"], b""))

    def test_the_rest_of_a_frame_and_the_others_go_through_the_transport(self) -> None:
        for take in range(7):
            self.setUp()
            self.transport.socket.allow = [take]
            self.write(b"ab", b"cd", b"ef")
            self.transport.doWrite()
            self.assertEqual(b"".join(self.sent), b"abcdef")
            self.assertEqual((self.outbox.waiting, self.held()), (0, b""))

    def test_a_socket_that_would_block_leaves_it_to_the_transport(self) -> None:
        self.transport.socket.allow = [BlockingIOError()]
        self.write(b"ab")
        self.assertEqual((self.sent, self.held()), ([], b"ab"))

    def test_nothing_overtakes_what_the_transport_holds(self) -> None:
        self.transport.socket.allow = [1]
        self.write(b"ab")
        self.write(b"cd")
        self.assertEqual((self.sent, self.held()), ([b"a"], b"bcd"))
        self.transport.doWrite()
        self.write(b"ef")
        self.assertEqual(self.sent, [b"a", b"bcd", b"ef"])

    def test_a_dead_socket_aborts_the_connection(self) -> None:
        self.transport.socket.allow = [ConnectionResetError()]
        self.write(b"ab")
        self.assertTrue(self.transport.aborted)
        self.assertEqual(self.outbox.waiting, 0)

    def test_a_full_socket_pauses_and_frames_stay_whole_in_order(self) -> None:
        frames = [bytes([65 + index]) * 40_000 for index in range(5)]
        self.outbox = Outbox(self.fresh_transport(), self.outbox._flusher, 1_000_000, self.overflowed)
        self.transport.socket.allow = [10_000]
        self.write(*frames)
        self.assertTrue(self.outbox.paused)
        self.assertLess(len(self.held()), 65536 + 40_000 * 2)
        self.assertEqual(10_000 + len(self.held()) + self.outbox.waiting, 200_000)
        for _ in range(10):
            self.transport.socket.allow = [30_000]
            if self.held():
                self.transport.doWrite()
        self.assertEqual(b"".join(self.sent), b"".join(frames))
        self.assertFalse(self.outbox.paused)

    def test_after_an_overflow_a_partial_frame_still_ends_whole(self) -> None:
        self.outbox = Outbox(self.fresh_transport(), self.outbox._flusher, 1000, self.overflowed)
        self.transport.socket.allow = [10]
        self.write(b"A" * 70_000)
        self.write(b"B" * 600, b"C" * 600)
        self.assertEqual(self.overflows, 1)
        self.outbox.write(b"close")
        self.outbox.close()
        self.transport.doWrite()
        self.assertEqual(b"".join(self.sent), b"A" * 70_000 + b"close")

    @settings(max_examples=200, deadline=None, print_blob=True)
    @given(
        st.lists(
            st.one_of(
                st.integers(1, 40_000).map(lambda size: ("write", size)),
                st.one_of(st.just(BlockingIOError()), st.integers(0, 90_000)).map(
                    lambda take: ("allow", take)
                ),
                st.sampled_from([("turn", 0), ("writable", 0)]),
            ),
            max_size=60,
        )
    )
    def test_whatever_the_socket_takes_frames_leave_whole_in_order_and_are_counted(
        self, steps: list[tuple[str, object]]
    ) -> None:
        self.setUp()
        self.outbox = Outbox(self.fresh_transport(), self.outbox._flusher, 10_000_000, self.overflowed)
        transport, written = self.transport, b""
        for number, (step, value) in enumerate(steps):
            if step == "write":
                frame = bytes([number]) * value
                self.outbox.write(frame)
                written += frame
            elif step == "allow":
                transport.socket.allow.append(value)
            elif step == "turn":
                self.clock.advance(0)
            elif self.held():
                transport.doWrite()
            gone = len(b"".join(self.sent)) + len(self.held())
            self.assertEqual(gone + self.outbox.waiting, len(written))
        transport.socket.allow.clear()
        self.clock.advance(0)
        while self.held():
            transport.doWrite()
        self.assertEqual((b"".join(self.sent), self.outbox.waiting), (written, 0))

    def test_tls_is_never_written_past(self) -> None:
        transport = self.fresh_transport()
        transport.TLS = True
        written: list[bytes] = []
        transport.write = written.append
        transport.registerProducer = lambda producer, streaming: None
        self.outbox = Outbox(transport, self.outbox._flusher, 1000, self.overflowed)
        self.write(b"ab")
        self.assertEqual((self.sent, written), ([], [b"ab"]))

    def fresh_transport(self) -> Descriptor:
        self.transport = Descriptor()
        return self.transport

    def test_a_real_socket_would_block_with_the_error_that_is_expected(self) -> None:
        near, far = socket.socketpair()
        self.addCleanup(near.close)
        self.addCleanup(far.close)
        near.setblocking(False)

        def fill() -> None:
            while True:
                near.send(b"x" * 65536)

        self.assertRaises(BlockingIOError, fill)
