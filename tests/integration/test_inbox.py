"""The inbox page by page: every chat once, newest activity first, whatever the pages are cut by."""

from __future__ import annotations

from typing import Any

import msgspec
from twisted.internet.defer import Deferred, gatherResults

from chatsrv.redis import Unavailable
from chatsrv.wire import frames
from chatsrv.wire.requests import CreateChat, DeleteMessage, ReadInbox, SendGroup, SendPrivate
from tests.unit.test_store_kit import Listener, NodeCase


class InboxCase(NodeCase):
    async def setUp(self) -> None:
        await super().setUp()
        self.here, self.there = await self.node(), await self.node()
        self.alice, self.bob = await self.user(self.here, 1), await self.user(self.there, 2)

    async def groups(self, count: int) -> list[int]:
        created = [self.alice.ask(CreateChat(user_ids=[2], type=2)) for _ in range(count)]
        chats = [result.reply.chat_id for result in await gatherResults(created)]
        await self.settle()
        return chats

    async def page(self, by: Listener | None = None, **options: Any) -> frames.Inbox:
        return (await (by or self.bob).ask(ReadInbox(**options))).reply

    async def pages(self, **options: Any) -> list[list[int]]:
        """The chats on each page, until there is no cursor."""
        pages: list[list[int]] = []
        while True:
            page = await self.page(**options)
            pages.append([row.chat_id for row in page.chats])
            if not page.cursor:
                return pages
            options["cursor"] = page.cursor

    def set_active(self, chat_id: int, at: int) -> None:
        for node in self.nodes:
            node.chats.get(chat_id).feed.active_at = at

    def expel(self, chat_id: int, user_id: int) -> None:
        """The chat's own list only: that of the user is yet to be told."""
        self.outside.zrem(self.key(f"{{c:{chat_id}}}:members"), user_id)


class Paging(InboxCase):
    async def test_every_chat_is_on_one_page_the_newest_activity_first(self) -> None:
        chats = await self.groups(7)
        for at, chat_id in enumerate((chats[3], chats[0], chats[6])):
            self.set_active(chat_id, 10**15 + at)
        rest = [5, 4, 2, 1]
        for at, number in enumerate(reversed(rest)):
            self.set_active(chats[number], 10**14 + at)
        order = [chats[number] for number in (6, 0, 3, *rest)]
        for limit in (1, 2, 3, 6, 7, 100):
            pages = [order[start : start + limit] for start in range(0, 7, limit)]
            self.assertEqual(await self.pages(limit=limit), pages)

    async def test_of_the_same_moment_the_higher_id_comes_first(self) -> None:
        chats = await self.groups(5)
        for chat_id in chats:
            self.set_active(chat_id, 10**12)
        self.assertEqual(await self.pages(limit=2), [[chats[4], chats[3]], [chats[2], chats[1]], [chats[0]]])

    async def test_a_chat_whose_actor_knows_nothing_yet_is_in_its_place(self) -> None:
        chats = await self.groups(3)
        for chat_id, at in zip(chats, (2, 3, 1), strict=True):
            self.outside.hset(self.key(f"{{c:{chat_id}}}:meta"), "active", 10**15 + at)
        self.there.chats.clear()
        self.assertEqual(await self.pages(), [[chats[1], chats[0], chats[2]]])

    async def test_without_a_limit_a_page_has_50(self) -> None:
        await self.groups(60)
        self.assertEqual([len(page) for page in await self.pages()], [50, 10])

    async def test_one_that_is_exactly_full_is_the_last_when_there_are_no_more(self) -> None:
        await self.groups(4)
        self.assertEqual([len(page) for page in await self.pages(limit=4)], [4])

    async def test_without_chats_it_is_empty(self) -> None:
        self.assertEqual(await self.page(), frames.Inbox(chats=[]))

    async def test_it_is_cut_at_64_kib_and_goes_on_there(self) -> None:
        chats = await self.groups(7)
        for chat_id in chats:
            await self.alice.ask(SendGroup(chat_id, "x" * 20_000))
        await self.settle()
        pages = await self.pages()
        self.assertEqual([len(page) for page in pages], [3, 3, 1])
        self.assertEqual(sorted(chat_id for page in pages for chat_id in page), chats)

    async def test_a_row_longer_than_a_page_is_a_page(self) -> None:
        chats = await self.groups(3)
        for chat_id in chats:
            await self.alice.ask(SendGroup(chat_id, "x" * 70_000))
        await self.settle()
        self.assertEqual([len(page) for page in await self.pages()], [1, 1, 1])

    async def test_a_chat_that_he_was_just_removed_from_is_left_out_and_nothing_else(self) -> None:
        chats = await self.groups(6)
        for at, chat_id in enumerate(chats):
            self.set_active(chat_id, 10**14 + at)
        for number in (5, 2, 3):
            self.expel(chats[number], 2)
        for limit, pages in (
            (2, [[chats[4]], [], [chats[1], chats[0]]]),
            (3, [[chats[4]], [chats[1], chats[0]]]),
            (6, [[chats[4], chats[1], chats[0]]]),
        ):
            self.assertEqual(await self.pages(limit=limit), pages)

    async def test_activity_between_two_pages_takes_no_chat_off_the_second_but_its_own(self) -> None:
        chats = await self.groups(6)
        for at, chat_id in enumerate(chats):
            self.set_active(chat_id, 10**12 + at)
        first = await self.page(limit=3)
        await self.alice.ask(SendGroup(chats[1], "x"))
        await self.settle()
        second = await self.page(limit=3, cursor=first.cursor)
        self.assertEqual([row.chat_id for row in second.chats], [chats[2], chats[0]])
        self.assertFalse(second.cursor)


