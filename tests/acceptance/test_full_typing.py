"""11/9 (PROTOCOL section 3, Messages): who is writing, shown to the full profile and stored nowhere."""

from tests.acceptance.messages import TwoInAChat
from tests.support.chat import CORE, ChatCase
from tests.support.store import client_of
from tests.support.user import BAD_IDS, NOBODY


class Writing(TwoInAChat):
    async def types(self, user=None):
        return await (user or self.alice).call(11, 9, chat_id=self.chat_id)

    async def test_the_others_see_it(self):
        device = await self.user(1)
        signal = {"chat_id": self.chat_id, "user_id": 1}
        self.assertEqual(await self.types(), signal)
        for other in (self.bob, device):
            self.assertEqual(await other.expect(12, 9), signal)
        await self.quiet(self.bob, device)

    async def test_each_time_is_shown(self):
        for user, other in ((self.alice, self.bob), (self.bob, self.alice)) * 2:
            await self.types(user)
            await other.expect(12, 9, user_id=user.user_id)

    async def test_the_core_profile_sees_none_but_its_own_reply(self):
        cores = [await self.user(user_id, CORE) for user_id in (1, 2)]
        await self.types()
        self.assertEqual((await self.types(cores[1]))["user_id"], 2)
        cores[1].send(11, 9, chat_id=self.chat_id)
        await self.bob.expect(12, 9, user_id=1)
        for other in (self.alice, self.alice, self.bob, self.bob):
            await other.expect(12, 9, user_id=2)
        await self.quiet(self.alice, cores[0], sender=self.bob)
        await self.quiet(self.bob, cores[1])

    async def test_without_id_the_writer_gets_nothing(self):
        self.alice.send(11, 9, chat_id=self.chat_id)
        await self.bob.expect(12, 9, user_id=1)
        await self.quiet()

    async def test_it_crosses_to_another_node(self):
        there = await self.user(2, node=await self.started_node())
        await self.types()
        for other in (self.bob, there):
            await other.expect(12, 9, user_id=1)
        await self.types(there)
        for other in (self.alice, self.bob):
            await other.expect(12, 9, user_id=2)

    async def test_nothing_is_stored(self):
        await self.sent()
        before = self.stored()
        self.assertTrue(before)
        for user in (self.alice, self.bob):
            await self.types(user)
        self.assertEqual(self.stored(), before)

    def stored(self):
        """The chat's keys and what they hold."""
        with client_of(self.redis) as store:
            keys = sorted(store.scan_iter(f"{self.prefix}{{c:{self.chat_id}}}:*"))
            return {key: store.dump(key) for key in keys}

    async def test_strangers_are_told_that_there_is_no_such_chat(self):
        carol = await self.user(3)
        for chat_id in (self.chat_id, NOBODY):
            self.assertEqual(await carol.refusal_code(11, 9, chat_id=chat_id), "not_found")
            carol.send(11, 9, chat_id=chat_id)
            await carol.expect_error("not_found", op=11, t=9)
        await self.quiet()

    async def test_bad_members_are_refused_by_name(self):
        for value in BAD_IDS:
            error = await self.alice.refused(11, 9, chat_id=value)
            self.assertEqual((error.code.code, "chat_id" in error.message), ("bad_request", True), value)
        await self.quiet()


class WritingInPrivate(Writing, ChatCase):
    t = 1


class WritingInAGroup(Writing, ChatCase):
    t = 2
