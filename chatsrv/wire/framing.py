"""A text as the WebSocket frame a server sends: unmasked, whole, without extensions. RFC 6455 section 5.2."""

from __future__ import annotations

import struct


def frame_text(payload: bytes) -> bytes:
    """``payload`` (UTF-8) framed; the same bytes go to every connection."""
    size = len(payload)
    if size < 126:
        return b"\x81%c%b" % (size, payload)
    if size < 65_536:
        return struct.pack("!BBH", 0x81, 126, size) + payload
    return struct.pack("!BBQ", 0x81, 127, size) + payload
