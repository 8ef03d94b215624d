"""What comes in on an open connection: whole text frames taken straight from the bytes, the rest by Autobahn.

:class:`Frames` is the inbound half of the shell. Nearly all input is unfragmented masked text frames that
arrive whole; :func:`take_text_frames` cuts those out of the received bytes when Autobahn's parser holds
nothing, and everything from the first other byte on goes to that parser unchanged, so that its judgement and
its close codes stay the reference (a differential test holds the two together). Always: after a failure or a
close of ours no message is delivered, and once input is worthless it is discarded unread (RELIABILITY A3, A4,
section 3.2).
"""

from __future__ import annotations

from typing import Any

from autobahn.twisted.websocket import WebSocketServerProtocol
from autobahn.websocket.xormasker import create_xor_masker

from chatsrv.wire.codes import CloseCode

_TEXT_AND_FIN = 0x81
_MASKED = 0x80
_BIG_INTEGER_BYTES = 2048  # above, Autobahn's native masker is faster than one XOR of big integers
_AFTER_CLOSE_BYTES = 262144

CLOSED, CLOSING, OPEN = (
    WebSocketServerProtocol.STATE_CLOSED,
    WebSocketServerProtocol.STATE_CLOSING,
    WebSocketServerProtocol.STATE_OPEN,
)


def unmask(data: bytes, mask: bytes) -> bytes:
    """The payload behind a frame's 4-byte mask (RFC 6455 section 5.3)."""
    length = len(data)
    if length > _BIG_INTEGER_BYTES:
        return bytes(create_xor_masker(mask, length).process(data))
    key = int.from_bytes((mask * ((length + 3) >> 2))[:length], "little")
    return (int.from_bytes(data, "little") ^ key).to_bytes(length, "little")


def take_text_frames(data: bytes, limit: int) -> tuple[list[bytes], int]:
    """The payloads of the whole, unfragmented, masked, valid text frames that ``data`` begins with.

    Returns them and how many bytes they took. Stops at the first byte of anything else: another kind of
    frame, one that is longer than ``limit`` or not all there, a length that is not minimally encoded, text
    that is not UTF-8.
    """
    messages: list[bytes] = []
    position, end = 0, len(data)
    while end - position >= 6 and data[position] == _TEXT_AND_FIN:
        length = data[position + 1] - _MASKED
        if 0 <= length < 126:
            start = position + 6
        elif length == 126:
            length = int.from_bytes(data[position + 2 : position + 4], "big")
            start = position + 8
            if length < 126:
                break
        elif length == 127:
            length = int.from_bytes(data[position + 2 : position + 10], "big")
            start = position + 14
            if length < 65536:
                break
        else:
            break
        stop = start + length
        if stop > end or length > limit:
            break
        payload = unmask(data[start:stop], data[start - 4 : start])
        if not (payload.isascii() or _is_utf8(payload)):
            break
        messages.append(payload)
        position = stop
    return messages, position


def _is_utf8(payload: bytes) -> bool:
    try:
        payload.decode()
    except UnicodeDecodeError:
        return False
    return True


class Frames(WebSocketServerProtocol):  # type: ignore[misc]  # autobahn is untyped
    """Feeds an open connection's bytes to the fast path and to Autobahn, and applies the inbound rules.

    A subclass gives ``options``, ``heartbeat`` (``tick``, ``window``), :meth:`deliver` and
    :meth:`close_with`.
    """

    options: Any
    heartbeat: Any

    state = CLOSED
    data = b""
    current_frame: Any = None
    inside_message = False
    failedByMe = False
    heard = 0
    message_since = 0
    _window = -1
    _frames_left = 0
    _controls_left = 0
    _fragments = 0
    _after_close = 0

    def deliver(self, payload: bytes) -> None:
        """One whole, valid text message."""
        raise NotImplementedError

    def close_with(self, code: CloseCode, reason: str | None = None) -> None:
        """Begins to close the connection."""
        raise NotImplementedError

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
        """Behind our close frame only the peer's matters: parsed up to a bound, never after a failure."""
        self._after_close += len(data)
        if self.failedByMe or self.state == CLOSED or self._after_close > _AFTER_CLOSE_BYTES:
            self.data = b""
        elif data:
            self._dataReceived(data)

    def consumeData(self) -> None:
        """Autobahn's loop over what is buffered, left as soon as the connection has failed."""
        if self.state == self.STATE_CONNECTING:
            self.processHandshake()
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
        self._count(1, controls=self.current_frame.opcode > 7)
        super().onFrameBegin()

    def onMessageBegin(self, isBinary: bool) -> None:
        super().onMessageBegin(isBinary)
        self._fragments = 0
        self.message_since = self.heartbeat.tick
        if isBinary:
            self._fail(CloseCode.UNSUPPORTED_DATA)

    def onMessageFrameBegin(self, length: int) -> None:
        super().onMessageFrameBegin(length)
        self._fragments += 1
        frame = self.current_frame
        empty_continuation = length == 0 and frame.opcode == 0 and not frame.fin
        if empty_continuation or self._fragments > self.options.fragments:
            self._fail(CloseCode.POLICY)

    def onMessage(self, payload: bytes, isBinary: bool) -> None:
        if self.state == OPEN:
            self.deliver(payload)
