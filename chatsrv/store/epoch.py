"""The epoch in the store: the name of its life. It changes when its tail was lost, or it was restored."""

from __future__ import annotations

from chatsrv.store.repository import Repository


class EpochStore(Repository):
    async def read(self) -> str:
        """The epoch; empty when the store has none."""
        return (await self._call("GET", self._keys.epoch) or b"").decode()

    async def take(self, candidate: str) -> str:
        """The epoch; ``candidate`` from now on when the store has none: it is new, or was emptied."""
        epoch: bytes = await self._run("epoch_take", [self._keys.epoch], candidate)
        return epoch.decode()

    async def end(self, epoch: str, successor: str) -> str:
        """End ``epoch`` if it is the present one; the present one afterwards."""
        present: bytes = await self._run("epoch_end", [self._keys.epoch], epoch, successor)
        return present.decode()
