"""Read marks, unread, typing, the inbox's line of a chat, and what a block forbids in a private one."""

from __future__ import annotations

import os
import random
from typing import Any

from chatsrv.store import Retention, Store
from chatsrv.store.chats import Draft, StoredMessage
from chatsrv.store.events import READ, TYPING
from chatsrv.wire.codes import ErrorCode
from chatsrv.wire.refusal import Refused
from tests.unit.test_store_chats import ChatCase
from tests.unit.test_store_kit import CHANNEL, on_both

FUTURE_MS = 4_000_000_000_000
STEPS = 300


class MarkCase(ChatCase):
    async def setUp(self) -> None:
        await super().setUp()
        await self.group(7, 1, 2, 3)

    async def read(self, user: int, message_id: int, chat_id: int = 7) -> int:
        return await self.store.chats.mark_read(chat_id, user, message_id, "session", CHANNEL, "op")

    async def typing(self, user: int, chat_id: int = 7) -> None:
        await self.store.chats.typing(chat_id, user, "session", CHANNEL, "op")

    async def marks(self) -> dict[int, int]:
        details = await self.store.chats.details(7, 1)
        return dict(details.read)

    async def unread(self, user: int) -> int:
        return (await self.store.chats.summary(7, user)).unread

    async def private(self, chat_id: int = 8) -> None:
        await self.store.chats.create_private(chat_id, 1, 2, CHANNEL, "op")
        await self.send(chat_id, 1, "mine", type=1)


@on_both
class Marks(MarkCase):
    async def test_sending_moves_the_senders_own_mark_to_his_last_message(self) -> None:
        await self.append(Draft(1, 2, "a"), Draft(2, 2, "b"), Draft(1, 2, "c"), Draft(9, 2, "d"))
        self.assertEqual(await self.marks(), {1: 3, 2: 2})
        await self.send(7, 2, "e")
        self.assertEqual(await self.marks(), {1: 3, 2: 4})

    async def test_a_refused_or_repeated_message_moves_no_mark(self) -> None:
        await self.append(Draft(1, 2, "a", "n"))
        await self.append(Draft(2, 2, "b"))
        await self.append(Draft(1, 2, "a", "n"), Draft(1, 1, "c"), Draft(3, 2, "d", "", 99))
        self.assertEqual(await self.marks(), {1: 1, 2: 2})

    async def test_reading_moves_a_mark_forward_and_tells_the_members(self) -> None:
        await self.send(7, 1, "a", "b", "c")
        news = await self.published(self.read(2, 2))
        self.assertEqual(news, [["op", [], [[READ, 4, 2, "session", 2]]]])
        self.assertEqual(await self.read(2, 3), 3)
        self.assertEqual(await self.marks(), {1: 3, 2: 3})

    async def test_a_mark_never_moves_back_and_a_repeat_is_silent(self) -> None:
        await self.send(7, 1, "a", "b", "c")
        await self.read(2, 2)
        before, marks = self.keyspace(), []

        async def read_again() -> None:
            marks.extend([await self.read(2, 2), await self.read(2, 1)])

        self.assertEqual(await self.published(read_again()), [])
        self.assertEqual((marks, self.keyspace()), ([2, 2], before))

    async def test_only_a_member_reads_and_only_messages_that_were_sent(self) -> None:
        await self.refused(ErrorCode.NOT_FOUND, self.read(2, 1))
        await self.send(7, 1, "a")
        for user, message_id, chat_id in ((9, 1, 7), (2, 2, 7), (2, 0, 7), (2, 1, 8)):
            await self.refused(ErrorCode.NOT_FOUND, self.read(user, message_id, chat_id))
        await self.update(7, 2, remove=[2])
        await self.refused(ErrorCode.NOT_FOUND, self.read(2, 1))

    async def test_a_deleted_message_can_be_read_up_to(self) -> None:
        await self.send(7, 1, "a")
        await self.delete(1, 1)
        self.assertEqual(await self.read(2, 1), 1)

    async def test_who_joins_has_read_all_and_who_leaves_loses_his_mark(self) -> None:
        await self.update(7, 1, add=[4])
        self.assertEqual(await self.marks(), {})
        await self.send(7, 1, "a", "b")
        await self.update(7, 1, add=[5], remove=[2])
        self.assertEqual(await self.marks(), {1: 2, 5: 2})
        await self.send(7, 1, "c")
        await self.update(7, 1, add=[2], remove=[5])
        self.assertEqual(await self.marks(), {1: 3, 2: 3})
        self.assertEqual((await self.unread(2), await self.unread(4)), (0, 3))


