"""The shell against plain Autobahn: arbitrary frames in arbitrary chunks give the same messages and close codes.

Only what is ours on purpose differs: binary messages (1003), the fragment rules (1008), and what inflates to about the
limit (Autobahn's count depends on the chunks, and sees too much a piece later) or ends in the middle of a deflate
stream. The streams below hold none of those, and stay below the budgets; each of them has its own tests in
``test_shell`` and ``test_compression``.

Environment: ``CHATSRV_EXAMPLES`` says how many streams each test tries.
"""

from __future__ import annotations

import os
import zlib
from itertools import chain, pairwise
from typing import Any

from autobahn.twisted.websocket import WebSocketServerFactory, WebSocketServerProtocol
from autobahn.websocket.compress import PerMessageDeflateOfferAccept
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.trial.unittest import TestCase

from chatsrv.session.admission import Admission
from chatsrv.session.factory import ShellFactory
from chatsrv.session.options import ShellOptions
from chatsrv.session.text_frames import take_text_frames, unmask
from tests.unit.test_shell_kit import (
    CLOSE,
    CONTINUATION,
    PING,
    PONG,
    TEXT,
    Recorder,
    Verifier,
    Wire,
    client_frame,
    request,
    server_frames,
)

LIMIT = 300
RSV1 = 4
OFFER = {"Sec_WebSocket_Extensions": "permessage-deflate; client_max_window_bits"}
EXAMPLES = int(os.environ.get("CHATSRV_EXAMPLES", "200"))
SETTINGS = settings(
    max_examples=EXAMPLES,
    deadline=None,
    print_blob=True,
    suppress_health_check=[HealthCheck.differing_executors],
)

texts = st.one_of(
    st.text(max_size=40).map(str.encode),
    st.text(alphabet="aé€😀", max_size=12).map(str.encode),
    st.text(alphabet="aé€😀", min_size=60, max_size=75).map(str.encode),
    st.just(b"x" * LIMIT),
)
bad_texts = st.one_of(
    st.binary(min_size=1, max_size=20),
    st.sampled_from([b"\xed\xa0\x80", b"\xc0\x80", b"ok \xe2\x82", b"\xff" * 200, b"x" * (LIMIT + 1)]),
)
masks = st.binary(min_size=4, max_size=4)
pings = st.lists(st.just(client_frame(PING, b"between")), max_size=2)


def deflated(payload: bytes, level: int = 6, bits: int = 15) -> bytes:
    deflating = zlib.compressobj(level, wbits=-bits)
    return (deflating.compress(payload) + deflating.flush(zlib.Z_SYNC_FLUSH))[:-4]


def bodies(texts: st.SearchStrategy[bytes]) -> st.SearchStrategy[bytes]:
    return st.builds(deflated, texts, st.integers(0, 9), st.integers(9, 15))


@st.composite
def messages(draw: st.DrawFn, texts: st.SearchStrategy[bytes] = texts, rsv: int = 0) -> list[bytes]:
    """One text message: mostly one frame, else fragments (none of them an empty continuation) with pings between."""
    payload, mask = draw(texts), draw(masks)
    cuts = draw(st.lists(st.integers(1, max(1, len(payload) - 1)), max_size=3, unique=True))
    if len(payload) < 2 or not cuts or draw(st.booleans()):
        return [client_frame(TEXT, payload, mask=mask, rsv=rsv)]
    edges = [0, *sorted(cuts), len(payload)]
    parts = [payload[start:stop] for start, stop in pairwise(edges)]
    middle = [client_frame(CONTINUATION, part, fin=False, mask=mask) for part in parts[1:-1]]
    last = client_frame(CONTINUATION, parts[-1], mask=mask)
    return [client_frame(TEXT, parts[0], fin=False, mask=mask, rsv=rsv), *middle, *draw(pings), last]


