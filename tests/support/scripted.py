"""A WebSocket server that does what a test says, for testing the client alone.

``ScriptedServer`` listens on a free port; each connection appears as a ``Peer`` whose received
messages are queued and which sends what it is told to. Autobahn's timers are off, so that nothing is
left in the reactor.
"""

from __future__ import annotations

import json
from typing import Any

from autobahn.twisted.websocket import WebSocketServerFactory, WebSocketServerProtocol
from autobahn.websocket.types import ConnectionDeny
from twisted.internet.defer import Deferred, DeferredQueue

HELLO = {"chat_ids": [7], "friend_ids": [2, 3]}


class Peer(WebSocketServerProtocol):
    """The server's end of one connection."""

    def onConnect(self, request: Any) -> Any:
        return self.factory.script.accept(request)

    def onOpen(self) -> None:
        self.inbox: DeferredQueue[Any] = DeferredQueue()
        self.lost: Deferred[int | None] = Deferred()
        self.factory.script.opened(self)

    def onMessage(self, payload: bytes, isBinary: bool) -> None:
        self.inbox.put(json.loads(payload))

    def onClose(self, wasClean: bool, code: int | None, reason: str | None) -> None:
        if hasattr(self, "lost"):
            self.lost.callback(self.remoteCloseCode)

    def say(self, op: int, t: int, d: Any = None, **envelope: Any) -> None:
        """Send one frame."""
        self.say_text(json.dumps({"op": op, "t": t, "d": d or {}, **envelope}))

    def say_text(self, text: str) -> None:
        """Send any text."""
        self.sendMessage(text.encode())


class ScriptedServer:
    """Accepts every handshake and says hello, unless told otherwise."""

    def __init__(self, reactor: Any) -> None:
        factory = WebSocketServerFactory(reactor=reactor)
        factory.protocol = Peer
        factory.noisy = False
        factory.script = self
        factory.setProtocolOptions(openHandshakeTimeout=0, closeHandshakeTimeout=0)
        self.port = reactor.listenTCP(0, factory, interface="127.0.0.1")
        self.url = f"ws://127.0.0.1:{self.port.getHost().port}/ws"
        self.hello: dict[str, Any] | None = HELLO
        self.choose: str | None = None
        self.deny: ConnectionDeny | None = None
        self.requests: list[Any] = []
        self.peers: list[Peer] = []

    def accept(self, request: Any) -> str | None:
        """The handshake: refuse, or name the subprotocol."""
        self.requests.append(request)
        if self.deny is not None:
            raise self.deny
        return self.choose

    def opened(self, peer: Peer) -> None:
        """The upgrade is done."""
        self.peers.append(peer)
        if self.hello is not None:
            peer.say(1, 1, self.hello)

    @property
    def peer(self) -> Peer:
        """The newest connection."""
        return self.peers[-1]

    def stop(self) -> Deferred[None]:
        """Close the port."""
        return self.port.stopListening()