@on_both
class Unread(MarkCase):
    async def test_what_is_above_the_mark_and_neither_own_nor_deleted_is_unread(self) -> None:
        self.assertEqual(await self.unread(2), 0)
        await self.send(7, 1, "a", "b", "c", "d")
        self.assertEqual((await self.unread(2), await self.unread(1)), (4, 0))
        await self.read(2, 1)
        self.assertEqual(await self.unread(2), 3)
        await self.delete(1, 3)
        await self.delete(1, 1)
        self.assertEqual(await self.unread(2), 2)
        await self.edit(1, 4)
        self.assertEqual(await self.unread(2), 2)
        await self.send(7, 2, "e")
        self.assertEqual((await self.unread(2), await self.unread(1), await self.unread(3)), (0, 1, 3))

    async def test_it_is_what_the_history_says_whatever_happens(self) -> None:
        for keep in (0, 10):
            store = Store(self.link, self.prefix, retention=Retention(messages=keep))
            await self._random_steps(store)

    async def _random_steps(self, store: Store) -> None:
        self.store = store
        seed = int(os.environ.get("CHATSRV_TEST_SEED") or random.randrange(2**32))
        dice = random.Random(seed)
        last = (await self.store.chats.head(7)).seq
        for _ in range(STEPS):
            user, message_id = dice.randint(2, 4), dice.randint(1, max(1, last))
            step = dice.choice(
                (self._send, self._send, self._edit, self._delete, self.read, self._come_or_go)
            )
            try:
                await step(user, message_id)
            except Refused:
                continue
            for each in (1, 2, 3, 4):
                await self._check(each, f"seed {seed}")

    async def _send(self, user: int, _: int) -> None:
        await self.send(7, user, "a")

    async def _edit(self, user: int, message_id: int) -> None:
        await self.edit(user, message_id, "b")

    async def _delete(self, user: int, message_id: int) -> None:
        await self.delete(user, message_id)

    async def _come_or_go(self, user: int, _: int) -> None:
        is_member = bool((await self.store.chats.head(7, user)).since)
        await self.update(7, 1, **{"remove" if is_member else "add": [user]})

    async def _check(self, user: int, message: str) -> None:
        messages: list[StoredMessage] = []
        more = True
        while more:
            before = messages[0].message_id if messages else None
            page = await self.store.chats.history(7, 1, before=before, after=None, limit=100)
            messages, more = [*page.messages, *messages], page.more
        try:
            summary = await self.store.chats.summary(7, user)
        except Refused:
            return
        mark = (await self.marks()).get(user, 0)
        unread = [m for m in messages if m.message_id > mark and m.text is not None and m.sender != user]
        self.assertEqual((summary.unread, summary.read), (len(unread), mark), message)
        self.assertEqual(summary.last, messages[-1] if messages else None, message)


@on_both
class TypingInAChat(MarkCase):
    async def test_the_members_are_told_and_nothing_is_written(self) -> None:
        before = self.keyspace()
        news = await self.published(self.typing(2))
        self.assertEqual(news, [["op", [], [[TYPING, 1, 2, "session", 0]]]])
        self.assertEqual(self.keyspace(), before)

    async def test_only_members_type(self) -> None:
        for user, chat_id in ((9, 7), (1, 8)):
            self.assertEqual(
                await self.published(self.refused(ErrorCode.NOT_FOUND, self.typing(user, chat_id))), []
            )


