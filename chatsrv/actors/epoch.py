"""The epoch this node serves, and what happens when the store begins another one.

A store that lost its tail would show two contents under one number. Whoever sees that (a chat's head, a
user's rev went back) ends the epoch; every node looks at the store's epoch at each renewal of its lease and
when a link comes back. When it is another one, what the actors know is forgotten and every connection is
closed with 1001, so that the next hello says so. Always: an epoch that this node has left, or seen to be lost,
is served no more; a store that comes back with it begins a new one. DESIGN section 5, "epoch".
"""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

from twisted.internet.defer import Deferred

from chatsrv.log import Logger
from chatsrv.redis import Unavailable
from chatsrv.wire.codes import CloseCode

if TYPE_CHECKING:
    from chatsrv.actors.node import Node


class Epoch:
    """``name`` is the epoch of everything this node has told its clients."""

    log = Logger()

    def __init__(self, node: Node) -> None:
        self.name = ""
        self._node = node
        self._over: set[str] = set()

    async def start(self) -> None:
        self.name = await self._node.store.epoch.take(_new_name())

    async def confirm(self) -> str:
        """The epoch, which the store is in at this moment; `Unavailable` when it has begun another one."""
        if self.name in self._over or await self._node.store.epoch.read() != self.name:
            self.check()
            raise Unavailable("the store has begun another epoch", sent=True)
        return self.name

    def check(self) -> None:
        """See whether the store is in another epoch now."""
        done = Deferred.fromCoroutine(self._look())
        done.addErrback(lambda failure: self.log.failure("the epoch is not known", failure))

    def lost(self) -> None:
        """Something in the store is older than what this node has seen of it."""
        if self.name not in self._over:
            self._over.add(self.name)
            self.check()

    async def _look(self) -> None:
        store = self._node.store.epoch
        try:
            present = await store.take(_new_name())
            while present in self._over:
                present = await store.end(present, _new_name())
        except Unavailable:
            return  # the next look will tell
        if self.name and present != self.name:
            self._begin(present)

    def _begin(self, epoch: str) -> None:
        self.log.warn("the store is in another epoch, {epoch}: all clients start afresh", epoch=epoch)
        self._over.add(self.name)
        self.name = epoch
        node = self._node
        for user in node.users:
            for session in list(user.sessions):
                session.close(CloseCode.GOING_AWAY)
        node.chats.clear()
        node.users.clear()


def _new_name() -> str:
    return secrets.token_hex(8)
