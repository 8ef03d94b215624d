"""The reactor's clock, made one that no jump of the wall clock moves.

Called by ``service`` where the process is its own; who embeds the server decides for himself, and may call it
before he schedules anything. Twisted counts its timers by ``time.time``: a wall clock set forward by an hour would
fire every timer at once (pings, deadlines, the ends of tokens), one set back would keep them all waiting for that
hour, the renewal of the lease among them. Wall-clock time is asked for as such, by ``auth`` and ``TokenTerms`` alone;
the time of what is stored is the store's. Source: RELIABILITY F29.
"""

from __future__ import annotations

import time
from typing import Any


def use(reactor: Any) -> None:
    """From now on ``reactor.seconds`` and all timers are monotonic. Raises ``RuntimeError`` while one is pending."""
    if reactor.getDelayedCalls():
        raise RuntimeError("a timer that is pending would wait for the wall clock's count")
    reactor.seconds = time.monotonic
