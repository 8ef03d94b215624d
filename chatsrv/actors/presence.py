"""Presence: this node's lease, the users it lists, and what its users see of their friends.

A user is online while a live node lists him. Whenever a list changes, the user's id is published; nodes with
somebody who watches him then look at the lists, so the order of such hints does not matter. A node that dies
takes its users with it: its lease ends, and another node reaps it. DESIGN section 4.
"""

from __future__ import annotations

from collections.abc import Coroutine, Iterable
from typing import TYPE_CHECKING, Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.internet.task import LoopingCall

from chatsrv.actors.reaper import Reaper
from chatsrv.actors.waiting import together
from chatsrv.bus import Bus, Channels
from chatsrv.log import Logger
from chatsrv.redis import Unavailable
from chatsrv.store import Store

if TYPE_CHECKING:
    from chatsrv.actors.node import NodeOptions
    from chatsrv.actors.user import UserActor

#: A node that stops leaves its users listed for this long, for them to come back elsewhere.
PARTING_LEASE_S = 5.0
TOGETHER = 500


class Presence:
    log = Logger()

    def __init__(
        self,
        node_id: str,
        clock: IReactorTime,
        store: Store,
        bus: Bus,
        channels: Channels,
        options: NodeOptions,
    ) -> None:
        self._clock = clock
        self._store = store
        self._bus = bus
        self._channel = channels.presence
        self._options = options
        self._node_id = node_id
        self._generation = 0
        self._lease = f"{node_id}.0"
        self._listed: set[int] = set()
        self._leaving: dict[int, IDelayedCall] = {}
        self._watchers: dict[int, set[UserActor]] = {}
        self._online: set[int] = set()
        self._dirty: set[int] = set()  # to be looked at
        self._changed: set[int] = set()  # came or went, and their watchers were not told yet
        self._astray = False  # the list in the store may not be what is so
        self._looked_at = float("-inf")
        self._look: IDelayedCall | None = None
        self._stopped = False
        self._renewal = LoopingCall(self._in_background, self._renew)
        self._renewal.clock = clock
        self._reaper = Reaper(clock, store, channels, options.lease_s, options.lease_renew_s)

    async def start(self) -> None:
        await self._bus.subscribe(self._channel, self._heard)
        await self._store.leases.renew(self._lease, self._lease_ms, new=True)
        self._renewal.start(self._options.lease_renew_s, now=False)
        self._reaper.start()

    async def stop(self) -> None:
        """Users stay listed until the lease ends, which is soon."""
        self._stopped = True
        self._reaper.stop()
        if self._renewal.running:
            self._renewal.stop()
        for timer in [*self._leaving.values(), self._look]:
            if timer is not None and timer.active():
                timer.cancel()
        self._bus.unsubscribe(self._channel)
        try:
            await self._store.leases.renew(self._lease, int(PARTING_LEASE_S * 1000))
        except Unavailable:
            return  # then it ends by itself a little later

    @property
    def _lease_ms(self) -> int:
        return int(self._options.lease_s * 1000)

    # Users of this node

    def connected(self, user_id: int) -> None:
        """The user has a connection here."""
        timer = self._leaving.pop(user_id, None)
        if timer is not None:
            timer.cancel()
        if user_id not in self._listed:
            self._listed.add(user_id)
            self._list([user_id], online=True)

    def disconnected(self, user_id: int) -> None:
        """His last connection here ended; it shows after the grace period."""
        if self._stopped:
            return
        self._leaving[user_id] = self._clock.callLater(self._options.presence_grace_s, self._left, user_id)

    def _left(self, user_id: int) -> None:
        del self._leaving[user_id]
        self._listed.discard(user_id)
        self._list([user_id], online=False)

    def _list(self, users: list[int], *, online: bool) -> None:
        self._in_background(self._list_now, users, online)

    async def _list_now(self, users: list[int], online: bool) -> None:
        """If it fails, the next renewal puts it right."""
        try:
            await self._store.leases.list_users(self._lease, users, online, self._channel)
        except Unavailable:
            self._astray = True
            raise

    async def _renew(self) -> None:
        if not await self._store.leases.renew(self._lease, self._lease_ms):
            self._generation += 1
            self._lease = f"{self._node_id}.{self._generation}"
            self._astray = True
            await self._store.leases.renew(self._lease, self._lease_ms, new=True)
        if self._astray:
            try:
                await self._relist()
            except Unavailable:
                self._astray = True
                raise

    async def _relist(self) -> None:
        """Make the list in the store equal to what is so."""
        self._astray = False
        there = await self._store.leases.users(self._lease)
        for users, online in ((self._listed - there, True), (there - self._listed, False)):
            ordered = sorted(users)
            for start in range(0, len(ordered), TOGETHER):
                await self._store.link.room()
                part = [u for u in ordered[start : start + TOGETHER] if (u in self._listed) == online]
                await self._list_now(part, online)

    def repair(self) -> None:
        """A link came back: lease, lists and hints may be lost."""
        if not self._stopped:
            self._astray = True
            self._in_background(self._renew)
            self._touch(self._watchers)

    # What its users see

    def watch(self, actor: UserActor, friends: Iterable[int]) -> None:
        """Tell the actor (by ``show_status``) when one of them comes or goes."""
        for friend in friends:
            self._watchers.setdefault(friend, set()).add(actor)
        self._touch(friends)

    def unwatch(self, actor: UserActor, friends: Iterable[int]) -> None:
        for friend in friends:
            watchers = self._watchers.get(friend, set())
            watchers.discard(actor)
            if not watchers:
                self._watchers.pop(friend, None)
                self._online.discard(friend)

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
        if (self._dirty or self._changed) and self._look is None and not self._stopped:
            wait = self._looked_at + self._options.status_interval_s - self._clock.seconds()
            self._look = self._clock.callLater(max(0.0, wait), self._look_now)

    def _look_now(self) -> None:
        self._look = None
        self._looked_at = self._clock.seconds()
        self._in_background(self._look_at_dirty)

    async def _look_at_dirty(self) -> None:
        dirty, self._dirty = self._dirty & self._watchers.keys(), set()
        await self._look_for(dirty)
        changed, self._changed = self._changed, set()
        for actor in {actor for user in changed for actor in self._watchers.get(user, ())}:
            actor.show_status()

    def _in_background(self, task: Any, *args: Any, **kwargs: Any) -> Deferred[None]:
        """Run it; a store out of reach is no news: `repair` follows."""
        running: Coroutine[Any, Any, Any] = task(*args, **kwargs)
        done = Deferred.fromCoroutine(running)
        done.addErrback(lambda failure: failure.trap(Unavailable) and None)
        return done.addErrback(lambda failure: self.log.failure("presence failed", failure))
