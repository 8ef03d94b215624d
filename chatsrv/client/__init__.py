"""The client library: one typed, Twisted connection to a chatsrv server.

``connect`` shakes hands and waits for hello (1/1); the ``Connection`` it yields sends requests with
``call`` (a Deferred of the reply, or of a typed error), one-way frames with ``send``, and hands
events to a callback in the order they arrive. ``verbs`` are the same requests with typed arguments.
Nothing here reconnects. It imports ``chatsrv.wire`` for the codes, and nothing else of the server.
"""

from chatsrv.client.connect import TokenIn, connect
from chatsrv.client.connection import Connection, EventSink
from chatsrv.client.errors import (
    ClientError,
    ConnectionClosed,
    ConnectTimeout,
    HandshakeRefused,
    RequestRefused,
    RequestTimeout,
)
from chatsrv.client.frames import Frame, Hello, Limits
from chatsrv.wire.codes import CloseCode, ErrorCode, Profile

__all__ = [
    "ClientError",
    "CloseCode",
    "ConnectTimeout",
    "Connection",
    "ConnectionClosed",
    "ErrorCode",
    "EventSink",
    "Frame",
    "HandshakeRefused",
    "Hello",
    "Limits",
    "Profile",
    "RequestRefused",
    "RequestTimeout",
    "TokenIn",
    "connect",
]
