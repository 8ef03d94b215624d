"""Which sends go out together: those that stand in a row in the mailbox, up to a size.

Self-clocking: what arrived while a commit was in flight is the next one. The store judges each alone.
"""

from __future__ import annotations

from collections.abc import Callable

from chatsrv.kernel import Envelope
from chatsrv.wire.requests import SendMessage

BATCH_ITEMS, BATCH_BYTES = 64, 128 * 1024


def fits_behind(first: Envelope, now: float) -> Callable[[Envelope], bool]:
    """Whether one more send, not overdue by ``now``, fits into the group commit that ``first`` opens."""
    items, size = 1, _size(first.command.message)

    def fits(envelope: Envelope) -> bool:
        nonlocal items, size
        if not isinstance(envelope.command, SendMessage) or now > envelope.deadline:
            return False
        items += 1
        size += _size(envelope.command.message)
        return items <= BATCH_ITEMS and size <= BATCH_BYTES

    return fits


def _size(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode())
