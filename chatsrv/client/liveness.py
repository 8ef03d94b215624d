"""Finds out that a line is dead although nobody closed it: the other end is gone, and TCP has not noticed.

``Client`` begins it with each connection and ends it with the connection. Without it a request could lie
on a dead line until its time is up.
"""

from __future__ import annotations

from twisted.internet.interfaces import IDelayedCall, IReactorTime

from chatsrv.client.connection import Connection

QUIET_S = 15.0
PATIENCE_S = 10.0


class Liveness:
    """After 15 s without a byte it pings, and after 10 s more it drops the line. One timer."""

    def __init__(self, clock: IReactorTime) -> None:
        self._clock = clock
        self._connection: Connection | None = None
        self._asked = False
        self._look: IDelayedCall | None = None

    def begin(self, connection: Connection) -> None:
        """Watch this connection."""
        self._connection = connection
        self._look_in(QUIET_S)

    def end(self) -> None:
        """The connection is over. Idempotent."""
        self._connection, self._asked = None, False
        if self._look is not None and self._look.active():
            self._look.cancel()

    def _look_in(self, seconds: float) -> None:
        self._look = self._clock.callLater(seconds, self._judge)

    def _judge(self) -> None:
        assert self._connection is not None
        quiet_s = self._clock.seconds() - self._connection.heard_at
        if quiet_s < QUIET_S:
            self._asked = False
            self._look_in(QUIET_S - quiet_s)
        elif not self._asked:
            self._asked = True
            self._connection.ping()
            self._look_in(PATIENCE_S)
        else:
            self._connection.abort()
