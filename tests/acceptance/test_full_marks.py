"""11/8 (PROTOCOL section 3, Messages): up to where a member has read, shown to the full profile."""

from tests.acceptance.messages import TwoInAChat
from tests.support.chat import CORE, ChatCase, together
from tests.support.user import BAD_IDS, NOBODY


class Reading(TwoInAChat):
    async def setUp(self):
        await super().setUp()
        for text in "abc":
            await self.sent(text)

    async def read(self, message_id, user=None):
        return await (user or self.bob).call(11, 8, chat_id=self.chat_id, message_id=message_id)

    async def marks(self):
        return (await self.alice.call(13, 3, chat_id=self.chat_id))["read"]

    async def test_the_reader_gets_a_reply_and_the_others_the_mark(self):
        device = await self.user(2)
        mark = {"chat_id": self.chat_id, "message_id": 2, "user_id": 2}
        self.assertEqual(await self.read(2), mark)
        for other in (self.alice, device):
            self.assertEqual(await other.expect(12, 8), mark)
        self.assertEqual(await self.marks(), {"1": 3, "2": 2})
        await self.quiet(self.bob, device)

    async def test_the_core_profile_sees_none_but_its_own_reply(self):
        cores = [await self.user(user_id, CORE) for user_id in (1, 2)]
        await self.read(1)
        self.assertEqual((await self.read(2, cores[1]))["message_id"], 2)
        cores[1].send(11, 8, chat_id=self.chat_id, message_id=3)
        for message_id in (1, 2, 3):
            await self.alice.expect(12, 8, message_id=message_id, user_id=2)
        for message_id in (2, 3):
            await self.bob.expect(12, 8, message_id=message_id, user_id=2)
        await self.quiet(self.bob, cores[1])
        await self.quiet(self.alice, cores[0], sender=self.bob)

    async def test_without_id_the_reader_gets_nothing(self):
        self.bob.send(11, 8, chat_id=self.chat_id, message_id=3)
        await self.alice.expect(12, 8, message_id=3, user_id=2)
        await self.quiet()

    async def test_it_never_moves_backwards_and_a_repeat_is_harmless(self):
        await self.read(2)
        await self.alice.expect(12, 8, message_id=2)
        for message_id in (1, 2):
            self.assertEqual((await self.read(message_id))["message_id"], 2)
        await self.read(3, await self.user(2, node=await self.started_node()))
        for other in (self.alice, self.bob):
            await other.expect(12, 8, message_id=3)

    async def test_sending_moves_ones_own_mark_without_an_event(self):
        self.assertEqual(await self.marks(), {"1": 3})
        await self.sent("mine", self.bob, [self.alice])
        await self.quiet(self.alice, sender=self.bob)
        self.assertEqual(await self.marks(), {"1": 3, "2": 5})
        self.assertEqual((await self.read(4))["message_id"], 5)
        await self.quiet(self.alice, sender=self.bob)

    async def test_a_deleted_message_can_be_read_up_to(self):
        await self.alice.call(11, 7, chat_id=self.chat_id, message_id=3)
        await self.bob.expect(12, 7)
        await self.read(3)
        await self.alice.expect(12, 8, message_id=3, user_id=2)

    async def test_it_takes_no_position_in_the_chat(self):
        head = self.alice.witness.last_seq[self.chat_id]
        await self.read(3)
        await self.alice.expect(12, 8)
        self.assertEqual((await self.user(1)).hello.heads, {self.chat_id: head})

    async def test_a_message_that_does_not_exist_is_not_found(self):
        for missing in (4, NOBODY):
            where = {"chat_id": self.chat_id, "message_id": missing}
            self.assertEqual(await self.bob.refusal_code(11, 8, **where), "not_found")
        await self.quiet(self.alice, sender=self.bob)

    async def test_strangers_are_told_that_there_is_no_such_chat(self):
        carol = await self.user(3)
        for chat_id in (self.chat_id, NOBODY):
            for message_id in (1, 99):
                code = await carol.refusal_code(11, 8, chat_id=chat_id, message_id=message_id)
                self.assertEqual(code, "not_found")
        await self.quiet(self.alice, sender=self.bob)

    async def test_bad_members_are_refused_by_name(self):
        for member in ("chat_id", "message_id"):
            for value in BAD_IDS:
                d = {"chat_id": self.chat_id, "message_id": 1, member: value}
                error = await self.bob.refused(11, 8, **d)
                self.assertEqual((error.code.code, member in error.message), ("bad_request", True), value)

    async def test_marks_of_many_at_once_end_at_the_highest(self):
        device = await self.user(2, node=await self.started_node())
        await together(*[self.read(n, user) for n in (1, 3, 2) for user in (self.bob, device)])
        seen = (await self.alice.expect(12, 8))["message_id"]
        while seen < 3:
            seen = (await self.alice.expect(12, 8))["message_id"]
        self.assertEqual(await self.marks(), {"1": 3, "2": 3})


class ReadingInPrivate(Reading, ChatCase):
    t = 1


class ReadingInAGroup(Reading, ChatCase):
    t = 2

    async def test_joining_sets_the_mark_to_the_last_message(self):
        await self.alice.call(13, 2, chat_id=self.chat_id, add_users=[3])
        self.assertEqual(await self.marks(), {"1": 3, "3": 3})

    async def test_leaving_takes_the_mark_off_and_coming_back_sets_it_again(self):
        await self.read(1)
        await self.alice.call(13, 2, chat_id=self.chat_id, remove_users=[2])
        self.assertEqual(await self.marks(), {"1": 3})
        await self.alice.call(11, 2, chat_id=self.chat_id, message="d")
        await self.alice.call(13, 2, chat_id=self.chat_id, add_users=[2])
        self.assertEqual(await self.marks(), {"1": 4, "2": 4})
        self.assertEqual((await self.read(2))["message_id"], 4)

    async def test_all_members_see_each_others_marks(self):
        carol = await self.user(3)
        await self.alice.call(13, 2, chat_id=self.chat_id, add_users=[3])
        for member in (self.bob, carol):
            await member.expect(14, 2)
        await self.read(2)
        for other in (self.alice, carol):
            await other.expect(12, 8, message_id=2, user_id=2)
