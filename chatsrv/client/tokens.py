"""The user's token: asked for through a callback, kept while it is good, asked for again in time.

``Lifeline`` takes one for each try, ``Renewal`` for a connection that lives. How long a token is good is
what the server says, measured by the server's clock: the local one is used for spans only.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from twisted.internet.defer import CancelledError, Deferred, succeed
from twisted.internet.interfaces import IReactorTime

from chatsrv.client.errors import NoToken, TokenUnavailable

TokenCallback = Callable[[], "str | Awaitable[str]"]
"""Gives a token that is good from now on: as a string, a Deferred, or a coroutine that awaits Deferreds."""

ASK_S = 30.0
RENEW_AT = 0.8
RENEW_BEFORE_S = 60.0


class Tokens:
    """The present token, if there is one, and when it is due to be replaced."""

    def __init__(self, clock: IReactorTime, ask: TokenCallback) -> None:
        self._clock = clock
        self._ask = ask
        self._token: str | None = None
        self._due_at: float | None = None

    def get(self) -> Deferred[str]:
        """The kept token while it is not due, else a fresh one."""
        due_s = self.due_in_s()
        if self._token is not None and (due_s is None or due_s > 0):
            return succeed(self._token)
        return self.fresh().addCallback(self.keep)

    def fresh(self) -> Deferred[str]:
        """Ask the callback, for 30 s at most. Fails with ``NoToken``, ``TokenUnavailable``. Nothing is kept."""
        return Deferred.fromCoroutine(self._asked()).addTimeout(ASK_S, self._clock)

    def keep(self, token: str) -> str:
        """From now on this is the token; how long, nobody has said yet."""
        self._token, self._due_at = token, None
        return token

    def spoil(self) -> None:
        """The server does not take it any more."""
        self._token = None

    def lives_for(self, seconds: float | None) -> None:
        """The server said how long it is good; None: for ever.

        It is due after 80 % of that, or 60 s before the end, whichever is later.
        """
        if seconds is None:
            self._due_at = None
        else:
            self._due_at = self._clock.seconds() + max(seconds * RENEW_AT, seconds - RENEW_BEFORE_S)

    def due_in_s(self) -> float | None:
        """Seconds until it should be replaced; None: never, as far as is known."""
        return None if self._due_at is None else max(0.0, self._due_at - self._clock.seconds())

    async def _asked(self) -> str:
        try:
            answer = self._ask()
            token = answer if isinstance(answer, str) else await answer
        except (NoToken, CancelledError):
            raise
        except Exception as error:
            raise TokenUnavailable(f"no token: {error}") from error
        if not isinstance(token, str):
            raise ValueError("the token callback gave no string")
        return token
