"""``too_large`` and ``limit_reached`` of chats and friends (PROTOCOL section 4, DESIGN section 6)."""

from tests.support.chat import ChatCase
from tests.support.user import NOBODY


class LimitsOfChats(ChatCase):
    settings = {"members": 4, "chats": 3}

    async def test_a_list_longer_than_the_limit_is_too_large(self):
        alice = await self.user(1)
        chat = await alice.call(13, 1, user_ids=[2], type=2)
        five = [2, 3, 4, 5, 6]
        self.assertEqual(await alice.refusal_code(13, 1, user_ids=five, type=2), "too_large")
        for member in ("add_users", "remove_users"):
            error = await alice.refused(13, 2, chat_id=chat["chat_id"], **{member: five})
            self.assertEqual((error.code.code, member in error.message), ("too_large", True))
        self.assertEqual(await alice.refusal_code(13, 2, chat_id=NOBODY, add_users=five), "too_large")

    async def test_a_group_has_no_more_than_the_limit(self):
        alice, bob = await self.users(1, 2)
        self.assertEqual(await alice.refusal_code(13, 1, user_ids=[2, 3, 4, 5], type=2), "limit_reached")
        chat_id = await self.group(alice, bob)
        await alice.call(13, 2, chat_id=chat_id, add_users=[3, 4])
        await bob.expect(14, 2)
        code = await bob.refusal_code(13, 2, chat_id=chat_id, add_users=[5], chat="x")
        self.assertEqual(code, "limit_reached")
        await self.fence(chat_id, alice, bob)

    async def test_a_user_has_no_more_chats_than_the_limit(self):
        alice, bob = await self.users(1, 2)
        for _ in range(3):
            chat_id = await self.group(alice)
        code = await alice.refusal_code(13, 1, user_ids=[], type=2)
        self.assertEqual(code, "limit_reached")
        self.assertEqual(await alice.refusal_code(13, 1, user_ids=[2], type=1), "limit_reached")
        self.assertEqual(await bob.refusal_code(13, 1, user_ids=[1], type=1), "limit_reached")
        own = await self.group(bob)
        self.assertEqual(await bob.refusal_code(13, 2, chat_id=own, add_users=[1]), "limit_reached")
        await alice.call(13, 2, chat_id=chat_id, remove_users=[1])
        await alice.call(13, 1, user_ids=[], type=2)


class LimitsOfFriends(ChatCase):
    settings = {"friends": 1, "open_requests": 2}

    async def test_more_open_requests_than_the_limit_are_refused(self):
        alice = await self.user(1)
        await alice.call(16, 1, user_id=2)
        await alice.call(16, 1, user_id=3)
        self.assertEqual(await alice.refusal_code(16, 1, user_id=4), "limit_reached")
        self.assertEqual((await alice.call(16, 1, user_id=3))["user_id"], 3)

    async def test_more_friends_than_the_limit_are_refused(self):
        alice, bob, carol = await self.users(1, 2, 3)
        await carol.call(16, 1, user_id=1)
        await alice.expect(17, 1)
        await self.friends(alice, bob)
        self.assertEqual(await alice.refusal_code(16, 2, user_id=3, type=1), "limit_reached")
        await alice.call(16, 2, user_id=3, type=2)
        await carol.expect(17, 2, type=2)
        self.assertEqual((await self.user(1)).hello.friend_ids, [2])


class LongLists(ChatCase):
    settings = {"requests_per_s": 1, "burst": 30}

    async def test_long_lists_count_for_more_than_one_request(self):
        alice = await self.user(1)
        await alice.call(13, 1, user_ids=list(range(2, 252)), type=2)
        error = await alice.refused(13, 1, user_ids=list(range(2, 252)), type=2)
        self.assertEqual(error.code.code, "rate_limited")
        self.assertGreater(error.retry_after_ms, 15_000)
        await alice.call(13, 1, user_ids=[2, 3], type=2)
