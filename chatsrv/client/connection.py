"""One connection after the upgrade: requests, events, and the end.

Knows no socket: ``websocket`` hands in the text messages and the end of the line, and is the
``Line`` to write to. What always holds: each ``call`` is answered exactly once (the reply, a typed
error, or the end of the connection), and when ``closed`` fires no timer of this object is left.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

import msgspec
from twisted.internet.defer import Deferred, fail
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger

from chatsrv.client import frames
from chatsrv.client.announcement import Announcement
from chatsrv.client.calls import Calls
from chatsrv.client.errors import ABNORMAL, ConnectionClosed
from chatsrv.client.frames import Frame, Hello
from chatsrv.wire.codes import CloseCode, Profile

EventSink = Callable[[Frame], None]
"""Takes one frame; it is called in the order in which the frames arrived."""


class Line(Protocol):
    """What a connection writes to."""

    def send_text(self, payload: bytes) -> None:
        """Write one text message."""

    def start_close(self, code: int, reason: str) -> None:
        """Send a close frame."""

    def ping(self) -> None:
        """Ask for a sign of life."""

    def abort(self) -> None:
        """Drop the line now."""


class Closed(NamedTuple):
    """How a connection ended; 1006 when there was no close frame."""

    code: int
    reason: str


def ignore(frame: Frame) -> None:
    """The event sink of someone who wants no events."""


class Connection:
    """A connection that was said hello to. Made by ``connect``.

    ``hello`` is the 1/1, ``profile`` what was negotiated. ``on_event`` may be set at any time and
    gets every frame without ``id`` that arrives from then on; so does ``on_stray`` every frame with
    an ``id`` that no call waits for (a reply that came after its timeout). ``heard_at`` is when the
    last bytes came, by the reactor's clock.
    """

    log = Logger()
    hello: Hello
    profile: Profile = Profile.CORE

    def __init__(
        self,
        clock: IReactorTime,
        line: Line,
        *,
        on_event: EventSink = ignore,
        call_timeout_s: float = 10.0,
        close_timeout_s: float = 5.0,
    ) -> None:
        self.on_event = on_event
        self.on_stray: EventSink = ignore
        self._clock = clock
        self._line = line
        self._call_timeout_s = call_timeout_s
        self._close_timeout_s = close_timeout_s
        self._calls = Calls(clock)
        self._ended: Closed | None = None
        self._closing: IDelayedCall | None = None
        self._end: Announcement[Closed] = Announcement()
        self.heard_at = clock.seconds()

    # -- what its owner calls

    def call(
        self, op: int, t: int, d: dict[str, Any] | None = None, *, timeout_s: float | None = None
    ) -> Deferred[Frame]:
        """Send a request with a fresh ``id``; fires with its reply.

        Fails with ``RequestRefused``, ``RequestTimeout`` after ``timeout_s`` seconds (default: the
        connection's; ``inf``: as long as the connection lasts), or ``ConnectionClosed``. Cancelling
        stops the waiting, not the request.
        """
        if self._over:
            return fail(self._closed_error())
        request = Frame(op, t, d or {}, self._calls.next_id())
        payload = frames.encode(request)
        reply = self._calls.wait_for(request, self._call_timeout_s if timeout_s is None else timeout_s)
        self._line.send_text(payload)
        return reply

    def send(self, op: int, t: int, d: dict[str, Any] | None = None) -> None:
        """Send a request without ``id``: success gives what its row lists, a failure a 3/1 event."""
        self.send_text(frames.encode(Frame(op, t, d or {})))

    def send_text(self, payload: bytes) -> None:
        """Send a text message of any content; raises ``ConnectionClosed`` when it is too late."""
        if self._over:
            raise self._closed_error()
        self._line.send_text(payload)

    def close(self, code: int = CloseCode.NORMAL.code, reason: str = "") -> Deferred[Closed]:
        """Close, and wait for the end; a peer that does not answer in time is dropped. Idempotent."""
        if not self._over:
            self.closing_began()
            self._line.start_close(code, reason)
        return self.closed

    def ping(self) -> None:
        """Make the other end say something; what it says shows in ``heard_at``."""
        self._line.ping()

    def abort(self) -> Deferred[Closed]:
        """Drop the line without a close frame."""
        if self._ended is None:
            self._line.abort()
        return self.closed

    @property
    def is_open(self) -> bool:
        """Whether something can be sent: neither side has begun to close."""
        return not self._over

    @property
    def closed(self) -> Deferred[Closed]:
        """A new Deferred for each asker; fires when the connection is over, at once when it is."""
        return self._end.wait()

    # -- what the socket calls

    def heard(self) -> None:
        """Something arrived, be it part of a message or a pong."""
        self.heard_at = self._clock.seconds()

    def text_arrived(self, payload: bytes) -> None:
        """Route one message: an answer to who waits for it, an event to the sink."""
        try:
            frame = frames.decode(payload)
        except (msgspec.MsgspecError, RecursionError):
            self.log.warn("the server sent what is not a frame; dropping the connection")
            self._line.abort()
            return
        if frame.id is None:
            self._hand_out(self.on_event, frame)
        elif not self._calls.answer(frame):
            self._hand_out(self.on_stray, frame)

    def closing_began(self) -> None:
        """Either side sent a close frame: nothing more is sent, and the end is bounded in time."""
        if not self._over:
            self._closing = self._clock.callLater(self._close_timeout_s, self._line.abort)

    def line_lost(self, code: int | None, reason: str) -> None:
        """The line is gone: everyone who waits is told, calls first."""
        self._ended = Closed(code or ABNORMAL, reason)
        if self._closing is not None and self._closing.active():
            self._closing.cancel()
        self._calls.fail_all(self._closed_error())
        self._end.make(self._ended)

    # -- inside

    @property
    def _over(self) -> bool:
        return self._ended is not None or self._closing is not None

    def _closed_error(self) -> ConnectionClosed:
        return ConnectionClosed(*(self._ended or (ABNORMAL, "closing")))

    def _hand_out(self, sink: EventSink, frame: Frame) -> None:
        try:
            sink(frame)
        except Exception:
            self.log.failure("an event sink raised at {op}/{t}", op=frame.op, t=frame.t)