controls = st.tuples(
    st.builds(client_frame, st.sampled_from([PING, PONG]), st.binary(max_size=10), mask=masks)
)
closes = st.one_of(
    st.builds(
        lambda code, reason: [client_frame(CLOSE, code.to_bytes(2, "big") + reason)],
        st.sampled_from([1000, 1001, 1004, 1005, 1011, 1015, 2999, 3000, 4999, 5000, 0]),
        st.sampled_from([b"", b"bye", b"\xff"]),
    ),
    st.sampled_from([[client_frame(CLOSE)], [client_frame(CLOSE, b"x")]]),
)
bad_frames = st.one_of(
    st.builds(client_frame, st.sampled_from([TEXT, PING, 3, 11]), texts, mask=st.none()),
    st.builds(client_frame, st.just(TEXT), texts, rsv=st.integers(1, 7)),
    st.builds(client_frame, st.just(PING), rsv=st.integers(1, 7)),
    st.builds(client_frame, st.sampled_from([3, 7, 11, 15]), st.binary(max_size=9)),
    st.builds(client_frame, st.just(TEXT), st.just(b"short"), length_bytes=st.sampled_from([2, 8])),
    st.builds(client_frame, st.just(TEXT), st.just(b""), length=st.sampled_from([70000, 2**40, 2**63 - 1])),
    st.sampled_from(
        [
            client_frame(PING, b"x" * 126),
            client_frame(PING, b"x", fin=False),
            client_frame(CONTINUATION, b"x"),
            client_frame(TEXT, b"s", length_bytes=8),
        ]
    ),
)
broken = st.one_of(
    messages(bad_texts),
    st.tuples(bad_frames),
    st.tuples(bad_frames),
    st.just([client_frame(TEXT, b"x", fin=False), client_frame(TEXT, b"y")]),
)
well_formed = st.integers(0, 3).flatmap(lambda kind: messages() if kind else controls)


def streams(
    well_formed: st.SearchStrategy[list[bytes]], broken: st.SearchStrategy[list[bytes]]
) -> st.SearchStrategy[list[bytes]]:
    """Frames: good ones, mostly then an end or something broken, and more behind it."""
    ends = st.sampled_from([closes, broken, broken, broken, st.just([])]).flatmap(lambda strategy: strategy)
    return st.builds(
        lambda *messages: [frame for message in chain(*messages) for frame in message],
        st.lists(well_formed, max_size=8),
        st.tuples(ends),
        st.lists(well_formed, max_size=3),
    )


plain_streams = streams(well_formed, broken)
compressed = messages(bodies(texts.filter(lambda text: len(text) < LIMIT - 20)), RSV1)
bad_compressed = st.one_of(
    messages(bodies(bad_texts.filter(lambda text: len(text) < LIMIT - 20)), RSV1),
    messages(st.sampled_from([b"\xff" * 9, b"\x07" * 40]), RSV1),
    st.sampled_from(
        [
            [client_frame(TEXT, deflated(b"x" * 5000), rsv=RSV1)],
            [client_frame(PING, b"x", rsv=RSV1)],
            [client_frame(TEXT, b"x", rsv=RSV1 | 1)],
            [client_frame(TEXT, b"x", fin=False), client_frame(CONTINUATION, b"x", rsv=RSV1)],
        ]
    ),
)
compressed_streams = streams(
    st.one_of(compressed, compressed, well_formed), st.one_of(bad_compressed, broken)
)


@st.composite
def chunked(draw: st.DrawFn, streams: st.SearchStrategy[list[bytes]] = plain_streams) -> list[bytes]:
    """A stream in chunks: by frames, some frames at a time, or cut anywhere."""
    frames = draw(streams)
    if draw(st.booleans()):
        sizes = draw(st.lists(st.integers(1, 3), min_size=1, max_size=5))
        return [b"".join(group) for group in cut(frames, sizes)]
    sizes = draw(st.lists(st.one_of(st.integers(1, 12), st.integers(1, 400)), min_size=1, max_size=20))
    return cut(b"".join(frames), sizes)


