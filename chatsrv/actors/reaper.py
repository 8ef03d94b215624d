"""Reaps the leases of nodes that died: takes their users off and says so.

Every node looks; a lease that ended is taken over for a while, so that one node reaps it, and a reaper that
dies too is followed by another. A node looks only when it has itself been connected to the store for a whole
lease, so that an outage of the store makes nobody vanish; and never takes its own, which a jump of the store's clock
may have ended.
"""

from __future__ import annotations

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import LoopingCall

from chatsrv.actors.lease import Lease
from chatsrv.log import Logger
from chatsrv.redis import Unavailable
from chatsrv.store import Store

NODES, TOGETHER = 10, 500


class Reaper:
    log = Logger()

    def __init__(
        self, clock: IReactorTime, store: Store, channel: str, own: Lease, *, lease_s: float, look_s: float
    ) -> None:
        self._clock = clock
        self._store = store
        self._channel = channel
        self._own = own
        self._lease_s = lease_s
        self._look_s = look_s
        self._connected_since = clock.seconds()
        self._loop = LoopingCall(self._look)
        self._loop.clock = clock
        store.link.ups.append(self._connected)

    def start(self) -> None:
        self._connected()
        self._loop.start(self._look_s, now=False)

    def stop(self) -> None:
        if self._loop.running:
            self._loop.stop()

    def _connected(self) -> None:
        self._connected_since = self._clock.seconds()

    def _look(self) -> Deferred[None]:
        return Deferred.fromCoroutine(self._reap()).addErrback(
            lambda failure: self.log.failure("reaping failed", failure)
        )

    async def _reap(self) -> None:
        link = self._store.link
        if not link.connected or self._clock.seconds() - self._connected_since < self._lease_s:
            return
        try:
            hold_ms = int(self._lease_s * 1000)
            for lease in await self._store.leases.take_ended(hold_ms, NODES, own=self._own.name):
                users = sorted(await self._store.leases.users(lease))
                self.log.info("node lease {lease} ended with {users} users", lease=lease, users=len(users))
                for start in range(0, len(users), TOGETHER):
                    await link.room()
                    part = users[start : start + TOGETHER]
                    await self._store.leases.list_users(lease, part, False, self._channel)
                await self._store.leases.drop(lease)
        except Unavailable:
            return
