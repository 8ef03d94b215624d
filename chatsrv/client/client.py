"""``Client``: stays connected, and hands the application each chat's events once, in order.

It joins the parts and knows none of their rules: ``Lifeline`` keeps a connection, ``Incoming`` orders what
comes, ``Outgoing`` sends requests and repeats them, ``Renewal`` and ``Liveness`` look after the present
connection. What always holds: each part is told of the begin and the end of every connection.
"""

from __future__ import annotations

import random as random_module
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any
from uuid import uuid4

from twisted.internet.defer import Deferred, fail
from twisted.internet.interfaces import IStreamClientEndpoint
from twisted.logger import Logger
from twisted.python.failure import Failure

from chatsrv.client import frames
from chatsrv.client.announcement import Announcement
from chatsrv.client.backoff import Backoff
from chatsrv.client.connect import TokenIn, connect
from chatsrv.client.connection import Closed, Connection, EventSink, ignore
from chatsrv.client.errors import ABNORMAL, ClientError, ConnectionClosed, RequestRefused, Unsuitable
from chatsrv.client.frames import Frame, Hello
from chatsrv.client.incoming import Incoming
from chatsrv.client.lifeline import Lifeline
from chatsrv.client.liveness import Liveness
from chatsrv.client.outgoing import Outgoing
from chatsrv.client.renewal import Renewal
from chatsrv.client.request import CATCH_UP, RENEW, Again, Request, prepared
from chatsrv.client.sinks import ResetSink, Sinks, State, StateSink
from chatsrv.client.tokens import TokenCallback, Tokens
from chatsrv.wire.codes import CloseCode, ErrorCode, Profile
from chatsrv.wire.limits import Limits

GOING_AWAY = (1, 4)


