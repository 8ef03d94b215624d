"""What the suites about faults share: a node in a process of its own, and how to look for what it stored."""

from twisted.internet import reactor
from twisted.internet.task import deferLater

from chatsrv.client import HandshakeRefused
from tests.support.chat import CORE, ProcessCase
from tests.support.load import Load

DURABLE = ("--appendonly", "yes", "--appendfsync", "always")
PREFIX = "faults:"


class FaultCase(ProcessCase):
    settings = {"redis_key_prefix": PREFIX, "redis_timeout_s": 1, "request_timeout_s": 2}

    async def loaded(self):
        """Four clients in one group who send and wait."""
        users = [*await self.users(1, 2, 3), await self.user(4, CORE)]
        chat_id = await self.group(*users)
        load = Load(chat_id, users)
        return load, load.run()

    async def user_in_the_end(self, user_id):
        """A connection, as soon as handshakes are not answered with 503 any more."""
        while True:
            try:
                return await self.user(user_id)
            except HandshakeRefused as refused:
                if refused.status != 503 or refused.retry_after_s is None:
                    raise
                await deferLater(reactor, 0.05)

    def check_gapless(self, stored):
        self.assertEqual(sorted(stored), list(range(1, len(stored) + 1)))
        texts = [text for _sender, text in stored.values()]
        self.assertEqual(len(texts), len(set(texts)), "a message is stored twice")
