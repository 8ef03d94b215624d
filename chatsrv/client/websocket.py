"""The client's socket: Autobahn's protocol, reduced to what a ``Connection`` needs.

The only module of the client that knows Autobahn. It makes the handshake, turns its refusal into a
typed error, and passes messages and the end on. Autobahn's own timers are off: they run on the
global reactor and outlive the connection; ``Connection`` and ``connect`` bound the waiting.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from autobahn.twisted.websocket import WebSocketClientFactory, WebSocketClientProtocol
from twisted.internet.interfaces import IReactorTime

from chatsrv.client.connection import Connection
from chatsrv.client.errors import ClientError, ConnectionClosed, HandshakeRefused
from chatsrv.wire.codes import CloseCode, Profile


class ClientSocket(WebSocketClientProtocol):  # type: ignore[misc]
    """Autobahn's callbacks, one line each where they can be."""

    connection: Connection
    on_failure: Callable[[ClientError], None]
    opened = False
    http_status_line = ""

    # -- Autobahn and Twisted call these

    def dataReceived(self, data: bytes) -> None:
        self.connection.heard()
        super().dataReceived(data)

    def onConnect(self, response: Any) -> None:
        self._negotiated(response.protocol)

    def onOpen(self) -> None:
        self.opened = True

    def onMessage(self, payload: bytes, isBinary: bool) -> None:
        self.connection.text_arrived(payload)

    def onCloseFrame(self, code: int | None, reasonRaw: bytes | None) -> Any:
        self.connection.closing_began()
        return super().onCloseFrame(code, reasonRaw)

    def onClose(self, wasClean: bool, code: int | None, reason: str | None) -> None:
        self._ended(reason or "")

    def failHandshake(self, reason: str) -> None:
        self._refused(reason)

    # -- the Line of the connection

    def send_text(self, payload: bytes) -> None:
        """Write one text message."""
        self.sendMessage(payload, isBinary=False)

    def start_close(self, code: int, reason: str) -> None:
        """Send a close frame with any code; Autobahn's own method allows only some."""
        self.sendCloseFrame(code=code, reasonUtf8=reason.encode()[:123])

    def ping(self) -> None:
        """Send a ping; the pong counts as heard."""
        self.sendPing()

    def abort(self) -> None:
        """Drop the socket, whatever the protocol's state (it may be half closed)."""
        self.transport.abortConnection()

    # -- inside

    def _negotiated(self, protocol: str | None) -> None:
        self.connection.profile = Profile(protocol) if protocol else Profile.CORE

    def _ended(self, reason: str) -> None:
        if self.remoteCloseCode is not None:
            reason = self.remoteCloseReason or ""
        self.connection.line_lost(self.remoteCloseCode, reason)

    def _refused(self, reason: str) -> None:
        status = re.match(r"HTTP/1\.[01] (\d{3})", self.http_status_line)
        if status is not None and status[1] != "101":
            self.on_failure(HandshakeRefused(int(status[1]), self.http_headers))
        else:
            self.on_failure(ConnectionClosed(CloseCode.PROTOCOL_ERROR.code, reason))
        self.abort()


class SocketFactory(WebSocketClientFactory):  # type: ignore[misc]
    """Builds the one socket of one ``connect``; ``build`` makes its connection."""

    protocol = ClientSocket
    noisy = False

    def __init__(
        self,
        reactor: IReactorTime,
        url: str,
        *,
        protocols: list[str],
        headers: Mapping[str, str],
        build: Callable[[ClientSocket], None],
    ) -> None:
        super().__init__(url, protocols=protocols, headers=dict(headers), reactor=reactor)
        self.setProtocolOptions(
            openHandshakeTimeout=0, closeHandshakeTimeout=0, serverConnectionDropTimeout=0
        )
        self._build = build

    def buildProtocol(self, addr: Any) -> ClientSocket:
        socket: ClientSocket = super().buildProtocol(addr)
        self._build(socket)
        return socket
