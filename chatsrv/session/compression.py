"""Compression of messages, permessage-deflate, as far as this server takes part in it. Sans-IO.

Off unless the setting ``compression`` is on. :mod:`handshake` asks :func:`answer_to` what to answer to a client's
offers; a :class:`Shell` with such an answer gives Autobahn's parser an :class:`Inflater` and sends through the
:class:`Deflater` that all shells of the factory share. Always: no context is kept from one message to the next, in
either direction, so an idle connection holds no zlib state and a frame that goes to many is compressed once; what
comes in is inflated up to the limit of a message and no further. Sources: RFC 7692, RELIABILITY sections 3.2 and 4.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Callable

from autobahn.exception import PayloadCorruptError, PayloadExceededError

from chatsrv.wire.framing import frame_text

EXTENSION = "permessage-deflate"
WINDOW_BITS = 12
LEAST_BYTES = 1024  # of a frame that is compressed; below, what is saved is not worth the work

_BOTH = f"{EXTENSION}; server_no_context_takeover; client_no_context_takeover"
_PARAMETER = re.compile(r'([a-z_]+)(?:[ \t]*=[ \t]*(?:([0-9]+)|"([0-9]+)"))?')
_FLAGS = frozenset({"server_no_context_takeover", "client_no_context_takeover"})
_BITS = frozenset(str(bits) for bits in range(8, 16))
_WIDEST_WINDOW = -15  # of a client that does not let us choose; negative: without zlib's header
_LITTLE_MEMORY = 5
_COMPRESSED_TEXT_AND_FIN = b"\xc1"
_TAIL = b"\x00\x00\xff\xff"
_LAST_BLOCK = b"\x01\x00\x00\xff\xff"  # an empty one, which is understood only where a block may begin


def answer_to(offers: list[str]) -> str | None:
    """The extension that the 101 names, for the first of the offers that can be met; None: no compression.

    Offers that RFC 7692 section 7.1 calls invalid are passed over, and so is a client whose window is too small
    for the one form that a frame has for all.
    """
    for offer in offers:
        asked = _parameters(offer)
        if asked is None or int(asked.get("server_max_window_bits") or 15) < WINDOW_BITS:
            continue
        answer = f"{_BOTH}; server_max_window_bits={WINDOW_BITS}"
        if "client_max_window_bits" in asked:
            bits = min(WINDOW_BITS, int(asked["client_max_window_bits"] or 15))
            answer += f"; client_max_window_bits={bits}"
        return answer
    return None


def _parameters(offer: str) -> dict[str, str] | None:
    """The parameters of a valid offer of this extension, a value left out as ``""``; None for any other."""
    name, *parts = (part.strip() for part in offer.split(";"))
    if name != EXTENSION:
        return None
    parameters: dict[str, str] = {}
    for part in parts:
        found = _PARAMETER.fullmatch(part)
        if found is None or found[1] in parameters:
            return None
        parameters[found[1]] = found[2] or found[3] or ""
    return parameters if all(_valid(*parameter) for parameter in parameters.items()) else None


def _valid(name: str, value: str) -> bool:
    if name in _FLAGS:
        return value == ""
    return value in _BITS or (name, value) == ("client_max_window_bits", "")


class Inflater:
    """Inflates one connection's messages; Autobahn calls it around and for each piece of a compressed one.

    ``limit``: bytes of the largest message. It is kept here, for Autobahn's own count depends on the chunks.
    """

    EXTENSION_NAME = EXTENSION
    __slots__ = ("_left", "_limit", "_zlib")

    def __init__(self, limit: int) -> None:
        self._limit = limit

    def start_decompress_message(self) -> None:
        """A message begins."""
        self._zlib = zlib.decompressobj(_WIDEST_WINDOW)
        self._left = self._limit

    def decompress_message_data(self, data: bytes, max_output_len: int) -> bytes:
        """What ``data`` stands for; raises ``PayloadExceededError`` where the message is longer than the limit."""
        try:
            # One byte more tells too much from just enough; zlib may still hold back what goes beyond.
            payload = self._zlib.decompress(data, self._left + 1)
        except zlib.error as error:
            raise PayloadCorruptError("not deflated") from error
        self._left -= len(payload)
        if self._left < 0:
            raise PayloadExceededError("too large")
        return payload

    def end_decompress_message(self) -> None:
        """The message ended; raises ``PayloadCorruptError`` where its deflate stream did not, or went on behind."""
        inflating = self._zlib
        del self._zlib
        if inflating.eof:
            whole = inflating.unused_data in (b"", b"\x00")  # RFC 7692 section 7.2.3.4
        else:
            try:
                whole = not inflating.decompress(_TAIL + _LAST_BLOCK) and inflating.eof
            except zlib.error:
                whole = False
        if not whole:
            raise PayloadCorruptError("not deflated to its end")


class Deflater:
    """Compresses what goes to the connections that agreed to it; the same frame to many of them once."""

    __slots__ = ("_packed", "_plain")

    def __init__(self) -> None:
        self._plain = self._packed = b""

    def through(self, write: Callable[[bytes], None]) -> Callable[[bytes], None]:
        """``write`` for framed texts (:func:`frame_text`), of which it is given the long ones compressed."""

        def send(frame: bytes) -> None:
            write(frame if len(frame) < LEAST_BYTES else self.packed(frame))

        return send

    def packed(self, frame: bytes) -> bytes:
        """The frame compressed, or as it is where that is shorter. A fan-out asks for one frame many times."""
        if frame is not self._plain:
            packed = _deflated(frame)
            self._plain, self._packed = frame, packed if len(packed) < len(frame) else frame
        return self._packed


def _deflated(frame: bytes) -> bytes:
    start = 4 if frame[1] == 126 else 10
    deflating = zlib.compressobj(wbits=-WINDOW_BITS, memLevel=_LITTLE_MEMORY)
    body = deflating.compress(memoryview(frame)[start:]) + deflating.flush(zlib.Z_SYNC_FLUSH)
    return _COMPRESSED_TEXT_AND_FIN + frame_text(body.removesuffix(_TAIL))[1:]
