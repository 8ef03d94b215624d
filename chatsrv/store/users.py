"""Users in the store: projections of what chats and pairs say of them, each change numbered by ``rev``."""

from __future__ import annotations

from typing import NamedTuple

from chatsrv.store.events import SURPLUS, UserEvent, pack, user_event
from chatsrv.store.pairs import Relation
from chatsrv.store.repository import Repository


class UserLists(NamedTuple):
    """All lists of a user as of ``rev``; ``time`` is the store's clock in ms. ``chats``: id to version."""

    rev: int
    time: int
    chats: dict[int, int]
    friends: set[int]
    incoming: set[int]
    outgoing: set[int]


class Counts(NamedTuple):
    """How much a user has, for the limits."""

    chats: int
    friends: int
    requests: int


class UserStore(Repository):
    async def read(self, user_id: int) -> UserLists:
        keys = self._keys.user(user_id, "chats", "friends", "incoming", "outgoing", "state")
        rev, time, chats, *sets = await self._run("user_read", keys)
        versions = dict(zip(map(int, chats[::2]), map(int, chats[1::2]), strict=True))
        member_of = {chat: version for chat, version in versions.items() if version > 0}
        friends, incoming, outgoing = (set(map(int, members)) for members in sets)
        return UserLists(rev, time, member_of, friends, incoming, outgoing)

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
        keys = self._keys.user(user_id, "chats", "friends", "incoming", "outgoing", "left")
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
        keys = self._keys.user(user_id, "pairs", "friends", "incoming", "outgoing", "state", "log")
        await self._run("user_pair", keys, channel, other, *relation)
