"""``Line``: a connection between a device and a real ``Session``, without a socket.

It stands in the place of the session's shell. Frames reach the device at once, requests reach the session in the
next turn of the reactor, as over a socket. It can stall (the device reads nothing, the server notices as far as
``congested`` says so), end at either side, or go dead without the other side noticing.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Protocol

import msgspec
from twisted.internet import reactor

from chatsrv.auth.keys import VerificationKey
from chatsrv.auth.tokens import Identity, TokenVerifier
from chatsrv.client import Frame
from chatsrv.session.session import Session
from chatsrv.session.token_terms import TokenTerms
from chatsrv.wire.codes import CloseCode, Profile
from tests.support.tokens import SECRET
from tests.unit.test_store_kit import TestNode

_YEAR_S = 365 * 86_400.0
_frame = msgspec.json.Decoder(Frame)
_terms = TokenTerms(
    TokenVerifier(VerificationKey(("HS256",), SECRET.encode())),
    longest_s=_YEAR_S,
    leeway_s=0,
    clock=time.time,
)


class End(Protocol):
    """The device's end of a line."""

    def received(self, frame: Frame) -> None:
        """A frame from the server."""

    def lost(self, code: CloseCode | None) -> None:
        """The connection is over; ``code`` is the server's, None when there was no close frame."""


class Line:
    """``stalled`` while the device reads nothing."""

    def __init__(self, node: TestNode, user_id: int, profile: Profile, end: End) -> None:
        self.node = node
        self.identity = Identity(user_id, None, None)
        self.profile = profile
        self.stalled = False
        self._end: End | None = end
        self._unread: list[Frame | CloseCode] = []
        self._drained: Callable[[], None] | None = None
        self._closing = False  # the server takes and sends no more
        self.session = Session(self, node, refused_per_10s=10**6, terms=_terms, ended=lambda _: None)  # type: ignore[arg-type]

    def open(self) -> None:
        """The handshake is over."""
        self.session.opened()

    # The session's side: what it sees of a shell

    def send(self, frame: bytes) -> None:
        if not self._closing:
            size = {126: 4, 127: 10}.get(frame[1], 2)
            self._put(_frame.decode(frame[size:]))

    def expire_in(self, seconds: float) -> None:
        """Tokens outlast a run."""

    def send_receipt(self, chat_id: int, user_id: int, frame: bytes) -> None:
        self.send(frame)

    def forget_receipts(self, chat_id: int) -> None:
        """None are kept apart."""

    def close_with(self, code: CloseCode) -> None:
        if not self._closing:
            self._closing = True
            self._put(code)
            reactor.callLater(0, self.session.closed)

    @property
    def congested(self) -> bool:
        return self.stalled

    def when_drained(self, callback: Callable[[], None]) -> None:
        self._drained = callback
        if not self.stalled:
            reactor.callLater(0, self._tell_drained)

    # The device's side

    def ask(self, request: dict[str, Any]) -> None:
        """A frame to the server."""
        reactor.callLater(0, self._arrives, msgspec.json.encode(request))

    def resume(self) -> None:
        """The device reads again."""
        self.stalled = False
        while self._unread and not self.stalled:
            self._give(self._unread.pop(0))
        self._tell_drained()

    def drop(self, *, noticed: bool = True) -> None:
        """The connection is gone for the device, with what it has not read; the server hears of it now, or by
        `close`."""
        end, self._end = self._end, None
        self._unread.clear()
        if end is not None:
            end.lost(None)
        if noticed:
            self.close()

    def close(self) -> None:
        """The server notices that the connection is gone."""
        if not self._closing:
            self._closing = True
            reactor.callLater(0, self.session.closed)

    def die(self) -> None:
        """The server's process is gone: it hears and says nothing any more."""
        self._closing = True
        self.drop(noticed=False)

    def _arrives(self, payload: bytes) -> None:
        if not self._closing:
            self.session.received(payload)

    def _put(self, what: Frame | CloseCode) -> None:
        if self.stalled and self._end is not None:
            self._unread.append(what)
        else:
            self._give(what)

    def _give(self, what: Frame | CloseCode) -> None:
        end = self._end
        if end is None:
            return
        if isinstance(what, CloseCode):
            self._end = None
            end.lost(what)
        else:
            end.received(what)

    def _tell_drained(self) -> None:
        drained = self._drained
        if drained is not None and not self.stalled:
            self._drained = None
            drained()