class Client:
    """One user of one server, connected from ``start`` to ``stop``; always in the full profile.

    ``connection`` is the present one (None while there is none), ``hello`` the last 1/1, ``state`` how the
    client stands (None before ``start``).
    """

    log = Logger()
    hello: Hello

    def __init__(
        self,
        reactor: Any,
        url: str | Callable[[], str],
        token: TokenCallback,
        *,
        on_event: EventSink = ignore,
        on_reset: ResetSink = lambda chat_ids: None,
        on_state: StateSink = lambda state, reason: None,
        timeout_s: float = 60.0,
        queue: int = 1000,
        backoff_s: tuple[float, float] = (0.5, 30.0),
        random: Callable[[], float] = random_module.random,
        new_nonce: Callable[[], str] = lambda: uuid4().hex,
        endpoint: IStreamClientEndpoint | None = None,
        token_in: TokenIn = TokenIn.HEADER,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        """``url`` may be a function: it is called for each try. ``timeout_s`` bounds each call, ``queue``
        how many may wait unsent; ``backoff_s`` is the first and the longest pause between tries."""
        self.state: State | None = None
        self.connection: Connection | None = None
        self._timeout_s = timeout_s
        self._frame_bytes = Limits().frame_bytes
        self._new_nonce = new_nonce
        self._dial = partial(connect, reactor, endpoint=endpoint, token_in=token_in, headers=headers)
        self._url = url
        self._sinks = Sinks(on_event, on_reset, on_state)
        self._started: Deferred[Hello] = Deferred()
        self._stopped: Announcement[Exception | None] = Announcement()
        self._build(reactor, Tokens(reactor, token), Backoff(random, *backoff_s), queue)

    def _build(self, clock: Any, tokens: Tokens, backoff: Backoff, queue: int) -> None:
        self._incoming = Incoming(clock, self._sinks, ask=partial(self._ask, *CATCH_UP), drop=self._drop)
        self._outgoing = Outgoing(clock, backoff, self._incoming.replied, queue)
        self._lifeline = Lifeline(clock, self._connect, tokens, backoff, self)
        self._renewal = Renewal(clock, tokens, backoff, lambda token: self._ask(*RENEW, {"token": token}))
        self._liveness = Liveness(clock)

    # -- what the application calls

    def start(self) -> Deferred[Hello]:
        """Connect, and stay connected. Fires with the first hello, fails when there can be none. Once only."""
        assert self.state is None, "a client starts once"
        Deferred.fromCoroutine(self._lifeline.run()).addErrback(self._broke).addCallback(self._over)
        return self._started

    def call(
        self, op: int, t: int, d: dict[str, Any] | None = None, *, timeout_s: float | None = None
    ) -> Deferred[Frame]:
        """Send a request as soon as there is a connection; fires with its reply, after its event was given.

        Fails with ``RequestRefused``, ``RequestTimeout`` after ``timeout_s`` in all (default: the client's),
        ``QueueFull``, ``ConnectionClosed`` (it was sent, and may not be sent again: the outcome is unknown),
        or the reason why the client stopped. Cancelling stops the waiting. 1/2 and 1/3 are the client's own
        business: ``ValueError``.
        """
        if (op, t) in (CATCH_UP, RENEW):
            raise ValueError(f"the client itself sends {op}/{t}")
        request = prepared(op, t, d or {}, self._new_nonce)
        if len(frames.encode(Frame(op, t, request.d, id=2**53))) > self._frame_bytes:
            return fail(RequestRefused(ErrorCode.TOO_LARGE, "the frame is larger than the server takes"))
        return self._outgoing.submit(request, self._timeout_s if timeout_s is None else timeout_s)

    def stop(self) -> Deferred[Exception | None]:
        """Close. Fires as ``stopped`` does; what still waits fails with ``ConnectionClosed``. Idempotent."""
        if self.state is None:
            self._started.addErrback(lambda _: None)
            self._over(None)
        self._lifeline.stop()
        return self.stopped

    @property
    def stopped(self) -> Deferred[Exception | None]:
        """A new Deferred for each asker; fires when nothing is left, with the reason (None: ``stop``)."""
        return self._stopped.wait()

    # -- what the lifeline tells

    def line_began(self, connection: Connection) -> None:
        self.connection, self.hello = connection, connection.hello
        self._frame_bytes = connection.hello.limits.frame_bytes or self._frame_bytes
        connection.on_event = partial(self._arrived, connection)
        self._liveness.begin(connection)
        self._renewal.begin(connection.hello)
        self.state_changed(State.CONNECTED, None)
        self._incoming.begin(connection.hello)
        self._outgoing.line_up(connection)
        if not self._started.called:
            self._started.callback(connection.hello)

    def line_ended(self, error: ConnectionClosed) -> None:
        self.connection = None
        self._liveness.end()
        self._renewal.end()
        self._incoming.end()
        self._outgoing.line_down(error)

    def state_changed(self, state: State, reason: Exception | None) -> None:
        self.state = state
        self._sinks.state(state, reason)

    # -- inside

    def _connect(self, token: str) -> Deferred[Connection]:
        url = self._url if isinstance(self._url, str) else self._url()
        return self._dial(url, token, profile=Profile.FULL).addCallback(self._suitable)

    def _suitable(self, connection: Connection) -> Any:
        """The connection, if it is in the full profile and of the same user as ever."""
        same_user = self._incoming.user_id in (None, connection.hello.user_id)
        if same_user and connection.profile is Profile.FULL:
            return connection
        return connection.close().addCallback(_unsuitable)

    def _ask(self, op: int, t: int, d: dict[str, Any]) -> Deferred[Frame]:
        """A request that belongs to the present connection."""
        return self._outgoing.submit(Request(op, t, d, Again.HERE))

    def _arrived(self, connection: Connection, frame: Frame) -> None:
        if frame.kind == GOING_AWAY:
            self._lifeline.told_to_wait(frame.d.get("after_ms", 0) / 1000)
        elif connection is self.connection:
            self._incoming.arrived(frame)

    def _drop(self, why: str) -> None:
        """The present connection is not to be trusted: end it, and go on with another one."""
        connection = self.connection
        if connection is not None:
            self.log.warn("dropping the connection: {why}", why=why)
            self.line_ended(ConnectionClosed(ABNORMAL, why))
            connection.abort()

    def _broke(self, failure: Failure) -> ClientError:
        self.log.failure("the client broke", failure)
        return ClientError(str(failure.value))

    def _over(self, reason: Exception | None) -> None:
        error = reason or ConnectionClosed(CloseCode.NORMAL.code, "stopped")
        self._outgoing.end(error)
        self.state_changed(State.STOPPED, reason)
        if not self._started.called:
            self._started.errback(error)
        self._stopped.make(reason)


def _unsuitable(closed: Closed) -> None:
    raise Unsuitable("hello is to another user than before, or not in the full profile")
