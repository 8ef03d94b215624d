"""`Logger`: Twisted's, with a threshold for all of chatsrv, the setting ``log_level``, and a limit for each peer.

What is below the threshold is not even made into an event, so that a refused handshake at ``debug`` costs a
comparison. A line that a peer can cause names it as ``peer`` (an address, an actor): of those about one peer only
so many a minute are logged, ``log_lines_per_peer_per_min``, so that none fills the log. RELIABILITY section 4.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

from twisted.logger import Logger as TwistedLogger
from twisted.logger import LogLevel

_MINUTE_S = 60.0
_REMEMBERED_PEERS = 10_000


class PeerLines:
    """Lets ``most`` lines a minute about one peer through and counts the others; knows the latest peers."""

    def __init__(self, most: int, seconds: Callable[[], float] = time.monotonic) -> None:
        self._most = most
        self._seconds = seconds
        self._peers: OrderedDict[object, tuple[float, int]] = OrderedDict()  # since when, how many lines

    def take(self, peer: object) -> int | None:
        """For one more line: None, leave it out; or log it, and so many were left out in the peer's last minute."""
        now = self._seconds()
        since, lines = self._peers.pop(peer, (now, 0))
        left_out = 0
        if now - since >= _MINUTE_S:
            left_out = max(0, lines - self._most)
            since, lines = now, 0
        self._peers[peer] = since, lines + 1
        if len(self._peers) > _REMEMBERED_PEERS:
            self._peers.popitem(last=False)
        return left_out if lines < self._most else None


_threshold: Any = LogLevel.info
_peer_lines: PeerLines | None = None


def set_level(name: str) -> None:
    """Log events of level ``name`` (debug, info, warn, error, critical) and above."""
    global _threshold
    _threshold = LogLevel.levelWithName(name)


def limit_peers(lines: PeerLines | None) -> None:
    """Log as much about each peer as ``lines`` lets through; None, as long as nobody says so: everything."""
    global _peer_lines
    _peer_lines = lines


class Logger(TwistedLogger):
    """A logger of chatsrv."""

    def emit(self, level: Any, format: str | None = None, **kwargs: Any) -> None:
        if level < _threshold:
            return
        if _peer_lines is not None and "peer" in kwargs:
            left_out = _peer_lines.take(kwargs["peer"])
            if left_out is None:
                return
            if left_out:
                format = f"{format} ({{left_out}} more about {{peer}} were left out)"
                kwargs["left_out"] = left_out
        super().emit(level, format, **kwargs)
