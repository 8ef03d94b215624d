"""History: pages of messages as they are now, at the same cost at any depth; and replies to messages."""

from __future__ import annotations

from typing import Any

from chatsrv.store.chats import Draft, StoredMessage
from chatsrv.store.events import DELETED, EDITED, MESSAGE
from chatsrv.wire.codes import ErrorCode
from tests.unit.test_store_chats import BIG, LONGEST, TEXTS, ChatCase
from tests.unit.test_store_kit import CHANNEL, on_both

MANY = 3_000


class HistoryCase(ChatCase):
    async def setUp(self) -> None:
        await super().setUp()
        await self.group(7, 1, 2)

    async def page(
        self, *, before: int | None = None, after: int | None = None, limit: int = 100, caller: int = 1
    ) -> tuple[list[int], bool]:
        """The ids on a page, and whether there are more."""
        page = await self.store.chats.history(7, caller, before=before, after=after, limit=limit)
        return [message.message_id for message in page.messages], page.more

    async def messages(self, chat_id: int = 7) -> list[StoredMessage]:
        page = await self.store.chats.history(chat_id, 1, before=None, after=None, limit=100)
        return page.messages


@on_both
class Pages(HistoryCase):
    async def test_every_page_is_the_part_of_the_history_that_was_asked_for(self) -> None:
        await self.send(7, 1, *map(str, range(10)))
        everything = list(range(1, 11))
        for limit in range(1, 13):
            self.assertEqual(await self.page(limit=limit), (everything[-limit:], limit < 10))
            for bound in range(13):
                below = [n for n in everything if n < bound]
                above = [n for n in everything if n > bound]
                self.assertEqual(
                    await self.page(before=bound, limit=limit), (below[-limit:], limit < len(below))
                )
                self.assertEqual(
                    await self.page(after=bound, limit=limit), (above[:limit], limit < len(above))
                )
        self.assertEqual(await self.page(before=BIG, limit=3), ([8, 9, 10], True))
        self.assertEqual(await self.page(after=BIG, limit=3), ([], False))

    async def test_a_chat_without_messages_has_an_empty_history(self) -> None:
        for bounds in ({}, {"before": 1}, {"before": 5}, {"after": 0}, {"after": 5}):
            self.assertEqual(await self.page(**bounds), ([], False))

    async def test_it_is_for_members_and_goes_back_to_before_they_joined(self) -> None:
        await self.send(7, 1, "a", "b")
        await self.refused(ErrorCode.NOT_FOUND, self.page(caller=3))
        await self.update(7, 1, add=[3], remove=[2])
        self.assertEqual(await self.page(caller=3), ([1, 2], False))
        await self.refused(ErrorCode.NOT_FOUND, self.page(caller=2))
        await self.refused(
            ErrorCode.NOT_FOUND, self.store.chats.history(8, 1, before=None, after=None, limit=1)
        )

    async def test_messages_are_as_they_are_now(self) -> None:
        sent_at, *_ = await self.append(Draft(2, 2, "a"), Draft(1, 2, "b"), Draft(2, 2, "c", "", 1))
        edited_at = (await self.edit(1, 2, "b2")).event.at
        await self.edit(2, 3, "c2")
        await self.delete(2, 3)
        self.assertEqual(
            await self.messages(),
            [
                StoredMessage(1, 2, sent_at, "a", 0, 0),
                StoredMessage(2, 1, sent_at, "b2", edited_at, 0),
                StoredMessage(3, 2, sent_at, None, 0, 1),
            ],
        )

    async def test_texts_survive_byte_for_byte(self) -> None:
        texts = [*TEXTS, LONGEST]
        await self.send(7, 1, *texts)
        self.assertEqual([message.text for message in await self.messages()], texts)

    async def test_ids_near_2_to_the_53_survive(self) -> None:
        await self.group(BIG, BIG, 1)
        self.outside.hset(self.key(f"{{c:{BIG}}}:meta"), mapping={"last": BIG - 4, "first": BIG - 3})
        sent_at, *results = await self.append(
            Draft(BIG, 2, "a"), Draft(BIG, 2, "b", "n", BIG - 3), chat_id=BIG
        )
        self.assertEqual(results, [[2, BIG - 3], [3, BIG - 2]])
        expected = [
            StoredMessage(BIG - 3, BIG, sent_at, "a", 0, 0),
            StoredMessage(BIG - 2, BIG, sent_at, "b", 0, BIG - 3),
        ]
        self.assertEqual(await self.messages(BIG), expected)
        mark = await self.store.chats.mark_read(BIG, 1, BIG - 3, "session", CHANNEL, "op")
        summary = await self.store.chats.summary(BIG, 1)
        self.assertEqual((mark, summary.unread, summary.last), (BIG - 3, 1, expected[1]))


