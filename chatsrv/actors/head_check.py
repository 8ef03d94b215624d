"""The rotating head check: finds what a quiet chat or user missed, for pub/sub may lose its last message.

Each second it compares some chats and users of this node with the store, in turn.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import LoopingCall

from chatsrv.actors.chat import ChatActor
from chatsrv.actors.user import UserActor
from chatsrv.actors.waiting import together
from chatsrv.log import Logger
from chatsrv.redis import Unavailable

if TYPE_CHECKING:
    from chatsrv.actors.node import Node

PER_SECOND = 200


class HeadCheck:
    log = Logger()

    def __init__(self, clock: IReactorTime, node: Node) -> None:
        self._node = node
        self._round: list[ChatActor | UserActor] = []
        self._loop = LoopingCall(self._check)
        self._loop.clock = clock

    def start(self) -> None:
        self._loop.start(1.0, now=False)

    def stop(self) -> None:
        if self._loop.running:
            self._loop.stop()

    def _check(self) -> Deferred[None]:
        return Deferred.fromCoroutine(self._check_some()).addErrback(
            lambda failure: self.log.failure("the head check failed", failure)
        )

    async def _check_some(self) -> None:
        if not self._round:
            self._round = [*self._node.chats, *self._node.users]
        some, self._round = self._round[:PER_SECOND], self._round[PER_SECOND:]
        try:
            await together(self._node.store.link, [actor.check_head() for actor in some if actor.wanted])
        except Unavailable:
            return
