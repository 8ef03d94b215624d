"""Messages that are no longer kept: trimmed with the append, never more than a bounded number, numbering untouched."""

from __future__ import annotations

from typing import Any

from chatsrv.store import Retention, Store
from chatsrv.store.chats import Draft
from chatsrv.store.events import CHANGED
from chatsrv.wire.codes import ErrorCode
from tests.unit.test_store_chats import ChatCase
from tests.unit.test_store_kit import CHANNEL, on_both

FUTURE_MS = 4_000_000_000_000


class RetentionCase(ChatCase):
    async def setUp(self) -> None:
        await super().setUp()
        await self.group(7, 1, 2)

    def keep(self, **retention: int) -> None:
        """From now on this is kept."""
        self.store = Store(self.link, self.prefix, retention=Retention(**retention))

    def kept(self) -> list[int]:
        return sorted(int(key) for key in self.outside.hkeys(self.key("{c:7}:messages")))

    async def seen(self, after: int = 0) -> list[int]:
        """The ``seq`` of each event that the log still gives."""
        page = await self.store.chats.events(7, after, 1000)
        return [event.seq for event in page.events]

    async def fill(self, count: int) -> None:
        for start in range(0, count, 500):
            await self.send(7, 1, *("x" for _ in range(start, min(count, start + 500))))


@on_both
class ByCount(RetentionCase):
    async def test_the_newest_are_kept_and_the_numbers_go_on(self) -> None:
        self.keep(messages=5)
        for n in range(1, 13):
            self.assertEqual((await self.send(7, 1, f"text {n}."))[1:], [[1 + n, n]])
            self.assertEqual(self.kept(), list(range(max(1, n - 4), n + 1)))
        self.assertEqual((await self.send(7, 1, "a", "b", "c"))[1:], [[14, 13], [15, 14], [16, 15]])
        self.assertEqual(self.kept(), [11, 12, 13, 14, 15])
        self.assertNotIn(b"text 10.", self.contents())
        self.assertIn(b"text 11.", self.contents())

    async def test_a_batch_larger_than_what_is_kept_leaves_its_end(self) -> None:
        self.keep(messages=2)
        self.assertEqual((await self.send(7, 1, *"abcde"))[1:], [[n + 1, n] for n in range(1, 6)])
        self.assertEqual(self.kept(), [4, 5])

    async def test_the_last_message_is_always_there(self) -> None:
        self.keep(messages=1)
        for n in (1, 2):
            await self.send(7, 1, "a")
            last = (await self.store.chats.summary(7, 2)).last
            assert last is not None
            self.assertEqual((last.message_id, last.text), (n, "a"))

    async def test_a_lowered_setting_is_caught_up_with_in_bounded_steps(self) -> None:
        await self.fill(1000)
        self.keep(messages=10)
        gone = 0
        while len(self.kept()) > 10:
            await self.send(7, 1, "x")
            step = self.kept()[0] - 1 - gone
            self.assertTrue(1 < step <= 102, step)
            gone += step
        self.assertLess((await self.store.chats.head(7)).seq, 1001 + 12)

    async def test_a_raised_setting_brings_nothing_back_and_keeps_more_from_then_on(self) -> None:
        self.keep(messages=2)
        await self.fill(5)
        for messages in (4, 0):
            self.keep(messages=messages)
            await self.send(7, 1, "x")
        self.assertEqual(self.kept(), [4, 5, 6, 7])

    async def test_another_chat_is_left_alone(self) -> None:
        await self.group(8, 1)
        await self.send(8, 1, "a", "b", "c")
        self.keep(messages=1)
        await self.send(7, 1, "a", "b", "c")
        self.assertEqual(self.outside.hlen(self.key("{c:8}:messages")), 3)

    async def test_what_is_refused_trims_nothing(self) -> None:
        await self.fill(5)
        self.keep(messages=1)
        self.assertEqual((await self.send(7, 9, "x"))[1:], [b"not_found"])
        self.assertEqual(self.kept(), [1, 2, 3, 4, 5])