@on_both
class Cost(HistoryCase):
    async def setUp(self) -> None:
        await super().setUp()
        for start in range(0, MANY, 500):
            await self.send(7, 1, *map(str, range(start, start + 500)))

    async def _commands(self, read: Any) -> dict[str, int]:
        """How often Redis ran which command meanwhile, in scripts too."""
        before = self._calls()
        await read
        after = self._calls()
        return {
            name: after[name] - before.get(name, 0) for name in after if after[name] != before.get(name, 0)
        }

    def _calls(self) -> dict[str, int]:
        stats = self.outside.info("commandstats")
        return {name: figures["calls"] for name, figures in stats.items() if name != "cmdstat_info"}

    async def test_a_page_takes_the_same_few_commands_at_any_depth(self) -> None:
        for bounds in (
            {},
            {"before": MANY},
            {"before": MANY // 2},
            {"before": 101},
            {"after": 0},
            {"after": 1},
        ):
            commands = await self._commands(self.page(**bounds))
            self.assertEqual(commands, {"cmdstat_evalsha": 1, "cmdstat_hmget": 2, "cmdstat_zscore": 1})
            self.assertEqual(len((await self.page(**bounds))[0]), 100)

    async def test_details_and_a_summary_take_few_commands_however_many_messages(self) -> None:
        for read in (self.store.chats.details(7, 2), self.store.chats.summary(7, 2)):
            self.assertLessEqual(sum((await self._commands(read)).values()), 8)

    async def test_events_are_read_with_one_command_for_all_texts(self) -> None:
        commands = await self._commands(self.store.chats.events(7, MANY // 2, 200))
        self.assertEqual(commands, {"cmdstat_evalsha": 1, "cmdstat_hmget": 2, "cmdstat_xrange": 3})

    async def test_a_plain_message_takes_no_command_for_what_it_does_not_use(self) -> None:
        commands = await self._commands(self.append(Draft(1, 2, "a"), Draft(1, 2, "b"), Draft(2, 2, "c")))
        self.assertEqual(commands.pop("cmdstat_hset"), 3)
        self.assertEqual(
            commands,
            {
                "cmdstat_evalsha": 1,
                "cmdstat_hlen": 1,
                "cmdstat_hmget": 1,
                "cmdstat_time": 1,
                "cmdstat_zscore": 2,
                "cmdstat_publish": 1,
            },
        )


@on_both
class Replies(HistoryCase):
    async def test_a_reply_names_its_message_wherever_it_is_read(self) -> None:
        await self.send(7, 2, "a")
        news = await self.published(self.append(Draft(1, 2, "b", "", 1), Draft(1, 2, "c")))
        reply, plain = news[0][1]
        self.assertEqual((len(reply), reply[5], reply[15]), (16, 2, 1))
        self.assertEqual((len(plain), plain[5]), (8, 3))
        page = await self.store.chats.events(7, 0, 10)
        self.assertEqual([(e.message_id, e.reply_to) for e in page.events], [(0, 0), (1, 0), (2, 1), (3, 0)])
        self.assertEqual([m.reply_to for m in await self.messages()], [0, 1, 0])
        await self.delete(1, 3)
        self.assertEqual([m.reply_to for m in await self.messages()], [0, 1, 0])

    async def test_an_edit_and_a_deletion_keep_it(self) -> None:
        await self.append(Draft(1, 2, "a"), Draft(1, 2, "b", "", 1))
        for change in (self.edit(1, 2, "c"), self.edit(1, 2, "d"), self.delete(1, 2)):
            self.assertTrue((await change).changed)
            self.assertEqual((await self.messages())[1].reply_to, 1)
            page = await self.store.chats.events(7, 2, 1)
            self.assertEqual([(e.kind, e.message_id, e.reply_to) for e in page.events], [(MESSAGE, 2, 1)])
        page = await self.store.chats.events(7, 3, 10)
        self.assertEqual([(e.kind, e.by, e.reply_to) for e in page.events], [
            (EDITED, 1, 0), (EDITED, 1, 0), (DELETED, 1, 0)
        ])  # fmt: skip
        again = await self.unchanged(self.delete(1, 2))
        self.assertEqual((again.by, again.author), (1, 1))

    async def test_a_message_of_the_same_batch_and_a_deleted_one_can_be_replied_to(self) -> None:
        await self.send(7, 1, "a")
        await self.delete(1, 1)
        reply = await self.append(Draft(1, 2, "b", "", 1), Draft(2, 2, "c", "", 2))
        self.assertEqual(reply[1:], [[4, 2], [5, 3]])
        self.assertEqual([m.reply_to for m in await self.messages()], [0, 1, 2])

    async def test_a_message_that_was_never_sent_cannot_be_replied_to(self) -> None:
        await self.refused_replies(1)
        await self.send(7, 1, "a")
        await self.refused_replies(2, BIG)
        reply = await self.append(Draft(1, 2, "b", "", 2), Draft(1, 2, "c"), Draft(1, 2, "d", "", 3))
        self.assertEqual(reply[1:], [b"not_found", [3, 2], b"not_found"])

    async def refused_replies(self, *message_ids: int) -> None:
        before = self.keyspace()
        for message_id in message_ids:
            reply = await self.append(Draft(1, 2, "a", "n", message_id))
            self.assertEqual(reply[1:], [b"not_found"])
        self.assertEqual(self.keyspace(), before)
