"""Keeps a `UserActor` in step with the changes of its user's lists, in the order of ``rev``.

What is published is applied when it is the next change; after a hole or a new subscription the user's short
log is read, and when that no longer reaches back far enough, the lists themselves.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall
from twisted.python.failure import Failure

from chatsrv.redis import Unavailable
from chatsrv.store.events import SURPLUS, UserEvent, user_event
from chatsrv.store.users import UserLists

if TYPE_CHECKING:
    from chatsrv.actors.user import UserActor

RETRY_S = 1.0
EARLY_EVENTS = 1_000


class UserLog:
    """``rev`` is the last change applied; None before the lists were read for the first time."""

    def __init__(self, actor: UserActor) -> None:
        self.rev: int | None = None
        self._actor = actor
        self._channel = actor.node.channels.user(actor.user_id)
        self._early: list[UserEvent] = []
        self._reading = False
        self._again = False
        self._stopped = False
        self._timer: IDelayedCall | None = None

    async def subscribe(self) -> None:
        """Hear of changes from now on; `Unavailable` when the bus does not confirm it."""
        await self._actor.node.bus.subscribe(self._channel, self._heard)

    def stop(self) -> None:
        self._stopped = True
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._actor.node.bus.unsubscribe(self._channel)

    def seen(self, lists: UserLists) -> None:
        """The lists were read: what was published before or meanwhile is in them, or comes after them."""
        if self.rev is None:
            self._begin(lists, show=False)
        elif lists.rev > self.rev:
            self.refill()

    def refill(self) -> None:
        """Read what came after ``rev``, now or when the present reading is done."""
        if self._reading:
            self._again = True
        elif self.rev is not None:
            self._reading = True
            Deferred.fromCoroutine(self._refill()).addErrback(
                lambda failure: self._actor.registry.crashed(self._actor, failure, self)
            )

    def _heard(self, payload: bytes) -> None:
        """The bus. What goes wrong here is a crash, and the change is read again."""
        try:
            self._take(payload)
        except Exception:
            self._actor.registry.crashed(self._actor, Failure(), self)

    def _take(self, payload: bytes) -> None:
        event = user_event(payload)
        if event.kind == SURPLUS:
            self._actor.close_surplus(event.operation)
            return
        if self.rev is None:
            if len(self._early) < EARLY_EVENTS:
                self._early.append(event)
        elif event.rev == self.rev + 1:
            self._apply(event)
        elif event.rev > self.rev:
            self.refill()

    def _apply(self, event: UserEvent) -> None:
        self._actor.apply(event)
        self.rev = event.rev

    def _begin(self, lists: UserLists, *, show: bool) -> None:
        self._actor.adopt(lists, show=show)
        self.rev = lists.rev
        early, self._early = self._early, []
        for event in early:
            if event.rev == self.rev + 1:
                self._apply(event)
        if early and early[-1].rev > self.rev:
            self.refill()

    async def _refill(self) -> None:
        """What is published goes on being applied meanwhile, so ``rev`` may move at every wait."""
        actor, users, known = self._actor, self._actor.node.store.users, self.rev or 0
        try:
            rev = await users.rev(actor.user_id)
            if self._stopped:
                return
            after = self.rev or 0
            if rev > after:
                await self._read_on(after)
            elif rev < known:
                actor.node.epoch.lost()
        except Unavailable:
            self._later()
        finally:
            self._reading = False
        if self._again:
            self._again = False
            self.refill()

    async def _read_on(self, after: int) -> None:
        actor = self._actor
        events = await actor.node.store.users.events(actor.user_id, after)
        if not events or events[0].rev > after + 1:
            await self._read_lists()
        for event in events:
            if event.rev == (self.rev or 0) + 1:
                self._apply(event)

    async def _read_lists(self) -> None:
        """The log does not reach back far enough: what differs is shown, unless more is known by then."""
        actor, before = self._actor, self.rev
        lists = await actor.node.store.users.read(actor.user_id)
        if self.rev == before:
            self._begin(lists, show=True)
        else:
            self._again = True

    def _later(self) -> None:
        if self._timer is None and not self._stopped:
            self._timer = self._actor.node.clock.callLater(RETRY_S, self._now)

    def _now(self) -> None:
        self._timer = None
        if self._actor.wanted:
            self.refill()
