"""``epoch`` (PROTOCOL section 3, 1/1): when the store has lost something, everybody starts afresh, once."""

from twisted.internet import reactor
from twisted.internet.task import deferLater

from chatsrv.client import ConnectionClosed, HandshakeRefused, RequestRefused
from tests.acceptance.faults import DURABLE
from tests.support.chat import ChatCase, together
from tests.support.store import client_of


class EpochCase(ChatCase):
    async def user_in_the_end(self, user_id, **options):
        """A connection, as soon as the node knows the present epoch."""
        while True:
            try:
                return await self.user(user_id, **options)
            except ConnectionClosed as closed:
                self.assertIn(closed.code, (1001, 1013))
            except HandshakeRefused as refused:
                self.assertEqual(refused.status, 503)
            await deferLater(reactor, 0.02)

    async def write(self, sender, receiver, text):
        await sender.call(11, 2, chat_id=self.chat_id, message=text)
        await receiver.expect(12, 2, message=text)


class Epochs(EpochCase):
    settings = {"lease_s": 1, "lease_renew_s": 0.1}

    async def setUp(self):
        await super().setUp()
        self.nodes = [self.node, await self.started_node(**self.settings)]
        self.alice, self.bob = [await self.user(n + 1, node=self.nodes[n]) for n in range(2)]
        self.chat_id = await self.group(self.alice, self.bob)

    async def sent_away(self):
        """Both are closed with 1001; they are said hello to again, in another epoch than before."""
        for user in (self.alice, self.bob):
            self.assertEqual((await user.connection.closed).code, 1001)
        again = [await self.user_in_the_end(n + 1, node=self.nodes[n]) for n in range(2)]
        epochs = {user.hello.epoch for user in again}
        self.assertEqual(len(epochs - {self.alice.hello.epoch}), 1)
        self.assertEqual(len(epochs), 1)
        return again

    async def test_it_outlives_nodes(self):
        for node in self.nodes:
            await node.stop()
        later = await self.user(1, node=await self.started_node())
        self.assertEqual(later.hello.epoch, self.alice.hello.epoch)

    async def test_a_store_that_lost_its_epoch_is_noticed_on_every_node(self):
        await self.write(self.alice, self.bob, "x")
        with client_of(self.redis) as store:
            self.assertEqual(store.delete(f"{self.prefix}{{epoch}}"), 1)
        alice, bob = await self.sent_away()
        caught = await bob.catch_up({self.chat_id: 1}, epoch=self.bob.hello.epoch)
        self.assertEqual(caught, ([], {}, [self.chat_id]))
        await self.write(alice, bob, "y")

    async def test_a_store_that_went_back_is_noticed_though_nobody_does_anything(self):
        await self.write(self.alice, self.bob, "kept")
        saved = self.saved()
        for text in ("lost", "lost, too"):
            await self.write(self.alice, self.bob, text)
        self.restore(saved)
        alice, bob = await self.sent_away()
        self.assertEqual(bob.hello.heads, {self.chat_id: 2})
        await self.write(bob, alice, "another third event")
        texts = [row["message"] for row in (await alice.history(self.chat_id))[0]]
        self.assertEqual(texts, ["kept", "another third event"])

    def saved(self):
        """All of the store, as a backup would have it; but for what comes and goes with the nodes."""
        with client_of(self.redis) as store:
            return {key: store.dump(key) for key in store.scan_iter(f"{self.prefix}*") if b"{n" not in key}

    def restore(self, saved):
        with client_of(self.redis) as store, store.pipeline() as together:
            for key in store.scan_iter(f"{self.prefix}*"):
                if b"{n" not in key:
                    together.delete(key)
            for key, value in saved.items():
                together.restore(key, 0, value)
            together.execute()


class LostTail(EpochCase):
    """The store is killed, comes back without the last message, and everybody writes on at once."""

    settings = {"requests_per_s": 100_000, "burst": 100_000}

    def redis_of_test(self):
        return self.redis_server(*DURABLE)

    async def setUp(self):
        await super().setUp()
        self.alice, self.bob = await self.users(1, 2)
        self.chat_id = await self.group(self.alice, self.bob)

    async def test_no_number_is_given_twice_within_an_epoch(self):
        await self.write(self.alice, self.bob, "kept")
        kept = self.files()
        await self.write(self.alice, self.bob, "lost")
        ended = [user.connection.closed for user in (self.alice, self.bob)]
        self.redis.kill()
        for path, contents in kept.items():
            path.write_bytes(contents)
        self.redis.start()
        await together(*[self.writing_on() for _ in range(10)])
        self.assertEqual({(await closed).code for closed in ended}, {1001})
        again = await self.user_in_the_end(1)
        self.assertNotEqual(again.hello.epoch, self.alice.hello.epoch)

    def files(self):
        """The append-only file as it is now."""
        return {path: path.read_bytes() for path in self.redis.folder.rglob("*.aof*")}

    async def writing_on(self):
        """Until the connection is closed: what is stored until then must have a number of its own."""
        for _ in range(500):
            try:
                await self.alice.call(11, 2, chat_id=self.chat_id, message="more")
            except RequestRefused as refused:
                self.assertEqual(refused.code.code, "unavailable")
                await deferLater(reactor, 0.001)
            except ConnectionClosed:
                return
