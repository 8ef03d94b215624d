"""Autobahn on Twisted as one writes it by its documentation: each message prepared once, then sent to everybody.

Usage: ``python -m bench.peers.plain PORT``. On ``/group`` everybody gets each message; on ``/pair/N``, both of N.
"""

from __future__ import annotations

import resource
import sys

from autobahn.twisted.websocket import WebSocketServerFactory, WebSocketServerProtocol
from twisted.internet import reactor  # on Linux the one of epoll


class Member(WebSocketServerProtocol):  # type: ignore[misc]  # autobahn is untyped
    """A connection; those of one path form a circle."""

    circle: set[Member]

    def onOpen(self) -> None:
        self.circle = self.factory.circles.setdefault(self.http_request_path, set())
        self.circle.add(self)

    def onMessage(self, payload: bytes, isBinary: bool) -> None:
        prepared = self.factory.prepareMessage(payload, isBinary)
        for member in self.circle:
            member.sendPreparedMessage(prepared)

    def onClose(self, wasClean: bool, code: int | None, reason: str | None) -> None:
        if hasattr(self, "circle"):  # it was open
            self.circle.discard(self)


class Circles(WebSocketServerFactory):  # type: ignore[misc]  # autobahn is untyped
    """All circles, by path."""

    protocol = Member

    def __init__(self) -> None:
        super().__init__()
        self.circles: dict[str, set[Member]] = {}


def main(port: int) -> None:
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    reactor.listenTCP(port, Circles(), backlog=4096, interface="127.0.0.1")
    reactor.run()


if __name__ == "__main__":
    main(int(sys.argv[1]))
