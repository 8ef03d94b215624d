"""What comes in on an open connection: whole text frames taken straight from the bytes, the rest by Autobahn.

:class:`Frames` is the inbound half of the shell. Nearly all input is unfragmented masked text frames that
arrive whole; those are cut out of the received bytes (:mod:`text_frames`) when Autobahn's parser holds
nothing, and everything from the first other byte on goes to that parser unchanged, so that its judgement and
its close codes stay the reference (a differential test holds the two together). Always: after a failure or a
close of ours no message is delivered, and once input is worthless it is discarded unread (RELIABILITY A3, A4,
section 3.2).
"""

from __future__ import annotations

from typing import Any

from autobahn.twisted.websocket import WebSocketServerProtocol
from autobahn.websocket.utf8validator import Utf8Validator

from chatsrv.session.text_frames import MASKED, TEXT_AND_FIN, is_utf8, take_text_frames
from chatsrv.wire.codes import CloseCode

_AFTER_CLOSE_BYTES = 262144

CLOSED, CLOSING, OPEN = (
    WebSocketServerProtocol.STATE_CLOSED,
    WebSocketServerProtocol.STATE_CLOSING,
    WebSocketServerProtocol.STATE_OPEN,
)

_int = int.from_bytes


class Frames(WebSocketServerProtocol):  # type: ignore[misc]  # autobahn is untyped
    """Feeds an open connection's bytes to the fast path and to Autobahn, and applies the inbound rules.

    A subclass gives ``options``, ``heartbeat`` (`Heartbeat`), ``longest_at_once`` (of the frames
    that :meth:`dataReceived` takes itself), :meth:`other_input`, :meth:`deliver`, :meth:`crashed` and
    :meth:`close_with`.
    """

    options: Any
    heartbeat: Any
    longest_at_once: int

    state = CLOSED
    data = b""
    current_frame: Any = None
    inside_message = False
    utf8validator: Any = None
    failedByMe = False
    heard = 0
    message_since = 0
    due: float = 0
    ends_at = float("inf")
    _window = -1
    _frames_left = 0
    _controls_left = 0
    _fragments = 0
    _after_close = 0
    floods = False  # and is not read any more

    def deliver(self, payload: bytes) -> None:
        """One whole, valid text message."""
        raise NotImplementedError

    def other_input(self, data: bytes) -> None:
        """What is not one whole short text frame; an open connection gives it to :meth:`frames_received`."""
        raise NotImplementedError

    def crashed(self) -> None:
        """Called while an exception is handled that came from anything that input gave rise to."""
        raise NotImplementedError

    def close_with(self, code: CloseCode, reason: str | None = None) -> None:
        """Begins to close the connection."""
        raise NotImplementedError

    def dataReceived(self, data: bytes) -> None:
        """Takes one whole short text frame in a straight line: a client that waits for its answer sends no more.

        What it does is what :meth:`frames_received` would do, which gets everything else. Written out, for
        its calls would cost as much as all the rest.
        """
        try:
            heartbeat = self.heartbeat
            size = len(data)
            if (
                5 < size <= self.longest_at_once
                and data[0] == TEXT_AND_FIN
                and self.state == OPEN
                and self._window == heartbeat.window
                and self._frames_left > 0
                and self.current_frame is None
                and not self.inside_message
                and not self.data
            ):
                if size < 132:
                    start = 6
                    length = size - 6
                    whole = data[1] == MASKED + length
                else:  # 126 bytes and more have two bytes of length
                    start = 8
                    length = size - 8
                    whole = length > 125 and data[1] == MASKED + 126 and data[2] << 8 | data[3] == length
                if whole:
                    key = _int((data[start - 4 : start] * ((length + 3) >> 2))[:length], "little")
                    payload = (_int(data[start:], "little") ^ key).to_bytes(length, "little")
                    if payload.isascii() or is_utf8(payload):
                        self.heard = heartbeat.tick
                        self._frames_left -= 1
                        self.deliver(payload)
                        return
            self.other_input(data)
        except Exception:
            self.crashed()

    def frames_received(self, data: bytes) -> None:
        """Input of a connection that was upgraded, in any chunking."""
        self.heard = self.heartbeat.tick
        while data and self.state == OPEN:
            if self.current_frame is None and not self.inside_message and not self.data:
                data = self._take_messages(data)
                rest, data = data, b""
            else:
                rest, data = self._rest_of_frame(data)
            if rest and self.state == OPEN:
                self._dataReceived(rest)
        if self.state != OPEN:
            self._closing_received(data)

    def _take_messages(self, data: bytes) -> bytes:
        messages, taken = take_text_frames(data, self.options.frame_bytes)
        for message in messages:
            self._count(1)
            if self.state != OPEN:
                return b""
            self.deliver(message)
        return data[taken:] if taken else data

    def _rest_of_frame(self, data: bytes) -> tuple[bytes, bytes]:
        """What Autobahn still needs for the frame it is in, and what follows; all where it is in none."""
        if self.current_frame is None:
            return data, b""
        missing = self.current_frame.length - self.current_frame_masker.pointer()
        return data[:missing], data[missing:]

    def _closing_received(self, data: bytes) -> None:
        """Behind our close frame only the peer's matters: parsed up to a bound, never after a failure.

        Beyond the bound nothing is read any more, so that a flood meets a full window and not our CPU. Up to it
        input is read although it is worthless: closing with some unread resets, which may eat our last words.
        """
        self._after_close += len(data)
        if self.failedByMe or self.state == CLOSED or self._after_close > _AFTER_CLOSE_BYTES:
            self.data = b""
            if self._after_close > _AFTER_CLOSE_BYTES:
                self.floods = True
                self.transport.pauseProducing()
        elif data:
            self._dataReceived(data)

    def consumeData(self) -> None:
        """Autobahn's loop over what is buffered, left as soon as the connection has failed."""
        while self.state in (OPEN, CLOSING) and not self.failedByMe and self.processData():
            pass
        if self.failedByMe or self.state == CLOSED:
            self.data = b""

    def _count(self, frames: int, controls: int = 0) -> None:
        """Spends the budgets of the present window of 10 s."""
        if self._window != self.heartbeat.window:
            self._window = self.heartbeat.window
            self._frames_left = 10 * self.options.frames_per_s
            self._controls_left = self.options.control_frames_per_10s
        self._frames_left -= frames
        self._controls_left -= controls
        if self._frames_left < 0 or self._controls_left < 0:
            self._fail(CloseCode.POLICY)

    def _fail(self, code: CloseCode) -> None:
        """Closes, and makes the rest of the input worthless."""
        if self.state == OPEN:
            self.close_with(code)
        self.failedByMe = True

    def _fail_connection(self, code: int = 1001, reason: str = "") -> None:
        """Autobahn found a violation; its reason may hold the peer's text and is not used."""
        self._fail(CloseCode.by_number(code) or CloseCode.PROTOCOL_ERROR)

    def onFrameBegin(self) -> None:
        self._count(1, controls=self.current_frame.opcode > 8)  # a close ends it anyway
        if self.utf8validator is None and self.current_frame.opcode <= 7:
            self.utf8validator = Utf8Validator()  # most connections never need theirs
        super().onFrameBegin()

    def onMessageBegin(self, isBinary: bool) -> None:
        super().onMessageBegin(isBinary)
        self._fragments = 0
        self.heartbeat.expect_message(self)
        if isBinary:
            self._fail(CloseCode.UNSUPPORTED_DATA)

    def onMessageFrameBegin(self, length: int) -> None:
        super().onMessageFrameBegin(length)
        if self._isMessageCompressed:
            self.message_data_total_length -= length  # the inflater counts
        self._fragments += 1
        frame = self.current_frame
        empty_continuation = length == 0 and frame.opcode == 0 and not frame.fin
        if empty_continuation or self._fragments > self.options.fragments:
            self._fail(CloseCode.POLICY)

    def onMessage(self, payload: bytes, isBinary: bool) -> None:
        if self.state == OPEN:
            self.deliver(payload)
