"""Chats in the store, read: heads, the event log, history, details, and a line for the inbox.

Base of `ChatStore`; each read is one script, which sees the chat at one moment. Always: who is no member is
refused (``not_found``) whatever a member would see; a page of history costs the same at any depth.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any, Literal, NamedTuple

import msgspec

from chatsrv.redis import RedisLink, Script
from chatsrv.store.events import ChatEvent, chat_event, chat_events
from chatsrv.store.keys import Keys
from chatsrv.store.repository import Repository


class Head(NamedTuple):
    """Where a chat stands: ``seq`` of its last event (0: no such chat); ``since`` when a user is a member (0: not).

    ``active_at``: the time of its last event that is no edit and no deletion, in ms since the epoch.
    """

    seq: int
    since: int
    gone: bool
    active_at: int = 0


class Page(NamedTuple):
    """A part of a chat's log; ``since`` when each of the users asked about is a member now (0: he is not)."""

    head: Head
    events: list[ChatEvent]
    since: dict[int, int]

    @property
    def strangers(self) -> frozenset[int]:
        """Those of the users asked about who are no members now."""
        return frozenset(user for user, since in self.since.items() if not since)


class StoredMessage(NamedTuple):
    """A message as it is now; ``text`` None: deleted; ``edited_at`` 0: never, or deleted; ``reply_to`` 0: none."""

    message_id: int
    sender: int
    sent_at: int
    text: str | None
    edited_at: int
    reply_to: int


class HistoryPage(NamedTuple):
    """Messages, oldest first, and whether there are ``more`` in the direction that was asked for."""

    messages: list[StoredMessage]
    more: bool


class Details(msgspec.Struct, frozen=True):
    """All about a chat; ``users`` ascending; ``read`` has no entry for a member who has read nothing."""

    type: int
    name: str
    owner: int
    created_at: int
    last: int
    seq: int
    users: list[int]
    read: dict[int, int]


class Summary(msgspec.Struct, frozen=True):
    """A chat as a line of a member's inbox; ``other``: who else is in a private chat (0 for a group)."""

    type: int
    name: str
    count: int
    other: int
    last_id: int
    seq: int
    read: int
    unread: int
    last: StoredMessage | None


class _Record(msgspec.Struct, array_like=True, frozen=True):
    """A message as the scripts pack it (``lua/_chat.lua``)."""

    author: int
    sent_at: int
    text: str | Literal[False]
    changed_at: int
    changed_seq: int
    by: int = 0
    reply_to: int = 0


#: A page of records is cut there, but never to nothing.
PAGE_BYTES = 64 * 1024

_record = msgspec.msgpack.Decoder(_Record)

#: Above every message id: the newest page is the one before it.
_ABOVE_ALL = 2**53


class ChatReads(Repository):
    """``log_events``: how many of a chat's last events can be read."""

    def __init__(self, link: RedisLink, keys: Keys, scripts: dict[str, Script], *, log_events: int) -> None:
        super().__init__(link, keys, scripts)
        self._log_events = log_events

    async def head(self, chat_id: int, user_id: int = 0) -> Head:
        """Where the chat stands, and since when ``user_id`` is a member, at one moment."""
        keys = self._keys.chat(chat_id, "meta", "members")
        seq, since, gone, active_at = await self._run("chat_head", keys, user_id)
        return Head(seq, since, bool(gone), active_at)

    async def state(self, chat_id: int, user_id: int) -> ChatEvent:
        """The state of the chat at its head; `Refused` (``not_found``) for who is no member."""
        packed, _ = await self._run("chat_state", self._keys.chat(chat_id, "meta", "members"), user_id)
        return chat_event(packed)

    async def outsiders(self, chat_id: int, caller: int, users: Sequence[int]) -> tuple[int, list[int]]:
        """How many members a group has, and who of ``users`` is none; `Refused` when the caller is none."""
        keys = self._keys.chat(chat_id, "meta", "members")
        count, outsiders = await self._run("chat_outsiders", keys, caller, *users)
        return count, outsiders

    async def events(
        self, chat_id: int, after: int, limit: int, users: Collection[int] = (), *, present: bool = False
    ) -> Page:
        """At most ``limit`` events after ``after``, oldest first: texts as now, all else as it was then.

        ``present``: name, owner and members as now, too. Events are missing that are no longer kept, and so are
        those up to one of a message that is not: the first one given is then not ``after + 1``.
        """
        keys = self._keys.chat(chat_id, "meta", "members", "messages", "log")
        args = (after, limit, int(present), self._log_events, *users)
        seq, gone, packed, since = await self._run("chat_events", keys, *args)
        return Page(Head(seq, 0, bool(gone)), chat_events(packed), dict(zip(users, since, strict=True)))

    async def history(
        self, chat_id: int, caller: int, *, before: int | None, after: int | None, limit: int
    ) -> HistoryPage:
        """At most ``limit`` messages: those just below ``before``, or just above ``after``, or the newest."""
        keys = self._keys.chat(chat_id, "meta", "members", "messages")
        where = ("before", _ABOVE_ALL if before is None else before) if after is None else ("after", after)
        more, first, records = await self._run("chat_history", keys, caller, limit, *where, PAGE_BYTES)
        return HistoryPage([_message(*numbered) for numbered in enumerate(records, first)], bool(more))

    async def details(self, chat_id: int, caller: int) -> Details:
        keys = self._keys.chat(chat_id, "meta", "members", "marks")
        kind, name, owner, created_at, last, seq, users, marks = await self._run("chat_details", keys, caller)
        read = dict(zip(marks[::2], marks[1::2], strict=True))
        return Details(kind, name.decode(), owner, created_at, last, seq, users, read)

    async def marks(self, chat_id: int, within_ms: int) -> tuple[int, dict[int, int]]:
        """The head, and the marks of members who moved them (other than by sending) within that time."""
        seq, marks = await self._run("chat_marks", self._keys.chat(chat_id, "meta", "marks"), within_ms)
        return seq, dict(zip(marks[::2], marks[1::2], strict=True))

    async def summary(self, chat_id: int, caller: int) -> Summary:
        keys = self._keys.chat(chat_id, "meta", "members", "messages", "deleted", "marks")
        reply = await self._run("chat_summary", keys, caller)
        kind, name, count, other, last_id, seq, read, unread, record = reply
        last = None if record is None else _message(last_id, record)
        return Summary(kind, name.decode(), count, other, last_id, seq, read, unread, last)


def _message(message_id: int, packed: Any) -> StoredMessage:
    record = _record.decode(packed)
    text, edited_at = (None, 0) if record.text is False else (record.text, record.changed_at)
    return StoredMessage(message_id, record.author, record.sent_at, text, edited_at, record.reply_to)
