"""Requests that are sent again with the same ``nonce`` over a crash (PROTOCOL sections 3 and 6)."""

from twisted.internet import reactor
from twisted.internet.error import ConnectError
from twisted.internet.task import deferLater

from chatsrv.client import ConnectionClosed
from tests.acceptance.faults import DURABLE, PREFIX, FaultCase
from tests.support.load import RetryingLoad
from tests.support.store import stored_messages


class Retries(FaultCase):
    """Clients that send again, with the same ``nonce``, what was not answered: nothing is lost, nothing twice."""

    async def setUp(self):
        self.redis = self.redis_server(*DURABLE)
        self.node = await self.started_process(redis=str(self.redis.address))

    async def retrying(self):
        users = await self.users(1, 2, 3)
        load = RetryingLoad(await self.group(*users), users, self.connected)
        return load, load.run()

    async def connected(self, user_id):
        """A connection, as soon as there is a node again."""
        while True:
            try:
                return await self.user_in_the_end(user_id)
            except (ConnectError, ConnectionClosed):
                await deferLater(reactor, 0.05)

    async def check_once_each(self, load, running):
        await load.replies(50)
        load.stopping = True
        await running
        stored = stored_messages(self.redis, PREFIX, load.chat_id)
        self.check_gapless(stored)
        self.assertEqual(stored, load.replied)
        self.assertEqual(len(stored), load.count)

    async def test_over_a_kill_of_the_service(self):
        load, running = await self.retrying()
        for _ in range(2):
            await load.replies(50)
            await self.node.kill()
            await self.node.start()
        await self.check_once_each(load, running)

    async def test_over_a_kill_of_the_store(self):
        load, running = await self.retrying()
        for _ in range(2):
            await load.replies(50)
            self.redis.kill()
            self.redis.start()
        await self.check_once_each(load, running)
        self.assertNotIn("Traceback", self.node.log)
