"""One user of W4, as a client with a person before it: what they do, and that the answers and events are right.

A break cuts the connection with requests unanswered. The next connection carries the heads over, asks for what was
missed (1/2), then repeats those requests, messages under their nonces. Every event is looked at twice: for its place
in its chat (`Member`), and for what it says (`Ledger`).
"""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Coroutine
from typing import Any

from bench.connection import Connection, Frame
from bench.ledger import Chat, Ledger, Message, Request, Tally
from bench.member import Member
from bench.stream import text_of

EDIT, DELETE, READ, TYPING = 6, 7, 8, 9  # t of op 11 and 12
_NEW = frozenset({1, 2})
_SHOWN = _NEW | {EDIT, DELETE}
_TOLD = frozenset({(12, READ), (12, TYPING), (2, 1), (14, 1)})  # other events


class Person:
    """``timed``: the latency of deliveries is read here. ``own``: messages that may be edited or deleted now."""

    def __init__(self, user_id: int, url: str, ledger: Ledger, tally: Tally, *, timed: bool) -> None:
        self.user_id = user_id
        self.chats: list[Chat] = []
        self.member: Member | None = None  # None while away
        self.waiting: dict[int, Request] = {}
        self.busy: set[asyncio.Task[None]] = set()
        self._url, self._ledger, self._tally, self._timed = url, ledger, tally, timed
        self._own: list[Message] = []
        self._unread: dict[int, int] = {}
        self._seen: dict[int, int] = {}
        self._ids = itertools.count(1)

    @property
    def at_rest(self) -> bool:
        """Connected, and nothing asked that is not answered."""
        return self.member is not None and not self.waiting and not self.busy

    def is_level(self) -> bool:
        """Has seen every event of every chat."""
        heads = self._ledger.heads
        seen = self.member.heads if self.member is not None else self._seen
        return all(seen.get(chat.chat_id) == heads[chat.chat_id] for chat in self.chats)

    async def connect(self) -> None:
        self.member = await self._connected()

    async def _connected(self) -> Member:
        member = Member(self.user_id, self._ledger.faults)
        member.on_event = self._came
        await member.connect(self._url)
        return member

    # What a person does

    def type(self, chat: Chat) -> None:
        if self.member is not None:
            self._tally.requests += 1
            self.member.send(11, TYPING, {"chat_id": chat.chat_id})

    def write(self, chat: Chat, due: float) -> None:
        message = self._ledger.write(chat, self.user_id, due)
        d = {"chat_id": chat.chat_id, "message": message.texts[0], "nonce": str(message.number)}
        self._ask(Request(chat.t, d, due, message))

    def edit(self, due: float) -> None:
        """What was written last."""
        if self._own:
            message = self._own.pop()
            d = {
                "chat_id": message.chat.chat_id,
                "message_id": message.message_id,
                "message": message.edit(due),
            }
            self._ask(Request(EDIT, d, due, message))

    def delete(self, due: float) -> None:
        if self._own:
            message = self._own.pop()
            message.deleted = True
            d = {"chat_id": message.chat.chat_id, "message_id": message.message_id}
            self._ask(Request(DELETE, d, due, message))

    def read(self, due: float) -> None:
        """All of the chat that came to life last."""
        if self._unread:
            chat_id, message_id = self._unread.popitem()
            self._ask(Request(READ, {"chat_id": chat_id, "message_id": message_id}, due))

    def look(self, chat: Chat) -> None:
        """At the newest page of history."""
        if self.member is not None:
            self._spend(self._look(self.member, chat))

    def leave(self, away_s: float) -> None:
        """Lose the connection, whatever waits; be back after ``away_s``."""
        if self.member is not None:
            self._seen = dict(self.member.heads)
            self.member.on_event = None
            self.member.close()
            self.member = None
            self._spend(self._return(away_s))

    def close(self) -> None:
        if self.member is not None:
            self.member.close()

    async def _return(self, away_s: float) -> None:
        await asyncio.sleep(away_s)
        began = time.perf_counter()
        member = await self._connected()
        missed = await member.catch_up(self._seen)
        tally = self._tally
        tally.catch_ups.append(time.perf_counter() - began)
        tally.replayed += missed
        if missed:
            tally.requests += 1
            tally.delivered += 1
        self.member = member
        for request_id, request in self.waiting.items():
            request.again = True
            tally.resent += 1
            self._send(request_id, request)

    async def _look(self, member: Member, chat: Chat) -> None:
        newest = len(self._ledger.stored[chat.chat_id])
        self._tally.requests += 1
        try:
            page = await member.request(11, 10, {"chat_id": chat.chat_id})
        except ConnectionError:
            return  # a break: who comes back does not ask again
        self._tally.delivered += 1
        self._ledger.check_page(page, chat, newest)

    def _spend(self, doing: Coroutine[Any, Any, None]) -> None:
        task = asyncio.ensure_future(doing)
        self.busy.add(task)
        task.add_done_callback(self._spent)

    def _spent(self, task: asyncio.Task[None]) -> None:
        self.busy.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self._ledger.faults.add(f"user {self.user_id}: {error!r}")

    def _ask(self, request: Request) -> None:
        request_id = next(self._ids)
        self.waiting[request_id] = request
        self._tally.waiting += 1
        self._send(request_id, request)

    def _send(self, request_id: int, request: Request) -> None:
        if self.member is not None:
            self._tally.requests += 1
            self.member.send(11, request.t, request.d, request_id)

    # What comes

    def _came(self, member: Connection, frame: Frame) -> None:
        self._tally.delivered += 1
        if frame.id:
            self._answered(frame)
        elif frame.op == 12 and frame.t in _SHOWN:
            self._ledger.check(frame.d)
            if frame.t in _NEW:
                self._unread[frame.d.chat_id] = frame.d.message_id
                if self._timed and self.member is member:  # who catches up reads late
                    self._tally.deliveries.append(time.perf_counter() - text_of(frame.d)[1])
        elif (frame.op, frame.t) not in _TOLD or (frame.op == 12 and frame.d.chat_id not in member.heads):
            self._ledger.faults.add(f"user {self.user_id}: what is {frame}?")

    def _answered(self, frame: Frame) -> None:
        request = self.waiting.pop(frame.id, None)
        d = frame.d
        if request is None or (frame.op, frame.t, d.chat_id) != (12, request.t, request.d["chat_id"]):
            self._ledger.faults.add(f"user {self.user_id}: answer {frame} to {request and request.d}")
            return
        self._tally.waiting -= 1
        if not request.again:
            self._tally.answers.append(time.perf_counter() - request.due)
        if request.message is not None:
            self._changed(request.message, frame)
        if frame.t == READ or frame.t in _NEW:
            self._ledger.read(d.chat_id, self.user_id, d.message_id)

    def _changed(self, message: Message, frame: Frame) -> None:
        d = frame.d
        self._ledger.store(message, d.message_id)
        self._ledger.advance(d.chat_id, d.seq)
        if frame.t in _NEW:
            self._unread.pop(d.chat_id, None)
        if frame.t != DELETE:
            self._own.append(message)
