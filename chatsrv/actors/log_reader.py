"""Reads a chat's log for its feed: to begin with, where a hole is, and for a session that came late.

Owned by a `ChatActor`. Pub/sub is only the fast path: after every (re)subscription, every unknown outcome and
every hole that does not close by itself, what the log says is delivered. Tries again until it succeeds or
nobody is attached. A commit of this node in flight, whose answer brings the same events, is waited for, but
for a hole's time at most.
"""

from __future__ import annotations

from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall

from chatsrv.actors.attachment import Attachment
from chatsrv.log import Logger
from chatsrv.redis import Unavailable
from chatsrv.wire.codes import CloseCode

if TYPE_CHECKING:
    from chatsrv.actors.chat import ChatActor
    from chatsrv.actors.node import Node

PAGE = 200
HOLE_S, HOLE_EVENTS = 0.2, 64
RETRY_S = 1.0


class LogReader:
    log = Logger()

    def __init__(self, actor: ChatActor, node: Node) -> None:
        self._actor = actor
        self._node = node
        self._reading = False
        self._again = False
        self._timer: IDelayedCall | None = None
        self._ready: list[Deferred[None]] = []
        self._late: list[Attachment] = []
        self._stopped = False

    # What the actor and the feed ask for

    def ready(self) -> Deferred[None]:
        """Fires when the feed has a position; `Unavailable` when the store cannot tell now."""
        waiter: Deferred[None] = Deferred()
        if self._actor.feed.position is not None:
            waiter.callback(None)
        else:
            self._ready.append(waiter)
            self.start()
        return waiter

    def start(self) -> None:
        """Read now, or, if that is under way or must wait for a commit, once more afterwards."""
        if self._stopped:
            self._settle_ready(Unavailable("the actor was stopped", sent=False))
        elif self._reading:
            self._again = True
        elif self._actor.committing:
            self._later(HOLE_S)
        else:
            self._begin()

    def hole(self, events_behind: int) -> None:
        """Something is missing before ``events_behind`` events; the bus may still bring it."""
        if events_behind >= HOLE_EVENTS:
            self.start()
        else:
            self._later(HOLE_S)

    def late(self, attachment: Attachment) -> None:
        """A session needs events from before the feed's position."""
        self._late.append(attachment)
        self._run(self._read_late())

    def stop(self) -> None:
        self._stopped = True
        self._cancel()
        waiters, self._ready = self._ready, []
        for waiter in waiters:
            waiter.errback(Unavailable("the actor was stopped", sent=False))

    # How it is read

    def _begin(self) -> None:
        self._cancel()
        self._reading = True
        self._run(self._read())
        if self._late:
            self._run(self._read_late())

    async def _read(self) -> None:
        actor, feed = self._actor, self._actor.feed
        try:
            if feed.position is None:
                await self._node.bus.subscribe(self._node.channels.chat(actor.chat_id), actor.on_news)
                head = await self._node.store.chats.head(actor.chat_id)
                feed.start(head.seq, head.active_at)
            else:
                await self._read_on(feed.position)
        except Unavailable as error:
            feed.abandon_replies()
            self._settle_ready(error)
            self._later(RETRY_S)
        except Exception as error:
            self._settle_ready(error)
            raise
        else:
            self._settle_ready(None)
        finally:
            self._reading = False
        if self._again:
            self._again = False
            self.start()

    async def _read_on(self, position: int) -> None:
        actor, feed = self._actor, self._actor.feed
        while True:
            users = {subscriber.user_id for subscriber in feed.subscribers()}
            page = await self._node.store.chats.events(actor.chat_id, position, PAGE, users)
            if self._stopped:
                return
            head, events = page.head, page.events
            if head.gone and head.seq >= position:
                if head.seq:
                    feed.gone()
                return
            complete = bool(events) and events[0].seq == position + 1
            if head.seq < position or (head.seq > position and not complete):
                self._resynchronise(head_went_back=head.seq < position)
                return
            if not users.issuperset(subscriber.user_id for subscriber in feed.subscribers()):
                continue  # somebody was attached meanwhile, of whom this answer says nothing
            feed.estrange(page.strangers, head.seq)
            feed.offer(events)
            if not events or events[-1].seq >= head.seq:
                return
            position = events[-1].seq

    async def _read_late(self) -> None:
        actor, feed = self._actor, self._actor.feed
        while self._late:
            attachment = self._late.pop(0)
            if attachment.detached:
                continue
            try:
                page = await self._node.store.chats.events(
                    actor.chat_id, attachment.position, PAGE, [attachment.subscriber.user_id]
                )
            except Exception as error:
                self._late.append(attachment)
                if not isinstance(error, Unavailable):
                    raise
                self._later(RETRY_S)
                return
            if attachment.detached:
                continue
            head, events = page.head, page.events
            if head.gone:
                feed.gone()
            elif not events or events[0].seq > attachment.position + 1:
                attachment.subscriber.close(CloseCode.GOING_AWAY)
                feed.detach(attachment.subscriber)
            else:
                feed.estrange(page.strangers, head.seq)
                feed.caught_up(attachment, events)

    def _resynchronise(self, *, head_went_back: bool) -> None:
        """The log no longer joins what was delivered: the clients must fetch afresh, by a new connection."""
        self.log.warn("chat {chat} cannot be repaired from its log", chat=self._actor.chat_id)
        for subscriber in self._actor.feed.subscribers():
            subscriber.close(CloseCode.GOING_AWAY)
            self._actor.feed.detach(subscriber)
        self._actor.feed.reset()
        if head_went_back:
            self._node.epoch.lost()

    def _settle_ready(self, error: Exception | None) -> None:
        waiters, self._ready = self._ready, []
        for waiter in waiters:
            waiter.callback(None) if error is None else waiter.errback(error)

    def _run(self, reading: Coroutine[Any, Any, None]) -> None:
        Deferred.fromCoroutine(reading).addErrback(
            lambda failure: self._node.chats.crashed(self._actor, failure, self)
        )

    # Later

    def _later(self, seconds: float) -> None:
        if self._timer is None and not self._stopped:
            self._timer = self._node.clock.callLater(seconds, self._now)

    def _now(self) -> None:
        """The time to wait is over, also for a commit: under load another one is always in flight."""
        self._timer = None
        if self._stopped:
            self._settle_ready(Unavailable("the actor was stopped", sent=False))
        elif self._reading:
            self._again = True
        elif self._actor.wanted or self._ready:
            self._begin()

    def _cancel(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
