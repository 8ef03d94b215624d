"""The pending set: operations whose handoff log may not be delivered yet, for any node to finish."""

from __future__ import annotations

from chatsrv.store.repository import Repository


class PendingStore(Repository):
    async def add(self, member: str) -> None:
        await self._run("pending_add", [self._keys.pending], member)

    async def remove(self, member: str) -> None:
        await self._call("ZREM", self._keys.pending, member)

    async def due(self, age_ms: int, limit: int) -> list[str]:
        """Members noted at least ``age_ms`` ago, oldest first."""
        return [
            member.decode() for member in await self._run("pending_due", [self._keys.pending], age_ms, limit)
        ]
