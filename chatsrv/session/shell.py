"""One connection as the server sees it: from the first byte of the request to the closed socket.

The factory (:mod:`factory`) makes a :class:`Shell` per connection. The shell reads the head (:mod:`head`),
judges it (:mod:`handshake`), hands any other path to the HTTP factory, upgrades (:mod:`upgrade`), has frames
taken from the bytes, by Autobahn where they are not the simplest (:mod:`fastpath`), sends through its
:class:`Outbox` and tells a :class:`Receiver`, the session, what happened. Always: one handshake per
connection; ``closed()`` follows ``opened()`` exactly once, never from inside ``close_with``; nothing that a
peer sends or a receiver raises gets out to the reactor; and whatever a peer does, its socket is gone
``close_timeout_s`` after the end began. Sources: PROTOCOL sections 1 and 5, RELIABILITY sections 3.1, 3.2
and 5.2.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol

from autobahn.util import encode_truncate
from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.interfaces import IProtocolFactory
from twisted.internet.protocol import connectionDone
from twisted.python.failure import Failure

from chatsrv.auth.tokens import Identity
from chatsrv.log import Logger
from chatsrv.session.compression import Inflater
from chatsrv.session.fastpath import CLOSED, OPEN, Frames
from chatsrv.session.handshake import PATH, Accepted, decide
from chatsrv.session.head import HeadReader, HeadRefused, Refusal
from chatsrv.session.outbox import Outbox
from chatsrv.session.upgrade import switching_protocols
from chatsrv.wire.codes import CloseCode, Profile

if TYPE_CHECKING:
    from chatsrv.session.factory import ShellFactory

_BYTES_BEHIND_HEAD = 4096
_log = Logger()


class Receiver(Protocol):
    """What a shell tells; the session implements it."""

    def opened(self) -> None:
        """The 101 was sent."""

    def received(self, payload: bytes) -> None:
        """One whole text message, valid UTF-8."""

    def closed(self) -> None:
        """The connection is gone or given up. Exactly once, after ``opened``."""


class Shell(Frames):
    """One connection. ``identity`` and ``profile`` are set once the handshake was accepted."""

    identity: Identity
    profile: Profile
    factory: ShellFactory

    _reader: HeadReader | None = None
    _outbox: Outbox | None = None
    _receiver: Receiver | None = None
    _timer: Any = None
    _end_at: float | None = None
    address = ""

    def __init__(self) -> None:
        """Autobahn's options and state are attributes of the factory's subclass (:mod:`upgrade`; A10)."""

    def send(self, frame: bytes) -> None:
        """Sends an already framed text message (:func:`frame_text`); drops it once a close was begun."""
        # Shadowed by the outbox's own method while there is one: a call less per delivery.

    def close_with(self, code: CloseCode, reason: str | None = None) -> None:
        """Sends what waits, then a close frame with any code of the registry (A6); ignored when closing.

        ``reason`` is a constant text of at most 123 bytes, the code's own by default. For a slow consumer
        what waits is dropped instead. The socket is aborted after ``close_timeout_s`` at the latest.
        """
        if self.state != OPEN or self._outbox is None:
            return
        if code is CloseCode.SLOW_CONSUMER:
            self._outbox.drop()
        self.sendCloseFrame(code.code, encode_truncate(reason or code.text, 123))

    def send_receipt(self, chat_id: int, user_id: int, frame: bytes) -> None:
        """``send`` of a 12/8, which gives way to everything else while the connection is congested."""
        if self._outbox is not None:
            self._outbox.write_receipt(chat_id, user_id, frame)

    def forget_receipts(self, chat_id: int) -> None:
        """What waits of them is not to be sent any more: the user has left that chat."""
        if self._outbox is not None:
            self._outbox.forget_receipts(chat_id)

    def expire_in(self, seconds: float) -> None:
        """Closes it with 4401 then, at the next beat, unless this is called again: its token ends."""
        self.heartbeat.expire(self, seconds)

    @property
    def congested(self) -> bool:
        """The socket does not take more at the moment, or much waits unsent."""
        return self._outbox is not None and self._outbox.congested

    def when_drained(self, callback: Callable[[], None]) -> None:
        """Calls it once, soon, when the connection is not congested (any more); never once it is closing."""
        if self._outbox is not None and self.state == OPEN:
            self._outbox.when_drained(callback)

    # Twisted's side

    def connectionMade(self) -> None:
        self._reader = HeadReader(self.options.head_bytes, self.options.head_lines)
        self._start_timer(self.options.head_timeout_s, self.abort)
        peer = self.transport.getPeer()
        self.address = getattr(peer, "host", None) or "unix"
        if isinstance(peer, IPv4Address | IPv6Address) and hasattr(self.transport, "setTcpNoDelay"):
            self.transport.setTcpNoDelay(True)
        self.factory.socket_opened(self)

    def other_input(self, data: bytes) -> None:
        if self._reader is None:
            self.frames_received(data)
        else:
            self._head_received(self._reader, data)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self._stop_timer()
        self._reader = None
        self.factory.socket_gone(self)
        outbox, self._outbox = self._outbox, None
        if outbox is not None:
            outbox.stopProducing()
            del self.send
            self.factory.connection_ended(self)
        self.state = CLOSED
        self._tell_closed()

    # The head

    def _head_received(self, reader: HeadReader, data: bytes) -> None:
        factory = self.factory
        try:
            parsed = reader.feed(data)
            if parsed is None:
                return
            head, behind = parsed
            if head.path != PATH and factory.other_paths is not None:
                self._hand_over(factory.other_paths, bytes(reader.collected))
                return
            self.address, secure = factory.proxies.source(self.transport, head)
            accepted = decide(
                head,
                secure=secure,
                options=self.options,
                admit=lambda: factory.admission.admit(self.address),
                verify=factory.verify,
                admit_user=factory.admission.admit_user,
            )
        except HeadRefused as refused:
            self._refuse(refused.refusal)
        else:
            self._upgrade(accepted, behind)

    def _refuse(self, refusal: Refusal) -> None:
        """Answers. A head too long is first read to its end, or a reset would eat the answer."""
        _log.debug("refused the upgrade with {status}", status=refusal.status, peer=self.address)
        self._reader = None
        self.transport.write(refusal.render())
        if refusal.status == 431:
            self._start_timer(self.options.close_handshake_s, self._lose)
        else:
            self._lose()

    def _hand_over(self, factory: IProtocolFactory, collected: bytes) -> None:
        """Gives the transport, and all that came in, to the other factory's protocol."""
        self._stop_timer()
        self._reader = None
        transport = self.transport
        successor: Any = factory.buildProtocol(transport.getPeer())
        if successor is None:
            self._lose()
            return
        holder = "wrappedProtocol" if hasattr(transport, "wrappedProtocol") else "protocol"
        setattr(transport, holder, successor)
        self.factory.socket_gone(self)
        successor.makeConnection(transport)
        successor.dataReceived(collected)

    def _upgrade(self, accepted: Accepted, behind: bytes) -> None:
        """Answers, and puts Autobahn's object into the state of an open connection."""
        if len(behind) > _BYTES_BEHIND_HEAD:
            self.abort()
            return
        self._stop_timer()
        self._reader = None
        self.identity, self.profile = accepted.identity, accepted.profile
        self._outbox = Outbox(
            self.transport, self.factory.flusher, self.options.outbox_bytes, self._overflowed
        )
        self.send = self._outbox.write  # type: ignore[method-assign]
        self.factory.connection_upgraded(self)
        if accepted.extension is not None:
            self._perMessageCompress = Inflater(self.options.frame_bytes)
            self.send = self.factory.deflater.through(self.send)  # type: ignore[assignment, method-assign]
        self._outbox.write(switching_protocols(accepted.key, accepted.subprotocol, accepted.extension))
        self.state = OPEN
        self._open()
        if behind:
            self.frames_received(behind)

    def _open(self) -> None:
        try:
            receiver = self.factory.open_session(self)
            self._receiver = receiver
            self.deliver = receiver.received  # type: ignore[method-assign]  # a call less per message
            receiver.opened()
        except Exception:
            self.crashed()

    # Autobahn's side

    def sendData(self, data: bytes, sync: bool = False, chopsize: int | None = None) -> None:
        if self._outbox is not None:
            self._outbox.write(data)

    def sendCloseFrame(
        self, code: int | None = None, reasonUtf8: bytes | None = None, isReply: bool = False
    ) -> None:
        if self.state != OPEN or self._outbox is None:
            return
        self._outbox.before_the_last()
        super().sendCloseFrame(code, None if isReply else reasonUtf8, isReply)
        self._outbox.close()
        self._end_at = self.factory.reactor.seconds() + self.options.close_timeout_s
        self._start_timer(self.options.close_handshake_s, self._lose)
        self.factory.flusher.at_turn_end(self._tell_closed)

    def dropConnection(self, abort: bool = False) -> None:
        """Autobahn is done: lets what was written leave, also where it would abort."""
        if self.state != CLOSED:
            self.state = CLOSED
            if self._outbox is not None:
                self._outbox.close()
            self._lose()

    # The end

    def abort(self) -> None:
        """Ends the connection at once, whatever still waits to be sent."""
        self.state = CLOSED
        self._stop_timer()
        self.transport.abortConnection()

    def _lose(self) -> None:
        if self.floods:  # an orderly end would wait for what is not read any more
            self.abort()
            return
        now = self.factory.reactor.seconds()
        self._end_at = self._end_at or now + self.options.close_timeout_s
        self._start_timer(max(0, self._end_at - now), self.abort)
        self.transport.loseConnection()

    def _overflowed(self) -> None:
        self.close_with(CloseCode.SLOW_CONSUMER)

    def crashed(self) -> None:
        """A bug of ours: logged, and this connection alone pays for it."""
        user_id = self.identity.user_id if self._outbox is not None else None
        _log.failure("the connection of user {user_id} failed", user_id=user_id, peer=self.address)
        if self.state == OPEN:
            self._fail(CloseCode.INTERNAL_ERROR)
        elif self._reader is not None:
            self._refuse(Refusal(500))
        else:
            self.abort()

    def _tell_closed(self) -> None:
        receiver, self._receiver = self._receiver, None
        if receiver is not None:
            del self.deliver
            try:
                receiver.closed()
            except Exception:
                user_id = self.identity.user_id
                _log.failure(
                    "the session of user {user_id} failed to close", user_id=user_id, peer=self.address
                )

    def _start_timer(self, seconds: float, call: Callable[[], None]) -> None:
        """The one timer of a connection: first for its head, later for its end."""
        self._stop_timer()
        self._timer = self.factory.reactor.callLater(seconds, self._timer_fired, call)

    def _timer_fired(self, call: Callable[[], None]) -> None:
        self._timer = None
        call()

    def _stop_timer(self) -> None:
        timer, self._timer = self._timer, None
        if timer is not None:
            timer.cancel()
