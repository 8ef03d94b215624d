"""11/6 and 11/7 and what they cause (PROTOCOL section 3, Messages), in both profiles."""

from tests.acceptance.messages import BAD_TEXTS, TwoInAChat
from tests.support.chat import CORE, FULL, ChatCase
from tests.support.store import texts_in_store
from tests.support.user import BAD_IDS, NOBODY


class Changing(TwoInAChat):
    async def test_an_edit_reaches_the_other(self):
        message_id = await self.sent()
        reply = await self.alice.call(11, 6, chat_id=self.chat_id, message_id=message_id, message="better")
        self.assertEqual((reply["chat_id"], reply["message_id"], reply["seq"]), (self.chat_id, message_id, 3))
        event = await self.bob.expect(
            12, 6, chat_id=self.chat_id, message_id=message_id, message="better", seq=3, sender_id=1
        )
        self.assertGreater(event["edited_at"], 0)
        await self.quiet()

    async def test_an_edit_without_id_is_silent_for_the_editor(self):
        message_id = await self.sent()
        self.alice.send(11, 6, chat_id=self.chat_id, message_id=message_id, message="better")
        await self.bob.expect(12, 6, message="better")
        await self.alice.sync(self.chat_id)
        self.alice.nothing_arrived()

    async def test_the_editors_other_devices_get_it_in_the_full_profile_only(self):
        message_id = await self.sent()
        full, core = await self.user(1, FULL), await self.user(1, CORE)
        await self.alice.call(11, 6, chat_id=self.chat_id, message_id=message_id, message="better")
        await full.expect(12, 6, message="better")
        await self.bob.expect(12, 6)
        await self.quiet(self.alice, core, sender=self.bob)

    async def test_only_the_author_edits(self):
        message_id = await self.sent(sender=self.bob, receivers=[self.alice])
        code = await self.alice.refusal_code(
            11, 6, chat_id=self.chat_id, message_id=message_id, message="forged"
        )
        self.assertEqual(code, "forbidden")
        await self.quiet()

    async def test_an_edit_to_the_same_text_is_harmless(self):
        message_id = await self.sent("same")
        reply = await self.alice.call(11, 6, chat_id=self.chat_id, message_id=message_id, message="same")
        self.assertEqual((reply["message_id"], reply["seq"]), (message_id, 2))
        await self.quiet()

    async def test_what_is_missing_or_deleted_cannot_be_edited(self):
        message_id = await self.sent()
        await self.alice.call(11, 7, chat_id=self.chat_id, message_id=message_id)
        await self.bob.expect(12, 7)
        for missing in (message_id, message_id + 1, NOBODY):
            code = await self.alice.refusal_code(11, 6, chat_id=self.chat_id, message_id=missing, message="x")
            self.assertEqual(code, "not_found")
        await self.quiet()

    async def test_a_bad_edit_is_refused_by_name(self):
        message_id = await self.sent()
        for text in BAD_TEXTS:
            error = await self.alice.refused(11, 6, chat_id=self.chat_id, message_id=message_id, message=text)
            self.assertEqual((error.code.code, "message" in error.message), ("bad_request", True))
        for value in BAD_IDS:
            error = await self.alice.refused(11, 6, chat_id=self.chat_id, message_id=value, message="x")
            self.assertEqual((error.code.code, "message_id" in error.message), ("bad_request", True), value)
        await self.quiet()

    async def test_a_deletion_reaches_the_other(self):
        message_id = await self.sent()
        reply = await self.alice.call(11, 7, chat_id=self.chat_id, message_id=message_id)
        self.assertEqual((reply["chat_id"], reply["message_id"], reply["seq"]), (self.chat_id, message_id, 3))
        await self.bob.expect(12, 7, chat_id=self.chat_id, message_id=message_id, seq=3, sender_id=1, by=1)
        await self.quiet()

    async def test_a_deletion_without_id_is_silent_for_the_deleter(self):
        message_id = await self.sent()
        self.alice.send(11, 7, chat_id=self.chat_id, message_id=message_id)
        await self.bob.expect(12, 7, message_id=message_id)
        await self.alice.sync(self.chat_id)
        self.alice.nothing_arrived()

    async def test_the_deleters_other_devices_get_it_in_the_full_profile_only(self):
        message_id = await self.sent()
        full, core = await self.user(1, FULL), await self.user(1, CORE)
        await self.alice.call(11, 7, chat_id=self.chat_id, message_id=message_id)
        await full.expect(12, 7)
        await self.bob.expect(12, 7)
        await self.quiet(self.alice, core, sender=self.bob)

    async def test_deleting_again_is_harmless(self):
        message_id = await self.sent()
        first = await self.alice.call(11, 7, chat_id=self.chat_id, message_id=message_id)
        await self.bob.expect(12, 7)
        again = await self.alice.call(11, 7, chat_id=self.chat_id, message_id=message_id)
        self.assertEqual((again["message_id"], again["seq"]), (message_id, first["seq"]))
        await self.quiet()

    async def test_a_missing_message_cannot_be_deleted(self):
        for missing in (1, NOBODY):
            code = await self.alice.refusal_code(11, 7, chat_id=self.chat_id, message_id=missing)
            self.assertEqual(code, "not_found")

    async def test_a_member_does_not_delete_anothers_message(self):
        message_id = await self.sent()
        code = await self.bob.refusal_code(11, 7, chat_id=self.chat_id, message_id=message_id)
        self.assertEqual(code, "forbidden")
        await self.quiet()

    async def test_a_deleted_text_is_gone_from_the_store(self):
        message_id = await self.sent("a very rare text 1")
        await self.alice.call(
            11, 6, chat_id=self.chat_id, message_id=message_id, message="a very rare text 2"
        )
        await self.bob.expect(12, 6)
        self.assertEqual(texts_in_store(self.redis, self.prefix, "very rare text 1"), [])
        self.assertNotEqual(texts_in_store(self.redis, self.prefix, "very rare text 2"), [])
        await self.alice.call(11, 7, chat_id=self.chat_id, message_id=message_id)
        self.assertEqual(texts_in_store(self.redis, self.prefix, "very rare text"), [])
        await self.bob.expect(12, 7)
        self.assertEqual(await self.sent("next"), message_id + 1)

    async def test_mixed_changes_count_seq_without_gaps(self):
        first, second = await self.sent("1"), await self.sent("2")
        await self.alice.call(11, 6, chat_id=self.chat_id, message_id=first, message="1b")
        await self.alice.call(11, 7, chat_id=self.chat_id, message_id=second)
        await self.bob.expect(12, 6, seq=4)
        await self.bob.expect(12, 7, seq=5)
        reply = await self.bob.call(11, self.t, chat_id=self.chat_id, message="3")
        self.assertEqual((reply["message_id"], reply["seq"]), (3, 6))
        await self.alice.expect(12, self.t, seq=6)