def cut(whole: Any, sizes: list[int]) -> list[Any]:
    """Slices of these sizes, over and over."""
    result = []
    while whole:
        size = sizes[len(result) % len(sizes)]
        result.append(whole[:size])
        whole = whole[size:]
    return result


Outcome = tuple[list[bytes], list[bytes], list[int]]


def through_the_shell(parts: list[bytes], limit: int = LIMIT, compression: bool = False) -> Outcome:
    clock = Clock()
    sessions: list[Recorder] = []

    def open_session(shell: object) -> Recorder:
        sessions.append(Recorder(shell))
        return sessions[0]

    factory = ShellFactory(
        reactor=clock,
        verifier=Verifier(),
        admission=Admission(seconds=clock.seconds, max_connections=10),
        open_session=open_session,
        options=ShellOptions(frame_bytes=limit, compression=compression),
    )
    wire = Wire(clock)
    shell = wire.protocol = factory.buildProtocol(None)
    shell.makeConnection(wire)
    shell.dataReceived(request(**OFFER))
    clock.advance(0)
    wire.clear()
    for part in parts:
        shell.dataReceived(part)
    clock.advance(0)
    outcome = judged(sessions[0].messages, wire.value())
    shell.abort()
    clock.advance(0)
    return outcome


class Plain(WebSocketServerProtocol):
    def onMessage(self, payload: bytes, isBinary: bool) -> None:
        self.factory.messages.append(payload)


def accept(offers: list[Any]) -> PerMessageDeflateOfferAccept:
    """The answer that ours gives."""
    return PerMessageDeflateOfferAccept(
        offers[0],
        request_no_context_takeover=True,
        request_max_window_bits=12,
        no_context_takeover=True,
        window_bits=12,
    )


def through_autobahn(parts: list[bytes], limit: int = LIMIT, compression: bool = False) -> Outcome:
    factory = WebSocketServerFactory(reactor=Clock())
    factory.protocol = Plain
    factory.messages = []
    factory.setProtocolOptions(
        failByDrop=False,
        echoCloseCodeReason=True,
        maxFramePayloadSize=limit,
        maxMessagePayloadSize=limit,
        perMessageCompressionAccept=accept if compression else None,
        openHandshakeTimeout=0,
        closeHandshakeTimeout=0,
    )
    wire = StringTransport()
    protocol = factory.buildProtocol(None)
    protocol.makeConnection(wire)
    protocol.dataReceived(request(**OFFER))
    assert (protocol._perMessageCompress is not None) == compression
    wire.clear()
    wire.unregisterProducer = lambda: None
    for part in parts:
        if not wire.disconnecting:
            protocol.dataReceived(part)
    return judged(factory.messages, wire.value())


def judged(messages: list[bytes], sent: bytes) -> Outcome:
    """The messages, the pongs, and the first close frame's code; a second close frame would show as one more."""
    frames = server_frames(sent)
    codes = [int.from_bytes(payload[:2], "big") for opcode, payload in frames if opcode == CLOSE]
    return messages, [payload for opcode, payload in frames if opcode == PONG], codes


