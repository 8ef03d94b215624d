"""What members read of a chat, and what others are told of it: pages and where they are cut, marks, typing."""

from __future__ import annotations

from typing import Any

from msgspec import UNSET
from twisted.internet.defer import gatherResults

from chatsrv.actors.reading import PAGE_BYTES
from chatsrv.wire import frames
from chatsrv.wire.codes import ErrorCode, Profile
from chatsrv.wire.limits import Limits
from chatsrv.wire.refusal import Refused
from chatsrv.wire.requests import (
    CreateChat,
    DeleteMessage,
    EditMessage,
    MarkRead,
    ReadDetails,
    ReadHistory,
    SendGroup,
    SendPrivate,
    Typing,
)
from tests.unit.test_store_kit import Listener, NodeCase


class ReadingCase(NodeCase):
    async def setUp(self) -> None:
        await super().setUp()
        self.here, self.there = await self.node(), await self.node()
        self.alice, self.bob = await self.user(self.here, 1), await self.user(self.there, 2)
        self.chat_id = await self.group()

    async def group(self) -> int:
        reply = (await self.alice.ask(CreateChat(user_ids=[2], type=2, chat="g"))).reply
        await self.settle()
        return reply.chat_id

    async def send(self, *texts: str, **more: Any) -> None:
        await gatherResults([self.alice.ask(SendGroup(self.chat_id, text, **more)) for text in texts])
        await self.settle()

    async def history(self, by: Listener | None = None, **bounds: Any) -> frames.History:
        return (await (by or self.bob).ask(ReadHistory(self.chat_id, **bounds))).reply

    async def refusal(self, command: Any, by: Listener) -> ErrorCode:
        return (await self.assertFailure(by.ask(command), Refused)).code