@on_both
class ByAge(RetentionCase):
    async def at(self, time_ms: int, waiting: Any) -> Any:
        """Carry it out at that time of the chat."""
        self.outside.hset(self.key("{c:7}:meta"), "clock", time_ms)
        return await waiting

    async def test_messages_older_than_the_age_go_with_the_next_one(self) -> None:
        self.keep(message_age_ms=1000)
        await self.at(FUTURE_MS, self.send(7, 1, "a", "b"))
        await self.at(FUTURE_MS + 500, self.send(7, 1, "c"))
        await self.at(FUTURE_MS + 1000, self.send(7, 1, "d"))
        self.assertEqual(self.kept(), [1, 2, 3, 4])
        self.assertEqual((await self.at(FUTURE_MS + 1001, self.send(7, 1, "e")))[1:], [[6, 5]])
        self.assertEqual(self.kept(), [3, 4, 5])
        await self.at(FUTURE_MS + 99_999, self.send(7, 1, "f"))
        self.assertEqual(self.kept(), [6])

    async def test_edited_and_deleted_ones_count_from_when_they_were_sent(self) -> None:
        self.keep(message_age_ms=1000)
        await self.at(FUTURE_MS, self.send(7, 1, "a", "b", "c"))
        await self.at(FUTURE_MS + 900, self.edit(1, 1, "a2"))
        await self.at(FUTURE_MS + 900, self.delete(1, 2))
        await self.at(FUTURE_MS + 1001, self.send(7, 1, "d"))
        self.assertEqual(self.kept(), [4])

    async def test_the_steps_are_bounded_too(self) -> None:
        await self.fill(1000)
        self.keep(message_age_ms=1000)
        await self.at(FUTURE_MS, self.send(7, 1, "x", "x"))
        self.assertEqual(self.kept()[0], 1 + 104)

    async def test_with_both_settings_the_stricter_one_counts(self) -> None:
        self.keep(messages=3, message_age_ms=1000)
        await self.at(FUTURE_MS, self.send(7, 1, *"abcde"))
        self.assertEqual(self.kept(), [3, 4, 5])
        await self.at(FUTURE_MS + 1001, self.send(7, 1, "f"))
        self.assertEqual(self.kept(), [6])


@on_both
class Trimmed(RetentionCase):
    """Message 1 to 5 were sent, 1 to 3 are gone."""

    async def setUp(self) -> None:
        await super().setUp()
        await self.fill(3)
        await self.delete(1, 2)
        self.keep(messages=2)
        await self.fill(2)

    async def test_such_a_message_cannot_be_edited_deleted_or_replied_to(self) -> None:
        self.assertEqual(self.kept(), [4, 5])
        for message_id in (1, 2, 3):
            await self.refused(ErrorCode.NOT_FOUND, self.edit(1, message_id))
            await self.refused(ErrorCode.NOT_FOUND, self.delete(1, message_id))
            reply = await self.append(Draft(1, 2, "a", "", message_id))
            self.assertEqual(reply[1:], [b"not_found"])
        self.assertEqual((await self.append(Draft(1, 2, "a", "", 4)))[1:], [[8, 6]])

    async def test_a_reply_survives_what_it_replied_to(self) -> None:
        await self.append(Draft(1, 2, "a", "", 4))
        await self.fill(1)
        page = await self.store.chats.history(7, 1, before=None, after=None, limit=10)
        self.assertEqual([(m.message_id, m.reply_to) for m in page.messages], [(6, 4), (7, 0)])

    async def test_the_history_begins_with_what_is_kept(self) -> None:
        for bounds, expected, more in (
            ({}, [4, 5], False),
            ({"before": 5}, [4], False),
            ({"before": 4}, [], False),
            ({"before": 2}, [], False),
            ({"after": 0}, [4, 5], False),
            ({"after": 2}, [4, 5], False),
        ):
            given = {"before": None, "after": None, **bounds}
            page = await self.store.chats.history(7, 1, **given, limit=10)
            self.assertEqual(([m.message_id for m in page.messages], page.more), (expected, more), bounds)
        page = await self.store.chats.history(7, 1, before=None, after=0, limit=1)
        self.assertEqual(([m.message_id for m in page.messages], page.more), ([4], True))

    async def test_it_is_unread_no_more_but_can_still_be_read_up_to(self) -> None:
        self.assertEqual((await self.store.chats.summary(7, 2)).unread, 2)
        mark = await self.store.chats.mark_read(7, 2, 2, "session", CHANNEL, "op")
        self.assertEqual((mark, (await self.store.chats.summary(7, 2)).unread), (2, 2))
        self.assertEqual(self.outside.zcard(self.key("{c:7}:deleted")), 0)
        await self.delete(1, 5)
        self.assertEqual((await self.store.chats.summary(7, 2)).unread, 1)

    async def test_the_log_begins_after_the_last_event_of_such_a_message(self) -> None:
        self.assertEqual(await self.seen(), [6, 7])  # 1 create, 2 to 4 sent, 5 deleted message 2
        self.assertEqual(await self.seen(5), [6, 7])
        await self.edit(1, 4, "new")
        await self.update(7, 1, name="n")
        self.assertEqual(await self.seen(), [6, 7, 8, 9])
        await self.fill(1)
        self.assertEqual(await self.seen(), [9, 10])
        page = await self.store.chats.events(7, 0, 1000)
        self.assertEqual(
            (page.events[0].kind, page.events[0].name, page.events[0].users), (CHANGED, "n", [1, 2])
        )

    async def test_a_page_of_such_events_only_is_empty_though_the_head_is_further_on(self) -> None:
        page = await self.store.chats.events(7, 1, 4)
        self.assertEqual((page.head.seq, page.events), (7, []))
        page = await self.store.chats.events(7, 1, 5)
        self.assertEqual([event.seq for event in page.events], [6])
