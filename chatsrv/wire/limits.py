"""The limits a client meets in the format itself; 1/1 tells them, the codec enforces them."""

from __future__ import annotations

import msgspec


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """What 1/1 says in ``limits`` (PROTOCOL section 3), and two lengths beside it.

    ``frame_bytes`` in bytes, ``message_chars`` and ``name_chars`` in code points, ``requests_per_s``
    and ``burst`` per connection, ``members`` in users per group.
    """

    frame_bytes: int = 65_536
    message_chars: int = 4_000
    name_chars: int = 64
    requests_per_s: float = 20
    burst: int = 100
    history_page: int = 100
    members: int = 1_000
