"""Pairs in the store: what two users have between them, owned by neither: requests, friendship, their chat."""

from __future__ import annotations

from typing import NamedTuple

from chatsrv.store.repository import Repository

#: What was done.
ASKED, ACCEPTED, ALREADY_ASKED, ALREADY_FRIENDS = "asked", "accepted", "already_asked", "already_friends"
ANSWERED = "answered"


class Relation(NamedTuple):
    """A handoff entry to one of the two, as bytes: ``version``, three flags, the 17/t to show, the operation."""

    version: bytes
    friend: bytes
    incoming: bytes
    outgoing: bytes
    t: bytes
    type: bytes
    by: bytes
    operation: bytes

    @classmethod
    def parse(cls, entry: bytes) -> Relation:
        return cls(*entry.split(b":"))


class Done(NamedTuple):
    """``what``: `ASKED`, `ACCEPTED`, `ALREADY_ASKED`, `ALREADY_FRIENDS` or `ANSWERED`; the pair's ``version`` then."""

    what: str
    version: int


class PairState(NamedTuple):
    """``asked``: who has an open request to the other one, or 0. ``chat``: their private chat, or 0."""

    friends: bool
    asked: int
    chat: int


class PairStore(Repository):
    async def read(self, a: int, b: int) -> PairState:
        (key,) = self._keys.pair(a, b, "state")
        friends, asked, chat = await self._call("HMGET", key, "friends", "asked", "chat")
        return PairState(friends == b"1", int(asked or 0), int(chat or 0))

    async def add(self, caller: int, other: int, operation: str) -> Done:
        """Ask or accept."""
        keys = self._keys.pair(caller, other, "state", "handoff")
        what, version = await self._run("pair_add", keys, operation, caller, other)
        return Done(what.decode(), version)

    async def answer(self, caller: int, other: int, answer: int, operation: str) -> Done:
        """Accept (1) or deny (2); `Refused` (``not_found``) when ``other`` has no open request to ``caller``."""
        keys = self._keys.pair(caller, other, "state", "handoff")
        return Done(ANSWERED, await self._run("pair_answer", keys, operation, caller, other, answer))

    async def open_chat(self, caller: int, other: int, candidate: int, operation: str) -> int:
        """The id of their private chat, which is ``candidate`` from now on when there was none."""
        keys = self._keys.pair(caller, other, "state", "handoff")
        return int(await self._run("pair_chat", keys, operation, caller, candidate))

    async def handoff(self, a: int, b: int) -> dict[bytes, bytes]:
        """What still must be told: ``u:<id>`` to a `Relation`, ``c:<id>`` to ``<creator>:<operation>``."""
        (key,) = self._keys.pair(a, b, "handoff")
        reply = await self._call("HGETALL", key)
        return dict(zip(reply[::2], reply[1::2], strict=True))

    async def handed_over(self, a: int, b: int, entries: dict[bytes, bytes]) -> None:
        args = [part for entry in entries.items() for part in entry]
        await self._run("handoff_done", self._keys.pair(a, b, "handoff"), *args)
