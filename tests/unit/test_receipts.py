"""Receipts in a congested outbox: merged by chat and user, within the one bound, and the first to go."""

from __future__ import annotations

from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.trial.unittest import TestCase

from chatsrv.session import receipts as receipts_module
from chatsrv.session.flusher import Flusher
from chatsrv.session.outbox import Outbox
from chatsrv.wire.frames import ReadUpTo, encode
from chatsrv.wire.framing import frame_text

LIMIT = 1000


class Lanes(TestCase):
    def setUp(self) -> None:
        self.clock, self.transport, self.overflows = Clock(), StringTransport(), 0
        self.outbox = Outbox(self.transport, Flusher(self.clock), LIMIT, self.overflowed)

    def overflowed(self) -> None:
        self.overflows += 1

    def pause(self) -> None:
        self.transport.producer.pauseProducing()

    def drained(self) -> bytes:
        """What the transport has got when it takes more again."""
        self.transport.producer.resumeProducing()
        self.clock.advance(0)
        return self.transport.value()

    def test_they_go_their_way_like_all_frames_while_nothing_is_congested(self) -> None:
        self.outbox.write_receipt(1, 1, b"a")
        self.outbox.write(b"b")
        self.outbox.write_receipt(1, 1, b"c")
        self.assertEqual(self.drained(), b"abc")

    def test_of_each_chat_and_user_the_newest_is_sent_behind_the_frames(self) -> None:
        self.pause()
        for chat_id, user_id, frame in ((1, 1, b"a"), (1, 2, b"b"), (2, 1, b"c"), (1, 1, b"d")):
            self.outbox.write_receipt(chat_id, user_id, frame)
        self.outbox.write(b"-")
        self.assertEqual(self.outbox.waiting, 1)
        self.assertEqual(self.drained(), b"-bcd")
        self.outbox.write_receipt(1, 1, b"e")
        self.assertEqual(self.drained(), b"-bcde")

    def test_much_that_was_written_in_a_turn_is_congestion_too(self) -> None:
        self.outbox.write(b"-" * (LIMIT // 4))
        for frame in (b"a", b"b"):
            self.outbox.write_receipt(1, 1, frame)
        self.clock.advance(0)
        self.assertEqual(self.transport.value()[LIMIT // 4 :], b"b")

    def test_beyond_their_number_the_oldest_is_dropped(self) -> None:
        self.patch(receipts_module, "RECEIPTS", 3)
        self.pause()
        for number in (1, 2, 3, 1, 4):
            self.outbox.write_receipt(1, number, b"%d" % number)
        self.assertEqual(self.drained(), b"314")

    def test_they_fit_within_the_limit_and_by_one_byte_more_the_oldest_goes(self) -> None:
        self.pause()
        self.outbox.write(b"-" * 700)
        for user_id in (1, 2, 3):
            self.outbox.write_receipt(1, user_id, b"%d" % user_id * 100)
        self.outbox.write_receipt(1, 1, b"1" * 100)
        self.assertEqual(self.drained()[700:], b"2" * 100 + b"3" * 100 + b"1" * 100)
        self.setUp()
        self.pause()
        self.outbox.write(b"-" * 700)
        for user_id in (1, 2, 3):
            self.outbox.write_receipt(1, user_id, b"%d" % user_id * 100)
        self.outbox.write(b"-")
        self.assertEqual(self.overflows, 0)
        self.assertEqual(self.drained()[701:], b"2" * 100 + b"3" * 100)

    def test_a_receipt_that_does_not_fit_is_dropped_alone(self) -> None:
        self.pause()
        self.outbox.write(b"-" * LIMIT)
        self.outbox.write_receipt(1, 1, b"a")
        self.assertEqual((self.overflows, self.drained()), (0, b"-" * LIMIT))

    def test_they_are_dropped_before_the_connection_is_a_slow_consumer(self) -> None:
        self.pause()
        for user_id in range(9):
            self.outbox.write_receipt(1, user_id, b"r" * 100)
        self.outbox.write(b"-" * 500)
        self.outbox.write(b"-" * 500)
        self.assertEqual((self.overflows, self.outbox.waiting), (0, LIMIT))
        self.outbox.write(b"-")
        self.assertEqual(self.overflows, 1)

    def test_room_that_they_gave_up_is_room_again(self) -> None:
        self.pause()
        self.outbox.write_receipt(1, 1, b"a" * 900)
        self.outbox.write_receipt(1, 1, b"b")
        self.outbox.write_receipt(2, 1, b"c" * 900)
        self.outbox.forget_receipts(2)
        self.outbox.write(b"-" * (LIMIT - 1))
        self.assertEqual(self.drained(), b"-" * (LIMIT - 1) + b"b")

    def test_after_they_left_the_whole_limit_is_there_again(self) -> None:
        self.pause()
        self.outbox.write_receipt(1, 1, b"a" * 900)
        self.drained()
        self.pause()
        self.outbox.write(b"-" * LIMIT)
        self.assertEqual(self.overflows, 0)

    def end(self) -> None:
        self.outbox.before_the_last()
        self.outbox.write(b"close")
        self.outbox.close()
        self.outbox.write_receipt(1, 2, b"b")
        self.clock.advance(0)

    def test_a_close_of_a_paused_connection_does_not_send_them(self) -> None:
        self.outbox.write(b"-")
        self.pause()
        self.outbox.write_receipt(1, 1, b"a")
        self.end()
        self.assertEqual(self.transport.value(), b"-close")

    def test_nor_does_one_of_a_connection_that_much_was_written_to_in_this_turn(self) -> None:
        self.outbox.write(b"-" * (LIMIT // 4))
        self.outbox.write_receipt(1, 1, b"a")
        self.end()
        self.assertEqual(self.transport.value()[LIMIT // 4 :], b"close")

    def test_nor_does_the_close_frame_when_it_takes_their_room(self) -> None:
        told: list[bool] = []
        self.outbox.write(b"-" * (LIMIT - 2))
        self.outbox.write_receipt(1, 1, b"a")
        self.outbox.when_drained(lambda: told.append(True))
        self.end()
        self.assertEqual((self.transport.value()[LIMIT - 2 :], told), (b"close", []))

    def test_nor_does_a_slow_consumers_close(self) -> None:
        self.outbox.write(b"-")
        self.pause()
        self.outbox.write_receipt(1, 1, b"a")
        self.outbox.drop()
        self.end()
        self.assertEqual(self.transport.value(), b"close")

    def test_nor_does_a_close_without_a_frame(self) -> None:
        self.pause()
        self.outbox.write(b"-")
        self.outbox.write_receipt(1, 1, b"a")
        self.outbox.close()
        self.clock.advance(0)
        self.assertEqual(self.transport.value(), b"-")

    def test_who_waits_for_the_end_of_congestion_is_told_behind_them(self) -> None:
        seen: list[bytes] = []
        self.pause()
        self.outbox.when_drained(lambda: seen.append(self.transport.value()))
        self.outbox.write_receipt(1, 1, b"a" * 300)
        self.transport.producer.resumeProducing()
        self.assertEqual(seen, [])  # they are much in one turn
        self.clock.advance(0)
        self.assertEqual(seen, [b"a" * 300])
        self.clock.advance(0)
        self.assertEqual(len(seen), 1)

    def test_the_default_number_of_the_smallest_ones_fits_into_the_default_limit(self) -> None:
        smallest = frame_text(encode(ReadUpTo(chat_id=1, message_id=1, user_id=1)))
        self.assertLess(len(smallest) * receipts_module.RECEIPTS, 262144 // 3)
