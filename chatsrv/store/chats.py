"""Chats in the store: create, append, edit, delete, update, and reading the event log.

Methods that change something take ``channel``, where the script publishes the event, and ``operation``, the
name of the change on that channel.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import Any, NamedTuple

from chatsrv.redis import RedisLink, Script
from chatsrv.store.events import ChatEvent, chat_event, chat_events
from chatsrv.store.keys import Keys
from chatsrv.store.repository import Repository, failure_of
from chatsrv.wire.requests import GROUP, PRIVATE


class Draft(NamedTuple):
    """A message before it is stored."""

    sender: int
    type: int
    text: str


class Head(NamedTuple):
    """Where a chat stands: ``seq`` of its last event (0: no such chat); ``since`` when a user is a member (0: not)."""

    seq: int
    since: int
    gone: bool


class Page(NamedTuple):
    """A part of a chat's log; ``strangers`` are those of the users asked about who are no members now."""

    head: Head
    events: list[ChatEvent]
    strangers: frozenset[int]


class Changed(NamedTuple):
    """The event of a change; when nothing ``changed``, the present state in the same shape."""

    event: ChatEvent
    changed: bool


class ChatStore(Repository):
    def __init__(self, link: RedisLink, keys: Keys, scripts: dict[str, Script], *, log_events: int) -> None:
        super().__init__(link, keys, scripts)
        self._log_events = log_events
        self._send = scripts["chat_send"]

    async def next_id(self) -> int:
        """A chat id never given before."""
        return int(await self._call("INCR", self._keys.chat_ids))

    async def create_group(
        self, chat_id: int, name: str, owner: int, others: Sequence[int], channel: str, operation: str
    ) -> Changed:
        return await self._create(chat_id, GROUP, name, owner, owner, (owner, *others), channel, operation)

    async def create_private(
        self, chat_id: int, by: int, other: int, channel: str, operation: str
    ) -> Changed:
        return await self._create(chat_id, PRIVATE, "", 0, by, (by, other), channel, operation)

    async def _create(
        self,
        chat_id: int,
        type: int,
        name: str,
        owner: int,
        by: int,
        users: Sequence[int],
        channel: str,
        operation: str,
    ) -> Changed:
        keys = self._keys.chat(chat_id, "meta", "members", "log", "handoff")
        return _changed(
            await self._run(
                "chat_create", keys, channel, operation, self._log_events, type, name, owner, by, *users
            )
        )

    def append(
        self, chat_id: int, drafts: Sequence[Draft], channel: str, operation: str, done: Callable[[Any], None]
    ) -> None:
        """Append a batch of messages; without a Deferred, for this is the hot path.

        ``done`` gets ``[time, result...]``, each result ``[seq, message_id]`` or the bytes of a refusal's code;
        or an exception, and then the outcome is unknown.
        """
        args: list[str | int] = [channel, operation, self._log_events]
        for draft in drafts:
            args += draft
        keys = self._keys.chat(chat_id, "meta", "members", "messages", "log")
        self._link.run(lambda reply: done(failure_of(reply) or reply), self._send, keys, args)

    async def edit(
        self, chat_id: int, caller: int, message_id: int, text: str, channel: str, operation: str
    ) -> Changed:
        keys = self._keys.chat(chat_id, "meta", "members", "messages", "log")
        args = (channel, operation, self._log_events, caller, message_id, text)
        return _changed(await self._run("chat_edit", keys, *args))

    async def delete(
        self, chat_id: int, caller: int, message_id: int, channel: str, operation: str
    ) -> Changed:
        keys = self._keys.chat(chat_id, "meta", "members", "messages", "log")
        args = (channel, operation, self._log_events, caller, message_id)
        return _changed(await self._run("chat_delete", keys, *args))

    async def update(
        self,
        chat_id: int,
        caller: int,
        *,
        name: str | None,
        keep_name_if_empty: bool,
        add: Sequence[int],
        remove: Sequence[int],
        members: int,
        channel: str,
        operation: str,
    ) -> Changed:
        """Rename (``name`` None: not), add and remove in one event; ``members`` is the limit of the group.

        ``keep_name_if_empty``: an empty name beside a non-empty list leaves the name (the core profile).
        """
        rename = 0 if name is None else 2 if keep_name_if_empty else 1
        keys = self._keys.chat(chat_id, "meta", "members", "messages", "log", "handoff")
        args = (channel, operation, self._log_events, caller, members, rename, name or "")
        return _changed(await self._run("chat_update", keys, *args, len(add), *add, *remove))

    async def outsiders(self, chat_id: int, caller: int, users: Sequence[int]) -> tuple[int, list[int]]:
        """How many members there are, and who of ``users`` is none; `Refused` when the caller is none."""
        keys = self._keys.chat(chat_id, "meta", "members")
        count, outsiders = await self._run("chat_outsiders", keys, caller, *users)
        return count, outsiders

    async def head(self, chat_id: int, user_id: int = 0) -> Head:
        """Where the chat stands, and since when ``user_id`` is a member, at one moment."""
        seq, since, gone = await self._run("chat_head", self._keys.chat(chat_id, "meta", "members"), user_id)
        return Head(seq, since, bool(gone))

    async def state(self, chat_id: int, user_id: int) -> ChatEvent:
        """The state of the chat at its head; `Refused` (``not_found``) for who is no member."""
        return _changed(
            await self._run("chat_state", self._keys.chat(chat_id, "meta", "members"), user_id)
        ).event

    async def events(self, chat_id: int, after: int, limit: int, users: Collection[int] = ()) -> Page:
        """At most ``limit`` events after ``after``, oldest first: texts as now, all else as it was then."""
        keys = self._keys.chat(chat_id, "meta", "members", "messages", "log")
        seq, gone, packed, strangers = await self._run("chat_events", keys, after, limit, *users)
        return Page(Head(seq, 0, bool(gone)), chat_events(packed), frozenset(strangers))

    async def handoff(self, chat_id: int) -> dict[bytes, bytes]:
        """What still must be told to users: ``u:<id>`` to ``<member 1 or 0>:<version>``."""
        return _pairs(await self._call("HGETALL", *self._keys.chat(chat_id, "handoff")))

    async def handed_over(self, chat_id: int, entries: dict[bytes, bytes]) -> None:
        args = [part for entry in entries.items() for part in entry]
        await self._run("handoff_done", self._keys.chat(chat_id, "handoff"), *args)


def _changed(reply: Any) -> Changed:
    packed, changed = reply
    return Changed(chat_event(packed), bool(changed))


def _pairs(reply: list[bytes]) -> dict[bytes, bytes]:
    return dict(zip(reply[::2], reply[1::2], strict=True))
