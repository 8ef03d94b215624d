"""This node's lease, and the users it lists under it: they are online for as long as the node lives.

The lease is renewed all the time and ends by itself when the node dies. Whenever a list changes, the script
publishes the user's id, for whoever watches him. What failed is put right at the next renewal. DESIGN section 4.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.internet.task import LoopingCall

from chatsrv.log import Logger
from chatsrv.redis import Unavailable
from chatsrv.store import Store

#: A node that stops leaves its users listed for this long, for them to come back elsewhere.
PARTING_S = 5.0
TOGETHER = 500


class Lease:
    """``name`` is ``<node>.<generation>``: a node that finds its lease gone takes out another one.

    ``renewed`` is called at each renewal: the store takes writes.
    """

    log = Logger()

    def __init__(
        self,
        node_id: str,
        clock: IReactorTime,
        store: Store,
        channel: str,
        *,
        length_s: float,
        renew_s: float,
        grace_s: float,
        renewed: Callable[[], None] = lambda: None,
    ) -> None:
        self.name = f"{node_id}.0"
        self._node_id = node_id
        self._clock = clock
        self._store = store
        self._channel = channel
        self._length_ms = int(length_s * 1000)
        self._renew_s = renew_s
        self._grace_s = grace_s
        self._renewed = renewed
        self._generation = 0
        self._listed: set[int] = set()
        self._leaving: dict[int, IDelayedCall] = {}
        self._astray = False  # the list in the store may not be what is so
        self._stopped = False
        self._renewal = LoopingCall(lambda: self._in_background(self._renew()))
        self._renewal.clock = clock

    async def start(self) -> None:
        await self._store.leases.renew(self.name, self._length_ms, new=True)
        self._renewal.start(self._renew_s, now=False)

    async def stop(self) -> None:
        """Users stay listed until the lease ends, which is soon."""
        self._stopped = True
        if self._renewal.running:
            self._renewal.stop()
        for timer in self._leaving.values():
            timer.cancel()
        try:
            await self._store.leases.renew(self.name, int(PARTING_S * 1000))
        except Unavailable:
            return  # then it ends by itself a little later

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
        if self._stopped or user_id in self._leaving:
            return
        self._leaving[user_id] = self._clock.callLater(self._grace_s, self._left, user_id)

    def _left(self, user_id: int) -> None:
        del self._leaving[user_id]
        self._listed.discard(user_id)
        self._list([user_id], online=False)

    def _list(self, users: list[int], *, online: bool) -> None:
        self._in_background(self._list_now(users, online))

    async def _list_now(self, users: list[int], online: bool) -> None:
        """Those of whom it is still so; if it fails, the next renewal puts it right."""
        try:
            await self._store.link.room()
            users = [user for user in users if (user in self._listed) == online]
            if users:
                await self._store.leases.list_users(self.name, users, online, self._channel)
        except Unavailable:
            self._astray = True
            raise

    async def _renew(self) -> None:
        if not await self._store.leases.renew(self.name, self._length_ms):
            self._generation += 1
            self.name = f"{self._node_id}.{self._generation}"
            self._astray = True
            await self._store.leases.renew(self.name, self._length_ms, new=True)
        self._renewed()
        if self._astray:
            try:
                await self._relist()
            except Unavailable:
                self._astray = True
                raise

    async def _relist(self) -> None:
        """Make the list in the store equal to what is so."""
        self._astray = False
        there = await self._store.leases.users(self.name)
        for users, online in ((self._listed - there, True), (there - self._listed, False)):
            ordered = sorted(users)
            for start in range(0, len(ordered), TOGETHER):
                await self._list_now(ordered[start : start + TOGETHER], online)

    def repair(self) -> None:
        """A link came back: the lease may be gone, and the list astray."""
        if not self._stopped:
            self._astray = True
            self._in_background(self._renew())

    def _in_background(self, task: Coroutine[Any, Any, None]) -> Deferred[None]:
        """Run it; a store out of reach is no news: `repair` follows."""
        done = Deferred.fromCoroutine(task)
        done.addErrback(lambda failure: failure.trap(Unavailable) and None)
        return done.addErrback(lambda failure: self.log.failure("the lease failed", failure))
