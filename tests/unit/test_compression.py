"""permessage-deflate: what is agreed on, what comes in (bounded, whole or refused), what goes out (once for many)."""

from __future__ import annotations

import random
import tracemalloc
import zlib
from itertools import pairwise

from twisted.trial.unittest import TestCase

from chatsrv.session.compression import LEAST_BYTES, Deflater, answer_to
from chatsrv.session.options import ShellOptions
from chatsrv.session.outbox import frame_text
from chatsrv.wire.codes import CloseCode
from tests.unit.test_shell_kit import (
    CLOSE,
    CONTINUATION,
    PING,
    PONG,
    TEXT,
    ShellCase,
    Wire,
    client_frame,
    request,
    server_frames,
    text,
)

BOTH = "permessage-deflate; server_no_context_takeover; client_no_context_takeover; server_max_window_bits=12"
RSV1 = 4


def deflated(payload: bytes, bits: int = 15) -> bytes:
    """As RFC 7692 section 7.2.1 has it."""
    deflating = zlib.compressobj(wbits=-bits)
    return (deflating.compress(payload) + deflating.flush(zlib.Z_SYNC_FLUSH))[:-4]


def inflated(body: bytes) -> bytes:
    return zlib.decompressobj(-12).decompress(body + b"\x00\x00\xff\xff")


def compressed(payload: bytes, *cuts: int) -> bytes:
    """A compressed message in one frame, or cut into more."""
    return in_fragments(deflated(payload), *cuts)


def in_fragments(body: bytes, *cuts: int) -> bytes:
    parts = [body[start:stop] for start, stop in pairwise([0, *cuts, len(body)])]
    last = len(parts) - 1
    return b"".join(
        client_frame(CONTINUATION if at else TEXT, part, fin=at == last, rsv=0 if at else RSV1)
        for at, part in enumerate(parts)
    )


class WhatIsAgreedOn(TestCase):
    def test_an_offer_is_met_without_context_takeover_and_with_a_window_of_12_bits(self) -> None:
        for parameters, more in (
            ("", ""),
            ("; client_no_context_takeover; server_no_context_takeover", ""),
            ("; server_max_window_bits=12", ""),
            ('; server_max_window_bits="15"', ""),
            ("; client_max_window_bits", "; client_max_window_bits=12"),
            ("; client_max_window_bits=15", "; client_max_window_bits=12"),
            (" ;client_max_window_bits = 9 ", "; client_max_window_bits=9"),
        ):
            self.assertEqual(answer_to(["permessage-deflate" + parameters]), BOTH + more, parameters)

    def test_an_offer_that_is_invalid_unknown_or_cannot_be_met_is_passed_over(self) -> None:
        for parameters in (
            "; server_max_window_bits=11",
            "; server_max_window_bits",
            "; server_max_window_bits=",
            "; server_max_window_bits=16",
            "; server_max_window_bits=012",
            '; server_max_window_bits="12',
            "; client_max_window_bits=7",
            "; client_no_context_takeover=1",
            "; client_no_context_takeover; client_no_context_takeover",
            "; unknown",
            ";",
            "-x",
        ):
            offer = "permessage-deflate" + parameters
            self.assertIsNone(answer_to([offer]), parameters)
            self.assertEqual(answer_to(["permessage-bzip2", offer, "permessage-deflate"]), BOTH, parameters)
        self.assertIsNone(answer_to([]))


class Off(ShellCase):
    def test_by_default_nothing_is_agreed_on_and_rsv1_is_a_protocol_error(self) -> None:
        wire = self.connect()
        self.receive(wire, request(Sec_WebSocket_Extensions="permessage-deflate"))
        self.assertNotIn(b"Extensions", wire.value())
        wire.clear()
        self.receive(wire, compressed(b"x"))
        self.assert_closing(wire, CloseCode.PROTOCOL_ERROR)


class CompressedCase(ShellCase):
    options = ShellOptions(compression=True)

    def open_compressed(self) -> Wire:
        return self.open(request(Sec_WebSocket_Extensions="permessage-deflate; client_max_window_bits"))

    def assert_closes(self, data: bytes, code: CloseCode) -> None:
        for chunk in (len(data), 1):
            wire = self.open_compressed()
            for start in range(0, len(data), chunk):
                wire.protocol.dataReceived(data[start : start + chunk])
            self.receive(wire, text("ignored"))
            self.assert_closing(wire, code)
            self.assertEqual(self.sessions[-1].messages, [])


