"""The 101 that accepts a request, and the state in which an object of Autobahn's is from then on.

The shell has judged the head itself, so Autobahn's own opening handshake would only parse it again, for many
times what the rest of an upgrade costs. It is done once per factory instead, by an object that serves as the
pattern: what it leaves in there are constants, which all shells share as attributes of their class. Always
(a test says so): a shell that was just upgraded shows the same state as an object that Autobahn opened.
Source: RFC 6455 section 4.2.2.
"""

from __future__ import annotations

from base64 import b64encode
from hashlib import sha1
from typing import Any

from autobahn.twisted.websocket import WebSocketServerFactory, WebSocketServerProtocol

_MAGIC = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_CONSTANTS = (bool, int, float, str, bytes, type(None))
_OF_THE_HANDSHAKE = ("http_", "websocket_origin", "_wskey")


def switching_protocols(key: str, subprotocol: str | None, extension: str | None = None) -> bytes:
    """The answer to an accepted request, by its ``Sec-WebSocket-Key``."""
    accept = b64encode(sha1(key.encode("ascii") + _MAGIC, usedforsecurity=False).digest())
    protocol = b"Sec-WebSocket-Protocol: %b\r\n" % subprotocol.encode("ascii") if subprotocol else b""
    agreed = b"Sec-WebSocket-Extensions: %b\r\n" % extension.encode("ascii") if extension else b""
    return (
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: WebSocket\r\nConnection: Upgrade\r\n"
        b"%bSec-WebSocket-Accept: %b\r\n%b\r\n" % (protocol, accept, agreed)
    )


def open_state(factory: WebSocketServerFactory) -> dict[str, Any]:
    """What Autobahn keeps in an object that this factory opened, as far as it is constant, as attributes of a class.

    All but ``state``, which is set once a connection was really upgraded.
    """
    pattern = _Pattern()
    pattern.factory = factory
    pattern._connectionMade()
    pattern._dataReceived(_REQUEST)
    factory.countConnections -= 1
    if pattern.state != pattern.STATE_OPEN:
        raise RuntimeError("Autobahn did not open the connection that shows how it does")
    options = {name: getattr(factory, name) for name in pattern.CONFIG_ATTRS}
    state = {name: value for name, value in vars(pattern).items() if isinstance(value, _CONSTANTS)}
    for name in [name for name in state if name.startswith(_OF_THE_HANDSHAKE)]:
        del state[name]
    options |= {name: staticmethod(value) for name, value in options.items() if callable(value)}
    return {**state, **options, "state": pattern.STATE_CLOSED}


class _Pattern(WebSocketServerProtocol):  # type: ignore[misc]  # autobahn is untyped
    """A connection to nobody."""

    def sendData(self, data: bytes, sync: bool = False, chopsize: int | None = None) -> None:
        """There is no transport."""

    def _onOpen(self) -> None:
        """There is no application either."""


_REQUEST = (
    b"GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
)
