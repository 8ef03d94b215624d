"""How many connections a user has, on all nodes: one too many closes the oldest. PROTOCOL section 1.

The store keeps the sessions of each user, by time, as ``<node>:<session>``; those of nodes that died are
dropped when somebody counts. The node of the one to be closed hears it on the user's channel. A session that
ended while the store was away is taken off when that is back, or it would make another one the oldest.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from twisted.internet.defer import Deferred

from chatsrv.actors.waiting import together
from chatsrv.log import Logger
from chatsrv.redis import Unavailable

if TYPE_CHECKING:
    from chatsrv.actors.node import Node


class UserSessions:
    log = Logger()

    def __init__(self, node: Node) -> None:
        self._node = node
        self._ended: dict[int, set[str]] = {}  # still noted in the store

    def name(self, session_id: str) -> str:
        return f"{self._node.id}:{session_id}"

    async def enter(self, user_id: int, session_id: str) -> None:
        """Note the session; whoever is the oldest of too many is told to close."""
        users, limit = self._node.store.users, self._node.options.connections_per_user
        present = await users.enter(user_id, self.name(session_id), limit)
        if not present:
            return
        live = {lease.partition(".")[0] for lease in await self._node.store.leases.live()}
        ended = self._ended.get(user_id, set())
        over = [name for name in present if name.partition(":")[0] not in live or name in ended]
        surplus = [name for name in present if name not in over][:-limit]
        await users.leave(user_id, [*over, *surplus])
        for name in surplus:
            await users.tell_to_close(user_id, name, self._node.channels.user(user_id))

    def leave(self, user_id: int, session_id: str) -> None:
        """The session is over."""
        self._ended.setdefault(user_id, set()).add(self.name(session_id))
        self._take_off([user_id])

    def repair(self) -> None:
        """The store is back, or takes writes again."""
        if self._ended:
            self._take_off(list(self._ended))

    def _take_off(self, users: list[int]) -> None:
        done = Deferred.fromCoroutine(together(self._node.store.link, map(self._take_off_user, users)))
        done.addErrback(lambda failure: failure.trap(Unavailable) and None)
        done.addErrback(lambda failure: self.log.failure("sessions that ended stay noted", failure))

    async def _take_off_user(self, user_id: int) -> None:
        names = self._ended.get(user_id, set()).copy()
        await self._node.store.users.leave(user_id, sorted(names))
        left = self._ended.get(user_id, set())
        left -= names
        if not left:
            self._ended.pop(user_id, None)
