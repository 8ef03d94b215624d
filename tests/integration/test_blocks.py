"""What a block forbids in chats, over two nodes: in the private chat of the two, and in creating chats."""

from __future__ import annotations

from typing import Any

from chatsrv.wire.refusal import Refused
from chatsrv.wire.requests import (
    BlockUser,
    CreateChat,
    DeleteMessage,
    EditMessage,
    SendGroup,
    SendPrivate,
    Typing,
    UnblockUser,
    UpdateChat,
)
from tests.integration.test_friends import FriendsCase
from tests.integration.test_nodes import before_command
from tests.unit.test_store_kit import Listener


class InThePrivateChat(FriendsCase):
    async def setUp(self) -> None:
        await super().setUp()
        self.alice, self.bob = await self.user(self.here, 1), await self.user(self.there, 2)
        self.chat_id = (await self.alice.ask(CreateChat(user_ids=[2], type=1))).reply.chat_id
        await self.settle()
        for listener in (self.alice, self.bob):
            await listener.ask(SendPrivate(chat_id=self.chat_id, message="before"))
        await self.settle()

    async def codes(self, listener: Listener) -> list[str | None]:
        """What comes of 11/1, 11/6 and 11/9."""
        own = 1 if listener is self.alice else 2
        commands = (
            SendPrivate(chat_id=self.chat_id, message="x"),
            EditMessage(chat_id=self.chat_id, message_id=own, message="y"),
            Typing(chat_id=self.chat_id),
        )
        return [await self.code(listener, command) for command in commands]

    async def test_neither_sends_edits_or_shows_typing_while_either_blocks(self) -> None:
        for blockers in ((self.alice,), (self.bob,), (self.alice, self.bob)):
            for blocker in blockers:
                await blocker.ask(BlockUser(user_id=3 - blocker.user_id))
            for listener in (self.alice, self.bob):  # at once: the answer to the block waited for the chat
                self.assertEqual(await self.codes(listener), ["forbidden"] * 3)
            for blocker in blockers:
                self.assertEqual(await self.codes(self.bob), ["forbidden"] * 3)
                await blocker.ask(UnblockUser(user_id=3 - blocker.user_id))
            for listener in (self.alice, self.bob):
                self.assertEqual(await self.codes(listener), [None] * 3)
            await self.settle()

    async def test_deleting_stays_and_reaches_the_other_one(self) -> None:
        await self.alice.ask(BlockUser(user_id=2))
        for message_id, listener, other in ((1, self.alice, self.bob), (2, self.bob, self.alice)):
            await listener.ask(DeleteMessage(chat_id=self.chat_id, message_id=message_id))
            await self.settle()
            self.assertEqual(other.of(12)[-1]["message_id"], message_id)

    async def test_it_is_opened_again_by_both_and_says_that_it_existed(self) -> None:
        await self.alice.ask(BlockUser(user_id=2))
        for listener in (self.alice, self.bob):
            reply = (await listener.ask(CreateChat(user_ids=[3 - listener.user_id], type=1))).reply
            self.assertEqual((reply.chat_id, reply.seq, reply.dup), (self.chat_id, 3, True))

    async def test_a_block_that_was_delivered_late_does_not_undo_what_came_after_it(self) -> None:
        entries: list[Any] = []

        async def unblocked_meanwhile(_: Any) -> None:
            entries.append(await self.store.pairs.handoff(1, 2))
            await self.store.pairs.unblock(1, 2, "op")
            await self.there.handoffs.deliver("p:1:2")

        before_command(self.here, "chat_block", unblocked_meanwhile)
        await self.alice.ask(BlockUser(user_id=2))
        await self.settle()
        self.assertEqual(len(entries), 1)
        self.assertEqual(await self.codes(self.bob), [None] * 3)
        self.assertEqual((await self.lists(self.alice))["blocked"], [])

    async def test_groups_that_both_are_in_are_unaffected(self) -> None:
        chat_id = (await self.alice.ask(CreateChat(user_ids=[2], type=2))).reply.chat_id
        await self.settle()
        await self.alice.ask(BlockUser(user_id=2))
        for listener in (self.alice, self.bob):
            await listener.ask(SendGroup(chat_id=chat_id, message="x"))
            await listener.ask(Typing(chat_id=chat_id))
        await self.alice.ask(UpdateChat(chat_id=chat_id, chat="name"))
        await self.settle()
        for listener in (self.alice, self.bob):
            frames = listener.of(12, chat_id) + listener.of(14, chat_id)
            self.assertEqual({d["seq"] for d in frames if "seq" in d}, {1, 2, 3, 4})


class NewChats(FriendsCase):
    options = {"chats": 3}

    async def test_a_private_one_is_forbidden_to_both_and_leaves_nothing(self) -> None:
        alice, bob = await self.blocked_pair()
        before = self.keyspace()
        for listener in (alice, bob):
            code = await self.code(listener, CreateChat(user_ids=[3 - listener.user_id], type=1))
            self.assertEqual(code, "forbidden")
            self.assertEqual(listener.feeds, set())
        self.assertEqual(self.keyspace(), before)

    async def test_a_private_one_blocked_in_the_last_moment_is_forbidden_too(self) -> None:
        alice, bob = await self.user(self.here, 1), await self.user(self.there, 2)

        async def block(_: Any) -> None:
            await bob.ask(BlockUser(user_id=1))

        before_command(self.here, "pair_chat", block)
        self.assertEqual(await self.code(alice, CreateChat(user_ids=[2], type=1)), "forbidden")
        await self.settle()
        self.assertEqual((alice.feeds, self.keys("{pending}"), self.keys("{c:*")), (set(), [], []))

    async def test_a_group_with_one_who_blocks_the_caller_is_forbidden_without_saying_whom(self) -> None:
        _, bob = await self.blocked_pair()
        before = self.keyspace()
        failure = await self.assertFailure(bob.ask(CreateChat(user_ids=[3, 1], type=2, nonce="n")), Refused)
        self.assertEqual((failure.code.code, failure.member), ("forbidden", None))
        self.assertEqual(self.keyspace(), before)
        self.assertIsNone(await self.code(bob, CreateChat(user_ids=[3], type=2)))

    async def test_a_group_with_one_whom_the_caller_blocks_is_his_business(self) -> None:
        alice, bob = await self.blocked_pair()
        await alice.ask(CreateChat(user_ids=[2], type=2))
        await self.settle()
        self.assertEqual(len(bob.of(14)), 1)

    async def test_adding_one_who_blocks_the_caller_is_forbidden(self) -> None:
        alice, bob = await self.blocked_pair()
        chat_id = (await bob.ask(CreateChat(user_ids=[3], type=2))).reply.chat_id
        self.assertEqual(await self.code(bob, UpdateChat(chat_id=chat_id, add_users=[1])), "forbidden")
        await self.settle()
        self.assertEqual(alice.of(14), [])

    async def test_is_found_before_limits(self) -> None:
        alice, bob = await self.blocked_pair()
        for _ in range(3):
            await alice.ask(CreateChat(user_ids=[], type=2))
        for type in (1, 2):
            self.assertEqual(await self.code(bob, CreateChat(user_ids=[1], type=type)), "forbidden")
        await alice.ask(UnblockUser(user_id=2))
        await self.settle()
        self.assertEqual(await self.code(bob, CreateChat(user_ids=[1], type=1)), "limit_reached")
