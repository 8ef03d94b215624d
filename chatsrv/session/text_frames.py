"""Whole text frames in received bytes, found and unmasked without Autobahn's parser. Sans-IO.

:mod:`fastpath` calls it. Always: only what RFC 6455 and the limit leave no doubt about is taken; judging the rest is
the parser's business.
"""

from __future__ import annotations

from autobahn.websocket.xormasker import create_xor_masker

TEXT_AND_FIN = 0x81
MASKED = 0x80
BIG_INTEGER_BYTES = 2048  # above, Autobahn's native masker is faster than one XOR of big integers


def unmask(data: bytes, mask: bytes) -> bytes:
    """The payload behind a frame's 4-byte mask (RFC 6455 section 5.3)."""
    length = len(data)
    if length > BIG_INTEGER_BYTES:
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
    while end - position >= 6 and data[position] == TEXT_AND_FIN:
        length = data[position + 1] - MASKED
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
        if not (payload.isascii() or is_utf8(payload)):
            break
        messages.append(payload)
        position = stop
    return messages, position


def is_utf8(payload: bytes) -> bool:
    """Whether it is (RFC 3629); ask ``isascii`` first, which mostly says so already."""
    try:
        payload.decode()
    except UnicodeDecodeError:
        return False
    return True
