"""Leases in the store: which nodes live, by the store's clock, and which users each lists."""

from __future__ import annotations

from collections.abc import Sequence

from chatsrv.store.repository import Repository


class LeaseStore(Repository):
    async def renew(self, lease: str, length_ms: int, *, new: bool = False) -> bool:
        """Extend the lease, or take it out when ``new``; False: it is gone."""
        return bool(await self._run("lease_renew", [self._keys.leases], lease, length_ms, int(new)))

    async def take_ended(self, hold_ms: int, limit: int, *, own: str = "") -> list[str]:
        """Take over leases that ended, but never one's ``own``; nobody else gets them for ``hold_ms``."""
        taken = await self._run("lease_take", [self._keys.leases, self._keys.reaping], hold_ms, limit, own)
        return [lease.decode() for lease in taken]

    async def live(self) -> list[str]:
        return [lease.decode() for lease in await self._run("lease_live", [self._keys.leases])]

    async def list_users(self, lease: str, users: Sequence[int], online: bool, channel: str) -> None:
        """List users under the lease, or take them off; each one's id is published on ``channel``."""
        await self._run("node_list", [self._keys.lease_users(lease)], channel, int(online), *users)

    async def users(self, lease: str) -> set[int]:
        return set(map(int, await self._call("SMEMBERS", self._keys.lease_users(lease))))

    async def online(self, lease: str, users: Sequence[int]) -> list[bool]:
        """For each of the users, whether the lease lists him."""
        return [
            bool(found) for found in await self._call("SMISMEMBER", self._keys.lease_users(lease), *users)
        ]

    async def drop(self, lease: str) -> None:
        """Forget a lease that was taken over and whose users were taken off."""
        await self._call("DEL", self._keys.lease_users(lease))
        await self._call("ZREM", self._keys.reaping, lease)
