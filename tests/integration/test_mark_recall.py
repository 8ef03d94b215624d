"""Read marks set on another node while this one did not hear the bus: told when it hears it again."""

from __future__ import annotations

from typing import Any

from chatsrv.redis import Unavailable
from chatsrv.wire.codes import Profile
from chatsrv.wire.requests import CreateChat, MarkRead, SendGroup
from tests.unit.test_store_kit import NodeCase, on_both, until


@on_both
class MarkRecall(NodeCase):
    async def setUp(self) -> None:
        await super().setUp()
        self.here, self.there = await self.node(), await self.node()
        self.one, self.other = await self.user(self.here, 1), await self.user(self.there, 2)
        result = await self.one.ask(CreateChat(user_ids=[2, 3], type=2))
        self.chat_id = result.reply.chat_id
        for text in "abc":
            await self.one.ask(SendGroup(self.chat_id, text))
        await self.settle()

    async def while_deaf(self, action: Any) -> None:
        """Do it while no publication reaches the node here, then let it hear again."""
        link = self.here.bus.link
        link._pipeline.abort("cut by the test")
        await until(lambda: not link.connected, "the bus link to be down")
        await action()
        await link.when_up()
        await self.settle()

    def marks(self, listener: Any) -> list[tuple[int, int]]:
        return [(d["user_id"], d["message_id"]) for op, t, d in listener.frames if (op, t) == (12, 8)]

    async def test_a_mark_that_was_missed_is_told(self) -> None:
        core = await self.user(self.here, 3, Profile.CORE)

        async def read() -> None:
            await self.other.ask(MarkRead(self.chat_id, 2))

        await self.while_deaf(read)
        await until(lambda: self.marks(self.one), "the mark")
        self.assertEqual(self.marks(self.one), [(2, 2)])
        self.assertEqual(self.marks(core), [])

    async def test_marks_of_long_ago_and_those_moved_by_sending_are_not_told_again(self) -> None:
        await self.other.ask(MarkRead(self.chat_id, 1))
        await until(lambda: self.marks(self.one), "the mark")
        self.here.clock.advance(0)
        self.one.frames.clear()
        self.recall_within(0)

        async def send() -> None:
            await self.other.ask(SendGroup(self.chat_id, "d"))

        await self.while_deaf(send)
        await until(lambda: self.recalled, "the recall")
        await self.settle()
        self.assertEqual(self.marks(self.one), [])
        self.assertEqual(self.one.seqs(self.chat_id), [5])

    def recall_within(self, within_ms: int) -> None:
        """The next recall asks for so many ms."""
        chat, self.recalled = self.here.chats.get(self.chat_id), []
        recall = chat.recall_marks

        async def recalling(_: int) -> None:
            await recall(within_ms)
            self.recalled.append(True)

        chat.recall_marks = recalling

    async def test_who_asked_and_got_no_answer_is_told_what_came_of_it(self) -> None:
        self.there.own_link.arm(1, run_first=True, for_good=False)
        with self.assertRaises(Unavailable):
            await self.other.ask(MarkRead(self.chat_id, 1))
        self.there.own_link.heal()
        await self.settle()
        self.assertEqual((self.marks(self.one), self.marks(self.other)), ([(2, 1)], []))
        self.there.clock.advance(self.there.options.lease_renew_s)
        await until(lambda: self.marks(self.other), "the mark")
        self.assertEqual(self.marks(self.other), [(2, 1)])

    async def test_a_recall_that_fails_is_made_at_the_next_renewal(self) -> None:
        async def read() -> None:
            await self.other.ask(MarkRead(self.chat_id, 3))
            self.here.own_link.arm(0, run_first=False, for_good=True)

        await self.while_deaf(read)
        self.assertEqual(self.marks(self.one), [])
        self.here.own_link.heal()
        self.here.mark_recall.repair()
        await until(lambda: self.marks(self.one), "the mark")
        self.assertEqual(self.marks(self.one), [(2, 3)])