class ChangingPrivate(Changing, ChatCase):
    t = 1

    async def test_neither_of_the_two_deletes_the_others_message(self):
        message_id = await self.sent(sender=self.bob, receivers=[self.alice])
        code = await self.alice.refusal_code(11, 7, chat_id=self.chat_id, message_id=message_id)
        self.assertEqual(code, "forbidden")
        await self.quiet()


class ChangingPrivateInTheCoreProfile(ChangingPrivate):
    profile = CORE


class ChangingInAGroup(Changing, ChatCase):
    t = 2

    async def test_the_owner_deletes_anothers_message(self):
        message_id = await self.sent(sender=self.bob, receivers=[self.alice])
        reply = await self.alice.call(11, 7, chat_id=self.chat_id, message_id=message_id)
        self.assertEqual(reply["message_id"], message_id)
        await self.bob.expect(12, 7, message_id=message_id, sender_id=2, by=1)
        await self.quiet()

    async def test_the_authors_devices_hear_of_the_owners_deletion(self):
        full, core = await self.user(2, FULL), await self.user(2, CORE)
        message_id = await self.sent(sender=self.bob, receivers=[self.alice, full])
        await self.alice.call(11, 7, chat_id=self.chat_id, message_id=message_id)
        for connection in (self.bob, full, core):
            await connection.expect(12, 7, message_id=message_id, by=1)

    async def test_a_former_member_does_nothing_any_more(self):
        message_id = await self.sent(sender=self.bob, receivers=[self.alice])
        await self.bob.call(13, 2, chat_id=self.chat_id, remove_users=[2])
        await self.alice.expect(14, 2)
        for op, t, d in ((11, 2, {"message": "x"}), (11, 7, {"message_id": message_id})):
            self.assertEqual(await self.bob.refusal_code(op, t, chat_id=self.chat_id, **d), "not_found")
        code = await self.bob.refusal_code(11, 6, chat_id=self.chat_id, message_id=message_id, message="x")
        self.assertEqual(code, "not_found")


class ChangingInAGroupInTheCoreProfile(ChangingInAGroup):
    profile = CORE
