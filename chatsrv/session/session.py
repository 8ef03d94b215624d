"""A session: one authenticated connection, from its hello to its end.

The shell hands it texts, it makes requests of them and posts these to the actor concerned; answers and events
go back through the shell's outbox. Always: the first frame is 1/1; every request with an ``id`` is answered
once or the connection closes; nothing that a client sends raises out of here.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from enum import Enum
from functools import partial
from typing import Any

import msgspec
from msgspec import UNSET, UnsetType

from chatsrv.actors import Join, Node, Result
from chatsrv.actors.feed import Feed
from chatsrv.actors.known_revocations import verdict
from chatsrv.actors.replay import Replays
from chatsrv.actors.user import UserActor
from chatsrv.kernel import Envelope, MailboxFull, Overdue
from chatsrv.redis import Unavailable
from chatsrv.session.limits import Tally, TokenBucket
from chatsrv.session.shell import Shell
from chatsrv.session.token_terms import TokenTerms
from chatsrv.wire import frames
from chatsrv.wire.codec import Incoming, Malformed, decode
from chatsrv.wire.codes import CloseCode, ErrorCode, Profile
from chatsrv.wire.frames import FrameId
from chatsrv.wire.framing import frame_text
from chatsrv.wire.refusal import Refused
from chatsrv.wire.requests import CatchUp, ChatRequest, RenewToken

#: `bad_json` and `bad_frame` that are forgiven within a minute. PROTOCOL section 4.
GARBAGE, GARBAGE_WINDOW_S = 10, 60.0
REFUSED_WINDOW_S = 10.0
MAILBOX_RETRY_MS = 1_000
#: What is held before 1/1 has no more bytes than so many of the largest frames.
HELD_FRAMES = 4

_OWN_FAULT = frozenset({ErrorCode.BAD_JSON, ErrorCode.BAD_FRAME})


class State(Enum):
    HELLO = "requests are held until 1/1 is sent"
    OPEN = "requests are carried out"
    DRAINING = "requests are left; the connection closes when those in flight are answered"
    CLOSED = "it is over"


class Session:
    """Implements `Receiver` for the shell and `Subscriber` for the actors.

    ``refused_per_10s``: rate-limited requests above which the connection is closed. ``terms`` say when the
    token's time is over. ``ended`` is called once, with this session.
    """

    def __init__(
        self,
        shell: Shell,
        node: Node,
        *,
        refused_per_10s: int,
        terms: TokenTerms,
        ended: Callable[[Session], None],
    ) -> None:
        self.id = secrets.token_hex(8)
        self.user_id = shell.identity.user_id
        self.identity = shell.identity
        self.profile = shell.profile
        self.feeds: set[Feed] = set()
        self._shell = shell
        self._node = node
        self._limits = node.options.limits
        self._ended = ended
        now = node.clock.seconds()
        self._bucket = TokenBucket(self._limits.requests_per_s, self._limits.burst, now)
        self._refused = Tally(refused_per_10s, REFUSED_WINDOW_S)
        self._garbage = Tally(GARBAGE, GARBAGE_WINDOW_S)
        self._state = State.HELLO
        self._user: UserActor | None = None
        self._in_flight = 0
        self._held: list[bytes] = []  # what came before 1/1 was sent
        self._held_bytes = 0
        self._undelivered: list[bytes] = []  # what was to go out before it
        self._heads = b""  # what hello said, packed, for replays
        self._epoch = ""
        self._replays: Replays | None = None
        self._terms = terms
        self._expires_at = terms.expires_at(self.identity)
        shell.expire_in(terms.seconds_left(self.identity))

    # The shell's side

    def opened(self) -> None:
        self._user = self._node.users.get(self.user_id)
        command = Join(self.id, self._expires_at)
        try:
            self._user.post(Envelope(command, self._joined, self))
        except MailboxFull:
            self.close(CloseCode.OVERLOADED)

    def received(self, payload: bytes) -> None:
        if self._state is State.OPEN:
            self._request(payload)
        elif self._state is State.HELLO:
            self._held.append(payload)
            self._held_bytes += len(payload)
            if (
                len(self._held) > self._limits.burst
                or self._held_bytes > HELD_FRAMES * self._limits.frame_bytes
            ):
                self.close(CloseCode.POLICY)

    def closed(self) -> None:
        self._state = State.CLOSED
        self.__dict__.pop("deliver", None)
        self._held, self._undelivered = [], []
        replays, self._replays = self._replays, None
        if replays is not None:
            replays.stop()
        if self._user is not None:
            self._user.leave(self)
        self._ended(self)

    # The actors' side

    @property
    def is_closed(self) -> bool:
        return self._state is State.CLOSED

    def greet(self, hello: frames.Hello) -> None:
        if self._state is not State.HELLO:
            return
        self._heads = msgspec.msgpack.encode(hello.heads)
        self._epoch = hello.epoch
        self._shell.send(frame_text(frames.encode(hello)))
        undelivered, self._undelivered = self._undelivered, []
        for frame in undelivered:
            self._shell.send(frame)
        self._state = State.OPEN
        self.deliver = self._shell.send  # type: ignore[method-assign]  # a call less per frame and member

    def deliver(self, frame: bytes) -> None:
        # From 1/1 on it is the shell's own method; whoever kept this one may go on using it.
        if self._state is State.HELLO:
            self._undelivered.append(frame)
        elif self._state is not State.CLOSED:
            self._shell.send(frame)

    def deliver_unless_busy(self, frame: bytes) -> None:
        if self._state is not State.HELLO and not self._shell.congested:
            self._shell.send(frame)

    def deliver_receipt(self, chat_id: int, user_id: int, frame: bytes) -> None:
        if self._state is State.HELLO:
            self.deliver(frame)
        else:
            self._shell.send_receipt(chat_id, user_id, frame)

    def forget_receipts(self, chat_id: int) -> None:
        self._shell.forget_receipts(chat_id)

    @property
    def congested(self) -> bool:
        return self._shell.congested

    def when_drained(self, callback: Callable[[], None]) -> None:
        self._shell.when_drained(callback)

    def close(self, code: CloseCode) -> None:
        self._shell.close_with(code)

    # Requests

    def _joined(self, result: Exception | None) -> None:
        if result is not None:
            overloaded = isinstance(result, (Unavailable, Overdue))
            self.close(CloseCode.OVERLOADED if overloaded else CloseCode.INTERNAL_ERROR)
            return
        held, self._held = self._held, []
        for payload in held:
            self.received(payload)

    def _request(self, payload: bytes) -> None:
        try:
            incoming = decode(payload, self._limits, self.user_id)
        except Malformed as fault:
            self._refuse(fault, fault.id, fault.op, fault.t)
            if fault.code in _OWN_FAULT and self._garbage.too_much(self._node.clock.seconds()):
                self.close(CloseCode.POLICY)
            return
        wait_ms = self._bucket.take(self._node.clock.seconds(), incoming.request.cost)
        if wait_ms:
            self._limit_rate(incoming, wait_ms)
            return
        request = incoming.request
        envelope = Envelope(request, partial(self._answered, incoming), self)
        self._in_flight += 1
        try:
            self._post(request, envelope)
        except MailboxFull:
            self._in_flight -= 1
            self._limit_rate(incoming, MAILBOX_RETRY_MS)

    def _post(self, request: Any, envelope: Envelope) -> None:
        if isinstance(request, ChatRequest):
            self._node.chats.get(request.chat_id).post(envelope)
        elif isinstance(request, RenewToken):
            envelope.answer(self._renewed(request.token))
        elif isinstance(request, CatchUp):
            if self._replays is None:
                heads = msgspec.msgpack.decode(self._heads, type=dict[int, int], strict=False)
                self._replays = Replays(self, self._node, heads, self._epoch)
            self._replays.post(envelope)
        else:
            self._node.users.get(self.user_id).post(envelope)

    def _renewed(self, token: str) -> Result | Refused:
        """1/3: the connection goes on with another token of its user; the same one again gives it no more time."""
        try:
            identity = self._terms.successor(token, self.user_id)
        except Refused as refused:
            return refused
        if self._user is None or verdict(self._user.revoked, identity) is not None:
            return Refused(ErrorCode.BAD_REQUEST, "token")
        if identity != self.identity:
            self.identity = identity
            self._expires_at = self._terms.expires_at(identity)
            self._shell.expire_in(self._terms.seconds_left(identity))
        renewed = frames.Renewed(expires_at=self._expires_at)
        return Result(renewed, renewed)

    def _limit_rate(self, incoming: Incoming, wait_ms: int) -> None:
        refused = Refused(ErrorCode.RATE_LIMITED, retry_after_ms=wait_ms)
        self._refuse(refused, incoming.id, incoming.request.op, incoming.request.t)
        if self._refused.too_much(self._node.clock.seconds()):
            self.close(CloseCode.POLICY)

    def _answered(self, incoming: Incoming, result: Any) -> None:
        self._in_flight -= 1
        if isinstance(result, Result):
            if incoming.id is not UNSET:
                self.deliver(frame_text(frames.encode(result.reply, incoming.id)))
            elif result.event is not None and (result.event.core or self.profile is Profile.FULL):
                self.deliver(frame_text(frames.encode(result.event)))
        else:
            refused = _as_refusal(result)
            if refused.code is ErrorCode.RATE_LIMITED:
                self._limit_rate(incoming, refused.retry_after_ms or MAILBOX_RETRY_MS)
            else:
                self._refuse(refused, incoming.id, incoming.request.op, incoming.request.t)
        if self._state is State.DRAINING:
            self._leave_when_answered()

    def _refuse(self, refused: Refused, id: FrameId | UnsetType, op: int | None, t: int | None) -> None:
        self.deliver(frame_text(frames.encode(frames.error(refused, op, t), id)))

    # The end

    def drain(self) -> None:
        """Take no more requests, answer those in flight, then close with 1001."""
        if self._state is not State.CLOSED:
            self._state = State.DRAINING
            self._leave_when_answered()

    def _leave_when_answered(self) -> None:
        if not self._in_flight:
            self.close(CloseCode.GOING_AWAY)


def _as_refusal(failure: Exception) -> Refused:
    if isinstance(failure, Refused):
        return failure
    if isinstance(failure, (Unavailable, Overdue)):
        return Refused(ErrorCode.UNAVAILABLE)
    return Refused(ErrorCode.INTERNAL)
