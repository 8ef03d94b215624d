"""Renews the token of a live connection in time, with 1/3.

``Client`` begins it with each hello and ends it with the connection. What fails in passing is tried again
with a back-off, each time with a token asked for anew; what does not pass is left to the end of the old
token: the server closes with 4401, and the next connection begins with a new one.
"""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater
from twisted.logger import Logger
from twisted.python.failure import Failure

from chatsrv.client.backoff import Backoff
from chatsrv.client.errors import NoToken, RequestRefused
from chatsrv.client.frames import Frame, Hello
from chatsrv.client.tokens import Tokens
from chatsrv.wire.codes import Retry


class Renewal:
    """``renew`` sends a 1/3 with a token."""

    log = Logger()

    def __init__(
        self,
        clock: IReactorTime,
        tokens: Tokens,
        backoff: Backoff,
        renew: Callable[[str], Deferred[Frame]],
    ) -> None:
        self._clock = clock
        self._tokens = tokens
        self._backoff = backoff
        self._renew = renew
        self._server_ahead_ms = 0.0
        self._loop: Deferred[None] | None = None

    def begin(self, hello: Hello) -> None:
        """A connection began: hello says how long its token is good, and what time it is at the server."""
        self._server_ahead_ms = (hello.server_time or 0) - self._clock.seconds() * 1000
        self._lives_until(hello.expires_at)
        self._loop = Deferred.fromCoroutine(self._keep_fresh())
        self._loop.addErrback(self._stopped)

    def end(self) -> None:
        """The connection is over. Idempotent."""
        if self._loop is not None:
            self._loop.cancel()

    def _lives_until(self, expires_at: int | None) -> None:
        now_ms = self._clock.seconds() * 1000 + self._server_ahead_ms
        self._tokens.lives_for(None if expires_at is None else (expires_at - now_ms) / 1000)

    async def _keep_fresh(self) -> None:
        tries = 0
        while (due_s := self._tokens.due_in_s()) is not None:
            await deferLater(self._clock, due_s + (self._backoff.pause_s(tries - 1) if tries else 0))
            tries = 0 if await self._renewed() else tries + 1

    async def _renewed(self) -> bool:
        """Replace the token once; whether it is one that lives longer."""
        try:
            token = await self._tokens.fresh()
            reply = await self._renew(token)
        except Exception as error:
            if _is_final(error):
                raise
            self.log.warn("the token could not be renewed: {error}", error=error)
            return False
        self._tokens.keep(token)
        self._lives_until(reply.d.get("expires_at"))
        return self._tokens.due_in_s() != 0

    def _stopped(self, failure: Failure) -> None:
        if not failure.check(CancelledError):
            self.log.warn("the token is not renewed: {error}", error=failure.value)


def _is_final(error: Exception) -> bool:
    if isinstance(error, RequestRefused):
        return error.code.retry is Retry.NEVER
    return isinstance(error, (CancelledError, NoToken))
