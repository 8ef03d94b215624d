"""What the suites about the inbox share: alice (1) and bob (2), and the inbox read to its end."""

from tests.support.chat import ChatCase


class InboxCase(ChatCase):
    settings = {"requests_per_s": 100_000, "burst": 100_000}

    async def setUp(self):
        await super().setUp()
        self.alice, self.bob = await self.users(1, 2)

    async def rows(self, user=None, **d):
        """All rows, page by page; each page is full, but for the last one."""
        rows, cursor, limit = [], {}, d.get("limit", 50)
        while True:
            page = await (user or self.alice).call(13, 4, **d, **cursor)
            rows += page["chats"]
            self.assertLessEqual(len(page["chats"]), limit)
            if "cursor" not in page:
                return rows
            self.assertTrue(page["chats"])
            cursor = {"cursor": page["cursor"]}

    async def row(self, chat_id, user=None):
        (row,) = [row for row in await self.rows(user) if row["chat_id"] == chat_id]
        return row

    async def groups(self, count):
        """So many groups with a message each; their ids, the newest activity first."""
        made = [await self.alice.call(13, 1, user_ids=[2], type=2) for _ in range(count)]
        sent = [await self.said(chat["chat_id"]) for chat in made]
        return self.by_activity(sent)

    async def said(self, chat_id, text="x", user=None):
        return await (user or self.alice).call(11, 2, chat_id=chat_id, message=text)

    def by_activity(self, sent):
        """Chats by their last messages' replies; within a millisecond by id."""
        newest = {reply["chat_id"]: reply["sent_at"] for reply in sent}
        return sorted(newest, key=lambda chat_id: (newest[chat_id], chat_id), reverse=True)
