"""How much one connection, address or user may do: token buckets, and tallies of what it did wrong lately."""

from __future__ import annotations

import math
from collections import OrderedDict, deque
from collections.abc import Callable, Hashable


class TokenBucket:
    """``rate`` a second, ``burst`` at once. Time is handed in, in seconds."""

    __slots__ = ("_at", "_burst", "_rate", "_tokens")

    def __init__(self, rate: float, burst: int, now: float) -> None:
        self._rate = rate
        self._burst = burst
        self._tokens = float(burst)
        self._at = now

    def take(self, now: float, cost: int = 1) -> int:
        """Take ``cost`` tokens (at most all there can be): 0, or the milliseconds after which there will be."""
        cost = min(cost, self._burst)
        self._tokens = min(self._burst, self._tokens + (now - self._at) * self._rate)
        self._at = now
        if self._tokens >= cost:
            self._tokens -= cost
            return 0
        return math.ceil((cost - self._tokens) / self._rate * 1000) or 1


class Buckets:
    """A token bucket for each key: ``rate`` a second, ``burst`` at once, by the clock ``seconds``.

    The ``remembered`` keys that were used last have theirs; one that was forgotten begins with a full one.
    """

    def __init__(self, rate: float, burst: int, seconds: Callable[[], float], remembered: int) -> None:
        self._rate = rate
        self._burst = burst
        self._seconds = seconds
        self._remembered = remembered
        self._buckets: OrderedDict[Hashable, TokenBucket] = OrderedDict()

    def __len__(self) -> int:
        return len(self._buckets)

    def take(self, key: Hashable) -> int:
        """Take a token of the key's: 0, or the milliseconds after which there will be one."""
        now = self._seconds()
        bucket = self._buckets.pop(key, None) or TokenBucket(self._rate, self._burst, now)
        self._buckets[key] = bucket
        if len(self._buckets) > self._remembered:
            self._buckets.popitem(last=False)
        return bucket.take(now)


class Tally:
    """Counts what happens within a window; more than ``limit`` of it is too much."""

    __slots__ = ("_limit", "_times", "_window_s")

    def __init__(self, limit: int, window_s: float) -> None:
        self._limit = limit
        self._window_s = window_s
        self._times: deque[float] | None = None  # mostly nothing happens

    def too_much(self, now: float) -> bool:
        """Count one more; True when there are more than ``limit`` within the window."""
        if self._times is None:
            self._times = deque()
        self._times.append(now)
        while now - self._times[0] > self._window_s:
            self._times.popleft()
        return len(self._times) > self._limit
