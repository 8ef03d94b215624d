"""A bug of ours in what a publication sets off: the link lives, who is concerned is closed or repaired, nobody else."""

from __future__ import annotations

from typing import Any

from chatsrv.wire.codes import CloseCode
from chatsrv.wire.requests import AddFriend, CreateChat, SendGroup
from tests.unit.test_store_kit import NodeCase


class OurFault(Exception):
    pass


def fail(*_: Any) -> None:
    raise OurFault


class Published(NodeCase):
    """Alice is on one node; bob and carol on another, with her in a group."""

    async def setUp(self) -> None:
        await super().setUp()
        self.here, self.there = await self.node(), await self.node()
        self.alice = await self.user(self.here, 1)
        self.bob, self.carol = await self.user(self.there, 2), await self.user(self.there, 3)
        created = await self.alice.ask(CreateChat(user_ids=[2, 3], type=2))
        self.chat_id = created.reply.chat_id
        await self.settle()
        self.drops: list[int] = []
        self.there.bus.link.downs.append(lambda: self.drops.append(1))

    async def send(self) -> None:
        await self.alice.ask(SendGroup(chat_id=self.chat_id, message="x"))
        await self.settle()

    def check_the_links(self, logged: int) -> None:
        self.assertEqual((self.drops, self.there.bus.link.connected), ([], True))
        self.assertEqual(len(self.flushLoggedErrors(OurFault)), logged)

    async def test_a_session_that_fails_at_an_event_is_closed_alone(self) -> None:
        self.there.chats.get(self.chat_id).feed._audience = None
        self.bob.deliver = fail  # type: ignore[method-assign]
        await self.send()
        await self.send()
        self.assertEqual((self.bob.code, self.carol.code), (CloseCode.INTERNAL_ERROR, None))
        self.assertEqual(self.carol.seqs(self.chat_id), [1, 2, 3])
        self.check_the_links(logged=1)

    async def test_a_session_that_fails_at_a_change_of_its_lists_is_closed_alone(self) -> None:
        other = await self.user(self.there, 2)
        self.bob.deliver = fail  # type: ignore[method-assign]
        await self.alice.ask(AddFriend(user_id=2))
        await self.settle()
        self.assertEqual((self.bob.code, other.code), (CloseCode.INTERNAL_ERROR, None))
        self.assertEqual(len(other.of(17)), 1)
        self.check_the_links(logged=1)

    async def test_news_of_a_chat_that_fail_once_are_read_from_the_log(self) -> None:
        chat = self.there.chats.get(self.chat_id)
        take = chat._take_news

        def fail_once(payload: bytes) -> None:
            chat._take_news = take  # type: ignore[method-assign]
            raise OurFault

        chat._take_news = fail_once  # type: ignore[method-assign]
        await self.send()
        await self.settle()
        self.assertEqual((self.bob.seqs(self.chat_id), self.bob.code), ([1, 2], None))
        self.check_the_links(logged=1)

    async def test_an_event_that_always_fails_closes_who_listens_and_no_other_chat(self) -> None:
        created = await self.alice.ask(CreateChat(user_ids=[3, 4], type=2))
        dave = await self.user(self.there, 4)
        await self.settle()
        self.there.chats.get(self.chat_id).feed._deliver = fail  # type: ignore[method-assign]
        await self.send()
        for _ in range(6):
            await self.settle()
        for listener in (self.bob, self.carol):
            self.assertEqual(listener.code, CloseCode.INTERNAL_ERROR)
            self.assertEqual(listener.seqs(self.chat_id), [1])
        await self.alice.ask(SendGroup(chat_id=created.reply.chat_id, message="x"))
        await self.settle()
        self.assertEqual((dave.seqs(created.reply.chat_id), dave.code), ([2], None))
        self.check_the_links(logged=4)

    async def test_a_change_of_the_lists_that_fails_once_is_read_again(self) -> None:
        user = self.there.users.get(2)
        apply = user.apply

        def fail_once(event: Any) -> None:
            user.apply = apply  # type: ignore[method-assign]
            raise OurFault

        user.apply = fail_once  # type: ignore[method-assign]
        await self.alice.ask(AddFriend(user_id=2))
        await self.settle()
        await self.settle()
        self.assertEqual((len(self.bob.of(17)), self.bob.code), (1, None))
        self.assertEqual(user.relations.incoming, {1})
        self.check_the_links(logged=1)

    async def test_one_that_always_fails_closes_that_user_and_nobody_else(self) -> None:
        self.there.users.get(2).apply = fail  # type: ignore[method-assign]
        await self.alice.ask(AddFriend(user_id=2))
        for _ in range(6):
            await self.settle()
        self.assertEqual((self.bob.code, self.carol.code), (CloseCode.INTERNAL_ERROR, None))
        self.check_the_links(logged=4)
