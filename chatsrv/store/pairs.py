"""Pairs in the store: what two users have between them, owned by neither: requests, friendship, blocks, their chat."""

from __future__ import annotations

from typing import Any, NamedTuple

from chatsrv.store.repository import Repository


class Relation(NamedTuple):
    """A handoff entry to one of the two, as bytes: ``version``, flags, the 17/t to show him, the operation.

    ``blocked``: he blocks the other one; ``blocker``: the other one blocks him.
    """

    version: bytes
    friend: bytes
    incoming: bytes
    outgoing: bytes
    t: bytes
    type: bytes
    by: bytes
    operation: bytes
    blocked: bytes = b"0"
    blocker: bytes = b"0"

    @classmethod
    def parse(cls, entry: bytes) -> Relation:
        return cls(*entry.split(b":"))


class PrivateChat(NamedTuple):
    """A handoff entry to the chat of the two: who created it by which operation; whether either blocks, as of
    the pair's ``version``."""

    creator: int
    operation: str
    version: int
    blocked: bool

    @classmethod
    def parse(cls, entry: bytes) -> PrivateChat:
        creator, operation, version, blocked = entry.decode().split(":")
        return cls(int(creator), operation, int(version), blocked == "1")


class Done(NamedTuple):
    """The pair's ``version`` after a request; whether that ``changed`` anything; of `add`, whether they are friends."""

    version: int
    changed: bool
    friends: bool = False


class PairState(NamedTuple):
    """``asked``: who has an open request to the other one, or 0. ``chat``: their private chat, or 0.
    ``blockers``: who of them blocks the other one."""

    friends: bool
    asked: int
    chat: int
    blockers: frozenset[int] = frozenset()


class PairStore(Repository):
    async def read(self, a: int, b: int) -> PairState:
        (key,) = self._keys.pair(a, b, "state")
        friends, asked, chat, *blocks = await self._call(
            "HMGET", key, "friends", "asked", "chat", f"blocks:{a}", f"blocks:{b}"
        )
        blockers = frozenset(user for user, flag in zip((a, b), blocks, strict=True) if flag)
        return PairState(friends == b"1", int(asked or 0), int(chat or 0), blockers)

    async def add(self, caller: int, other: int, operation: str) -> Done:
        """Ask or accept; `Refused` (``forbidden``) while either blocks the other."""
        return await self._change("pair_add", caller, other, operation)

    async def answer(self, caller: int, other: int, answer: int, operation: str) -> Done:
        """Accept (1) or deny (2); `Refused` (``not_found``) when ``other`` has no open request to ``caller``."""
        return await self._change("pair_answer", caller, other, operation, answer)

    async def remove(self, caller: int, other: int, operation: str) -> Done:
        """End the friendship, or withdraw the caller's request; `Refused` (``not_found``) when there is neither."""
        return await self._change("pair_remove", caller, other, operation)

    async def block(self, caller: int, other: int, operation: str) -> Done:
        """End the friendship, drop requests both ways, and let there be none until the caller unblocks."""
        return await self._change("pair_block", caller, other, operation)

    async def unblock(self, caller: int, other: int, operation: str) -> Done:
        return await self._change("pair_unblock", caller, other, operation)

    async def _change(self, script: str, caller: int, other: int, operation: str, *args: int) -> Done:
        keys = self._keys.pair(caller, other, "state", "handoff")
        version, *flags = await self._run(script, keys, operation, caller, other, *args)
        return Done(version, *map(bool, flags))

    async def open_chat(self, caller: int, other: int, candidate: int, operation: str) -> int:
        """The id of their private chat, which is ``candidate`` from now on when there was none; `Refused`
        (``forbidden``) when there is none and either blocks the other."""
        keys = self._keys.pair(caller, other, "state", "handoff")
        return int(await self._run("pair_chat", keys, operation, caller, other, candidate))

    async def handoff(self, a: int, b: int) -> dict[bytes, bytes]:
        """What still must be told: ``u:<id>`` to a `Relation`, ``c:<id>`` to a `PrivateChat`."""
        (key,) = self._keys.pair(a, b, "handoff")
        reply: list[Any] = await self._call("HGETALL", key)
        return dict(zip(reply[::2], reply[1::2], strict=True))

    async def handed_over(self, a: int, b: int, entries: dict[bytes, bytes]) -> None:
        args = [part for entry in entries.items() for part in entry]
        await self._run("handoff_done", self._keys.pair(a, b, "handoff"), *args)
