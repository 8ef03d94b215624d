"""Catch-up (1/2): what a session missed while it was away, from the chats' logs, paced by its socket.

Owned by a session, which has one replay at a time. A replay ends at the head that the session's hello named;
what is later comes live, beside it. Texts are as now, membership too. Always: a chat is replayed in full or
named in ``reset``. PROTOCOL section 3.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from typing import TYPE_CHECKING

from msgspec import UNSET
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import deferLater

from chatsrv.actors.rendering import chat_frame
from chatsrv.actors.subscriber import Result, Subscriber
from chatsrv.kernel import Envelope, MailboxFull
from chatsrv.log import Logger
from chatsrv.redis import Unavailable
from chatsrv.store.events import MESSAGE, ChatEvent
from chatsrv.wire.codes import Profile
from chatsrv.wire.frames import CaughtUp, encode
from chatsrv.wire.framing import frame_text
from chatsrv.wire.requests import CatchUp

if TYPE_CHECKING:
    from chatsrv.actors.node import Node

PAGE = 100
#: Requests of one session that may wait behind the one being carried out.
WAITING = 16
#: Nobody needs the same twice: a request about a chat that this connection was replayed already waits so long.
REPEAT_S = 1.0


class Replays:
    """``heads`` and ``epoch`` are those of the session's hello."""

    log = Logger()

    def __init__(self, session: Subscriber, node: Node, heads: Mapping[int, int], epoch: str) -> None:
        self._session = session
        self._node = node
        self._heads = heads
        self._epoch = epoch
        self._requests: deque[Envelope] = deque()
        self._replayed: set[int] = set()
        self._running = False
        self._waiting: Deferred[None] | None = None
        self._stopped = False

    def post(self, envelope: Envelope) -> None:
        """Carry out a `CatchUp`, after those before it; `MailboxFull` when too many wait."""
        if len(self._requests) >= WAITING:
            raise MailboxFull
        self._requests.append(envelope)
        if not self._running:
            self._running = True
            Deferred.fromCoroutine(self._run()).addErrback(
                lambda failure: self.log.failure(
                    "replays to {peer} failed", failure, peer=f"user {self._session.user_id}"
                )
            )

    def stop(self) -> None:
        """The connection is over."""
        self._stopped = True
        self._requests.clear()
        if self._waiting is not None:
            self._waiting.cancel()

    def _check(self) -> None:
        """Go no further for a connection that is over."""
        if self._stopped:
            raise CancelledError

    async def _run(self) -> None:
        try:
            while self._requests:
                envelope = self._requests.popleft()
                envelope.answer(await self._result(envelope.command))
        except CancelledError:
            return
        finally:
            self._running = False

    async def _result(self, command: CatchUp) -> Result | Exception:
        try:
            caught_up = await self._carry_out(command)
        except Unavailable as error:
            return error
        except CancelledError:
            raise
        except Exception as error:
            user_id = self._session.user_id
            self.log.failure("a replay to user {user} failed", user=user_id, peer=f"user {user_id}")
            return error
        return Result(caught_up, caught_up)

    async def _carry_out(self, command: CatchUp) -> CaughtUp:
        heads: dict[str, int] = {}
        reset: list[int] = []
        if any(
            chat_id in self._replayed and seq < self._heads[chat_id] for chat_id, seq in command.chats.items()
        ):
            await self._wait(deferLater(self._node.clock, REPEAT_S))
        same_epoch = command.epoch is UNSET or command.epoch == self._epoch
        for chat_id, seq in sorted(command.chats.items()):
            stopped = await self._replay(chat_id, seq) if same_epoch else None
            if stopped is None:
                reset.append(chat_id)
            else:
                heads[str(chat_id)] = stopped
        return CaughtUp(heads=heads, reset=reset)

    async def _replay(self, chat_id: int, seq: int) -> int | None:
        """Send the events after ``seq``; where it stopped, or None: not in full."""
        self._check()
        end, user_id = self._heads.get(chat_id), self._session.user_id
        if end is None:
            return None
        if seq >= end:  # nothing was missed
            head = await self._node.store.chats.head(chat_id, user_id)
            return seq if head.since and seq <= head.seq else None
        self._replayed.add(chat_id)
        position = seq
        while position < end:
            await self._room()
            limit = min(PAGE, end - position)
            page = await self._node.store.chats.events(chat_id, position, limit, [user_id], present=True)
            self._check()
            since = page.since.get(user_id, 0)
            complete = bool(page.events) and page.events[0].seq == position + 1
            if page.head.gone or not since or seq < since - 1 or not complete:
                return None
            position = self._send(chat_id, page.events)
        return position

    def _send(self, chat_id: int, events: list[ChatEvent]) -> int:
        """Send events for as long as the socket takes more; the ``seq`` of the last one. The others are read
        again when it does, for by then a text may be gone, or the session's user."""
        session = self._session
        for event in events:
            own = event.kind >= MESSAGE and event.by == session.user_id
            if not own or session.profile is Profile.FULL:
                session.deliver(frame_text(encode(chat_frame(chat_id, event))))
            if session.congested:
                break
        return event.seq

    async def _room(self) -> None:
        """Wait until the socket takes more."""
        if self._session.congested:
            drained: Deferred[None] = Deferred()
            self._session.when_drained(lambda: drained.callback(None))
            await self._wait(drained)

    async def _wait(self, waiting: Deferred[None]) -> None:
        self._waiting = waiting
        try:
            await waiting
        finally:
            self._waiting = None
