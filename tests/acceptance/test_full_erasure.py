"""Deleted text (PROTOCOL section 3, 11/7): gone from every key, and from the append-only file after a rewrite."""

from twisted.internet import reactor
from twisted.internet.task import deferLater

from tests.support.chat import ChatCase, together
from tests.support.store import client_of, texts_in_store

SECRET = "a secret nobody should ever find"
#: Every write in the file as a command, in plain text; a rewrite says the present state in the same way.
PLAIN_FILE = ("--appendonly", "yes", "--aof-use-rdb-preamble", "no", "--rdbcompression", "no")


class Erasure(ChatCase):
    def redis_of_test(self):
        return self.redis_server(*PLAIN_FILE)

    async def setUp(self):
        await super().setUp()
        self.there = await self.started_node()
        self.alice, self.bob = await self.user(1), await self.user(2, node=self.there)
        self.chat_id = await self.group(self.alice, self.bob)

    async def write_secret(self, **d):
        """The secret, as often as a client can say it: sent, sent again, replayed, read as history and inbox."""
        given = {"chat_id": self.chat_id, "message": SECRET, "nonce": "n", **d}
        sent = await self.alice.call(11, 2, **given)
        await self.bob.expect(12, 2, message=SECRET)
        await self.alice.call(11, 2, **given)
        back = await self.user(2, node=self.there)
        await back.catch_up({self.chat_id: 1})
        await together(back.history(self.chat_id), back.call(13, 4), back.call(13, 3, chat_id=self.chat_id))
        return {"chat_id": self.chat_id, "message_id": sent["message_id"]}

    def in_keys(self):
        return texts_in_store(self.redis, self.prefix, SECRET)

    async def in_file(self):
        """Whether it stands in the append-only file after a rewrite."""
        with client_of(self.redis) as store:
            store.bgrewriteaof()
            while store.info("persistence")["aof_rewrite_in_progress"] or self.scheduled(store):
                await deferLater(reactor, 0.005)
            self.assertEqual(store.info("persistence")["aof_last_bgrewrite_status"], "ok")
        files = [path for path in self.redis.folder.rglob("*") if ".aof" in path.name]
        contents = b"".join(path.read_bytes() for path in files)
        self.assertIn(str(self.chat_id).encode(), contents)
        return SECRET.encode() in contents

    def scheduled(self, store):
        return store.info("persistence")["aof_rewrite_scheduled"]

    async def is_there(self):
        """What these tests look at does show it as long as it is there."""
        self.assertTrue(self.in_keys())
        self.assertTrue(await self.in_file())

    async def is_gone(self):
        self.assertEqual(self.in_keys(), [])
        self.assertFalse(await self.in_file())

    async def test_after_a_deletion(self):
        where = await self.write_secret()
        await self.is_there()
        await self.alice.call(11, 7, **where)
        await self.is_gone()

    async def test_the_text_before_an_edit(self):
        where = await self.write_secret()
        await self.alice.call(11, 6, **where, message="harmless")
        await self.is_gone()

    async def test_after_edits_and_a_deletion_by_the_owner(self):
        await self.write_secret()
        carol = await self.user(3)
        await self.alice.call(13, 2, chat_id=self.chat_id, add_users=[3])
        sent = await carol.call(11, 2, chat_id=self.chat_id, message="x", reply_to=1)
        where = {"chat_id": self.chat_id, "message_id": sent["message_id"]}
        await carol.call(11, 6, **where, message=SECRET + " of carol")
        for message_id in (1, sent["message_id"]):
            await self.alice.call(11, 7, chat_id=self.chat_id, message_id=message_id)
        await self.is_gone()

    async def test_after_the_last_member_has_left(self):
        await self.write_secret()
        await self.bob.call(13, 2, chat_id=self.chat_id, remove_users=[2])
        await self.alice.call(13, 2, chat_id=self.chat_id, remove_users=[1])
        await self.is_gone()