class Incoming(CompressedCase):
    def test_the_101_names_what_was_agreed_on(self) -> None:
        wire = self.connect()
        self.receive(wire, request(Sec_WebSocket_Extensions="x, permessage-deflate; client_max_window_bits"))
        answer = f"\r\nSec-WebSocket-Extensions: {BOTH}; client_max_window_bits=12\r\n\r\n"
        self.assertTrue(wire.value().endswith(answer.encode()), wire.value())

    def test_a_client_that_offers_nothing_is_served_as_ever(self) -> None:
        wire = self.open()
        wire.protocol.send(frame_text(b"x" * 5000))
        self.assertEqual(self.frames(wire), [(TEXT, b"x" * 5000)])
        self.receive(wire, compressed(b"x"))
        self.assertEqual(self.frames(wire)[-1][1][:2], b"\x03\xea")

    def test_messages_are_inflated_in_any_chunking_with_others_and_pings_between(self) -> None:
        long = random.Random(1).randbytes(9000).hex().encode()
        payloads = [b"", b"a", "ä€😀".encode() * 30, long, b"x" * 65536]
        stream = compressed(long, 2000, 2001, 5000) + text("plain")
        stream += b"".join(compressed(payload) + client_frame(PING) for payload in payloads)
        for chunk in (len(stream), 1, 7, 1000):
            wire = self.open_compressed()
            for start in range(0, len(stream), chunk):
                wire.protocol.dataReceived(stream[start : start + chunk])
            self.assertEqual(self.sessions[-1].messages, [long, b"plain", *payloads])
            self.assertEqual(self.frames(wire), [(PONG, b"")] * len(payloads))

    def test_the_forms_of_the_rfc_are_understood(self) -> None:
        hello = (
            "f248cdc9c90700",
            "000500faff48656c6c6f00",
            "f348cdc9c9070000",
            "f248050000 00ffffcac9c90700",
        )
        wire = self.open_compressed()
        for body in hello:
            self.receive(wire, in_fragments(bytes.fromhex(body)))
        self.receive(wire, in_fragments(b"\x00"))
        self.assertEqual(self.sessions[0].messages, [b"Hello"] * 4 + [b""])

    def test_rsv1_belongs_on_the_first_frame_of_a_message_only(self) -> None:
        for data in (
            client_frame(TEXT, b"x", fin=False, rsv=RSV1) + client_frame(CONTINUATION, b"x", rsv=RSV1),
            client_frame(PING, b"", rsv=RSV1),
            client_frame(CLOSE, b"\x03\xe8", rsv=RSV1),
            client_frame(TEXT, deflated(b"x"), rsv=RSV1 + 1),
            client_frame(TEXT, deflated(b"x"), rsv=2),
        ):
            self.assert_closes(data, CloseCode.PROTOCOL_ERROR)

    def test_a_stream_that_is_broken_cut_short_or_goes_on_behind_its_end_is_1007(self) -> None:
        whole = deflated(b"some text, and some more of the text")
        ended = zlib.compressobj(wbits=-15)
        final = ended.compress(b"Hello") + ended.flush()
        cut_short = [whole[:size] for size in range(len(whole))]
        for body in (*cut_short, b"\xff" * 9, b"\x07", whole + b"\xff", final + b"\x01", final + final):
            self.assert_closes(in_fragments(body), CloseCode.INVALID_TEXT)
        self.assert_closes(in_fragments(b"\xff" * 9, 4), CloseCode.INVALID_TEXT)

    def test_what_inflates_to_other_than_utf8_is_1007(self) -> None:
        for payload in (b"\xed\xa0\x80", b"ok \xe2\x82"):
            self.assert_closes(compressed(payload), CloseCode.INVALID_TEXT)

    def test_64_kib_inflated_are_taken_and_any_number_of_bytes_more_are_1009(self) -> None:
        wire = self.open_compressed()
        self.receive(wire, compressed(b"x" * 65536))
        self.assertEqual(self.sessions[0].messages, [b"x" * 65536])
        for more in (*range(1, 300, 7), 70000):
            wire = self.open_compressed()
            self.receive(wire, compressed(b"x" * (65536 + more)))
            self.assert_closing(wire, CloseCode.TOO_BIG)
            self.assertEqual(self.sessions[-1].messages, [])
        self.assert_closes(compressed(b"x" * 65537, 20), CloseCode.TOO_BIG)

    def test_a_bomb_is_1009_and_is_never_inflated(self) -> None:
        bomb = compressed(bytes(50_000_000))
        self.assertLess(len(bomb), 65536)
        wire = self.open_compressed()
        tracemalloc.start()
        self.addCleanup(tracemalloc.stop)
        self.receive(wire, bomb)
        _, peak = tracemalloc.get_traced_memory()
        self.assert_closing(wire, CloseCode.TOO_BIG)
        self.assertLess(peak, 1_000_000)

    def test_an_idle_connection_holds_no_state_of_zlib(self) -> None:
        wire = self.open_compressed()
        self.receive(wire, compressed(b"x" * 5000))
        wire.protocol.send(frame_text(b"x" * 5000))
        inflater = wire.protocol._perMessageCompress
        self.assertEqual(
            [name for name in inflater.__slots__ if hasattr(inflater, name)], ["_left", "_limit"]
        )


class Outgoing(CompressedCase):
    def test_long_frames_leave_compressed_and_short_ones_as_they_are(self) -> None:
        wire = self.open_compressed()
        for size in (1, LEAST_BYTES - 5, LEAST_BYTES - 4, 65535, 65536, 200_000):
            wire.clear()
            payload = b"ab" * (size // 2) + b"c" * (size % 2)
            wire.protocol.send(frame_text(payload))
            self.clock.advance(0)
            data = wire.value()
            self.assertEqual(data[0], 0xC1 if size + 4 >= LEAST_BYTES else 0x81, size)
            ((_, body),) = server_frames(b"\x81" + data[1:])
            self.assertEqual(inflated(body) if data[0] == 0xC1 else body, payload)

    def test_what_cannot_be_compressed_leaves_as_it_is(self) -> None:
        wire = self.open_compressed()
        noise = random.Random(2).randbytes(4000)
        wire.protocol.send(frame_text(noise))
        self.assertEqual(self.frames(wire), [(TEXT, noise)])

    def test_a_frame_that_goes_to_many_is_compressed_once(self) -> None:
        deflater = Deflater()
        sent: list[bytes] = []
        senders = [deflater.through(sent.append) for _ in range(3)]
        for frame in (frame_text(b"a" * 5000), frame_text(b"b" * 5000)):
            sent.clear()
            for send in senders:
                send(frame)
            self.assertLess(len(sent[0]), 100)
            self.assertIs(sent[0], sent[1])
            self.assertIs(sent[1], sent[2])

    def test_nothing_is_sent_behind_a_close(self) -> None:
        wire = self.open_compressed()
        wire.protocol.close_with(CloseCode.GOING_AWAY)
        wire.protocol.send(frame_text(b"a" * 5000))
        self.assert_closing(wire, CloseCode.GOING_AWAY)
