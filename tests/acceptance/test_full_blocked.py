"""What a block forbids for both sides, and what it leaves alone (PROTOCOL section 3, Friends)."""

from tests.acceptance.relations import AliceAndBob
from tests.support.chat import CORE, ChatCase
from tests.support.user import NOBODY


class Blocked(AliceAndBob):
    def each(self):
        """Either of the two with the other one."""
        return ((self.alice, self.bob), (self.bob, self.alice))

    async def block(self, t=4):
        await self.alice.call(16, t, user_id=2)

    async def test_neither_may_ask_the_other(self):
        await self.block()
        for user, other in self.each():
            self.assertEqual(await user.refusal_code(16, 1, user_id=other.user_id), "forbidden")
        await self.marker(self.alice, self.bob)

    async def test_neither_may_open_a_new_private_chat(self):
        await self.block()
        for user, other in self.each():
            code = await user.refusal_code(13, 1, user_ids=[other.user_id], type=1)
            self.assertEqual(code, "forbidden")
        self.assertEqual((await self.user(1)).hello.chat_ids, [])
        await self.block(5)
        await self.fence(await self.private(self.bob, self.alice), self.alice, self.bob, private=True)

    async def test_in_their_private_chat_neither_may_send_edit_or_type(self):
        chat_id = await self.private(self.alice, self.bob)
        sent = {}
        for user, other in self.each():
            reply = await user.call(11, 1, chat_id=chat_id, message="before")
            sent[user.user_id] = {"chat_id": chat_id, "message_id": reply["message_id"]}
            await other.expect(12, 1)
        await self.block()
        for user, _ in self.each():
            rows = [(1, {"chat_id": chat_id, "message": "x"}), (9, {"chat_id": chat_id})]
            rows += [(6, {**sent[user.user_id], "message": "x"})]
            for t, d in rows:
                self.assertEqual(await user.refusal_code(11, t, **d), "forbidden", t)
        await self.marker(self.alice, self.bob)
        await self.block(5)
        for user, other in self.each():
            await user.call(11, 6, **sent[user.user_id], message="after")
            await other.expect(12, 6)
            await self.fence(chat_id, user, other, private=True)

    async def test_the_messages_existence_is_found_first(self):
        chat_id = await self.private(self.alice, self.bob)
        await self.block()
        where = {"chat_id": chat_id, "message_id": NOBODY}
        self.assertEqual(await self.bob.refusal_code(11, 6, **where, message="x"), "not_found")
        d = {"chat_id": chat_id, "message": "x", "reply_to": NOBODY}
        self.assertEqual(await self.bob.refusal_code(11, 1, **d), "not_found")
        self.assertEqual(await self.bob.refusal_code(11, 2, chat_id=chat_id, message="x"), "wrong_chat_type")
        carol = await self.user(3)
        self.assertEqual(await carol.refusal_code(11, 1, chat_id=chat_id, message="x"), "not_found")

    async def test_reading_and_deleting_stay_for_both(self):
        chat_id = await self.private(self.alice, self.bob)
        for user, _ in self.each():
            await user.call(11, 1, chat_id=chat_id, message=str(user.user_id))
        await self.block()
        for user, _ in self.each():
            texts = [row["message"] for row in (await user.history(chat_id))[0]]
            self.assertEqual(texts, ["1", "2"])
            await user.call(11, 8, chat_id=chat_id, message_id=2)
            self.assertEqual((await user.call(13, 3, chat_id=chat_id))["read"][str(user.user_id)], 2)
            self.assertEqual(len((await user.call(13, 4))["chats"]), 1)
        for user, _ in self.each():
            await user.call(11, 7, chat_id=chat_id, message_id=user.user_id)
        self.assertTrue(all(row["deleted"] for row in (await self.bob.history(chat_id))[0]))

    async def test_their_private_chat_is_opened_again_as_ever(self):
        chat_id = await self.private(self.alice, self.bob)
        await self.block()
        for user, other in self.each():
            again = await user.call(13, 1, user_ids=[other.user_id], type=1)
            self.assertEqual((again["chat_id"], again["dup"]), (chat_id, True))
        await self.marker(self.alice, self.bob)

    async def test_a_retry_of_what_was_sent_before_is_still_answered(self):
        chat_id = await self.private(self.alice, self.bob)
        d = {"chat_id": chat_id, "message": "x", "nonce": "n"}
        first = await self.bob.call(11, 1, **d)
        await self.block()
        self.assertEqual(await self.bob.call(11, 1, **d), {**first, "dup": True})

    async def test_groups_of_both_go_on_as_before(self):
        chat_id = await self.group(self.alice, self.bob)
        await self.block()
        for user, other in self.each():
            sent = await user.call(11, 2, chat_id=chat_id, message="x")
            await other.expect(12, 2, message="x")
            await user.call(11, 6, chat_id=chat_id, message_id=sent["message_id"], message="y")
            await other.expect(12, 6, message="y")
            await user.call(13, 2, chat_id=chat_id, chat=f"of {user.user_id}")
            await other.expect(14, 2, chat=f"of {user.user_id}")

    async def test_who_was_blocked_may_not_put_the_blocker_into_a_group(self):
        carol = await self.user(3)
        group = await self.group(self.bob, carol)
        await self.block()
        error = await self.bob.refused(13, 1, user_ids=[1, 3], type=2)
        other = await self.bob.refused(13, 2, chat_id=group, add_users=[1, 4], chat="x")
        for refused in (error, other):
            self.assertEqual(refused.code.code, "forbidden")
            self.assertNotIn("1", refused.message)
            self.assertNotIn("user", refused.message.split(":")[0])
        await self.fence(group, self.bob, carol)
        self.assertEqual((await self.user(1)).hello.chat_ids, [])
        await self.marker(self.alice)

    async def test_the_blocker_may_put_the_blocked_and_others_may_put_both(self):
        carol = await self.user(3)
        await self.block()
        await self.fence(await self.group(self.alice, self.bob), self.alice, self.bob)
        both = await self.group(carol, self.alice, self.bob)
        await self.fence(both, self.bob, self.alice, carol)
        later = await self.group(carol, self.bob)
        await carol.call(13, 2, chat_id=later, add_users=[1])
        for member in (self.alice, self.bob):
            await member.expect(14, 2)

    async def test_one_who_is_in_the_group_already_is_no_newcomer(self):
        group = await self.group(self.bob, self.alice)
        await self.block()
        self.assertEqual((await self.bob.call(13, 2, chat_id=group, add_users=[1]))["seq"], 1)

    async def test_on_another_node_it_holds_as_soon_as_it_was_answered(self):
        there = await self.user(2, node=await self.started_node())
        chat_id = await self.private(self.alice, self.bob, there)
        for t, code in ((4, "forbidden"), (5, None), (4, "forbidden")):
            await self.block(t)
            if code:
                self.assertEqual(await there.refusal_code(11, 1, chat_id=chat_id, message="x"), code)
                self.assertEqual(await there.refusal_code(16, 1, user_id=1), code)
            else:
                await self.fence(chat_id, there, self.alice, private=True)


class BlockedInTheFullProfile(Blocked, ChatCase):
    pass


class BlockedInTheCoreProfile(Blocked, ChatCase):
    profile = CORE
