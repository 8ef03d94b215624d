"""The requests in flight on one connection: who waits for which ``id``, and until when.

``Connection`` owns one. What always holds: each Deferred fires exactly once, and an entry's timer
lives exactly as long as the entry; one that waits for ever (``inf``) has none.
"""

from __future__ import annotations

import math
from typing import NamedTuple

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime

from chatsrv.client import frames
from chatsrv.client.errors import ConnectionClosed, RequestTimeout
from chatsrv.client.frames import Frame


class _Waiting(NamedTuple):
    reply: Deferred[Frame]
    timer: IDelayedCall | None


class Calls:
    """A table of waiting Deferreds by request id."""

    def __init__(self, clock: IReactorTime) -> None:
        self._clock = clock
        self._last_id = 0
        self._waiting: dict[int | str, _Waiting] = {}

    def next_id(self) -> int:
        """An id this connection has not used."""
        self._last_id += 1
        return self._last_id

    def wait_for(self, request: Frame, timeout_s: float) -> Deferred[Frame]:
        """The reply to ``request``, or ``RequestRefused``, ``RequestTimeout``, ``ConnectionClosed``."""
        assert request.id is not None
        key = request.id
        reply: Deferred[Frame] = Deferred(lambda _: self._forget(key))
        timer = None
        if timeout_s != math.inf:
            timer = self._clock.callLater(timeout_s, self._expire, request, timeout_s)
        self._waiting[key] = _Waiting(reply, timer)
        return reply

    def answer(self, frame: Frame) -> bool:
        """Hand a reply or an error to who waits for its ``id``; False when nobody does."""
        if frame.id is None or (reply := self._take(frame.id)) is None:
            return False
        if frame.kind == frames.ERROR:
            reply.errback(frames.refusal_of(frame))
        else:
            reply.callback(frame)
        return True

    def fail_all(self, error: ConnectionClosed) -> None:
        """Tell everyone who waits that no reply will come, the oldest first."""
        for key in list(self._waiting):
            if (reply := self._take(key)) is not None:
                reply.errback(error)

    def _take(self, key: int | str) -> Deferred[Frame] | None:
        if (waiting := self._waiting.pop(key, None)) is None:
            return None
        if waiting.timer is not None and waiting.timer.active():
            waiting.timer.cancel()
        return waiting.reply

    def _forget(self, key: int | str) -> None:
        self._take(key)

    def _expire(self, request: Frame, timeout_s: float) -> None:
        assert request.id is not None
        if (reply := self._take(request.id)) is not None:
            reply.errback(RequestTimeout(request.op, request.t, timeout_s))
