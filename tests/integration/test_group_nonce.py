"""13/1 with a nonce: the same group whatever was lost, on whichever node and device the request is repeated."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred, gatherResults

from chatsrv.redis import Unavailable
from chatsrv.wire.requests import BlockUser, CreateChat, SendGroup, UpdateChat
from tests.integration.test_friends import FriendsCase
from tests.integration.test_nodes import before_command
from tests.unit.test_store_kit import Listener

DAY_S = 86_400


class NonceCase(FriendsCase):
    options = {"chats": 5}

    async def setUp(self) -> None:
        await super().setUp()
        self.alice, self.bob = await self.user(self.here, 1), await self.user(self.there, 2)
        self.device = await self.user(self.there, 1)

    def create(self, listener: Listener, *others: int, name: str = "g", nonce: str = "n") -> Deferred[Any]:
        return listener.ask(CreateChat(user_ids=list(others), type=2, chat=name, nonce=nonce))

    async def created(self, listener: Listener, *others: int, **more: str) -> Any:
        reply = (await self.create(listener, *others, **more)).reply
        await self.settle()
        return reply

    async def chats(self, user_id: int) -> list[int]:
        return sorted((await self.store.users.read(user_id)).chats)


class Repeats(NonceCase):
    async def test_get_the_same_group_as_it_is_now_and_cause_no_event(self) -> None:
        first = await self.created(self.alice, 2)
        self.assertNotIn("dup", self.alice.frames[-1][2])
        await self.alice.ask(SendGroup(chat_id=first.chat_id, message="x"))
        await self.alice.ask(UpdateChat(chat_id=first.chat_id, chat="new name"))
        await self.settle()
        before = self.keyspace()
        for listener in (self.alice, self.device):
            again = await self.created(listener, 2)
            self.assertEqual((again.chat_id, again.seq, again.dup), (first.chat_id, 3, True))
            self.assertEqual((again.chat, again.users, again.owner_id), ("new name", [1, 2], 1))
        self.assertEqual(self.keyspace(), before)
        for listener in (self.alice, self.bob, self.device):
            self.assertEqual([d["seq"] for d in listener.of(14) if "dup" not in d], [1, 3])

    async def test_may_name_the_users_in_another_way(self) -> None:
        first = await self.created(self.alice, 2, 3)
        self.assertEqual((await self.created(self.alice, 3, 1, 2, 3)).chat_id, first.chat_id)

    async def test_with_another_request_are_a_conflict(self) -> None:
        await self.created(self.alice, 2, name="g")
        before = self.keyspace()
        for others, name in (((2,), "h"), ((2, 3), "g"), ((), "g"), ((2,), "")):
            command = CreateChat(user_ids=list(others), type=2, chat=name, nonce="n")
            self.assertEqual(await self.code(self.alice, command), "conflict")
        await self.settle()
        self.assertEqual(self.keyspace(), before)

    async def test_of_other_callers_with_other_nonces_and_without_are_other_groups(self) -> None:
        replies = [
            await self.created(self.alice, 2),
            await self.created(self.alice, 2, nonce="N"),
            await self.created(self.bob, 1),
            (await self.alice.ask(CreateChat(user_ids=[2], type=2, chat="g"))).reply,
            (await self.alice.ask(CreateChat(user_ids=[2], type=2, chat="g"))).reply,
        ]
        self.assertEqual(len({reply.chat_id for reply in replies}), 5)

    async def test_need_no_room_for_one_more_chat(self) -> None:
        first = await self.created(self.alice, 2)
        for n in range(4):
            await self.created(self.alice, nonce=str(n))
        self.assertEqual(await self.code(self.alice, CreateChat(user_ids=[], type=2)), "limit_reached")
        self.assertEqual((await self.created(self.alice, 2)).chat_id, first.chat_id)

    async def test_are_answered_though_somebody_blocked_the_caller_since(self) -> None:
        first = await self.created(self.alice, 2)
        await self.bob.ask(BlockUser(user_id=1))
        self.assertEqual((await self.created(self.alice, 2)).chat_id, first.chat_id)

    async def test_after_leaving_or_of_a_deleted_group_find_nothing(self) -> None:
        for others in ([2], []):
            command = CreateChat(user_ids=others, type=2, nonce=f"n{others}")
            first = (await self.alice.ask(command)).reply
            await self.alice.ask(UpdateChat(chat_id=first.chat_id, remove_users=[1]))
            for listener in (self.alice, self.device):
                self.assertEqual(await self.code(listener, command), "not_found")
            await self.settle()
            self.assertEqual((self.alice.feeds, self.device.feeds), (set(), set()))
            self.assertEqual(await self.chats(1), [])
        self.assertEqual(self.keys("{pending}"), [])

    async def test_are_known_for_as_long_as_the_setting_says(self) -> None:
        await self.created(self.alice, 2)
        (key,) = self.keys("{u:1}:nonce:*")
        self.assertTrue(DAY_S - 60 < self.outside.ttl(key) <= DAY_S)
        self.outside.delete(key)
        brief = await self.user(await self.node(nonce_window_s=0.5), 1)
        await self.created(brief, 2, nonce="brief")
        self.assertLessEqual(self.outside.pttl(self.key("{u:1}:nonce:brief")), 500)
        await self.created(self.alice, 2)
        self.assertEqual(len(await self.chats(2)), 3)

    async def test_of_a_private_chat_need_no_nonce(self) -> None:
        await self.created(self.alice, 2)
        for nonce in ("n", "m", "m"):
            await self.alice.ask(CreateChat(user_ids=[2], type=1, nonce=nonce))
        self.assertEqual(len(await self.chats(1)), 2)


class AtTheSameMoment(NonceCase):
    async def test_two_devices_on_two_nodes_get_one_group_that_everyone_hears_of_once(self) -> None:
        for turn in range(10):
            nonce = str(turn % 5)
            for listener in (self.alice, self.device, self.bob):
                listener.frames.clear()
            asked = self.create(self.alice, 2, nonce=nonce)
            for _ in range(turn):
                await self.here.marker()
            replies = [
                each.reply for each in await gatherResults([asked, self.create(self.device, 2, nonce=nonce)])
            ]
            await self.settle()
            (chat_id,) = {reply.chat_id for reply in replies}
            dups = [reply.dup is True for reply in replies]
            self.assertEqual(dups.count(True), 1 if turn < 5 else 2)
            for listener in (self.alice, self.device, self.bob):
                heard = [d["seq"] for d in listener.of(14, chat_id) if "dup" not in d]
                self.assertEqual(heard, [1] if turn < 5 else [], (turn, listener.frames))

    async def test_one_that_the_other_device_binds_and_leaves_in_between_is_not_found(self) -> None:
        async def create_and_leave(_: Any) -> None:
            chat_id = (await self.create(self.device, 2)).reply.chat_id
            await self.device.ask(UpdateChat(chat_id=chat_id, remove_users=[1]))

        before_command(self.here, "chat_create", create_and_leave)
        command = CreateChat(user_ids=[2], type=2, chat="g", nonce="n")
        self.assertEqual(await self.code(self.alice, command), "not_found")
        await self.settle()
        self.assertEqual((self.alice.feeds, len(await self.chats(2))), (set(), 1))


class Interrupted(NonceCase):
    """The node ends between binding the nonce and creating the chat."""

    async def setUp(self) -> None:
        await super().setUp()
        run = self.here.own_link.run

        def losing(done: Any, script: Any, keys: Any, args: Any) -> None:
            if script.name == "chat_create":
                self.bound = keys[0]
                done(Unavailable("it was not run", sent=True))
            else:
                run(done, script, keys, args)

        self.here.own_link.run = losing
        await self.assertFailure(self.create(self.alice, 2), Unavailable)
        del self.here.own_link.run

    async def test_a_repeat_creates_the_group_that_was_bound(self) -> None:
        for listener, dup in ((self.device, False), (self.alice, True)):
            again = await self.created(listener, 2)
            self.assertIn(f"{{c:{again.chat_id}}}", self.bound)
            self.assertEqual(again.dup is True, dup)
        for listener in (self.alice, self.device, self.bob):
            self.assertEqual([d["seq"] for d in listener.of(14) if "dup" not in d], [1])

    async def test_a_repeat_is_refused_as_it_would_be_without_a_nonce(self) -> None:
        await self.bob.ask(BlockUser(user_id=1))
        command = CreateChat(user_ids=[2], type=2, chat="g", nonce="n")
        self.assertEqual(await self.code(self.device, command), "forbidden")
        self.assertEqual(self.keys("{c:*"), [])