class Rows(InboxCase):
    async def test_one_says_what_a_list_of_chats_shows(self) -> None:
        (group,) = await self.groups(1)
        private = (await self.alice.ask(CreateChat(user_ids=[2], type=1))).reply.chat_id
        for text in "abc":
            await self.alice.ask(SendPrivate(private, text))
        await self.alice.ask(DeleteMessage(private, 3))
        rows = {row.chat_id: row for row in (await self.page()).chats}
        last, common = rows[private].last, {"chat_id": 0, "chat": "", "users_count": 2, "read": 0}
        self.assertEqual(
            (last.message_id, last.sender_id, last.deleted, last.message or None), (3, 1, True, None)
        )
        wanted = (
            (
                private,
                frames.InboxRow(**common, type=1, user_id=1, last_message_id=3, seq=5, unread=2, last=last),
            ),
            (group, frames.InboxRow(**common, type=2, last_message_id=0, seq=1, unread=0)),
        )
        for chat_id, row in wanted:
            self.assertEqual(rows[chat_id], msgspec.structs.replace(row, chat_id=chat_id))
        (own, _) = (await self.page(self.alice)).chats
        self.assertEqual((own.chat_id, own.user_id, own.read, own.unread), (private, 2, 3, 0))


class Requests(InboxCase):
    async def test_one_behind_everything_is_the_end(self) -> None:
        await self.groups(2)
        self.assertEqual(await self.page(cursor="1-1"), frames.Inbox(chats=[]))

    async def test_it_takes_no_longer_than_a_request_may(self) -> None:
        await self.groups(1)
        run, stuck = self.there.own_link.run, list[Any]()

        def keeping(done: Any, script: Any, keys: Any, args: Any) -> None:
            stuck.append(done) if script.name == "chat_summary" else run(done, script, keys, args)

        self.there.own_link.run = keeping
        asked: Deferred[Any] = self.bob.ask(ReadInbox())
        await self.settle()
        self.assertEqual(len(stuck), 1)
        self.there.clock.advance(4.9)
        self.assertNoResult(asked)
        self.there.clock.advance(0.1)
        await self.assertFailure(asked, Unavailable)
