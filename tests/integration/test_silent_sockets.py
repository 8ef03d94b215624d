"""More silent connections than the node may open files: everybody else gets in, and Redis comes back meanwhile."""

from __future__ import annotations

import os
import resource
import signal

from twisted.internet import reactor
from twisted.internet.task import deferLater

from chatsrv.client import RequestRefused
from tests.support.chat import ProcessCase
from tests.support.process import child_of
from tests.support.raw import RawClient

FILES = 256
PATIENCE_S = 30.0


class SilentSockets(ProcessCase):
    settings = {"head_timeout_s": 60}

    async def setUp(self):
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (FILES, hard))
        try:
            self.node = await self.started_process()
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))

    async def test_they_take_nothing_from_others(self):
        ann = await self.user(1)
        silent = [await RawClient.connected(self.node.port) for _ in range(FILES + 50)]
        for client in silent:
            self.addCleanup(client.close)
        bob = await self.user(2)
        chat_id = await self.private(ann, bob)
        await self.fence(chat_id, ann, bob, private=True)
        os.kill(child_of(self.node.transport.pid, "redis-server"), signal.SIGKILL)
        deadline = reactor.seconds() + PATIENCE_S
        while not await self.answered(ann):
            self.assertLess(reactor.seconds(), deadline)
        self.assertTrue(any(not client.lost.called for client in silent))

    async def answered(self, user):
        try:
            await user.call(16, 6)
        except RequestRefused:
            await deferLater(reactor, 0.1)
            return False
        return True
