"""``reset`` of 1/2 (PROTOCOL section 3, Connection): what cannot be replayed in full is said to be so."""

from tests.support.chat import CORE, ChatCase, together
from tests.support.user import NOBODY

BAD_CHATS = (None, 1, "1", [], [1], {"0": 1}, {"-1": 1}, {"x": 1}, {"": 1}, {" 1": 1}, {"1.0": 1})
BAD_CHATS += ({str(2**53): 1}, {"1": -1}, {"1": "1"}, {"1": 1.5}, {"1": None}, {"1": True}, {"1": 2**53})


class ResetCase(ChatCase):
    async def setUp(self):
        await super().setUp()
        self.alice, self.bob, self.carol = await self.users(1, 2, 3)
        self.chat_id = await self.group(self.alice, self.bob)

    async def wrote(self, count=1, chat_id=None):
        for n in range(count):
            await self.alice.call(11, 2, chat_id=chat_id or self.chat_id, message=str(n))

    async def update(self, **change):
        return (await self.alice.call(13, 2, chat_id=self.chat_id, **change))["seq"]

    async def reset(self, user_id, since, chat_id=None, **options):
        """Whether a fresh connection of a user is told to forget the chat; it gets no event then."""
        back = await self.user(user_id)
        chat_id = chat_id or self.chat_id
        caught = await back.catch_up({chat_id: since}, **options)
        if caught.reset:
            self.assertEqual(caught, ([], {}, [chat_id]))
        return bool(caught.reset)


class Resets(ResetCase):
    async def test_a_position_ahead_of_the_store(self):
        await self.wrote()
        self.assertFalse(await self.reset(2, 2))
        self.assertTrue(await self.reset(2, 3))
        self.assertTrue(await self.reset(2, NOBODY))

    async def test_another_epoch(self):
        await self.wrote()
        for epoch in ("", "another", self.bob.hello.epoch + "x"):
            self.assertTrue(await self.reset(2, 1, epoch=epoch), epoch)
        for epoch in (self.bob.hello.epoch, None):
            self.assertFalse(await self.reset(2, 1, epoch=epoch), epoch)

    async def test_one_epoch_for_all_connections_nodes_and_users(self):
        other = await self.user(2, node=await self.started_node(**self.settings))
        self.assertEqual(
            {user.hello.epoch for user in (self.alice, self.bob, other)}, {self.alice.hello.epoch}
        )

    async def test_never_a_member_and_no_such_chat(self):
        await self.wrote()
        for chat_id in (self.chat_id, NOBODY):
            self.assertTrue(await self.reset(3, 0, chat_id))
            self.assertTrue(await self.reset(3, 1, chat_id))

    async def test_removed_meanwhile(self):
        await self.wrote()
        await self.update(remove_users=[2])
        for since in (0, 1, 2, 3):
            self.assertTrue(await self.reset(2, since), since)

    async def test_removed_and_added_again_meanwhile(self):
        await self.wrote()
        await self.update(remove_users=[2])
        await self.wrote()
        again = await self.update(add_users=[2])
        await self.wrote()
        for since in range(again - 1):
            self.assertTrue(await self.reset(2, since), since)
        self.assertFalse(await self.reset(2, again))

    async def test_from_before_one_was_a_member(self):
        await self.wrote(3)
        joined = await self.update(add_users=[3])
        await self.wrote()
        for since in range(joined - 1):
            self.assertTrue(await self.reset(3, since), since)
        self.assertFalse(await self.reset(3, joined))

    async def test_a_chat_that_is_no_more(self):
        await self.wrote()
        await self.update(remove_users=[1, 2])
        for user_id in (1, 2):
            self.assertTrue(await self.reset(user_id, 1))

    async def test_a_chat_that_came_after_hello(self):
        await self.update(add_users=[3])
        await self.carol.expect(14, 2)
        for since in (0, 1, 2):
            self.assertEqual((await self.carol.catch_up({self.chat_id: since})).reset, [self.chat_id])
        await self.fence(self.chat_id, self.alice, self.carol)

    async def test_a_chat_one_was_removed_from_after_hello(self):
        await self.wrote()
        back = await self.user(2)
        await self.update(remove_users=[2])
        await back.expect(14, 2)
        self.assertEqual((await back.catch_up({self.chat_id: 1})).reset, [self.chat_id])
        self.assertEqual(back.replayed, [])

    async def test_a_chat_one_came_back_to_after_hello(self):
        await self.wrote(2)
        back = await self.user(2)
        for change in ({"remove_users": [2]}, {"add_users": [2]}):
            await self.update(**change)
            await back.expect(14, 2)
        self.assertEqual((await back.catch_up({self.chat_id: 1})).reset, [self.chat_id])
        await self.fence(self.chat_id, self.alice, back)

    async def test_of_several_chats_only_those_concerned(self):
        other = await self.group(self.alice, self.carol)
        third = await self.group(self.alice, self.bob)
        await together(self.wrote(), self.wrote(chat_id=other), self.wrote(chat_id=third))
        back = await self.user(2)
        caught = await back.catch_up({self.chat_id: 1, other: 1, third: 99, NOBODY: 1})
        self.assertEqual((caught.heads, sorted(caught.reset)), ({self.chat_id: 2}, [other, third, NOBODY]))
        self.assertEqual([frame.d["chat_id"] for frame in caught.events], [self.chat_id])


class ShortLog(ResetCase):
    settings = {
        "log_events_per_chat": 100,
        "requests_per_s": 100_000,
        "burst": 100_000,
        "mailbox_entries": 10_000,
    }

    async def test_older_than_what_is_kept(self):
        calls = [self.alice.call(11, 2, chat_id=self.chat_id, message=str(n)) for n in range(450)]
        await together(*calls)
        for since in (0, 1, 50):
            self.assertTrue(await self.reset(2, since), since)
        for since in (351, 400, 451):
            self.assertFalse(await self.reset(2, since), since)


class Shapes(ResetCase):
    settings = {"members": 4}

    async def test_bad_members_are_refused_by_name(self):
        for chats in BAD_CHATS:
            error = await self.bob.refused(1, 2, chats=chats)
            self.assertEqual((error.code.code, "chats" in error.message), ("bad_request", True), chats)
        for epoch in (1, None, True, [], {}):
            error = await self.bob.refused(1, 2, chats={"1": 1}, epoch=epoch)
            self.assertEqual((error.code.code, "epoch" in error.message), ("bad_request", True), epoch)
        self.assertEqual(await self.bob.refusal_code(1, 2), "bad_request")

    async def test_more_chats_than_the_limit_are_too_large(self):
        for user in (self.bob, await self.user(2, CORE)):
            error = await user.refused(1, 2, chats={str(n): 1 for n in range(1, 6)})
            self.assertEqual((error.code.code, "chats" in error.message), ("too_large", True))


class ManyChats(ResetCase):
    settings = {"requests_per_s": 1, "burst": 30}

    async def test_many_chats_count_for_more_than_one_request(self):
        await self.bob.catch_up(dict.fromkeys(range(1000, 1250), 1))
        error = await self.bob.refused(1, 2, chats=dict.fromkeys(range(1000, 1250), 1))
        self.assertEqual(error.code.code, "rate_limited")
        await self.bob.catch_up({self.chat_id: 1})
