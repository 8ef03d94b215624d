"""Makes the shells of one node, and holds what they share: options, verifier, admission, flusher, heartbeat.

Built by ``service``, which listens with it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from autobahn.twisted.websocket import WebSocketServerFactory
from autobahn.websocket.protocol import TrafficStats
from twisted.internet.interfaces import IProtocolFactory

from chatsrv.auth.tokens import Identity, InvalidToken, TokenVerifier
from chatsrv.session.admission import Admission
from chatsrv.session.compression import Deflater
from chatsrv.session.flusher import Flusher
from chatsrv.session.heartbeat import Heartbeat
from chatsrv.session.options import ShellOptions
from chatsrv.session.proxies import Proxies
from chatsrv.session.shell import Receiver, Shell
from chatsrv.session.text_frames import BIG_INTEGER_BYTES
from chatsrv.session.upgrade import open_state


class ShellFactory(WebSocketServerFactory):  # type: ignore[misc]  # autobahn is untyped
    """Makes the shells of one node, and holds what they share.

    ``open_session`` returns the receiver of a connection that was just upgraded. ``other_paths`` gets every
    request for another path than ``/ws``; without it these are answered with 404. ``revoked``: whether a good token
    is known to be revoked.
    """

    noisy = False

    def __init__(
        self,
        *,
        reactor: Any,
        verifier: TokenVerifier,
        admission: Admission,
        open_session: Callable[[Shell], Receiver],
        options: ShellOptions,
        other_paths: IProtocolFactory | None = None,
        revoked: Callable[[Identity], bool] = lambda _: False,
    ) -> None:
        super().__init__(reactor=reactor, server="")
        self.setProtocolOptions(
            versions=[13],
            webStatus=False,
            failByDrop=False,
            echoCloseCodeReason=True,
            maxFramePayloadSize=options.frame_bytes,
            maxMessagePayloadSize=options.frame_bytes,
            openHandshakeTimeout=0,
            closeHandshakeTimeout=0,
            tcpNoDelay=True,
        )
        self.verifier = verifier
        self.admission = admission
        self.open_session = open_session
        self.options = options
        self.other_paths = other_paths
        self.revoked = revoked
        self.proxies = Proxies(options.trusted_proxies)
        self.sockets = 0
        self._not_upgraded: dict[Shell, None] = {}  # the oldest first
        self.flusher = Flusher(reactor)
        self.deflater = Deflater()
        self.heartbeat = Heartbeat(reactor, options)
        self.protocol = _configured(self)

    @property
    def shells(self) -> set[Shell]:
        """The connections that were upgraded and are not gone."""
        return self.heartbeat.shells

    def verify(self, token: str) -> Identity:
        """The identity that a token proves, as far as this node knows; raises ``InvalidToken``."""
        identity = self.verifier.verify(token)
        if self.revoked(identity):
            raise InvalidToken("revoked")
        return identity

    def socket_opened(self, shell: Shell) -> None:
        """Counts a socket in; its shell calls this. Where there are too many, the oldest not upgraded has to go.

        A client that means it sends its request at once, so it gets in while others hold sockets and say nothing.
        """
        self.sockets += 1
        self._not_upgraded[shell] = None
        if self.sockets > self.options.sockets:
            oldest = next(iter(self._not_upgraded))
            del self._not_upgraded[oldest]
            oldest.abort()

    def socket_gone(self, shell: Shell) -> None:
        """Counts it out: closed, or handed over."""
        self.sockets -= 1
        self._not_upgraded.pop(shell, None)

    def connection_upgraded(self, shell: Shell) -> None:
        """Counts a connection in; its shell calls this."""
        self._not_upgraded.pop(shell, None)
        self.admission.connected(shell.address)
        self.heartbeat.add(shell)

    def connection_ended(self, shell: Shell) -> None:
        """Counts it out."""
        self.admission.gone(shell.address)
        self.heartbeat.discard(shell)

    def startFactory(self) -> None:
        if self.other_paths is not None:
            self.other_paths.doStart()

    def stopFactory(self) -> None:
        if self.other_paths is not None:
            self.other_paths.doStop()


def _configured(factory: ShellFactory) -> type[Shell]:
    """A subclass with Autobahn's options and state as its attributes, where Autobahn has each connection hold them."""
    own = {
        "options": factory.options,
        "heartbeat": factory.heartbeat,
        "longest_at_once": min(BIG_INTEGER_BYTES, factory.options.frame_bytes),
        "trafficStats": TrafficStats(),  # nothing of ours reads them
    }
    return type("Shell", (Shell,), {**open_state(factory), **own})