@on_both
class Lines(MarkCase):
    async def test_a_groups_line_has_what_an_inbox_shows(self) -> None:
        sent_at, *_ = await self.send(7, 2, "a", "b")
        line = await self.store.chats.summary(7, 3)
        self.assertEqual((line.type, line.name, line.count, line.other), (2, "g", 3, 0))
        self.assertEqual((line.last_id, line.seq, line.read, line.unread), (2, 3, 0, 2))
        self.assertEqual(line.last, StoredMessage(2, 2, sent_at, "b", 0, 0))

    async def test_a_private_chats_line_names_the_other_one(self) -> None:
        await self.private()
        lines = [await self.store.chats.summary(8, user) for user in (1, 2)]
        self.assertEqual([(line.type, line.name, line.count, line.other) for line in lines], [
            (1, "", 2, 2), (1, "", 2, 1)
        ])  # fmt: skip

    async def test_without_messages_there_is_no_last_one(self) -> None:
        line = await self.store.chats.summary(7, 1)
        self.assertEqual((line.last_id, line.unread, line.read, line.last), (0, 0, 0, None))

    async def test_a_deleted_last_message_is_shown_without_text(self) -> None:
        await self.send(7, 1, "a")
        await self.delete(1, 1)
        last = (await self.store.chats.summary(7, 2)).last
        assert last is not None
        self.assertEqual((last.message_id, last.text), (1, None))

    async def test_lines_and_details_are_for_members(self) -> None:
        for chat_id, user in ((7, 9), (8, 1)):
            await self.refused(ErrorCode.NOT_FOUND, self.store.chats.summary(chat_id, user))
            await self.refused(ErrorCode.NOT_FOUND, self.store.chats.details(chat_id, user))

    async def test_details_have_all_of_a_chat(self) -> None:
        created = (await self.group(9, 2, 30, 4, name="007")).event
        await self.send(9, 4, "a")
        details = await self.store.chats.details(9, 30)
        self.assertEqual((details.type, details.name, details.owner), (2, "007", 2))
        self.assertEqual((details.created_at, details.last, details.seq), (created.at, 1, 2))
        self.assertEqual((details.users, details.read), ([2, 4, 30], {4: 1}))

    async def test_activity_is_the_last_event_that_is_no_edit_and_no_deletion(self) -> None:
        self.assertEqual((await self.store.chats.head(99)).active_at, 0)
        created = (await self.group(9, 1, 2)).event
        self.assertEqual((await self.store.chats.head(9)).active_at, created.at)
        await self._at(FUTURE_MS, 1, self.send(9, 1, "a"))
        await self._at(FUTURE_MS + 10, 1, self.edit(1, 1, chat_id=9))
        await self._at(FUTURE_MS + 20, 1, self.read(2, 1, 9))
        await self._at(FUTURE_MS + 30, 1, self.delete(1, 1, chat_id=9))
        await self._at(FUTURE_MS + 40, 2, self.update(9, 1, name="n"))
        await self._at(FUTURE_MS + 50, 3, self.update(9, 1, add=[3]))
        await self._at(FUTURE_MS + 60, 3, self.update(9, 1, add=[3]))

    async def _at(self, time_ms: int, step: int, change: Any) -> None:
        """Carry it out at that time; afterwards the chat was last active at the step's."""
        self.outside.hset(self.key("{c:9}:meta"), "clock", time_ms)
        await change
        self.assertEqual((await self.store.chats.head(9)).active_at, FUTURE_MS + (0, 0, 40, 50)[step])


@on_both
class Blocked(MarkCase):
    async def setUp(self) -> None:
        await super().setUp()
        await self.private()
        await self.store.chats.apply_block(8, True, 5)

    async def test_both_are_forbidden_to_send_edit_and_type(self) -> None:
        before = self.keyspace()
        for user in (1, 2):
            self.assertEqual((await self.send(8, user, "a", type=1))[1:], [b"forbidden"])
            await self.refused(ErrorCode.FORBIDDEN, self.typing(user, 8))
        await self.refused(ErrorCode.FORBIDDEN, self.edit(1, 1, chat_id=8))
        await self.refused(ErrorCode.FORBIDDEN, self.edit(1, 1, "mine", chat_id=8))
        self.assertEqual(self.keyspace(), before)

    async def test_reading_and_deleting_stay(self) -> None:
        self.assertEqual(await self.read(2, 1, 8), 1)
        page = await self.store.chats.history(8, 2, before=None, after=None, limit=10)
        self.assertEqual([message.text for message in page.messages], ["mine"])
        self.assertEqual((await self.store.chats.details(8, 2)).read, {1: 1, 2: 1})
        self.assertTrue((await self.delete(1, 1, chat_id=8)).changed)

    async def test_what_is_not_there_is_not_found_all_the_same(self) -> None:
        drafts = (Draft(9, 1, "a"), Draft(1, 2, "a"), Draft(1, 1, "a", "", 99))
        reply = await self.append(*drafts, chat_id=8)
        self.assertEqual(reply[1:], [b"not_found", b"wrong_chat_type", b"not_found"])
        await self.refused(ErrorCode.NOT_FOUND, self.typing(9, 8))
        await self.refused(ErrorCode.NOT_FOUND, self.edit(1, 2, chat_id=8))
        await self.delete(1, 1, chat_id=8)
        await self.refused(ErrorCode.NOT_FOUND, self.edit(1, 1, chat_id=8))

    async def test_only_a_newer_version_counts(self) -> None:
        before = self.keyspace()
        for version in (4, 5):
            await self.store.chats.apply_block(8, False, version)
        self.assertEqual(self.keyspace(), before)
        await self.store.chats.apply_block(8, False, 10)
        self.assertEqual((await self.send(8, 2, "a", type=1))[1:], [[3, 2]])
        await self.store.chats.apply_block(8, True, 9)
        self.assertTrue((await self.edit(2, 2, chat_id=8)).changed)
        await self.typing(1, 8)

    async def test_a_chat_that_is_not_there_stays_so(self) -> None:
        before = self.keyspace()
        await self.store.chats.apply_block(99, True, 1)
        await self.update(7, 1, remove=[2, 3])
        await self.update(7, 1, remove=[1])
        gone = self.outside.hgetall(self.key("{c:7}:meta"))
        await self.store.chats.apply_block(7, True, 1)
        self.assertEqual(self.outside.hgetall(self.key("{c:7}:meta")), gone)
        self.assertLessEqual(set(self.keyspace()), set(before))
