"""How long to pause before the next try, so that many clients do not try at the same moments. Pure."""

from __future__ import annotations

import random as random_module
from collections.abc import Callable

_MOST_DOUBLINGS = 30


class Backoff:
    """Full jitter: each pause is a random part of a bound, which doubles with each try up to a cap.

    ``random`` gives a number from 0 to below 1. Whoever pauses counts its own tries.
    """

    def __init__(
        self,
        random: Callable[[], float] = random_module.random,
        base_s: float = 0.5,
        cap_s: float = 30.0,
    ) -> None:
        self._random = random
        self._base_s = base_s
        self._cap_s = cap_s

    def pause_s(self, tries: int) -> float:
        """Seconds to wait after ``tries`` tries in vain before the last one; 0 is the first pause."""
        bound: float = self._base_s * 2 ** min(tries, _MOST_DOUBLINGS)
        return self._random() * min(self._cap_s, bound)
