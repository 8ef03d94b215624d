"""``Device``: one client, which keeps its own state from what it is sent, over any number of connections.

It asks for nothing it was told: at a hello it compares heads, catches up (1/2) where it is behind, fetches (11/10)
what is new to it or was reset, and reads what no event repeats, marks (13/3) and blocks (16/6). What comes live for a
chat meanwhile waits. So it is in step with the server whenever it is `steady`.
"""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any

from twisted.internet.defer import Deferred, gatherResults

from chatsrv.client import CloseCode, Frame, Hello, Profile
from tests.model.book import READ, Book
from tests.model.caller import Caller
from tests.model.relations import Relations
from tests.model.request import Lost, Refused, Request
from tests.support.shapes import CHAT_EVENTS, check

SENT = {(12, 1), (12, 2)}
LISTS = (17, 6)


class Device(Caller):
    """``page`` is how many messages it asks for at once; an odd one reads history from its end."""

    def __init__(self, name: str, user_id: int, profile: Profile = Profile.FULL, page: int = 100) -> None:
        super().__init__(name, user_id, profile)
        self.page = page
        self.epoch: str | None = None
        self.books: dict[int, Book] = {}
        self.relations = Relations()
        self._working = 0  # at what a connection or a chat begins with
        self._changes_of_relations = 0

    @property
    def steady(self) -> bool:
        """It is connected, and has all it asked for."""
        return not (self.waits or self._working) and all(book.ready for book in self.books.values())

    @property
    def wants(self) -> str:
        """What it waits for."""
        unready = [chat_id for chat_id, book in self.books.items() if not book.ready]
        asked = [(request.op, request.t, request.d) for request in self._asked.values()]
        return f"answers to {asked}, chats {unready}, {'' if self.witness else 'hello'}"

    # What comes

    def event(self, frame: Frame, *, replayed: bool) -> None:
        if replayed:
            self._replayed(frame)
        elif frame.kind in CHAT_EVENTS:
            self._chat_event(frame)
        elif frame.kind == READ:
            self._for_chat(frame)
        elif frame.op == 17:
            self._relation(frame)

    def answered(self, request: Request, frame: Frame) -> None:
        if frame.kind == READ:
            self._for_chat(frame)
        elif frame.op == 17 and frame.kind != LISTS:
            self._relation(frame)
        elif frame.kind in CHAT_EVENTS and not frame.d.get("dup"):
            own = {**request.d, **frame.d, "sender_id": self.user_id}
            self._chat_event(Frame(frame.op, frame.t, own) if frame.kind in SENT else frame)

    def _chat_event(self, frame: Frame) -> None:
        chat_id = frame.d["chat_id"]
        if frame.op == 14 and self.user_id not in frame.d["users"]:
            del self.books[chat_id]
        elif chat_id in self.books:
            self._for_chat(frame)
        elif frame.t == 1:
            self.books[chat_id] = Book(0, ready=True, fetched=True)
            self._for_chat(frame)
        else:
            self._join(chat_id, frame.d["seq"])

    def _replayed(self, frame: Frame) -> None:
        """For the book that it was asked for: he may have been removed, and added again, meanwhile."""
        book = self.books.get(frame.d["chat_id"])
        if book is not None and book.position < frame.d["seq"] and not book.ready:
            book.take(frame)

    def _for_chat(self, frame: Frame) -> None:
        book = self.books[frame.d["chat_id"]]
        if book.ready:
            book.take(frame)
        else:
            book.waiting.append(frame)

    def _relation(self, frame: Frame) -> None:
        self._changes_of_relations += 1
        self.relations.take(frame)

    # What begins

    def _join(self, chat_id: int, position: int) -> None:
        book = self.books[chat_id] = Book(position)
        self._work(self._open(chat_id, book))

    def greeted(self, hello: Hello) -> None:
        self.relations.take_hello(hello)
        if hello.epoch != self.epoch:
            self.books.clear()
        self.epoch = hello.epoch
        self.books = {chat_id: self._at_hello(chat_id, head) for chat_id, head in hello.heads.items()}
        self._work(self._start(hello))

    def _at_hello(self, chat_id: int, head: int) -> Book:
        """What is known of the chat, or nothing."""
        book = self.books.get(chat_id)
        if book is None or not book.fetched:
            return Book(head)
        check(book.position <= head, "more is known than there is", book)
        book.ready, book.waiting = False, []
        return book

    async def _start(self, hello: Hello) -> None:
        books, heads = dict(self.books), hello.heads
        self._work(self._read_relations())
        behind = {chat_id: book.position for chat_id, book in books.items() if book.position < heads[chat_id]}
        for chat_id in await self._catch_up(behind):
            if self.books.get(chat_id) is books[chat_id]:
                self.books[chat_id] = Book(heads[chat_id], waiting=books[chat_id].waiting)
                books[chat_id] = self.books[chat_id]
        opening = [self._open(*item) for item in books.items() if self.books.get(item[0]) is item[1]]
        await gatherResults(map(Deferred.fromCoroutine, opening), consumeErrors=True)
        self.ask_again()

    async def _catch_up(self, positions: dict[int, int]) -> list[int]:
        """The chats that cannot be replayed."""
        if not positions:
            return []
        reply = await self.ask(1, 2, chats=positions, epoch=self.epoch).done
        return list(reply["reset"])

    async def _read_relations(self) -> None:
        """Once more when something changed meanwhile: the reply may be of before or after that."""
        before = None
        while before != self._changes_of_relations:
            before = self._changes_of_relations
            lists = await self.ask(16, 6).done
        self.relations.take_lists(lists)

    async def _open(self, chat_id: int, book: Book) -> None:
        """Fetch what is missing; then what waits can be taken."""
        try:
            if not book.fetched:
                await self._read_history(chat_id, book)
            details = await self.ask(13, 3, chat_id=chat_id).done
        except Refused as refused:
            if refused.unknown_outcome:
                raise
            check(refused.code == "not_found", "not to be read", refused)
            return  # he was removed, as an event is about to say
        book.begin(details)

    async def _read_history(self, chat_id: int, book: Book) -> None:
        upwards = self.page % 2 == 0
        bounds = {"after": 0} if upwards else {}
        more = True
        while more:
            page = await self.ask(11, 10, chat_id=chat_id, limit=self.page, **bounds).done
            book.take_history(page["messages"])
            more = page["more"]
            if more:
                edge = page["messages"][-1 if upwards else 0]["message_id"]
                bounds = {"after" if upwards else "before": edge}
        book.fetched = True

    def _work(self, work: Coroutine[Any, Any, None]) -> None:
        self._working += 1
        Deferred.fromCoroutine(work).addErrback(self._failed).addBoth(self._worked)

    def _failed(self, failure: Any) -> None:
        """Whoever loses the connection, or finds the store out of reach, connects again."""
        error = getattr(failure.value, "subFailure", failure).value
        if isinstance(error, Refused) and error.unknown_outcome and self.line is not None:
            self.line.drop()
            self.code = CloseCode.OVERLOADED
        elif not isinstance(error, Lost):
            self.faults.append(error)

    def _worked(self, _: None) -> None:
        self._working -= 1
