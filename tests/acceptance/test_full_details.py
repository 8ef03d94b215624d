"""13/3 (PROTOCOL section 3, Chats): a chat as it is now, for its members."""

import time

from tests.support.chat import CORE, ChatCase
from tests.support.user import BAD_IDS, NOBODY


class DetailsCase(ChatCase):
    async def setUp(self):
        await super().setUp()
        self.alice, self.bob = await self.users(1, 2)

    async def details(self, chat_id, user=None):
        return await (user or self.alice).call(13, 3, chat_id=chat_id)


class OfAGroup(DetailsCase):
    async def test_a_new_group(self):
        chat_id = await self.group(self.alice, self.bob, chat="us")
        for user in (self.alice, self.bob):
            details = await self.details(chat_id, user)
            self.assertApproximates(details.pop("created_at"), time.time() * 1000, 5000)
            details["users"].sort()
            expected = {"chat_id": chat_id, "type": 2, "chat": "us", "users": [1, 2], "owner_id": 1}
            self.assertEqual(details, {**expected, "last_message_id": 0, "seq": 1, "read": {}})

    async def test_after_messages_and_changes(self):
        chat_id = await self.group(self.alice, self.bob)
        created_at = (await self.details(chat_id))["created_at"]
        for text in "ab":
            await self.alice.call(11, 2, chat_id=chat_id, message=text)
        await self.alice.call(11, 7, chat_id=chat_id, message_id=2)
        await self.alice.call(13, 2, chat_id=chat_id, chat="new", add_users=[3], remove_users=[1])
        await self.bob.call(11, 8, chat_id=chat_id, message_id=1)
        details = await self.details(chat_id, self.bob)
        details["users"].sort()
        expected = {"chat_id": chat_id, "type": 2, "chat": "new", "users": [2, 3], "owner_id": 2}
        expected |= {"created_at": created_at, "last_message_id": 2, "seq": 5, "read": {"2": 1, "3": 2}}
        self.assertEqual(details, expected)

    async def test_strangers_are_told_that_there_is_no_such_chat(self):
        carol = await self.user(3)
        chat_id = await self.group(self.alice, self.bob)
        await self.alice.call(13, 2, chat_id=chat_id, remove_users=[2])
        for user in (self.bob, carol):
            errors = [await user.refused(13, 3, chat_id=chat) for chat in (chat_id, NOBODY)]
            self.assertEqual({error.code.code for error in errors}, {"not_found"})
            self.assertEqual(errors[0].message, errors[1].message)

    async def test_bad_members_are_refused_by_name(self):
        for value in BAD_IDS:
            error = await self.alice.refused(13, 3, chat_id=value)
            self.assertEqual((error.code.code, "chat_id" in error.message), ("bad_request", True), value)

    async def test_it_holds_what_the_same_connection_sent_just_before(self):
        chat_id = await self.group(self.alice, self.bob)
        for n in range(10):
            self.alice.send(11, 2, chat_id=chat_id, message=str(n))
        details = await self.details(chat_id)
        self.assertEqual((details["last_message_id"], details["read"]), (10, {"1": 10}))

    async def test_the_core_profile_gets_it_by_id_only(self):
        chat_id = await self.group(self.alice, self.bob)
        core = await self.user(1, CORE)
        self.assertEqual(await self.details(chat_id, core), await self.details(chat_id))
        core.send(13, 3, chat_id=chat_id)
        await self.fence(chat_id, self.bob, core)

    async def test_without_id_the_full_profile_gets_it_as_an_event(self):
        chat_id = await self.group(self.alice, self.bob)
        self.alice.send(13, 3, chat_id=chat_id)
        await self.alice.expect(14, 3, chat_id=chat_id, last_message_id=0)


class OfAPrivateChat(DetailsCase):
    async def test_it_has_no_owner(self):
        chat_id = await self.private(self.alice, self.bob)
        await self.bob.call(11, 1, chat_id=chat_id, message="x")
        details = await self.details(chat_id)
        self.assertEqual((details["type"], details["chat"], sorted(details["users"])), (1, "", [1, 2]))
        self.assertEqual((details["last_message_id"], details["read"]), (1, {"2": 1}))
        self.assertNotIn("owner_id", details)
