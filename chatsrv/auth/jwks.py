"""The token keys of a JWKS URL: fetched at the start, again from time to time, and when a token names a new one.

Made by ``assembly``; ``service`` starts and stops it, the token verifier asks it for candidates. Always: a fetch
that fails, or brings no good key, leaves the keys as they are, and is tried again with back-off; at most one is
under way. What is unknown while one is, or while the last one failed, is ``KeysUnavailable``, not refused. Source:
PROTOCOL section 1, RFC 7517.
"""

from __future__ import annotations

import random as random_module
from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from chatsrv.auth.fetch import FetchFailed
from chatsrv.auth.jwk import BadKeySet, read_jwks
from chatsrv.auth.keyset import PUBLIC_ALGORITHMS, KeySet, KeysUnavailable, VerificationKey
from chatsrv.log import Logger

#: The pause after a fetch that failed: it doubles, from the first to the last.
RETRY_S = (1.0, 60.0)


class JwksKeys:
    """A ``KeySource``. ``fetch`` gets the document; ``where`` is its place, for the log.

    ``refresh_s``: time between two fetches. ``unknown_kid_s``: shortest time between two that are made because a
    token names an unknown key.
    """

    log = Logger()

    def __init__(
        self,
        clock: Any,
        fetch: Callable[[], Deferred[bytes]],
        where: str,
        *,
        refresh_s: float,
        unknown_kid_s: float,
        random: Callable[[], float] = random_module.random,
    ) -> None:
        self._clock = clock
        self._fetch = fetch
        self._where = where
        self._refresh_s = refresh_s
        self._unknown_kid_s = unknown_kid_s
        self._random = random
        self._keys = KeySet(())
        self._fetching: Deferred[Any] | None = None
        self._waiting: list[Deferred[None]] = []
        self._timer: Any = None
        self._failures = 0
        self._trouble = ""
        self._skipped: tuple[str, ...] = ()
        self._looked_up_at = -unknown_kid_s
        self._stopped = False

    def start(self) -> Deferred[None]:
        """Fetch the keys. Fires when that has succeeded or failed; then it goes on by itself."""
        self._refresh()
        return self.settled()

    def stop(self) -> None:
        """Fetch no more."""
        self._stopped = True
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._fetching is not None:
            self._fetching.cancel()

    def settled(self) -> Deferred[None]:
        """Fires when no fetch is under way."""
        waiting: Deferred[None] = Deferred()
        if self._fetching is None:
            waiting.callback(None)
        else:
            self._waiting.append(waiting)
        return waiting

    def candidates(self, kid: str | None, algorithm: str) -> tuple[VerificationKey, ...]:
        if algorithm not in PUBLIC_ALGORITHMS:
            return ()
        found = self._keys.candidates(kid, algorithm)
        if found or (self._keys.keys and (kid is None or kid in self._keys.kids)):
            return found
        if self._may_come():
            raise KeysUnavailable
        return ()

    def __str__(self) -> str:
        if not self._keys.keys:
            return f"the keys of {self._where}, which could not be fetched yet; until then nobody can connect"
        return f"the keys of {self._where} ({len(self._keys.keys)} now)"

    def _may_come(self) -> bool:
        """Whether a key that is unknown now may be known soon; looks for it unless that was done lately."""
        if self._fetching is None and not self._failures:
            now = self._clock.seconds()
            if now - self._looked_up_at < self._unknown_kid_s:
                return False
            self._looked_up_at = now
            self._refresh()
        return True

    def _refresh(self) -> None:
        if self._timer is not None and self._timer.active():
            self._timer.cancel()
        self._timer = None
        fetching: Deferred[Any] = self._fetch()
        self._fetching = fetching
        fetching.addCallback(read_jwks).addCallback(self._took).addErrback(self._failed).addBoth(self._ended)

    def _took(self, result: tuple[KeySet, tuple[str, ...]]) -> None:
        keys, skipped = result
        if self._failures or keys.kids != self._keys.kids or len(keys.keys) != len(self._keys.keys):
            self.log.info("{where}: token keys: {number}", where=self._where, number=len(keys.keys))
        if skipped and skipped != self._skipped:
            self.log.warn(
                "{where}: {number} keys are not used: {why}",
                where=self._where,
                number=len(skipped),
                why="; ".join(skipped),
            )
        self._keys, self._skipped = keys, skipped
        self._failures, self._trouble = 0, ""
        self._timer = self._clock.callLater(self._refresh_s, self._refresh)

    def _failed(self, failure: Failure) -> None:
        if self._stopped:
            return
        known = failure.check(FetchFailed, BadKeySet)
        trouble = str(failure.value) if known else "cannot be read, for a fault of ours"
        if not known:
            self.log.failure("the key set could not be taken over", failure)
        if trouble != self._trouble:
            kept = "the keys from before stay" if self._keys.keys else "nobody can connect"
            self.log.warn(
                "{where}: {trouble}; {kept}; tried again", where=self._where, trouble=trouble, kept=kept
            )
        self._trouble = trouble
        shortest, longest = RETRY_S
        pause_s = min(longest, shortest * 2.0 ** min(self._failures, 10), self._refresh_s)
        self._failures += 1
        self._timer = self._clock.callLater(pause_s * (1 + self._random()) / 2, self._refresh)

    def _ended(self, _result: None) -> None:
        self._fetching = None
        waiting, self._waiting = self._waiting, []
        for one in waiting:
            one.callback(None)
