"""A connection that comes back by itself: connect, authenticate, lose, wait, connect again, for ever.

The common half of ``RedisLink`` (commands) and ``SubscriberLink`` (pub/sub), which say what happens between
a good handshake and *up*, and after a loss. AUTH and SELECT are ours: no failure of theirs, and no
LOADING, ever ends the trying; ``last_error`` says what is wrong meanwhile. Always: ``downs`` follows each
``ups`` exactly once, and after ``stop`` there is neither a socket nor a timer.
"""

from __future__ import annotations

import random as random_module
from collections.abc import Callable
from typing import Any, Final

from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.interfaces import IDelayedCall
from twisted.python.failure import Failure

from chatsrv.log import Logger
from chatsrv.redis.address import RedisAddress
from chatsrv.redis.errors import Unavailable
from chatsrv.redis.greeting import Version, greet
from chatsrv.redis.pipeline import OneConnection, Pipeline

CONNECT_TIMEOUT_S: Final = 2.0
BACK_OFF_S: Final = (0.05, 1.0)  # shortest and longest; each is drawn from the upper half of its range
CLOSE_TIMEOUT_S: Final = 1.0
#: How long whoever starts a link waits for its first coming up, before he says that Redis cannot be used.
FIRST_UP_TIMEOUT_S: Final = 5.0


class Link:
    """Keeps one connection to ``address`` from ``start`` to ``stop``; both are called once.

    ``ups`` and ``downs`` are lists of callables, called at each coming up and each loss (``stop`` included).
    At a loss the order is: ``connected`` turns False, every request in flight fails, then ``downs``.
    """

    log = Logger()

    def __init__(
        self,
        reactor: Any,  # IReactorTime with IReactorTCP or IReactorUNIX, which typing cannot say
        address: RedisAddress,
        *,
        timeout_s: float = 2.0,
        random: Callable[[], float] = random_module.random,
    ) -> None:
        self.address = address
        self.version: Version = (0, 0, 0)
        self.last_error = ""  # why it is not up, in one line without the password; empty when it is
        self.ups: list[Callable[[], None]] = []
        self.downs: list[Callable[[], None]] = []
        self._reactor = reactor
        self._timeout_s = timeout_s
        self._random = random
        self._pipeline: Pipeline | None = None
        self._attempt: Deferred[Any] | None = None
        self._failures = 0
        self._retry: IDelayedCall | None = None
        self._watchdog: IDelayedCall | None = None
        self._announced = False
        self._stopping = False
        self._up_waiters: list[Deferred[None]] = []
        self._stop_waiters: list[Deferred[None]] = []

    @property
    def connected(self) -> bool:
        """Whether it is usable now: authenticated, the database selected, the server not LOADING."""
        return self._pipeline is not None and self._pipeline.usable

    def start(self) -> None:
        """Begin to connect; failures are retried until ``stop``."""
        self._connect()

    def stop(self) -> Deferred[None]:
        """Send what was sent in this turn, close the socket, stay away; fires when the socket is gone."""
        self._stopping = True
        if self._retry is not None and self._retry.active():
            self._retry.cancel()
        if self._attempt is not None:
            self._attempt.cancel()
        self._settle_up_waiters(Unavailable("the link was stopped", sent=False))
        if self._pipeline is None:
            return succeed(None)
        waiter: Deferred[None] = Deferred()
        self._stop_waiters.append(waiter)
        if self._watchdog is None:
            pipeline, reason = self._pipeline, "the link was stopped"
            self._watchdog = self._reactor.callLater(CLOSE_TIMEOUT_S, pipeline.abort, reason)
            pipeline.close(reason)
        return waiter

    def when_up(self) -> Deferred[None]:
        """Fires at once when it is usable, else the next time it is; fails only after ``stop``."""
        if self.connected:
            return succeed(None)
        if self._stopping:
            return fail(Unavailable("the link was stopped", sent=False))
        waiter: Deferred[None] = Deferred()
        self._up_waiters.append(waiter)
        return waiter

    # What the two kinds of link do differently.

    def _make_pipeline(self) -> Pipeline:
        return Pipeline(self._reactor, self._timeout_s, self._opened, self._closed)

    def _greeted(self, pipeline: Pipeline) -> None:
        """The handshake is through; ends, now or later, in ``_up``."""
        self._up(pipeline)

    def _dropped(self) -> None:
        """The connection is gone, requests in flight have failed, ``downs`` come next."""

    # The life of one connection.

    def _connect(self) -> None:
        self._retry = None
        endpoint = self.address.endpoint(self._reactor, connect_timeout_s=CONNECT_TIMEOUT_S)
        self._attempt = endpoint.connect(OneConnection(self._make_pipeline))
        self._attempt.addErrback(self._not_connected).addBoth(self._attempted)

    def _attempted(self, _: object) -> None:
        self._attempt = None

    def _not_connected(self, why: Failure) -> None:
        self._note(why.getErrorMessage() or repr(why.value))
        self._try_again()

    def _opened(self, pipeline: Pipeline) -> None:
        def welcomed(version: Version) -> None:
            self.version = version
            self._greeted(pipeline)

        self._pipeline = pipeline
        greet(pipeline, self.address, welcomed, pipeline.abort)

    def _up(self, pipeline: Pipeline) -> None:
        if self._stopping:
            return
        pipeline.usable = self._announced = True
        self._failures, self.last_error = 0, ""
        self.log.info("connected to {address}", address=str(self.address))
        self._call(self.ups)
        if self.connected:  # after them: who waited may add a listener, for the next time
            self._settle_up_waiters(None)

    def _closed(self, pipeline: Pipeline, reason: str) -> None:
        was_up, self._announced, self._pipeline = self._announced, False, None
        self._note(reason)
        pipeline.fail_all(reason)
        self._dropped()
        if was_up:
            self._call(self.downs)
        if self._watchdog is not None and self._watchdog.active():
            self._watchdog.cancel()
        waiters, self._stop_waiters = self._stop_waiters, []
        for waiter in waiters:
            waiter.callback(None)
        self._try_again()

    def _note(self, problem: str) -> None:
        if problem != self.last_error and not self._stopping:
            self.log.warn("not connected to {address}: {problem}", address=str(self.address), problem=problem)
        self.last_error = problem

    def _try_again(self) -> None:
        if self._stopping:
            return
        shortest, longest = BACK_OFF_S
        delay = min(longest / 2, shortest * 2.0 ** min(self._failures, 10)) * (1 + self._random())
        self._failures += 1
        self._retry = self._reactor.callLater(delay, self._connect)

    def _settle_up_waiters(self, problem: Unavailable | None) -> None:
        waiters, self._up_waiters = self._up_waiters, []
        for waiter in waiters:
            waiter.callback(None) if problem is None else waiter.errback(problem)

    def _call(self, listeners: list[Callable[[], None]]) -> None:
        for listener in tuple(listeners):
            try:
                listener()
            except Exception:
                self.log.failure("a listener of {address} failed", address=str(self.address))
