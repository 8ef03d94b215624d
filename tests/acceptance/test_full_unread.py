"""``unread`` of 13/4 (PROTOCOL section 3, Chats): the messages of others after one's mark."""

from tests.acceptance.inbox import InboxCase
from tests.support.chat import CORE


class Unread(InboxCase):
    async def setUp(self):
        await super().setUp()
        self.chat_id = await self.group(self.alice, self.bob)
        for text in "abc":
            await self.said(self.chat_id, text)

    async def unread(self, user=None):
        row = await self.row(self.chat_id, user or self.bob)
        return row["unread"], row["read"]

    async def test_the_messages_of_others_after_ones_mark_count(self):
        self.assertEqual((await self.unread(), await self.unread(self.alice)), ((3, 0), (0, 3)))
        await self.bob.call(11, 8, chat_id=self.chat_id, message_id=2)
        self.assertEqual(await self.unread(), (1, 2))
        await self.bob.call(11, 8, chat_id=self.chat_id, message_id=3)
        self.assertEqual(await self.unread(), (0, 3))

    async def test_ones_own_never_count(self):
        await self.said(self.chat_id, "mine", self.bob)
        self.assertEqual((await self.unread(), await self.unread(self.alice)), ((0, 4), (1, 3)))
        await self.said(self.chat_id, "hers")
        self.assertEqual((await self.unread(), await self.unread(self.alice)), ((1, 4), (0, 5)))

    async def test_deleted_ones_do_not_count(self):
        await self.bob.call(11, 8, chat_id=self.chat_id, message_id=1)
        for message_id, left in ((1, 2), (3, 1), (3, 1), (2, 0)):
            await self.alice.call(11, 7, chat_id=self.chat_id, message_id=message_id)
            self.assertEqual(await self.unread(), (left, 1))
        await self.said(self.chat_id, "d")
        self.assertEqual(await self.unread(), (1, 1))

    async def test_edits_and_changes_of_the_chat_do_not_count(self):
        await self.bob.call(11, 8, chat_id=self.chat_id, message_id=3)
        await self.alice.call(11, 6, chat_id=self.chat_id, message_id=1, message="x")
        await self.alice.call(13, 2, chat_id=self.chat_id, chat="new")
        self.assertEqual(await self.unread(), (0, 3))

    async def test_who_joins_or_comes_back_has_nothing_unread(self):
        await self.alice.call(13, 2, chat_id=self.chat_id, remove_users=[2])
        await self.said(self.chat_id, "d")
        await self.alice.call(13, 2, chat_id=self.chat_id, add_users=[2, 3])
        for user in (self.bob, await self.user(3)):
            self.assertEqual(await self.unread(user), (0, 4))
        await self.said(self.chat_id, "e")
        self.assertEqual(await self.unread(), (1, 4))

    async def test_it_is_the_same_on_every_device_and_node(self):
        devices = [
            await self.user(2, CORE),
            await self.user(2, node=await self.started_node(**self.settings)),
        ]
        await devices[0].call(11, 8, chat_id=self.chat_id, message_id=1)
        for device in (self.bob, *devices):
            self.assertEqual(await self.unread(device), (2, 1))
