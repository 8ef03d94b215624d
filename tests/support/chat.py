"""``ChatCase``: a test case with a real server and users who talk to it over real WebSockets.

All tests share one Redis server; each has a key prefix of its own and a node in this process. Five verbs:
``user`` connects one, ``group`` and ``private`` make a chat whose members saw it made, ``fence`` sends a
message each of them gets next (and so proves that nothing came before it), ``User.sync`` is a barrier on
the sender's side.
"""

from __future__ import annotations

import atexit
import functools
import shutil
import tempfile
from typing import Any, ClassVar
from uuid import uuid4

from twisted.internet.defer import Deferred, DeferredList
from twisted.trial.unittest import TestCase

from chatsrv.client import Profile
from chatsrv.config import Settings
from tests.support.limits import UNHURRIED, UNHURRIED_HANDSHAKES
from tests.support.process import NodeProcess
from tests.support.redis import RedisServer
from tests.support.tokens import SECRET
from tests.support.user import User

FULL, CORE = Profile.FULL, Profile.CORE


class Node:
    """A chatsrv service in this process."""

    def __init__(self, service: Any) -> None:
        self.service = service

    @classmethod
    async def started(cls, **settings: Any) -> Node:
        """A node that listens on a free port of the loopback interface."""
        from chatsrv.service import make_service

        given = {
            "listen": ("tcp:0:interface=127.0.0.1",),
            "jwt_secret": SECRET,
            "presence_grace_s": 0,
            "status_interval_s": 0.01,
            **UNHURRIED,
            **UNHURRIED_HANDSHAKES,
            **settings,
        }
        node = cls(make_service(Settings(**given)))
        node.service.startService()
        await node.service.ready
        return node

    @property
    def port(self) -> int:
        """The TCP port."""
        return int(self.service.ports[0].getHost().port)

    @property
    def url(self) -> str:
        """Where to connect."""
        return f"ws://127.0.0.1:{self.port}/ws"

    async def stop(self) -> None:
        """Stop it as twistd would. Idempotent."""
        if self.service.running:
            await self.service.stopService()


@functools.cache
def shared_redis() -> RedisServer:
    """A Redis server for all tests of this process; trial has no fixtures of classes or modules."""
    server = RedisServer().start()
    atexit.register(server.remove)
    return server


class ChatVerbs(TestCase):
    """The verbs, for whatever node; ``profile`` is what ``user`` negotiates unless told otherwise."""

    timeout = 60
    profile: ClassVar[Profile | None] = FULL
    node: Any

    def redis_server(self, *arguments: str) -> RedisServer:
        """An external Redis; ends with the test."""
        server = RedisServer(*arguments).start()
        self.addCleanup(server.remove)
        return server

    async def user(self, user_id: int, profile: Any = ..., *, node: Any = None, **options: Any) -> User:
        """A connection of ``user_id``."""
        chosen = self.profile if profile is ... else profile
        user = await User.connected((node or self.node).url, user_id, chosen, **options)
        self.addCleanup(user.close)
        return user

    async def users(self, *user_ids: int) -> list[User]:
        """One connection for each."""
        return [await self.user(user_id) for user_id in user_ids]

    async def group(self, owner: User, *members: User, **d: Any) -> int:
        """A new group; each given connection has seen its 14/1. The chat's id."""
        ids = sorted({member.user_id for member in members} - {owner.user_id})
        chat = await owner.call(13, 1, user_ids=ids, type=2, **d)
        for member in members:
            await member.expect(14, 1, chat_id=chat["chat_id"])
        return int(chat["chat_id"])

    async def private(self, one: User, other: User, *more: User) -> int:
        """The private chat of two; each given connection has seen its 14/1. The chat's id."""
        chat = await one.call(13, 1, user_ids=[other.user_id], type=1)
        for member in (other, *more):
            await member.expect(14, 1, chat_id=chat["chat_id"])
        return int(chat["chat_id"])

    async def fence(self, chat_id: int, sender: User, *receivers: User, private: bool = False) -> None:
        """A message that is the next event of each receiver: nothing came before it."""
        t = 1 if private else 2
        sent = await sender.call(11, t, chat_id=chat_id, message="fence")
        for receiver in receivers:
            await receiver.expect(12, t, chat_id=chat_id, message_id=sent["message_id"], message="fence")
        sender.nothing_arrived()

    async def friends(self, one: User, other: User) -> None:
        """Make two users friends and take the events off both connections."""
        await one.call(16, 1, user_id=other.user_id)
        await other.expect(17, 1, user_id=one.user_id)
        await other.call(16, 2, user_id=one.user_id, type=1)
        await one.expect(17, 2, user_id=other.user_id, type=1)


class ChatCase(ChatVerbs):
    """See the module's docstring. ``settings`` is for subclasses to change."""

    settings: ClassVar[dict[str, Any]] = {}

    async def setUp(self) -> None:
        self.redis = self.redis_of_test()
        self.prefix = f"{uuid4().hex}:"
        self.node = await self.started_node(**self.settings)

    def redis_of_test(self) -> RedisServer:
        """The server to store in: one for all tests, unless a subclass wants to do something to it."""
        return shared_redis()

    async def started_node(self, **settings: Any) -> Node:
        """One more node on this test's part of the store."""
        node = await Node.started(redis=str(self.redis.address), redis_key_prefix=self.prefix, **settings)
        self.addCleanup(lambda: Deferred.fromCoroutine(node.stop()))
        return node


class ProcessCase(ChatVerbs):
    """For nodes in processes of their own, which take ``settings``, and no limit on the rate."""

    timeout = 120
    settings: ClassVar[dict[str, Any]] = {}

    async def started_process(self, **settings: Any) -> NodeProcess:
        """A node that listens; it ends with the test at the latest."""
        given = {
            "requests_per_s": 100_000,
            "burst": 100_000,
            "presence_grace_s": 0,
            **UNHURRIED,
            **UNHURRIED_HANDSHAKES,
            **self.settings,
            **settings,
        }
        folder = tempfile.mkdtemp(prefix="chatsrv-node-")
        self.addCleanup(shutil.rmtree, folder, ignore_errors=True)
        node = NodeProcess(folder, **given)
        self.addCleanup(lambda: Deferred.fromCoroutine(node.remove()))
        return await node.start()


async def together(*waiting: Any) -> list[Any]:
    """Await several coroutines or Deferreds at once; the first failure is raised when all are done."""
    started = [item if isinstance(item, Deferred) else Deferred.fromCoroutine(item) for item in waiting]
    results = await DeferredList(started, consumeErrors=True)
    for succeeded, result in results:
        if not succeeded:
            result.raiseException()
    return [result for _, result in results]
