"""The client library: a Twisted client of a chatsrv server, in two layers.

A ``Client`` stays connected until it is stopped: it connects again, renews its token, catches up with what
it missed, sends again what was not answered, and gives each chat's events once and in order. Below it,
``connect`` yields one ``Connection``: requests with ``call``, frames with ``send``, events as they come.
``verbs`` are the requests with typed arguments, for both. It imports ``chatsrv.wire`` for the codes, the
limits and what a request costs, and nothing else of the server.
"""

from chatsrv.client.client import Client
from chatsrv.client.connect import TokenIn, connect
from chatsrv.client.connection import Connection, EventSink
from chatsrv.client.errors import (
    ClientError,
    ConnectionClosed,
    ConnectTimeout,
    HandshakeRefused,
    NoToken,
    QueueFull,
    RequestRefused,
    RequestTimeout,
    TokenUnavailable,
    Unsuitable,
)
from chatsrv.client.frames import Frame, Hello, Limits
from chatsrv.client.sinks import ResetSink, State, StateSink
from chatsrv.client.tokens import TokenCallback
from chatsrv.wire.codes import CloseCode, ErrorCode, Profile

__all__ = [
    "Client",
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
    "NoToken",
    "Profile",
    "QueueFull",
    "RequestRefused",
    "RequestTimeout",
    "ResetSink",
    "State",
    "StateSink",
    "TokenCallback",
    "TokenIn",
    "TokenUnavailable",
    "Unsuitable",
    "connect",
]
