"""Messages that are kept for a while only (settings): what is gone is gone everywhere, and no number changes."""

from tests.support.chat import ChatCase, together
from tests.support.store import texts_in_store
from tests.support.user import NOBODY

FAST = {"requests_per_s": 100_000, "burst": 100_000}


def ids(messages):
    return [message["message_id"] for message in messages]


class RetentionCase(ChatCase):
    async def setUp(self):
        await super().setUp()
        self.alice, self.bob = await self.users(1, 2)
        self.chat_id = await self.group(self.alice, self.bob)

    async def written(self, count, text="text"):
        """So many messages more; bob got each, and their numbers have no gaps."""
        d = {"chat_id": self.chat_id, "message": text}
        replies = await together(*[self.alice.call(11, 2, **d) for _ in range(count)])
        got = [await self.bob.expect(12, 2) for _ in range(count)]
        self.assertEqual(ids(got), ids(replies))
        for name in ("message_id", "seq"):
            numbers = [reply[name] for reply in replies]
            self.assertEqual(numbers, list(range(numbers[0], numbers[0] + count)))
        return replies

    async def kept(self):
        messages, more = await self.bob.history(self.chat_id, limit=100)
        self.assertFalse(more)
        return ids(messages)


class ByCount(RetentionCase):
    settings = {**FAST, "messages_per_chat": 10}

    async def test_the_newest_are_kept_and_numbers_go_on(self):
        await self.written(10)
        self.assertEqual(await self.kept(), list(range(1, 11)))
        last = (await self.written(15))[-1]
        self.assertEqual((last["message_id"], last["seq"]), (25, 26))
        self.assertEqual(await self.kept(), list(range(16, 26)))

    async def test_the_text_is_gone_from_the_store(self):
        await self.written(1, "the oldest text")
        self.assertTrue(texts_in_store(self.redis, self.prefix, "the oldest text"))
        await self.written(10)
        self.assertEqual(texts_in_store(self.redis, self.prefix, "the oldest text"), [])

    async def test_pages_end_where_the_kept_ones_begin(self):
        await self.written(25)
        self.assertEqual(await self.page(after=0, limit=4), ([16, 17, 18, 19], True))
        self.assertEqual(await self.page(after=5, limit=4), ([16, 17, 18, 19], True))
        self.assertEqual(await self.page(before=18, limit=4), ([16, 17], False))
        self.assertEqual(await self.page(before=16), ([], False))
        self.assertEqual(await self.page(before=5), ([], False))

    async def page(self, **bounds):
        messages, more = await self.bob.history(self.chat_id, **bounds)
        return ids(messages), more

    async def test_what_is_gone_cannot_be_changed_or_answered(self):
        await self.written(25)
        for op, d in ((6, {"message": "x"}), (7, {})):
            for message_id, code in ((15, "not_found"), (26, "not_found"), (NOBODY, "not_found")):
                d = {**d, "chat_id": self.chat_id, "message_id": message_id}
                self.assertEqual(await self.alice.refusal_code(11, op, **d), code)
            await self.alice.call(11, op, **{**d, "message_id": 16})
        d = {"chat_id": self.chat_id, "message": "x", "reply_to": 15}
        self.assertEqual(await self.alice.refusal_code(11, 2, **d), "not_found")
        await self.alice.call(11, 2, **{**d, "reply_to": 17})

    async def test_unread_counts_what_is_kept(self):
        await self.written(25)
        self.assertEqual(await self.unread(), (10, 0))
        await self.bob.call(11, 8, chat_id=self.chat_id, message_id=5)
        self.assertEqual(await self.unread(), (10, 5))
        await self.alice.call(11, 7, chat_id=self.chat_id, message_id=20)
        self.assertEqual(await self.unread(), (9, 5))
        await self.bob.call(11, 8, chat_id=self.chat_id, message_id=23)
        self.assertEqual(await self.unread(), (2, 23))
        await self.bob.expect(12, 7)
        await self.written(30)
        self.assertEqual(await self.unread(), (10, 23))

    async def unread(self):
        (row,) = (await self.bob.call(13, 4))["chats"]
        return row["unread"], row["read"]

    async def test_a_catch_up_is_whole_or_reset(self):
        await self.bob.close()
        await together(*[self.alice.call(11, 2, chat_id=self.chat_id, message="x") for _ in range(25)])
        back = await self.user(2)
        self.assertEqual(await back.catch_up({self.chat_id: 5}), ([], {}, [self.chat_id]))
        caught = await back.catch_up({self.chat_id: 20})
        self.assertEqual([frame.d["message_id"] for frame in caught.events], list(range(20, 26)))

    async def test_each_chat_is_trimmed_by_itself(self):
        await self.written(10)
        other = await self.group(self.alice, self.bob)
        await together(*[self.alice.call(11, 2, chat_id=other, message="x") for _ in range(20)])
        self.assertEqual(await self.kept(), list(range(1, 11)))


class ByAge(RetentionCase):
    settings = {**FAST, "message_age_s": 0.001}

    async def test_old_ones_go_with_the_next_one(self):
        await self.written(1, "the oldest text")
        for n in range(2, 500):
            last = (await self.written(1))[0]["message_id"]
            kept = await self.kept()
            self.assertEqual((kept[-1], last), (n, n))
            self.assertEqual(kept, list(range(kept[0], n + 1)))
            if kept[0] > 3:
                break
        self.assertGreater(kept[0], 3)
        self.assertEqual(texts_in_store(self.redis, self.prefix, "the oldest text"), [])
