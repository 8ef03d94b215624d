"""Read marks of which somebody here was not told: set while this node was deaf, or by a request without an answer.

A chat's events are repaired from its log; marks are in no log, but the store knows when each was set. After
the bus link was down, or an 11/8 was answered as unavailable, those of that time are told once more. They never
move backwards, so a repeat is harmless.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from twisted.internet.defer import Deferred

from chatsrv.actors.waiting import together
from chatsrv.log import Logger
from chatsrv.redis import Unavailable

if TYPE_CHECKING:
    from chatsrv.actors.node import Node

#: A link may be dead for so long before that shows.
UNNOTICED_S = 15.0


class MarkRecall:
    log = Logger()

    def __init__(self, node: Node) -> None:
        self._node = node
        self._untold_since: float | None = None
        node.bus.link.downs.append(self.missed)

    def repair(self) -> None:
        """The links are up, or the store takes writes again: make up for what was missed, if there is any."""
        if self._untold_since is not None and self._node.bus.link.connected:
            done = Deferred.fromCoroutine(self._recall(self._untold_since))
            done.addErrback(lambda failure: self.log.failure("read marks were not recalled", failure))

    def missed(self) -> None:
        """From now on, marks may go untold."""
        if self._untold_since is None:
            self._untold_since = self._node.clock.seconds()

    async def _recall(self, since: float) -> None:
        within_s = self._node.clock.seconds() - since + UNNOTICED_S
        chats = [chat for chat in self._node.chats if chat.wanted]
        try:
            await together(self._node.store.link, [chat.recall_marks(int(within_s * 1000)) for chat in chats])
        except Unavailable:
            return  # at the next renewal of the lease
        if self._untold_since == since:
            self._untold_since = None
