"""The requests that wait to be sent, in order, and what happens to them when they are not answered.

``Client`` puts them in, tells when there is a connection, and hears of each reply before its caller does.
What always holds: each request is answered exactly once (its reply, a typed error, or the end of the
client) and within its time; they leave in the order of asking, no faster than the server allows; one that
waits to be tried again is not overtaken by a later one of the same chat.
"""

from __future__ import annotations

import math
from bisect import insort
from collections.abc import Callable

from twisted.internet.defer import Deferred, fail
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.python.failure import Failure

from chatsrv.client.backoff import Backoff
from chatsrv.client.connection import Connection
from chatsrv.client.errors import ConnectionClosed, QueueFull, RequestRefused, RequestTimeout
from chatsrv.client.frames import Frame
from chatsrv.client.pacing import Pacing
from chatsrv.client.request import Again, Request
from chatsrv.wire.codes import Retry

_RATE_LIMITED_S = 1.0
_LONGEST_PAUSE_S = 10.0


class Outgoing:
    """A queue of at most ``most`` unsent requests. ``on_reply`` is called before who waits is told."""

    def __init__(
        self, clock: IReactorTime, backoff: Backoff, on_reply: Callable[[Request, Frame], None], most: int
    ) -> None:
        self._clock = clock
        self._backoff = backoff
        self._on_reply = on_reply
        self._most = most
        self._last_number = 0
        self._waiting: list[Request] = []
        self._connection: Connection | None = None
        self._pacing: Pacing
        self._wake: IDelayedCall | None = None
        self._ended: Exception | None = None

    def submit(self, request: Request, timeout_s: float = math.inf) -> Deferred[Frame]:
        """Send it as soon as its turn comes; ``timeout_s`` is for everything, the waiting included."""
        if self._ended is not None:
            return fail(self._ended)
        self._forget_the_left()
        if request.again is not Again.HERE and len(self._waiting) >= self._most:
            return fail(QueueFull(self._most))
        self._last_number += 1
        request.number = self._last_number
        if timeout_s != math.inf:
            request.timer = self._clock.callLater(timeout_s, self._expire, request, timeout_s)
        self._put(request)
        self._pump()
        return request.result

    def line_up(self, connection: Connection) -> None:
        """There is a connection: send on it."""
        self._connection = connection
        self._pacing = Pacing(connection.hello.limits, self._clock.seconds())
        self._pump()

    def line_down(self, error: ConnectionClosed) -> None:
        """It is over; what belonged to it fails, the rest waits for the next one. Idempotent."""
        self._connection = None
        self._sleep()
        for request in list(self._waiting):
            if request.again is Again.HERE:
                request.finish(error)

    def end(self, error: Exception) -> None:
        """There will be no other connection: everyone who waits is told, the oldest first."""
        self._ended = error
        waiting, self._waiting = self._waiting, []
        for request in waiting:
            request.finish(error)

    # -- sending

    def _put(self, request: Request) -> None:
        insort(self._waiting, request, key=lambda waiting: waiting.place)

    def _forget_the_left(self) -> None:
        self._waiting = [request for request in self._waiting if not request.over]

    def _pump(self) -> None:
        self._sleep()
        while self._connection is not None and self._connection.is_open:
            request, wait_s = self._next()
            if request is None:
                if wait_s != math.inf:
                    self._wake = self._clock.callLater(wait_s, self._pump)
                return
            self._send(self._connection, request)

    def _sleep(self) -> None:
        if self._wake is not None and self._wake.active():
            self._wake.cancel()

    def _next(self) -> tuple[Request | None, float]:
        """Whose turn it is, or the seconds until it may be somebody's."""
        self._forget_the_left()
        now = self._clock.seconds()
        later: dict[tuple[str, int], float] = {}
        for request in self._waiting:
            if request.lane in later:
                continue
            if request.not_before > now:
                later[request.lane] = request.not_before - now
            elif wait_s := self._pacing.wait_s(now, request.cost):
                return None, min(wait_s, *later.values(), math.inf)
            else:
                return request, 0.0
        return None, min(later.values(), default=math.inf)

    def _send(self, connection: Connection, request: Request) -> None:
        self._waiting.remove(request)
        self._pacing.take(request.cost)
        reply = connection.call(request.op, request.t, request.d, timeout_s=math.inf)
        reply.addCallbacks(self._answered, self._failed, callbackArgs=(request,), errbackArgs=(request,))

    # -- what comes of it

    def _answered(self, frame: Frame, request: Request) -> None:
        self._on_reply(request, frame)
        request.finish(frame)

    def _failed(self, failure: Failure, request: Request) -> None:
        error = failure.value
        if isinstance(error, ConnectionClosed):
            again = request.again is Again.ALWAYS
        else:
            again = isinstance(error, RequestRefused) and self._comes_again(request, error)
        if again and not request.over:
            self._put(request)
            self._pump()
        else:
            request.finish(failure)

    def _comes_again(self, request: Request, error: RequestRefused) -> bool:
        """Whether it is worth another try, and when. What was rate limited changed nothing."""
        now = self._clock.seconds()
        retry = error.code.retry
        if retry is Retry.AFTER_DELAY:
            pause_s = _RATE_LIMITED_S if error.retry_after_ms is None else error.retry_after_ms / 1000
            if pause_s > max(self._pacing.longest_s, _LONGEST_PAUSE_S):
                return False  # what a user may do in an hour; the other requests need not wait for it
            self._pacing.close(now, pause_s)
        elif retry is Retry.SAME_NONCE and request.again is not Again.NEVER:
            request.not_before = now + self._backoff.pause_s(request.tries)
            request.tries += 1
        else:
            return False
        return True

    def _expire(self, request: Request, timeout_s: float) -> None:
        request.finish(RequestTimeout(request.op, request.t, timeout_s))