class Pages(ReadingCase):
    async def ids(self, **bounds: Any) -> tuple[list[int], bool]:
        page = await self.history(**bounds)
        return [message.message_id for message in page.messages], page.more

    async def test_one_is_what_was_asked_for_oldest_first_and_says_whether_there_is_more(self) -> None:
        await self.send(*"abcdefg")
        for bounds, first, last, more in (
            ({}, 1, 7, False),
            ({"limit": 3}, 5, 7, True),
            ({"limit": 7}, 1, 7, False),
            ({"before": 5, "limit": 3}, 2, 4, True),
            ({"before": 4, "limit": 3}, 1, 3, False),
            ({"before": 1}, 1, 0, False),
            ({"before": 8, "limit": 1}, 7, 7, True),
            ({"before": 10**9, "limit": 2}, 6, 7, True),
            ({"after": 0, "limit": 3}, 1, 3, True),
            ({"after": 4, "limit": 2}, 5, 6, True),
            ({"after": 4, "limit": 3}, 5, 7, False),
            ({"after": 7}, 1, 0, False),
            ({"after": 10**9}, 1, 0, False),
        ):
            self.assertEqual(await self.ids(**bounds), (list(range(first, last + 1)), more), bounds)

    async def test_without_a_limit_it_has_50(self) -> None:
        await self.send(*map(str, range(60)))
        self.assertEqual(await self.ids(), (list(range(11, 61)), True))
        self.assertEqual(await self.ids(after=3), (list(range(4, 54)), True))

    async def test_it_is_cut_at_64_kib_on_the_side_that_is_further_away(self) -> None:
        await self.send(*(f"{n}" * 20_000 for n in range(1, 7)))
        self.assertEqual(await self.ids(), ([4, 5, 6], True))
        self.assertEqual(await self.ids(before=4), ([1, 2, 3], False))
        self.assertEqual(await self.ids(after=0), ([1, 2, 3], True))
        self.assertEqual(await self.ids(after=3), ([4, 5, 6], False))

    async def test_what_is_counted_begins_on_the_side_that_is_nearer(self) -> None:
        for text in (
            "x" * 50_000,
            "\x01" * 9_000,
        ):  # as long in JSON, where a control character takes six bytes
            self.chat_id = await self.group()
            await self.send("x", "x", text, text)
            self.assertEqual(await self.ids(), ([4], True))
            self.assertEqual(await self.ids(after=0), ([1, 2, 3], True))

    async def test_it_is_as_full_as_it_may_be(self) -> None:
        await self.send("x")
        one = frames.size_of((await self.history()).messages[0])
        await self.send(*["x" * (PAGE_BYTES // 2 - one + 1)] * 2)
        self.assertEqual(await self.ids(after=1), ([2, 3], False))
        self.assertEqual(await self.ids(after=0), ([1, 2], True))
        self.assertEqual(await self.ids(), ([2, 3], True))

    async def test_one_message_that_is_longer_than_a_page_is_a_page(self) -> None:
        await self.send("a", "x" * PAGE_BYTES, "b")
        self.assertEqual(await self.ids(after=0), ([1], True))
        self.assertEqual(await self.ids(after=1), ([2], True))
        self.assertEqual(await self.ids(before=3), ([2], True))

    async def test_a_message_is_told_as_it_is_now(self) -> None:
        await self.send("one", "two", "three")
        await self.send("four", reply_to=2)
        await self.alice.ask(EditMessage(self.chat_id, 1, "uno"))
        await self.alice.ask(EditMessage(self.chat_id, 2, "dos"))
        await self.alice.ask(DeleteMessage(self.chat_id, 2))
        one, two, three, four = (await self.history()).messages
        self.assertEqual((one.message, one.deleted, one.edited_at >= one.sent_at), ("uno", UNSET, True))
        self.assertEqual((two.message, two.deleted, two.edited_at, two.sender_id), (UNSET, True, UNSET, 1))
        self.assertEqual((three.message, three.deleted, three.edited_at), ("three", UNSET, UNSET))
        self.assertEqual((four.reply_to, three.reply_to), (2, UNSET))

    async def test_it_shows_what_the_same_connection_sent_before_it_was_asked_for(self) -> None:
        sent = [self.alice.ask(SendGroup(self.chat_id, text)) for text in "ab"]
        page = await self.history(self.alice)
        self.assertEqual([message.message for message in page.messages], ["a", "b"])
        await gatherResults(sent)

    async def test_who_is_no_member_gets_none(self) -> None:
        outsider = await self.user(self.here, 9)
        for command in (ReadHistory(self.chat_id), ReadDetails(self.chat_id), ReadHistory(10**6)):
            self.assertEqual(await self.refusal(command, outsider), ErrorCode.NOT_FOUND)


class ShortPages(Pages):
    """A setting below the default page."""

    options = {"limits": Limits(history_page=10)}

    async def test_without_a_limit_it_has_50(self) -> None:
        await self.send(*map(str, range(20)))
        self.assertEqual(await self.ids(), (list(range(11, 21)), True))


class Marks(ReadingCase):
    async def setUp(self) -> None:
        await super().setUp()
        await self.send("a", "b", "c")
        self.device, self.core = await self.user(self.here, 2), await self.user(self.there, 2, Profile.CORE)
        self.alice_core = await self.user(self.there, 1, Profile.CORE)
        self.everyone = (self.alice, self.bob, self.device, self.core, self.alice_core)

    async def read(self, message_id: int, by: Listener | None = None) -> frames.ReadUpTo:
        reply = (await (by or self.bob).ask(MarkRead(self.chat_id, message_id))).reply
        await self.settle()
        return reply

    def told(self, listener: Listener) -> list[tuple[int, int]]:
        frames_ = [d for op, t, d in listener.frames if (op, t) == (12, 8) and "id" not in d]
        return [(d["user_id"], d["message_id"]) for d in frames_]

    async def test_the_others_and_the_users_other_devices_are_told_on_every_node(self) -> None:
        reply = await self.read(2)
        self.assertEqual(reply, frames.ReadUpTo(chat_id=self.chat_id, message_id=2, user_id=2))
        told = [self.told(listener) for listener in self.everyone]
        self.assertEqual(told, [[(2, 2)], [], [(2, 2)], [], []])

    async def test_without_an_id_the_asker_gets_nothing(self) -> None:
        result = await self.bob.ask(MarkRead(self.chat_id, 2))
        self.assertIsNone(result.event)

    async def test_one_that_would_go_back_or_stay_is_answered_with_the_present_one_and_told_to_nobody(
        self,
    ) -> None:
        await self.read(2)
        for message_id in (1, 2):
            self.assertEqual((await self.read(message_id)).message_id, 2)
        self.assertEqual((await self.read(1, self.device)).message_id, 2)
        self.assertEqual(self.told(self.alice), [(2, 2)])
        self.assertEqual((await self.read(3, self.device)).message_id, 3)
        self.assertEqual(self.told(self.bob), [(2, 3)])

    async def test_one_at_a_message_that_is_not_there_is_refused(self) -> None:
        self.assertEqual(await self.refusal(MarkRead(self.chat_id, 4), self.bob), ErrorCode.NOT_FOUND)
        self.assertEqual(self.told(self.alice), [])

    async def test_details_say_everybodys(self) -> None:
        await self.read(2)
        details = (await self.bob.ask(ReadDetails(self.chat_id))).reply
        self.assertEqual(details.read, {"1": 3, "2": 2})
        self.assertEqual((details.type, details.chat, details.users, details.owner_id), (2, "g", [1, 2], 1))
        self.assertEqual((details.last_message_id, details.seq, details.chat_id), (3, 4, self.chat_id))
        self.assertLessEqual(details.created_at, (await self.history()).messages[0].sent_at)

    async def test_a_private_chat_has_no_owner(self) -> None:
        chat_id = (await self.alice.ask(CreateChat(user_ids=[2], type=1))).reply.chat_id
        await self.alice.ask(SendPrivate(chat_id, "x"))
        details = (await self.bob.ask(ReadDetails(chat_id))).reply
        self.assertEqual((details.type, details.owner_id, details.read), (1, UNSET, {"1": 1}))


class TypingShown(ReadingCase):
    async def test_the_others_and_the_users_other_devices_see_it_and_nothing_is_stored(self) -> None:
        device, core = await self.user(self.here, 2), await self.user(self.here, 1, Profile.CORE)
        await self.settle()
        before = self.keyspace()
        result = await self.bob.ask(Typing(self.chat_id))
        await self.settle()
        self.assertEqual(
            (result.reply, result.event), (frames.IsTyping(chat_id=self.chat_id, user_id=2), None)
        )
        for listener, times in ((self.alice, 1), (device, 1), (core, 0), (self.bob, 0)):
            shown = [d for op, t, d in listener.frames if (op, t) == (12, 9) and "id" not in d]
            self.assertEqual(shown, [{"chat_id": self.chat_id, "user_id": 2}] * times)
        self.assertEqual(self.keyspace(), before)

    async def test_who_is_no_member_is_refused(self) -> None:
        outsider = await self.user(self.here, 9)
        for command in (Typing(self.chat_id), MarkRead(self.chat_id, 1)):
            self.assertEqual(await self.refusal(command, outsider), ErrorCode.NOT_FOUND)
