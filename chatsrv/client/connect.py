"""``connect``: from a URL and a token to a ``Connection`` that was said hello to.

Called by whoever wants a connection; calls ``websocket`` for the socket. What always holds: the
Deferred fires once, and where it fails (refused, closed, too late, cancelled) the socket is dropped.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from enum import Enum
from typing import Any

import msgspec
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.endpoints import HostnameEndpoint, wrapClientTLS
from twisted.internet.interfaces import IStreamClientEndpoint
from twisted.internet.ssl import optionsForClientTLS
from twisted.python.failure import Failure

from chatsrv.client import frames
from chatsrv.client.connection import Closed, Connection, EventSink, ignore
from chatsrv.client.errors import ClientError, ConnectionClosed, ConnectTimeout
from chatsrv.client.frames import Frame
from chatsrv.client.websocket import ClientSocket, SocketFactory
from chatsrv.wire.codes import CloseCode, Profile

_TOKEN = re.compile(r"[A-Za-z0-9._~+/=-]+")


class TokenIn(Enum):
    """Where the token travels (PROTOCOL section 1): native clients, or what a browser has to do."""

    HEADER = "Authorization"
    SUBPROTOCOL = "Sec-WebSocket-Protocol"


def connect(
    reactor: Any,
    url: str,
    token: str,
    *,
    profile: Profile | None = Profile.FULL,
    token_in: TokenIn = TokenIn.HEADER,
    headers: Mapping[str, str] | None = None,
    endpoint: IStreamClientEndpoint | None = None,
    on_event: EventSink = ignore,
    timeout_s: float = 10.0,
    call_timeout_s: float = 10.0,
) -> Deferred[Connection]:
    """Open a WebSocket at ``url`` (``ws://`` or ``wss://``) and wait for hello (1/1).

    ``profile`` None negotiates no subprotocol (the server then speaks the core profile).
    ``endpoint`` replaces the address in ``url``. ``on_event`` given here misses no event.
    Fails with ``HandshakeRefused``, ``ConnectionClosed``, ``ConnectTimeout``, or the reason why the
    address could not be reached. Raises ``ValueError`` for a token that no header could carry.
    """
    protocols, all_headers = _offer(token, profile, token_in)
    attempt = _Attempt(reactor, on_event, timeout_s, call_timeout_s)
    factory = SocketFactory(
        reactor, url, protocols=protocols, headers={**all_headers, **(headers or {})}, build=attempt.built
    )
    return attempt.start(endpoint or _endpoint_of(reactor, factory), factory)


def _offer(token: str, profile: Profile | None, token_in: TokenIn) -> tuple[list[str], dict[str, str]]:
    if not _TOKEN.fullmatch(token):
        raise ValueError("a token holds letters, digits and ._~+/=- only")
    protocols = [profile.value] if profile is not None else []
    if token_in is TokenIn.HEADER:
        return protocols, {"Authorization": f"Bearer {token}"}
    if profile is None:
        raise ValueError("a token in the subprotocol needs a profile beside it")
    return [*protocols, f"bearer.{token}"], {}


def _endpoint_of(reactor: Any, factory: SocketFactory) -> IStreamClientEndpoint:
    plain = HostnameEndpoint(reactor, factory.host, factory.port)
    return wrapClientTLS(optionsForClientTLS(factory.host), plain) if factory.isSecure else plain


class _Attempt:
    """One try: it is over with the first of hello, refusal, end of the line, and time."""

    def __init__(self, reactor: Any, on_event: EventSink, timeout_s: float, call_timeout_s: float) -> None:
        self._reactor = reactor
        self._on_event = on_event
        self._timeout_s = timeout_s
        self._call_timeout_s = call_timeout_s
        self._socket: ClientSocket | None = None
        self._dialling: Deferred[Any] | None = None
        self._result: Deferred[Connection] = Deferred(lambda _: self._give_up())

    def start(self, endpoint: IStreamClientEndpoint, factory: SocketFactory) -> Deferred[Connection]:
        """Dial; the result of the whole attempt."""
        self._dialling = endpoint.connect(factory)
        self._dialling.addErrback(self._unreachable)
        return self._result.addTimeout(self._timeout_s, self._reactor, onTimeoutCancel=self._too_late)

    def built(self, socket: ClientSocket) -> None:
        """The socket exists: give it its connection, and watch both."""
        self._socket = socket
        socket.on_failure = self._failed
        socket.connection = Connection(
            self._reactor, socket, on_event=self._first_frame, call_timeout_s=self._call_timeout_s
        )
        socket.connection.closed.addCallback(self._line_lost)

    def _first_frame(self, frame: Frame) -> None:
        assert self._socket is not None
        connection = self._socket.connection
        connection.on_event = self._on_event
        try:
            connection.hello = frames.hello_of(frame)
        except msgspec.ValidationError as error:
            self._failed(ConnectionClosed(CloseCode.PROTOCOL_ERROR.code, str(error)))
            self._give_up()
        else:
            self._result.callback(connection)

    def _line_lost(self, closed: Closed) -> None:
        self._failed(ConnectionClosed(*closed))

    def _unreachable(self, reason: Failure) -> None:
        if not self._result.called:
            self._result.errback(reason)

    def _failed(self, error: ClientError) -> None:
        if not self._result.called:
            self._result.errback(error)

    def _give_up(self) -> None:
        if self._socket is not None:
            self._socket.abort()
        elif self._dialling is not None:
            self._dialling.cancel()

    def _too_late(self, result: Any, timeout_s: float) -> Any:
        if isinstance(result, Failure) and isinstance(result.value, CancelledError):
            raise ConnectTimeout(timeout_s)
        return result
