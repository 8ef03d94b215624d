"""One connection's bounded send queue, and the one door to its socket.

Everything a connection sends passes :meth:`Outbox.write` in whole frames. The frames of one reactor turn are
joined and leave at its end, through the :class:`Flusher` that all connections share: straight to the socket
where the transport holds nothing (one ``send`` instead of two ``epoll_ctl`` calls and a loop turn), else
through ``transport.write``. Always: frames leave in order and whole; while the transport does not take more,
they wait here; when more than the limit waits behind the first unsent frame, ``on_overflow`` is called, once.
Sources: DESIGN section 3, RELIABILITY W1.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.interfaces import IPushProducer
from twisted.internet.tcp import Connection
from zope.interface import implementer

from chatsrv.log import Logger
from chatsrv.wire.framing import frame_text

__all__ = ["Flusher", "Outbox", "frame_text"]

_JOINED_BYTES = 65536
_log = Logger()


class Flusher:
    """Ends the reactor's turn: calls what was deferred to its end, which is mostly flushing outboxes."""

    def __init__(self, reactor: Any) -> None:
        self._reactor = reactor
        self._due: list[Callable[[], None]] = []

    def at_turn_end(self, call: Callable[[], None]) -> None:
        """Calls it before the reactor waits again; what it raises is logged."""
        if not self._due:
            self._reactor.callLater(0, self._run)
        self._due.append(call)

    def _run(self) -> None:
        due, self._due = self._due, []
        for call in due:
            try:
                call()
            except Exception:
                _log.failure("a call at the end of the turn failed")


@implementer(IPushProducer)
class Outbox:
    """The queue of one connection, and its transport's streaming producer.

    ``limit``: bytes that may wait behind the first unsent frame. ``on_overflow`` is called when more do; it
    closes the connection. ``paused``: the transport takes no more at the moment. ``waiting``: bytes queued
    here.
    """

    __slots__ = (
        "_closed",
        "_direct",
        "_drained",
        "_flusher",
        "_frames",
        "_limit",
        "_on_overflow",
        "_transport",
        "paused",
        "waiting",
    )

    def __init__(self, transport: Any, flusher: Flusher, limit: int, on_overflow: Callable[[], None]) -> None:
        self._transport = transport
        self._flusher = flusher
        self._limit = limit
        self._on_overflow = on_overflow
        self._direct = isinstance(transport, Connection) and not transport.TLS
        self._frames: list[bytes] = []
        self._drained: Callable[[], None] | None = None
        self._closed = False
        self.paused = False
        self.waiting = 0
        transport.registerProducer(self, True)

    def write(self, frame: bytes) -> None:
        """Queues one whole frame for the end of the turn; drops it once the outbox is closed."""
        if self._closed:
            return
        frames = self._frames
        if not frames and not self.paused:
            self._flusher.at_turn_end(self.flush)
        frames.append(frame)
        self.waiting += len(frame)
        if self.waiting > self._limit:
            self._full()

    def flush(self) -> None:
        """Sends what waits, as far as the transport takes it."""
        if self._frames and not self.paused:
            if self._direct and self._transport_is_idle():
                self._send_direct()
            while self._frames and not self.paused:
                self._transport.write(self._take_joined())
        if self._drained is not None and not self.congested:
            drained, self._drained = self._drained, None
            drained()

    @property
    def congested(self) -> bool:
        """The transport takes no more, or much was written in this turn already."""
        return self.paused or self.waiting >= min(_JOINED_BYTES, self._limit // 4)

    def when_drained(self, callback: Callable[[], None]) -> None:
        """Calls it once as soon as the outbox is not congested (at the earliest at the end of this turn)."""
        self._drained = callback
        if not self.paused:
            self._flusher.at_turn_end(self.flush)

    def drop(self) -> None:
        """Forgets the frames that wait here; what the transport holds is whole frames and still leaves."""
        self._frames.clear()
        self.waiting = 0

    def close(self) -> None:
        """Hands everything that waits to the transport, whatever it holds, and takes no more."""
        if self._closed:
            return
        self._drained = None
        self.paused = False
        self.flush()
        self.paused = False
        self._closed = True
        if self._frames:
            self._transport.write(b"".join(self._frames))
            self.drop()
        self._transport.unregisterProducer()

    def pauseProducing(self) -> None:
        """The transport holds enough (IPushProducer)."""
        self.paused = True

    def resumeProducing(self) -> None:
        """The transport has sent everything it held (IPushProducer)."""
        self.paused = False
        self.flush()

    def stopProducing(self) -> None:
        """The connection is gone (IPushProducer)."""
        self._closed = True
        self._drained = None
        self.drop()

    def _full(self) -> None:
        self.flush()
        if self.waiting > self._limit and not self._closed:
            self._on_overflow()

    def _transport_is_idle(self) -> bool:
        transport = self._transport
        return bool(
            transport.connected
            and not transport.disconnecting
            and not transport.dataBuffer
            and not transport._tempDataBuffer
        )

    def _send_direct(self) -> None:
        """One ``send``; the rest of a frame that left in part goes to the transport, whole ones stay."""
        frames = self._frames
        data = frames[0] if len(frames) == 1 else b"".join(frames)
        try:
            sent = self._transport.socket.send(data)
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            self.drop()
            self._transport.abortConnection()
            return
        if sent == len(data):
            self.drop()
        else:
            self._transport.write(self._cut(sent))

    def _cut(self, sent: int) -> bytes:
        """Removes what was sent, and the frame that was sent in part: its rest is returned."""
        frames = self._frames
        self.waiting -= sent
        index = 0
        while sent >= len(frames[index]):
            sent -= len(frames[index])
            index += 1
        rest = frames[index][sent:]
        self.waiting -= len(rest)
        del frames[: index + 1]
        return rest

    def _take_joined(self) -> bytes:
        """Removes and joins frames up to about what makes a transport pause, and at least one."""
        frames = self._frames
        size, count = len(frames[0]), 1
        while count < len(frames) and size < _JOINED_BYTES:
            size += len(frames[count])
            count += 1
        data = frames[0] if count == 1 else b"".join(frames[:count])
        del frames[:count]
        self.waiting -= size
        return data
