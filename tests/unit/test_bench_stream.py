"""The checks of the load generator's receivers: a right stream passes in whatever pieces, a wrong one never does."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import TestCase

from bench.connection import Faults
from bench.stream import Receiver, Stream, text

UPGRADED = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n"
TEXT, CLOSE, PING, PONG = 0x81, 0x88, 0x89, 0x8A
COUNT = 5
SETTINGS = settings(
    max_examples=300,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.differing_executors],
)


def framed(first: int, payload: bytes) -> bytes:
    size = len(payload)
    if size < 126:
        return bytes((first, size)) + payload
    wide = (126, 2) if size < 65536 else (127, 8)
    return bytes((first, wide[0])) + size.to_bytes(wide[1], "big") + payload


def event(
    number: int,
    *,
    size: int = 40,
    body: str = "",
    seq: int = 0,
    message: int = 0,
    chat: int = 7,
    op: int = 12,
) -> bytes:
    """The frame of the message of that number, from 0, sent at 5, 6, … s; its ids can be given."""
    form = b'{"op":%d,"t":2,"d":{"chat_id":%d,"message":"%b","message_id":%d,"seq":%d,"sender_id":1}}'
    words = body or text(number, 5.0 + number, size)
    return framed(TEXT, form % (op, chat, words.encode(), message or number + 1, seq or number + 2))


EVENTS = tuple(event(n) for n in range(COUNT))


class Transport:
    """Takes what a receiver writes."""

    def __init__(self) -> None:
        self.written = b""
        self.aborted = False

    def write(self, data: bytes) -> None:
        self.written += data

    def abort(self) -> None:
        self.aborted = True


class Outcome(NamedTuple):
    """``fault``: the first; ``frames``: how many each receiver got; ``answers``: what each wrote after its request."""

    fault: str
    frames: list[int]
    answers: list[bytes]


Pieces = Iterable[tuple[int, bytes]]  # which receiver gets what, in this order


def received(pieces: Pieces, receivers: int = 2, *, greeted: bool = False) -> Outcome:
    """What becomes of it; a connection that was aborted gets nothing more."""

    async def run() -> Outcome:
        stream = Stream(Faults())
        group = [Receiver(stream, "h", "/group", "", greeted=greeted, timed=True) for _ in range(receivers)]
        transports = [Transport() for _ in group]
        for receiver, transport in zip(group, transports, strict=True):
            receiver.connection_made(transport)
            transport.written = b""
            if not greeted:
                receiver.data_received(UPGRADED)
        for which, data in pieces:
            if not transports[which].aborted:
                group[which].data_received(data)
        for receiver in group:
            assert [n for _, first, behind in receiver.chunks or () for n in range(first, behind)] == list(
                range(receiver.frames)
            )
        return Outcome(stream.faults.first, [r.frames for r in group], [t.written for t in transports])

    loop = asyncio.new_event_loop()
    try:
        return loop.run_until_complete(run())
    finally:
        loop.close()


def cut(data: bytes, size: int) -> list[bytes]:
    return [data[at : at + size] for at in range(0, len(data), size)]


def orders(one: bytes, other: bytes) -> Iterable[list[tuple[int, bytes]]]:
    """Two receivers, whole or in pieces, this or that one first, or by turns."""
    for size in (7, 1000):
        first, second = [(0, piece) for piece in cut(one, size)], [(1, piece) for piece in cut(other, size)]
        yield first + second
        yield second + first
        yield [piece for pair in zip(first, second, strict=False) for piece in pair] + (
            first[len(second) :] + second[len(first) :]
        )


class RightStreamTests(TestCase):
    def assertRight(self, outcome: Outcome, count: int = COUNT) -> None:
        self.assertEqual(outcome.fault, "")
        self.assertEqual(outcome.frames, [count] * len(outcome.frames))

    @given(st.data())
    @SETTINGS
    def test_any_pieces_with_pings_anywhere_between_frames_by_any_turns_pass(
        self, data: st.DataObject
    ) -> None:
        size = data.draw(st.sampled_from([30, 40, 128]))
        waiting: list[list[bytes]] = []
        answers = []
        for _ in range(3):
            pings = data.draw(st.lists(st.tuples(st.integers(0, COUNT), st.binary(max_size=9)), max_size=4))
            pings.sort(key=lambda ping: ping[0])
            sent = b"".join(
                b"".join(framed(PING, payload) for at, payload in pings if at == n)
                + (event(n, size=size) if n < COUNT else b"")
                for n in range(COUNT + 1)
            )
            edges = data.draw(st.lists(st.integers(1, len(sent) - 1), unique=True, max_size=12).map(sorted))
            waiting.append([sent[a:b] for a, b in zip([0, *edges], [*edges, len(sent)], strict=True)])
            answers.append(b"".join(bytes((PONG, 0x80 | len(p), 0, 0, 0, 0)) + p for _, p in pings))
        pieces = []
        while any(waiting):
            which = data.draw(st.sampled_from([n for n, left in enumerate(waiting) if left]))
            pieces.append((which, waiting[which].pop(0)))
        outcome = received(pieces, 3)
        self.assertRight(outcome)
        self.assertEqual(outcome.answers, answers)

    def test_single_bytes_with_pings_between_all_frames_pass(self) -> None:
        ping = framed(PING, b"are you there")
        pinged = ping + ping.join(EVENTS) + ping
        for one, other in ((pinged, pinged), (pinged, b"".join(EVENTS)), (b"".join(EVENTS), pinged)):
            for first, second in ((0, 1), (1, 0)):
                pieces = [(n, piece) for n, sent in ((first, one), (second, other)) for piece in cut(sent, 1)]
                self.assertRight(received(pieces))

    def test_frames_of_every_size_of_head_pass(self) -> None:
        for size in (30, 31, 37, 38, 126, 65_450, 65_536, 70_000):
            sent = b"".join(event(n, size=size) for n in range(2))
            for pieces in ([(0, sent), (1, sent)], [(n, piece) for piece in cut(sent, 999) for n in (0, 1)]):
                self.assertRight(received(pieces), 2)

    def test_who_follows_may_overtake_in_the_midst_of_a_frame(self) -> None:
        sent = b"".join(EVENTS)
        for turn in range(1, len(EVENTS[0]) + 3):
            self.assertRight(received([(0, sent[:turn]), (1, sent), (0, sent[turn:])]))

    def test_greetings_may_come_in_any_pieces_and_with_the_first_events(self) -> None:
        hello = framed(TEXT, b'{"op":1,"t":1,"d":{"chat_ids":[%b]}}' % (b"7," * 60 + b"7"))
        sent = UPGRADED + hello + framed(TEXT, b'{"op":2,"t":1,"d":{"user_ids":[]}}') + b"".join(EVENTS)
        for size in (1, 2, 50, len(sent)):
            self.assertRight(
                received([(n, piece) for n in (0, 1) for piece in cut(sent, size)], greeted=True)
            )


class WrongStreamTests(TestCase):
    def assertFound(self, wrong: Sequence[bytes], *, alone: bool = False) -> None:
        """By one receiver who gets it beside one who does not; ``alone``: also if everybody gets it."""
        right, sent = b"".join(EVENTS), b"".join(wrong)
        for pieces in [*orders(right, sent), *(orders(sent, sent) if alone else ())]:
            outcome = received(pieces)
            found = outcome.fault or outcome.frames != [COUNT, COUNT]
            self.assertTrue(found, f"not found: {wrong}")

    def test_a_lost_frame_is_found_also_if_nobody_got_it(self) -> None:
        for lost in range(COUNT):
            self.assertFound([*EVENTS[:lost], *EVENTS[lost + 1 :]], alone=True)

    def test_a_doubled_frame_is_found_also_if_everybody_got_it_twice(self) -> None:
        for twice in range(COUNT):
            self.assertFound([*EVENTS[: twice + 1], *EVENTS[twice:]], alone=True)

    def test_another_order_is_found_also_if_it_is_the_same_for_all(self) -> None:
        for first in range(COUNT - 1):
            turned = [*EVENTS[:first], EVENTS[first + 1], EVENTS[first], *EVENTS[first + 2 :]]
            self.assertFound(turned, alone=True)

    def test_a_changed_byte_is_found_wherever_it_is(self) -> None:
        start, sent = len(EVENTS[0]), b"".join(EVENTS)
        for at in (*range(start, start + len(EVENTS[1])), len(sent) - 1):
            for bits in (0x01, 0x08, 0x20, 0x80):
                self.assertFound([sent[:at], bytes((sent[at] ^ bits,)), sent[at + 1 :]])

    def test_what_is_wrong_for_all_alike_is_found(self) -> None:
        late = text(2, 7.0, 40)
        for wrong in (
            event(2, seq=5),
            event(2, seq=3),
            event(2, message=4),
            event(2, chat=8),
            event(2, op=14),
            event(2, size=41),
            event(2, body=late[:-1] + "x"),
            event(2, body="+" + late[1:]),
            event(2, body=text(3, 7.0, 40)),
            event(2, body="not by us"),
            framed(TEXT, b"not JSON"),
            framed(TEXT, b""),
        ):
            self.assertFound([*EVENTS[:2], wrong, *EVENTS[3:]], alone=True)
        self.assertFound([event(n, op=14) for n in range(COUNT)], alone=True)

    def test_a_frame_that_is_no_text_and_no_ping_is_found_at_once(self) -> None:
        for first in (CLOSE, PONG, 0x82, 0x01, 0x80, 0xC1, 0x09, 0x00):
            for sent in (framed(first, b"x" * 200), bytes((first,))):
                self.assertIn("begins with", received([(0, b"".join(EVENTS)), (1, EVENTS[0] + sent)]).fault)
                self.assertIn("begins with", received([(0, EVENTS[0] + sent)], 1).fault)

    def test_a_ping_inside_a_frame_and_one_that_is_too_long_are_found(self) -> None:
        ping, sent = framed(PING, b"x"), b"".join(EVENTS)
        self.assertFound([sent[:90], ping, sent[90:]], alone=True)
        self.assertFound([EVENTS[0], framed(PING, b"x" * 126), *EVENTS[1:]], alone=True)

    def test_another_greeting_is_found(self) -> None:
        refused = framed(TEXT, b'{"op":3,"t":1,"d":{"code":"unavailable"}}')
        self.assertIn("not greeted", received([(0, UPGRADED + refused + refused)], 1, greeted=True).fault)


class EndTests(TestCase):
    def end(self, *, refused: bool = False, closing: bool = False) -> tuple[str, BaseException | None]:
        """The fault, and what opening failed with."""

        async def run() -> tuple[str, BaseException | None]:
            stream = Stream(Faults())
            receiver = Receiver(stream, "h", "/ws", "", greeted=False, timed=False)
            receiver.connection_made(Transport())
            receiver.data_received(b"HTTP/1.1 401 Unauthorized\r\n\r\n" if refused else UPGRADED)
            if closing:
                receiver.close()
            receiver.connection_lost(None)
            return stream.faults.first, receiver.opened.exception()

        loop = asyncio.new_event_loop()
        try:
            return loop.run_until_complete(run())
        finally:
            loop.close()

    def test_a_connection_that_is_cut_off_is_found(self) -> None:
        self.assertEqual(self.end(), ("a receiver was cut off: None", None))

    def test_one_that_we_close_is_no_fault(self) -> None:
        self.assertEqual(self.end(closing=True), ("", None))

    def test_a_refused_handshake_fails_the_opening(self) -> None:
        fault, error = self.end(refused=True)
        self.assertIn("cut off", fault)
        self.assertIsInstance(error, ConnectionError)
