"""Chats in the store, changed: create, append, edit, delete, update, marks; reading is in `reading`.

Methods that change something take ``channel``, where the script publishes the event, and ``operation``, the
name of the change on that channel.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from chatsrv.redis import RedisLink, Script
from chatsrv.store.appender import Appender, Draft, Retention
from chatsrv.store.events import ChatEvent, chat_event
from chatsrv.store.keys import Keys
from chatsrv.store.reading import ChatReads, Details, Head, HistoryPage, Page, StoredMessage, Summary
from chatsrv.wire.requests import GROUP, PRIVATE

__all__ = [
    "Appender",
    "Changed",
    "ChatStore",
    "Details",
    "Draft",
    "Head",
    "HistoryPage",
    "Page",
    "Retention",
    "StoredMessage",
    "Summary",
]

#: How long what is left of a deleted chat is kept at least: for nodes and retries that may still ask for it.
STUB_MS = 86_400_000


class Changed(NamedTuple):
    """The event of a change; when nothing ``changed``, the present state in the same shape."""

    event: ChatEvent
    changed: bool


class ChatStore(ChatReads):
    def __init__(
        self, link: RedisLink, keys: Keys, scripts: dict[str, Script], *, retention: Retention
    ) -> None:
        super().__init__(link, keys, scripts, log_events=retention.log_events)
        self._retention = retention

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

    def appender(self, chat_id: int, channel: str) -> Appender:
        """What appends messages to this chat, on the hot path; for who keeps it as long as the chat matters."""
        return Appender(self._link, self._scripts["chat_send"], self._keys, chat_id, channel, self._retention)

    async def edit(
        self, chat_id: int, caller: int, message_id: int, text: str, channel: str, operation: str
    ) -> Changed:
        keys = self._keys.chat(chat_id, "meta", "members", "messages", "log")
        args = (channel, operation, self._log_events, caller, message_id, text)
        return _changed(await self._run("chat_edit", keys, *args))

    async def delete(
        self, chat_id: int, caller: int, message_id: int, channel: str, operation: str
    ) -> Changed:
        keys = self._keys.chat(chat_id, "meta", "members", "messages", "log", "deleted")
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
        parts = ("meta", "members", "messages", "log", "handoff", "marks", "deleted", "nonces:0", "nonces:1")
        keys = self._keys.chat(chat_id, *parts)
        args = (channel, operation, self._log_events, caller, members, rename, name or "")
        stub_ms = max(STUB_MS, self._retention.nonce_window_ms)
        return _changed(await self._run("chat_update", keys, *args, stub_ms, len(add), *add, *remove))

    async def mark_read(
        self, chat_id: int, caller: int, message_id: int, session: str, channel: str, operation: str
    ) -> int:
        """Move the caller's mark forward, never back; the mark as it is then."""
        keys = self._keys.chat(chat_id, "meta", "members", "marks")
        return int(await self._run("chat_read", keys, channel, operation, caller, session, message_id))

    async def typing(self, chat_id: int, caller: int, session: str, channel: str, operation: str) -> None:
        """Tell the members, and store nothing."""
        keys = self._keys.chat(chat_id, "meta", "members")
        await self._run("chat_typing", keys, channel, operation, caller, session)

    async def apply_block(self, chat_id: int, blocked: bool, version: int) -> None:
        """A private chat takes over from its pair whether one of the two blocks the other; the newest wins."""
        await self._run("chat_block", self._keys.chat(chat_id, "meta"), version, int(blocked))

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
