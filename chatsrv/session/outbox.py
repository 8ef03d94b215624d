"""One connection's bounded send queue, and the one door to its socket.

Everything a connection sends passes :meth:`Outbox.write` in whole frames. The frames of one reactor turn are
joined and leave at its end, through the :class:`Flusher` that all connections share: straight to the socket
where the transport holds nothing (one ``send`` instead of two ``epoll_ctl`` calls and a loop turn), else
through ``transport.write``. Always: frames leave in order and whole; while the transport does not take more,
they wait here; when more than the limit waits behind the first unsent frame, ``on_overflow`` is called, once.
Receipts give way: while the connection is congested they wait apart (`Receipts`), within the same limit, and go
before anything else does. Nothing follows a close frame: ``before_the_last``, ``write``, ``close``.
Sources: DESIGN section 3, RELIABILITY W1, decision 19.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.interfaces import IPushProducer
from twisted.internet.tcp import Connection
from zope.interface import implementer

from chatsrv.session.flusher import Flusher
from chatsrv.session.receipts import Receipts
from chatsrv.wire.framing import frame_text

__all__ = ["Outbox", "frame_text"]

_JOINED_BYTES = 65536


@implementer(IPushProducer)
class Outbox:
    """The queue of one connection, and its transport's streaming producer.

    ``limit``: bytes that may wait behind the first unsent frame. ``on_overflow`` is called when more do; it
    closes the connection. ``paused``: the transport takes no more at the moment, or the outbox is closed.
    ``waiting``: bytes queued here.
    """

    __slots__ = (
        "_closed",
        "_drained",
        "_expectant",
        "_flusher",
        "_frames",
        "_limit",
        "_much",
        "_on_overflow",
        "_receipts",
        "_room",
        "_send",
        "_transport",
        "paused",
        "waiting",
    )

    def __init__(self, transport: Any, flusher: Flusher, limit: int, on_overflow: Callable[[], None]) -> None:
        self._transport = transport
        self._flusher = flusher
        self._limit = limit
        self._much = min(_JOINED_BYTES, limit // 4)
        self._on_overflow = on_overflow
        direct = isinstance(transport, Connection) and not transport.TLS
        # The socket's own method, never a number that another connection may have by then.
        self._send: Callable[[bytes], int] | None = transport.socket.send if direct else None
        self._frames: list[bytes] | None = None
        self._drained: Callable[[], None] | None = None
        self._receipts: Receipts | None = None
        self._expectant = False  # somebody waits for the end of congestion: a caller, or receipts
        self._room = limit  # what receipts leave of it
        self._closed = False
        self.paused = False
        self.waiting = 0
        transport.registerProducer(self, True)

    def write(self, frame: bytes) -> None:
        """Queues one whole frame for the end of the turn; drops it once the outbox is closed."""
        # With flush the cost of a delivery beside the system call: each call less is a tenth of the rest.
        frames = self._frames
        if frames is not None:
            frames.append(frame)
            self.waiting = waiting = self.waiting + len(frame)
        else:
            if not self.paused:
                due = self._flusher.due
                if not due:
                    self._flusher.start()
                due.append(self)
            elif self._closed:
                return
            self._frames = [frame]
            self.waiting = waiting = len(frame)
        if waiting > self._room:
            self._full()

    def write_receipt(self, chat_id: int, user_id: int, frame: bytes) -> None:
        """``write`` of a 12/8; while congested it waits apart and is replaced by a later one of this chat and user."""
        if not (self.paused or self.waiting >= self._much):  # `congested`, without a call
            self.write(frame)
        elif not self._closed:
            if self._receipts is None:
                self._receipts = Receipts()
            self._expectant = True
            self._receipts.put(chat_id, user_id, frame)
            self._shed(self._receipts)

    def forget_receipts(self, chat_id: int) -> None:
        """Those of that chat which wait are not to be sent any more."""
        if self._receipts is not None:
            self._receipts.forget(chat_id)
            self._shed(self._receipts)

    def flush(self) -> None:
        """Sends what waits, as far as the transport takes it: with one ``send`` where it holds nothing."""
        frames = self._frames
        if frames is not None and not self.paused:
            transport, send = self._transport, self._send
            if send is None or transport.dataBuffer or transport._tempDataBuffer or transport.disconnecting:
                self._send_through_transport()
            else:
                data = frames[0] if len(frames) == 1 else b"".join(frames)
                try:
                    sent = send(data)
                except (BlockingIOError, InterruptedError):
                    self._send_through_transport()
                except OSError:
                    self.drop()
                    transport.abortConnection()
                else:
                    if sent == len(data):
                        self._frames = None
                        self.waiting = 0
                    else:
                        transport.write(self._cut(frames, sent))
                        self._send_through_transport()
        if self._expectant and not self.congested:
            self._relieved()

    @property
    def first(self) -> bytes | None:
        """The frame that leaves next."""
        return self._frames[0] if self._frames is not None else None

    @property
    def congested(self) -> bool:
        """The transport takes no more, or much was written in this turn already."""
        return self.paused or self.waiting >= self._much

    def when_drained(self, callback: Callable[[], None]) -> None:
        """Calls it once as soon as the outbox is not congested (at the earliest at the end of this turn)."""
        self._drained = callback
        self._expectant = True
        if not self.paused:
            self._flusher.flush_at_turn_end(self)

    def drop(self) -> None:
        """Forgets the frames that wait here; what the transport holds is whole frames and still leaves."""
        self._frames = self._receipts = None
        self.waiting = 0
        self._room = self._limit

    def before_the_last(self) -> None:
        """One more frame follows: the receipts are dropped and nobody waits any more, for none may get behind it."""
        self._drained = self._receipts = None
        self._expectant = False
        self._room = self._limit

    def close(self) -> None:
        """Hands everything that waits to the transport, whatever it holds, and takes no more."""
        if self._closed:
            return
        self.before_the_last()
        self.paused = False
        self.flush()
        self._closed = self.paused = True
        if self._frames is not None:
            self._transport.write(b"".join(self._frames))
        self.drop()
        self._transport.unregisterProducer()

    def pauseProducing(self) -> None:
        """The transport holds enough (IPushProducer)."""
        self.paused = True

    def resumeProducing(self) -> None:
        """The transport has sent everything it held (IPushProducer)."""
        self.paused = self._closed
        self.flush()

    def stopProducing(self) -> None:
        """The connection is gone (IPushProducer)."""
        self._closed = self.paused = True
        self._drained = None
        self.drop()

    def _full(self) -> None:
        self.flush()
        if self._receipts is not None:
            self._shed(self._receipts)
        if self.waiting > self._limit and not self._closed:
            self._on_overflow()

    def _shed(self, receipts: Receipts) -> None:
        """Drops the oldest receipts that the limit has no room for beside the frames."""
        receipts.shrink(self._limit - self.waiting)
        self._room = self._limit - receipts.size

    def _relieved(self) -> None:
        """The congestion is over: sends the receipts, and tells who waits for it, unless these made a new one."""
        receipts, self._receipts = self._receipts, None
        self._room = self._limit
        for frame in receipts.take() if receipts is not None else ():
            self.write(frame)
        self._expectant = self._drained is not None
        if self._drained is not None and not self.congested:
            self._expectant = False
            drained, self._drained = self._drained, None
            drained()

    def _send_through_transport(self) -> None:
        """In pieces of about what makes a transport pause, and of one frame at least."""
        while (frames := self._frames) is not None and not self.paused:
            size = count = 0
            while count < len(frames) and size < _JOINED_BYTES:
                size += len(frames[count])
                count += 1
            data = b"".join(frames[:count])
            self._remove(count, size)
            self._transport.write(data)

    def _cut(self, frames: list[bytes], sent: int) -> bytes:
        """Removes what was sent, and the frame that was sent in part: its rest is returned."""
        size = count = 0
        while size <= sent:
            size += len(frames[count])
            count += 1
        rest = frames[count - 1][sent - size :]
        self._remove(count, size)
        return rest

    def _remove(self, count: int, size: int) -> None:
        """Forgets the first ``count`` frames, of ``size`` bytes together."""
        if self._frames is not None:
            del self._frames[:count]
            self._frames = self._frames or None
        self.waiting -= size
