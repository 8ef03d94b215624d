"""Carries what one entity says of others to them: chats to users, pairs to users and to their chat.

The owner's script writes the change together with an entry in its handoff log; here the entries are applied
by the other side's own script and then taken off. An operation is on the pending set from before its script
until its log is delivered; what a node leaves there when it dies, any node sweeps up. Entries carry versions,
so delivering twice, or in another order, ends the same.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import LoopingCall
from twisted.python.failure import Failure

from chatsrv.actors.waiting import together, within
from chatsrv.bus import Channels
from chatsrv.log import Logger
from chatsrv.redis import Unavailable
from chatsrv.store import Store
from chatsrv.store.pairs import PrivateChat, Relation
from chatsrv.wire.refusal import Refused

T = TypeVar("T")

SWEEP_S, SWEEP_AGE_MS, SWEEP_ITEMS = 5.0, 10_000, 100


class Handoffs:
    """``entity`` is ``c:<chat>`` or ``p:<user>:<user>``."""

    log = Logger()

    def __init__(self, clock: IReactorTime, store: Store, channels: Channels, *, deadline_s: float) -> None:
        self._clock = clock
        self._store = store
        self._channels = channels
        self._deadline_s = deadline_s
        self._sweep = LoopingCall(self._swept)
        self._sweep.clock = clock

    def start(self) -> None:
        self._sweep.start(SWEEP_S, now=False)

    def stop(self) -> None:
        if self._sweep.running:
            self._sweep.stop()

    async def carry_out(self, entity: str, operation: str, change: Callable[[], Awaitable[T]]) -> T:
        """Make the change and tell every side; `Unavailable` when that is not done in time (it will be, later)."""
        return await within(self._clock, self._deadline_s, self._carry_out(entity, operation, change))

    async def _carry_out(self, entity: str, operation: str, change: Callable[[], Awaitable[T]]) -> T:
        member = f"{entity}|{operation}"
        await self._store.pending.add(member)
        try:
            result = await change()
        except Refused:
            self._forget(member)
            raise
        await self.deliver(entity)
        self._forget(member)
        return result

    async def deliver(self, entity: str) -> None:
        """Deliver all that lies in the entity's handoff log."""
        kind, *ids = entity.split(":")
        if kind == "c":
            await self._deliver_chat(int(ids[0]))
        else:
            await self._deliver_pair(int(ids[0]), int(ids[1]))

    async def _deliver_chat(self, chat_id: int) -> None:
        chats, users = self._store.chats, self._store.users
        entries = await chats.handoff(chat_id)
        applied = []
        for receiver, entry in entries.items():
            user, (member, version) = int(receiver[2:]), entry.split(b":")
            channel = self._channels.user(user)
            applied.append(users.apply_chat(user, chat_id, member == b"1", int(version), channel))
        await together(self._store.link, applied)
        if entries:
            await chats.handed_over(chat_id, entries)

    async def _deliver_pair(self, a: int, b: int) -> None:
        entries = await self._store.pairs.handoff(a, b)
        for receiver, entry in entries.items():
            about = int(receiver[2:])
            if receiver.startswith(b"c:"):
                await self._deliver_private(about, a, b, PrivateChat.parse(entry))
            else:
                channel, other = self._channels.user(about), b if about == a else a
                await self._store.users.apply_pair(about, other, Relation.parse(entry), channel)
        if entries:
            await self._store.pairs.handed_over(a, b, entries)

    async def _deliver_private(self, chat_id: int, a: int, b: int, said: PrivateChat) -> None:
        """It exists, both know it, and it knows whether either blocks."""
        chats, other = self._store.chats, b if said.creator == a else a
        channel = self._channels.chat(chat_id)
        await chats.create_private(chat_id, said.creator, other, channel, said.operation)
        await self._deliver_chat(chat_id)
        await chats.apply_block(chat_id, said.blocked, said.version)

    def _forget(self, member: str) -> None:
        removal = Deferred.fromCoroutine(self._store.pending.remove(member))
        removal.addErrback(self._not_removed)

    def _not_removed(self, failure: Failure) -> None:
        """The sweep takes it off."""
        if not failure.check(Unavailable):
            self.log.failure("an operation that is done was not taken off those pending", failure)

    def _swept(self) -> Deferred[None]:
        return Deferred.fromCoroutine(self._sweep_once()).addErrback(
            lambda failure: self.log.failure("the sweep of pending operations failed", failure)
        )

    async def _sweep_once(self) -> None:
        try:
            for member in await self._store.pending.due(SWEEP_AGE_MS, SWEEP_ITEMS):
                await self._finish(member)
        except Unavailable:
            return

    async def _finish(self, member: str) -> None:
        """Deliver what the operation left; one that cannot be delivered must not keep back those behind it."""
        try:
            await self.deliver(member.split("|")[0])
        except Unavailable:
            raise
        except Exception:
            self.log.failure("the handoff log of {member} cannot be delivered", member=member)
        else:
            await self._store.pending.remove(member)
