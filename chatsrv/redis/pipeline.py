"""One socket to Redis: commands out in order, replies paired with them by position, a deadline on each.

``Link`` makes one per connection and never reuses it, so a late reply can only be that of its own command.
Bytes, parsing and the queue are ours (hiredis), since txredisapi's stock protocol queues, converts and
gives up in ways that lose messages (RELIABILITY 5.1); what is left of it is the protocol class beneath.
Always: all commands of one reactor turn leave in one write; the queue is in the order of its deadlines; an
overdue command keeps its place, its reply is thrown away; a callback that raises is logged, no more.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any, Final

import hiredis  # a hard dependency: without it each bulk reply would cost a reactor turn (T8)
import txredisapi
from twisted.internet.interfaces import IDelayedCall
from twisted.internet.protocol import Factory
from twisted.internet.tcp import Connection
from twisted.python.failure import Failure

from chatsrv.log import Logger
from chatsrv.redis.errors import ReplyError, Unavailable
from chatsrv.redis.script import Part

Done = Callable[[object], None]

BLACK_HOLE_S: Final = 5.0  # the eldest command is overdue for this long: nobody is there, drop the socket
_INCOMPLETE: Final = object()


class Pipeline(txredisapi.HiredisProtocol):  # type: ignore[misc]  # txredisapi has no types
    """A connection, from its first byte to its last; ``opened`` and ``closed`` are called once each.

    ``push`` sees every reply first and says True for what answers no command (a published message).
    """

    log = Logger()

    def __init__(
        self,
        reactor: Any,
        timeout_s: float,
        opened: Callable[[Pipeline], None],
        closed: Callable[[Pipeline, str], None],
        push: Callable[[object], bool] | None = None,
    ) -> None:
        super().__init__(charset=None, convertNumbers=False)
        self.waiting: deque[tuple[Done, float]] = deque()
        self.settled: Callable[[], None] | None = None  # called when a batch of replies has been delivered
        self._overdue = 0  # that many at the head of the queue were told so; their replies are dropped
        self._reactor = reactor
        self._timeout_s = timeout_s
        self._opened = opened
        self._closed = closed
        self._push = push
        self._parser = hiredis.Reader(replyError=ReplyError.from_wire, notEnoughData=_INCOMPLETE)
        self._out: list[bytes] = []
        self._flush_call: IDelayedCall | None = None
        self._deadline_call: IDelayedCall | None = None
        self._deadline = 0.0  # of what is sent in this turn, counted from the first of it
        self._reason = ""
        self._socket: Any = None  # sending past the transport saves two epoll_ctl calls and a loop turn
        self._lost = False
        self.usable = False  # set by the link when the handshake is through, unset here for ever

    def send(self, done: Done, command: tuple[Part, ...]) -> None:
        """Write ``command``; ``done`` gets the reply, or an exception instance, exactly once.

        Raises what ``hiredis.pack_command`` raises for a part that is no bytes, str or int, or no UTF-8.
        """
        self.write(done, hiredis.pack_command(command))

    def write(self, done: Done, packed: bytes) -> None:
        """``send`` of a command in the bytes of the protocol."""
        if not self._out:
            self._begin_turn()
        self._out.append(packed)
        self.waiting.append((done, self._deadline))

    def _begin_turn(self) -> None:
        self._flush_call = self._reactor.callLater(0, self.flush)
        self._deadline = self._reactor.seconds() + self._timeout_s
        if self._deadline_call is None:
            self._deadline_call = self._reactor.callLater(self._timeout_s, self._deadline_reached)

    def flush(self) -> None:
        """Send everything written so far, in one piece: straight to the socket where the transport holds nothing."""
        if self._flush_call is not None and self._flush_call.active():
            self._flush_call.cancel()
        self._flush_call = None
        out, self._out = self._out, []
        if out and not self._lost:
            data = out[0] if len(out) == 1 else b"".join(out)
            if self._socket is not None:
                data = data[self._send_direct(self._socket, data) :]
            if data:
                self.transport.write(data)

    def _send_direct(self, socket: Any, data: bytes) -> int:
        """How much of it the socket took: none where the transport holds more, or is to find out what is wrong."""
        transport = self.transport
        if transport.dataBuffer or transport._tempDataBuffer or transport.disconnecting:
            return 0
        try:
            return int(socket.send(data))
        except OSError:
            return 0

    def abort(self, reason: str) -> None:
        """Drop the socket without waiting for anything."""
        self.usable = False
        self._reason = self._reason or reason
        self._out.clear()
        if not self._lost:
            self.transport.abortConnection()

    def close(self, reason: str) -> None:
        """Send what waits to be written, then close the socket."""
        self.usable = False
        self._reason = self._reason or reason
        self.flush()
        self.transport.loseConnection()

    def connectionMade(self) -> None:
        if hasattr(self.transport, "setTcpNoDelay"):  # not so on a Unix socket
            self.transport.setTcpNoDelay(True)
            self.transport.setTcpKeepAlive(True)
        if isinstance(self.transport, Connection) and not self.transport.TLS:
            self._socket = self.transport.socket
        self._opened(self)

    def dataReceived(self, data: bytes, unpause: bool = False) -> None:
        # Written out, without calls of our own, for what is neither an error nor overdue: the hot path.
        waiting, push, gets = self.waiting, self._push, self._parser.gets
        self._parser.feed(data)
        try:
            while (reply := gets()) is not _INCOMPLETE:
                if push is not None and push(reply):
                    continue
                if self._overdue or not waiting or type(reply) is ReplyError:
                    self._take(reply)
                    continue
                done, _ = waiting.popleft()
                try:
                    done(reply)
                except Exception:
                    self.log.failure("a callback failed on a reply of Redis")
        except hiredis.ProtocolError as broken:
            self.abort(f"what the server sends is no reply of Redis: {broken}")
        if self.settled is not None:
            self.settled()

    def connectionLost(self, why: Failure) -> None:
        self._lost = True
        self._socket = None
        self.usable = False
        self.connected = 0
        for call in (self._flush_call, self._deadline_call):
            if call is not None and call.active():
                call.cancel()
        self._closed(self, self._reason or why.getErrorMessage())

    def fail_all(self, reason: str) -> None:
        """Tell everyone who still waits that the outcome is unknown; called once the socket is gone."""
        for _ in range(self._overdue):
            self.waiting.popleft()
        self._overdue = 0
        while self.waiting:
            self._deliver(self.waiting.popleft()[0], Unavailable(reason, sent=True))

    def _take(self, reply: object) -> None:
        if not self.waiting:
            raise hiredis.ProtocolError("a reply to nothing")
        done, _ = self.waiting.popleft()
        if type(reply) is ReplyError and reply.code == "READONLY":
            self.abort(reply.text)  # a demoted master: whoever answers after a reconnect may be the new one
        if self._overdue:
            self._overdue -= 1
        else:
            self._deliver(done, reply)

    def _deliver(self, done: Done, reply: object) -> None:
        try:
            done(reply)
        except Exception:
            self.log.failure("a callback failed on a reply of Redis")

    def _deadline_reached(self) -> None:
        # One more turn, so that replies which lie in the socket after a pause of ours are read first.
        self._deadline_call = self._reactor.callLater(0, self._expire)

    def _expire(self) -> None:
        now = self._reactor.seconds()
        while self._overdue < len(self.waiting) and self.waiting[self._overdue][1] <= now:
            done = self.waiting[self._overdue][0]
            self._overdue += 1
            self._deliver(done, Unavailable(f"no reply within {self._timeout_s:g} s", sent=True))
        if self._overdue and self.waiting[0][1] + BLACK_HOLE_S <= now:
            self.abort(f"no reply for {self._timeout_s + BLACK_HOLE_S:g} s")
            return
        self._deadline_call = None
        if self.waiting and not self._lost:
            self._deadline_call = self._reactor.callLater(self._next_deadline() - now, self._deadline_reached)

    def _next_deadline(self) -> float:
        moments = [self.waiting[0][1] + BLACK_HOLE_S] if self._overdue else []
        if self._overdue < len(self.waiting):
            moments.append(self.waiting[self._overdue][1])
        return min(moments)


class OneConnection(Factory):
    """Makes the one ``Pipeline`` of one connection attempt."""

    noisy = False

    def __init__(self, make: Callable[[], Pipeline]) -> None:
        self._make = make

    def buildProtocol(self, addr: object) -> Pipeline:
        return self._make()
