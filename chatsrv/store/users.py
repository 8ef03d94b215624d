"""Users in the store: projections of what chats and pairs say of them, each change numbered by ``rev``."""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple

from chatsrv.store.events import SURPLUS, UserEvent, pack, user_event
from chatsrv.store.pairs import Relation
from chatsrv.store.repository import Repository


class UserLists(NamedTuple):
    """All lists of a user as of ``rev``; ``time`` is the store's clock in ms. ``chats``: id to version.
    ``blocked``: whom he blocks."""

    rev: int
    time: int
    chats: dict[int, int]
    friends: set[int]
    incoming: set[int]
    outgoing: set[int]
    blocked: set[int]


class Counts(NamedTuple):
    """How much a user has, for the limits."""

    chats: int
    friends: int
    requests: int
    blocked: int


class UserStore(Repository):
    async def read(self, user_id: int) -> UserLists:
        keys = self._keys.user(user_id, "chats", "friends", "incoming", "outgoing", "blocked", "state")
        rev, time, chats, *sets = await self._run("user_read", keys)
        versions = dict(zip(map(int, chats[::2]), map(int, chats[1::2]), strict=True))
        member_of = {chat: version for chat, version in versions.items() if version > 0}
        return UserLists(rev, time, member_of, *(set(map(int, members)) for members in sets))

    async def rev(self, user_id: int) -> int:
        (key,) = self._keys.user(user_id, "state")
        return int(await self._call("HGET", key, "rev") or 0)

    async def enter(self, user_id: int, session: str, limit: int) -> list[str]:
        """Note a session; all of the user's, oldest first, when there are more than ``limit``, else none."""
        reply = await self._run("user_enter", self._keys.user(user_id, "sessions"), session, limit)
        return [name.decode() for name in reply]

    async def leave(self, user_id: int, sessions: list[str]) -> None:
        (key,) = self._keys.user(user_id, "sessions")
        if sessions:
            await self._call("ZREM", key, *sessions)

    async def tell_to_close(self, user_id: int, session: str, channel: str) -> None:
        """Tell whichever node has the session to close it: it is the oldest of too many."""
        event = UserEvent(0, SURPLUS, user_id, False, 0, operation=session)
        await self._call("PUBLISH", channel, pack(event))

    async def counts(self, user_id: int) -> Counts:
        keys = self._keys.user(user_id, "chats", "friends", "incoming", "outgoing", "blocked", "left")
        return Counts(*await self._run("user_counts", keys))

    async def events(self, user_id: int, after: int) -> list[UserEvent]:
        """The changes after ``after`` that the short log still has, oldest first."""
        (log,) = self._keys.user(user_id, "log")
        rows = await self._call("XRANGE", log, f"{after + 1}-0", "+")
        return [user_event(entry[1]) for _, entry in rows]

    async def apply_chat(self, user_id: int, chat_id: int, member: bool, version: int, channel: str) -> None:
        """Take over what the chat says, unless something as new is known."""
        keys = self._keys.user(user_id, "chats", "left", "state", "log")
        await self._run("user_chat", keys, channel, chat_id, int(member), version)

    async def apply_pair(self, user_id: int, other: int, relation: Relation, channel: str) -> None:
        """Take over what the pair says, unless something as new is known."""
        lists = ("friends", "incoming", "outgoing", "blocked", "blockers")
        keys = self._keys.user(user_id, "pairs", *lists, "state", "log", "parted")
        await self._run("user_pair", keys, channel, other, *relation)

    async def blockers_among(self, user_id: int, users: Collection[int]) -> set[int]:
        """Who of ``users`` blocks him: for the server only, nobody is to learn that."""
        if not users:
            return set()
        (key,) = self._keys.user(user_id, "blockers")
        flags = await self._call("SMISMEMBER", key, *users)
        return {user for user, flag in zip(users, flags, strict=True) if flag}

    async def bind_nonce(self, user_id: int, nonce: str, digest: str, candidate: int, window_ms: int) -> int:
        """The chat that the nonce made: ``candidate`` from now on when there was none (0: only look, and 0 when
        there is none). `Refused` (``conflict``) when it was another request; forgotten after ``window_ms``."""
        keys = self._keys.user(user_id, f"nonce:{nonce}")
        return int(await self._run("user_nonce", keys, digest, candidate, window_ms))
