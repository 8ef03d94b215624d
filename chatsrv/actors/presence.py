"""Presence: which friends of this node's users are online, on whichever node.

A user is online while a live node lists him (`Lease`). Whenever a list changes, his id is published; here, if
somebody watches him, the lists are looked at, so the order of such hints does not matter. Looks are at least
one status interval apart, and so are the 2/1 that follow from them. DESIGN section 4.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime

from chatsrv.actors.waiting import together
from chatsrv.bus import Bus
from chatsrv.log import Logger
from chatsrv.redis import Unavailable
from chatsrv.store import Store

if TYPE_CHECKING:
    from chatsrv.actors.user import UserActor


class Presence:
    log = Logger()

    def __init__(
        self, clock: IReactorTime, store: Store, bus: Bus, channel: str, *, interval_s: float
    ) -> None:
        self._clock = clock
        self._store = store
        self._bus = bus
        self._channel = channel
        self._interval_s = interval_s
        self._watchers: dict[int, set[UserActor]] = {}
        self._online: set[int] = set()
        self._dirty: set[int] = set()  # to be looked at
        self._changed: set[int] = set()  # came or went, and their watchers were not told yet
        self._later: set[UserActor] = set()  # with sessions that were told too lately to be told again
        self._looked_at = float("-inf")
        self._look: IDelayedCall | None = None
        self._stopped = False

    async def start(self) -> None:
        await self._bus.subscribe(self._channel, self._heard)

    def stop(self) -> None:
        self._stopped = True
        if self._look is not None:
            self._look.cancel()
        self._bus.unsubscribe(self._channel)

    def repair(self) -> None:
        """A link came back: hints may be lost."""
        self._touch(self._watchers)

    def watch(self, actor: UserActor, friends: Iterable[int]) -> None:
        """Tell the actor (by ``show_status``) when one of them comes or goes."""
        for friend in friends:
            self._watchers.setdefault(friend, set()).add(actor)
            if friend in self._online:  # known already, but not to this one
                self._changed.add(friend)
        self._touch(friends)

    def unwatch(self, actor: UserActor, friends: Iterable[int]) -> None:
        for friend in friends:
            watchers = self._watchers.get(friend, set())
            watchers.discard(actor)
            if not watchers:
                self._watchers.pop(friend, None)
                self._online.discard(friend)

    def tell_later(self, actor: UserActor) -> None:
        """Have it ``show_status`` once more with the next look."""
        self._later.add(actor)
        self._touch(())

    def is_online(self, user_id: int) -> bool:
        """As far as this node knows; only for those who are watched."""
        return user_id in self._online

    async def look_at(self, users: Iterable[int]) -> set[int]:
        """Who of them is online now, as the store says; as far as known when it cannot be asked."""
        online = await self._look_for(set(users))
        self._touch(())  # for who watches those that came or went
        return online

    async def _look_for(self, asked: set[int]) -> set[int]:
        self._dirty -= asked
        try:
            online = await self._listed_anywhere(sorted(asked))
        except Unavailable:
            self._touch(asked)
            return asked & self._online
        watched = asked & self._watchers.keys()
        self._changed |= (self._online ^ online) & watched
        self._online = (self._online - asked) | (online & watched)
        return online

    async def _listed_anywhere(self, users: list[int]) -> set[int]:
        if not users:
            return set()
        leases = await self._store.leases.live()
        answers = await together(
            self._store.link, [self._store.leases.online(lease, users) for lease in leases]
        )
        return {user for answer in answers for user, listed in zip(users, answer, strict=True) if listed}

    def _heard(self, payload: bytes) -> None:
        user_id = int(payload)
        if user_id in self._watchers:
            self._touch((user_id,))

    def _touch(self, users: Iterable[int]) -> None:
        """Look at them soon; looks are at least one status interval apart."""
        self._dirty.update(users)
        if (self._dirty or self._changed or self._later) and self._look is None and not self._stopped:
            wait = self._looked_at + self._interval_s - self._clock.seconds()
            self._look = self._clock.callLater(max(0.0, wait), self._look_now)

    def _look_now(self) -> None:
        self._look = None
        self._looked_at = self._clock.seconds()
        done = Deferred.fromCoroutine(self._look_at_dirty())
        done.addErrback(lambda failure: self.log.failure("a look at who is online failed", failure))

    async def _look_at_dirty(self) -> None:
        looked_at = self._looked_at
        dirty, self._dirty = self._dirty & self._watchers.keys(), set()
        await self._look_for(dirty)
        changed, self._changed = self._changed, set()
        later, self._later = self._later, set()
        for actor in later.union(*(self._watchers.get(user, ()) for user in changed)):
            actor.show_status(looked_at)
