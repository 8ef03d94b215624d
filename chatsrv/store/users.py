"""Users in the store: projections of what chats and pairs say of them, each change numbered by ``rev``."""

from __future__ import annotations

from collections.abc import Collection
from typing import Literal, NamedTuple

from chatsrv.store.events import SURPLUS, UserEvent, pack, user_event
from chatsrv.store.pairs import Relation
from chatsrv.store.repository import Repository
from chatsrv.store.revocations import Revocations, digest, revocations
from chatsrv.wire.codes import ErrorCode
from chatsrv.wire.refusal import Refused


class UserLists(NamedTuple):
    """All lists of a user as of ``rev``; ``time`` is the store's clock in ms. ``chats``: id to version.
    ``blocked``: whom he blocks. ``revoked``: what an operator says of his tokens."""

    rev: int
    time: int
    chats: dict[int, int]
    friends: set[int]
    incoming: set[int]
    outgoing: set[int]
    blocked: set[int]
    revoked: Revocations = Revocations()


class Counts(NamedTuple):
    """How much a user has, for the limits."""

    chats: int
    friends: int
    requests: int
    blocked: int


#: What an operator can say of a user: revoke all tokens issued until now, or one of them; block him; not any more.
Verdict = Literal["all", "token", "block", "unblock"]

#: Tokens of one user that can be revoked alone at the same time.
REVOKED_TOKENS = 1_000


class UserStore(Repository):
    async def read(self, user_id: int) -> UserLists:
        keys = self._keys.user(
            user_id, "chats", "friends", "incoming", "outgoing", "blocked", "state", "revoked"
        )
        rev, time, chats, *sets, revoked = await self._run("user_read", keys)
        versions = dict(zip(map(int, chats[::2]), map(int, chats[1::2]), strict=True))
        member_of = {chat: version for chat, version in versions.items() if version > 0}
        friends, incoming, outgoing, blocked = (set(map(int, members)) for members in sets)
        return UserLists(rev, time, member_of, friends, incoming, outgoing, blocked, revocations(revoked))

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

    async def spend(self, user_id: int, amounts: Collection[tuple[str, int, int]]) -> int:
        """Spend of what he may do in an hour: each amount is what, most in an hour, how many. 0, or, when any is too
        much and nothing was spent, the ms to wait. A number below 0 is given back."""
        return int(await self._run("user_spend", self._keys.user(user_id, "rates"), *_flat(amounts)))

    async def wait_for(self, user_id: int, amounts: Collection[tuple[str, int, int]]) -> int:
        """What `spend` would answer; spends nothing."""
        return int(await self._run("user_wait", self._keys.user(user_id, "rates"), *_flat(amounts)))

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

    async def revoke(
        self, user_id: int, what: Verdict, channel: str, *, token_id: str = "", expires_at: int = 0
    ) -> bool:
        """Revoke his tokens, or block him; False when it was so already. `Refused` (``limit_reached``) when too many
        of his tokens are revoked alone. ``token_id`` (a ``jti``) can be forgotten after ``expires_at`` (ms; 0: never).
        """
        keys = self._keys.user(user_id, "revoked", "state", "log")
        token = digest(token_id) if what == "token" else ""
        return bool(await self._run("user_revoke", keys, channel, what, token, expires_at, REVOKED_TOKENS))

    async def bind_nonce(
        self,
        user_id: int,
        nonce: str,
        digest: str,
        candidate: int,
        window_ms: int,
        amounts: Collection[tuple[str, int, int]] = (),
    ) -> int:
        """The chat that the nonce made: ``candidate`` from now on when there was none (0: only look, and 0 when
        there is none), for which the amounts are spent, as by `spend`. `Refused` (``conflict``) when it was another
        request, and (``rate_limited``) when there is not enough to spend; forgotten after ``window_ms``."""
        keys = self._keys.user(user_id, f"nonce:{nonce}", "rates")
        args = (digest, candidate, window_ms, *_flat(amounts))
        chat_id, wait_ms = await self._run("user_nonce", keys, *args)
        if wait_ms:
            raise Refused(ErrorCode.RATE_LIMITED, retry_after_ms=wait_ms)
        return int(chat_id)


def _flat(amounts: Collection[tuple[str, int, int]]) -> list[str | int]:
    return [part for amount in amounts for part in amount]
