"""How fast one connection may send: the server's token bucket, seen from the other side.

``Outgoing`` asks before each request. A fifth of the burst is kept back: what the network delays arrives in
one heap, and would look like more than was allowed. Pure: time is handed in, in seconds.
"""

from __future__ import annotations

from typing import Any

import msgspec

from chatsrv.client.frames import Limits
from chatsrv.wire.limits import Limits as Defaults
from chatsrv.wire.requests import REQUESTS

_KEPT_BACK = 0.2
_DEFAULTS = Defaults()


class Pacing:
    """A bucket that fills at the rate hello named, up to its burst; full at first."""

    def __init__(self, limits: Limits, now: float) -> None:
        self._rate = limits.requests_per_s or _DEFAULTS.requests_per_s
        self._burst = float(limits.burst or _DEFAULTS.burst)
        self._tokens = self._burst
        self._at = now
        self._closed_until = now

    def wait_s(self, now: float, cost: int) -> float:
        """Seconds until a request that costs so much may be sent; 0: now."""
        self._fill(now)
        needed = min(min(cost, self._burst) + self._burst * _KEPT_BACK, self._burst)
        return max(0.0, (needed - self._tokens) / self._rate, self._closed_until - now)

    def take(self, cost: int) -> None:
        """A request that costs so much is sent now; nobody has to wait for it."""
        self._tokens -= min(cost, self._burst)

    @property
    def longest_s(self) -> float:
        """The longest wait for this rate, from empty to full; who has to wait longer meets another limit."""
        return self._burst / self._rate

    def close(self, now: float, seconds: float) -> None:
        """The server said that it was too much: send nothing for so long."""
        self._closed_until = max(self._closed_until, now + seconds)

    def _fill(self, now: float) -> None:
        self._tokens = min(self._burst, self._tokens + (now - self._at) * self._rate)
        self._at = now


def cost_of(op: int, t: int, d: dict[str, Any]) -> int:
    """How many requests this one counts for; 1 for what the server will refuse."""
    if (shape := REQUESTS.get((op, t))) is None:
        return 1
    try:
        return msgspec.convert(d, shape).cost
    except (msgspec.ValidationError, TypeError):
        return 1
