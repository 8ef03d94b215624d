"""Keeps a connection: dials, waits for its end, and dials again as the reason of the end says.

``Client`` runs it and is told of what happens (``Owner``). What always holds: at most one connection or try
at a time, and after ``stop`` nothing of it is left in the reactor.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any, Protocol, TypeVar

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater
from twisted.logger import Logger

from chatsrv.client.backoff import Backoff
from chatsrv.client.connection import Connection
from chatsrv.client.errors import ConnectionClosed
from chatsrv.client.sinks import State
from chatsrv.client.tokens import Tokens
from chatsrv.client.verdict import Verdict, judge
from chatsrv.wire.codes import CloseCode

USEFUL_S = 10.0
MOST_REFUSED_TOKENS = 2

T = TypeVar("T")


class Owner(Protocol):
    """Whom a lifeline tells."""

    def line_began(self, connection: Connection) -> None:
        """A connection was said hello to."""

    def line_ended(self, error: ConnectionClosed) -> None:
        """That connection is over."""

    def state_changed(self, state: State, reason: Exception | None) -> None:
        """``reason``: why there is no connection."""


class Lifeline:
    """One connection after the other. A connection was *useful* if it lived for 10 s: then the back-off starts over."""

    log = Logger()

    def __init__(
        self,
        clock: IReactorTime,
        dial: Callable[[str], Deferred[Connection]],
        tokens: Tokens,
        backoff: Backoff,
        owner: Owner,
    ) -> None:
        self._clock = clock
        self._dial = dial
        self._tokens = tokens
        self._backoff = backoff
        self._owner = owner
        self._tries = 0
        self._refused_tokens = 0
        self._told_to_wait_s: float | None = None
        self._stopping = False
        self._connection: Connection | None = None
        self._awaited: Deferred[Any] | None = None

    async def run(self) -> Exception | None:
        """Until ``stop`` (None), or until it can never be: the reason."""
        while not self._stopping:
            error = await self._one_connection()
            verdict = judge(error)
            if self._stopping:
                break
            if verdict.stop or self._refused_tokens >= MOST_REFUSED_TOKENS:
                return error
            if verdict.new_token:
                self._tokens.spoil()
            self.log.info("no connection: {error}", error=error)
            await self._pause(self._pause_s(error, verdict), error)
        return None

    def stop(self) -> None:
        """End what there is; ``run`` returns when it has ended."""
        self._stopping = True
        if self._connection is not None:
            self._connection.close()
        elif self._awaited is not None:
            self._awaited.cancel()

    def told_to_wait(self, seconds: float) -> None:
        """The server is going away (1/4): reconnect so long after the end."""
        self._told_to_wait_s = seconds

    async def _one_connection(self) -> Exception:
        """Why there is none (any more)."""
        self._owner.state_changed(State.CONNECTING, None)
        self._told_to_wait_s = None
        try:
            token = await self._cancellable(self._tokens.get())
            connection = await self._cancellable(self._dial(token))
        except Exception as error:
            self._refused_tokens += judge(error).new_token
            return error
        self._refused_tokens = 0
        return await self._lived(connection)

    async def _lived(self, connection: Connection) -> Exception:
        began = self._clock.seconds()
        self._connection = connection
        self._owner.line_began(connection)
        closed = ConnectionClosed(*await connection.closed)
        self._connection = None
        if self._clock.seconds() - began >= USEFUL_S:
            self._tries = 0
        self._owner.line_ended(closed)
        return closed

    def _pause_s(self, error: Exception, verdict: Verdict) -> float:
        leaving = isinstance(error, ConnectionClosed) and error.close_code is CloseCode.GOING_AWAY
        if leaving and self._told_to_wait_s is not None:
            return self._told_to_wait_s
        pause_s = verdict.at_least_s + self._backoff.pause_s(self._tries)
        self._tries += 1
        return pause_s

    async def _pause(self, seconds: float, reason: Exception) -> None:
        self._owner.state_changed(State.WAITING, reason)
        with suppress(CancelledError):
            await self._cancellable(deferLater(self._clock, seconds))

    async def _cancellable(self, awaited: Deferred[T]) -> T:
        self._awaited = awaited
        if self._stopping:
            awaited.cancel()
        return await awaited