class Differential(TestCase):
    @SETTINGS
    @example([client_frame(TEXT, b"x", rsv=4)])
    @example([client_frame(TEXT, b"x" * (LIMIT + 1))])
    @example([client_frame(TEXT, b"one"), client_frame(TEXT, b"two", length_bytes=2)])
    @example([client_frame(TEXT, b"one"), client_frame(TEXT, b"two", length_bytes=8)])
    @example([client_frame(TEXT, b"\xe2\x82"), client_frame(TEXT, b"\xac")])
    @example([client_frame(TEXT, b"a", fin=False), client_frame(TEXT, b"b")])
    @example([client_frame(TEXT, b"x", mask=b"\x80abc")[:1], client_frame(TEXT, b"x", mask=b"\x80abc")[1:]])
    @example([client_frame(TEXT, b"long")[:7], client_frame(TEXT, b"long")[7:] + client_frame(TEXT, b"next")])
    @given(chunked())
    def test_frames_in_any_chunking_have_the_outcome_autobahn_gives_them(self, parts: list[bytes]) -> None:
        self.assertEqual(through_the_shell(parts), through_autobahn(parts))

    @SETTINGS
    @given(chunked(compressed_streams))
    def test_compressed_messages_among_others_have_the_outcome_autobahn_gives_them(
        self, parts: list[bytes]
    ) -> None:
        ours, plain = (through(parts, compression=True) for through in (through_the_shell, through_autobahn))
        self.assertEqual(ours, plain)

    def test_where_the_length_gets_8_bytes_and_at_the_largest_message_the_outcome_is_autobahns(self) -> None:
        for length in (*range(65534, 65539), 2**31, 2**63 - 1, 2**63, 2**64 - 1):
            payload = bytes(65 + index % 26 for index in range(length)) if length < 2**20 else b"x"
            for length_bytes in (2, 8) if length < 65536 else (8,):
                frame = client_frame(TEXT, payload, length_bytes=length_bytes, length=length)
                halves = [
                    client_frame(TEXT, payload[:40000], fin=False),
                    client_frame(CONTINUATION, payload[40000:]),
                ]
                for limit in (65535, 65536):
                    for stream in ([frame], [frame[:9], frame[9:14], frame[14:]], halves, [b"".join(halves)]):
                        ours, plain = through_the_shell(stream, limit), through_autobahn(stream, limit)
                        self.assertEqual(ours, plain, (length, length_bytes, limit, len(stream)))

    def test_each_length_in_each_encoding_alone_and_behind_another_has_the_outcome_autobahn_gives_it(
        self,
    ) -> None:
        first = client_frame(TEXT, b"first")
        for length in (*range(15), *range(110, 140), *range(LIMIT - 12, LIMIT + 3)):
            for length_bytes in (0, 2, 8) if length < 126 else (2, 8):
                payload = bytes(65 + index % 26 for index in range(length))
                frame = client_frame(TEXT, payload, length_bytes=length_bytes)
                unmasked = client_frame(TEXT, payload, mask=None, length_bytes=length_bytes)
                for stream in (
                    [frame],
                    [first, frame],
                    [first + frame],
                    [frame[:-1], frame[-1:]],
                    [unmasked],
                ):
                    self.assertEqual(through_the_shell(stream), through_autobahn(stream), (length, stream))

    def test_every_first_byte_and_every_marker_has_the_outcome_autobahn_gives_it(self) -> None:
        for size in (5, 6, 7, 9, 14, 130, 131, 132, 133, 134, 140):
            rest = bytes(size)
            for marker in range(256):
                stream = [bytes([0x81, marker]) + rest[2:], b"\0" * 3]
                self.assertEqual(through_the_shell(stream), through_autobahn(stream), (size, marker))
        for opening in set(range(256)) - {0x02, 0x82}:  # binary messages are 1003 here
            stream = [bytes([opening, 0x83]) + b"\0\0\0\0abc"]
            self.assertEqual(through_the_shell(stream), through_autobahn(stream), opening)

    @SETTINGS
    @given(st.binary(max_size=600), masks)
    def test_unmasking_is_the_definition_and_its_own_inverse(self, data: bytes, mask: bytes) -> None:
        for payload in (data, data * 8):
            expected = bytes(byte ^ mask[index % 4] for index, byte in enumerate(payload))
            self.assertEqual(unmask(payload, mask), expected)
            self.assertEqual(unmask(expected, mask), payload)

    @SETTINGS
    @given(st.binary(max_size=200))
    def test_arbitrary_bytes_are_taken_only_as_whole_valid_frames(self, data: bytes) -> None:
        found, taken = take_text_frames(b"\x81" + data, LIMIT)
        again = b"".join(client_frame(TEXT, message, mask=b"\0\0\0\0") for message in found)
        self.assertEqual(len(again), taken)
