"""The connection for pub/sub: confirmation, restoration, and finding out that nobody is there."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.error import ConnectionDone
from twisted.internet.testing import MemoryReactorClock, StringTransport
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase, TestCase

from chatsrv.redis import RedisAddress, RedisLink, ReplyError, SubscriberLink, Unavailable
from chatsrv.redis.subscriber import SubscriberLink as Link
from tests.support.redis import RedisServer
from tests.unit.test_redis_link import next_call

HELLO = b"*4\r\n$7\r\nversion\r\n$6\r\n7.0.15\r\n$4\r\nrole\r\n$6\r\nmaster\r\n+PONG\r\n"


def confirmation(kind: bytes, channel: bytes) -> bytes:
    return b"*3\r\n$%d\r\n%s\r\n$%d\r\n%s\r\n:1\r\n" % (len(kind), kind, len(channel), channel)


def message(channel: bytes, body: bytes) -> bytes:
    return b"*3\r\n$7\r\nmessage\r\n$%d\r\n%s\r\n$%d\r\n%s\r\n" % (len(channel), channel, len(body), body)


class RealServerTests(TestCase):
    def setUp(self) -> None:
        self.server = RedisServer(password="secret").start()
        self.addCleanup(self.server.remove)
        self.link = RedisLink(reactor, self.server.address)
        self.messages: list[tuple[bytes, bytes]] = []
        self.subscriber = SubscriberLink(reactor, self.server.address, self.on_message, timeout_s=0.3)
        for link in (self.link, self.subscriber):
            self.addCleanup(link.stop)
            link.start()
        return gatherResults([self.link.when_up(), self.subscriber.when_up()])  # type: ignore[return-value]

    def on_message(self, channel: bytes, body: bytes) -> None:
        self.messages.append((channel, body))
        if body == b"raise":
            raise RuntimeError("ours")

    async def publish(self, channel: str, body: str) -> int:
        """Publish, and wait until the subscriber has read everything up to it."""
        receivers: int = await self.link.call("PUBLISH", channel, body)
        await self.subscriber.subscribe(b"barrier")
        self.subscriber.unsubscribe(b"barrier")
        return receivers

    async def test_after_the_confirmation_every_message_arrives_as_bytes_in_order(self) -> None:
        await self.subscriber.subscribe(b"a")
        for number in range(3):
            await self.publish("a", f"00{number}")
        self.assertEqual(self.messages, [(b"a", b"000"), (b"a", b"001"), (b"a", b"002")])

    async def test_many_channels_at_once_are_confirmed_each_for_itself(self) -> None:
        await gatherResults([self.subscriber.subscribe(b"c%d" % number) for number in range(200)])
        self.assertEqual(len(await self.link.call("PUBSUB", "CHANNELS", "c*")), 200)

    async def test_an_unsubscribed_channel_is_silent(self) -> None:
        await self.subscriber.subscribe(b"a")
        self.subscriber.unsubscribe(b"a")
        await self.publish("a", "x")
        self.assertEqual(self.messages, [])
        self.assertEqual(await self.link.call("PUBSUB", "NUMSUB", "a"), [b"a", 0])

    async def test_a_callback_that_raises_is_logged_and_drops_no_message(self) -> None:
        await self.subscriber.subscribe(b"a")
        for body in ("raise", "next"):
            await self.publish("a", body)
        self.assertEqual([body for _, body in self.messages], [b"raise", b"next"])
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 1)

    async def test_subscriptions_are_back_and_confirmed_when_ups_are_called_after_a_crash(self) -> None:
        await self.subscriber.subscribe(b"a")
        up = next_call(self.subscriber.ups)
        down = gatherResults([next_call(self.subscriber.downs), next_call(self.link.downs)])
        self.server.kill()
        await down
        await self.assertFailure(self.subscriber.subscribe(b"b"), Unavailable)
        self.server.start()
        await gatherResults([up, self.link.when_up()])
        numbers = await self.link.call("PUBSUB", "NUMSUB", "a", "b")
        self.assertEqual(numbers, [b"a", 1, b"b", 1])
        await self.publish("b", "x")
        self.assertEqual(self.messages, [(b"b", b"x")])

    async def test_a_server_that_drops_the_connection_is_connected_to_again(self) -> None:
        await self.subscriber.subscribe(b"a")
        up = next_call(self.subscriber.ups)
        await self.link.call("CLIENT", "KILL", "TYPE", "pubsub")
        await up
        self.assertEqual(await self.publish("a", "x"), 1)

    async def test_a_subscription_that_a_paused_server_does_not_confirm_fails_and_comes_back(self) -> None:
        up = next_call(self.subscriber.ups)
        self.server.pause()
        await self.assertFailure(self.subscriber.subscribe(b"a"), Unavailable)
        self.server.resume()
        await up
        self.assertEqual(await self.publish("a", "x"), 1)

    async def test_a_channel_that_an_access_control_list_forbids_is_refused(self) -> None:
        await self.link.call("ACL", "SETUSER", "ann", "on", ">pw", "~*", "resetchannels", "&ok", "+@all")
        address = RedisAddress(path=self.server.address.path, username="ann", password="pw")
        ann = SubscriberLink(reactor, address, self.on_message)
        self.addCleanup(ann.stop)
        ann.start()
        await ann.when_up()
        error = await self.assertFailure(ann.subscribe(b"forbidden"), ReplyError)
        self.assertEqual(error.code, "NOPERM")
        await ann.subscribe(b"ok")
        self.assertTrue(ann.connected)


class FakeClockTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.reactor = MemoryReactorClock()  # type: ignore[no-untyped-call]
        self.messages: list[tuple[bytes, bytes]] = []
        self.link = Link(
            self.reactor,
            RedisAddress(path="/redis"),
            lambda channel, body: self.messages.append((channel, body)),
            random=lambda: 0.5,
        )
        self.states: list[str] = []
        self.link.ups.append(lambda: self.states.append("up"))
        self.link.downs.append(lambda: self.states.append("down"))
        self.link.start()

    def connect(self, *, greeted: bool = True) -> None:
        """Let the pending connection attempt succeed."""
        self.transport = StringTransport()
        self.protocol: Any = self.reactor.unixClients[-1][1].buildProtocol(None)
        self.protocol.makeConnection(self.transport)
        self.reactor.advance(0)
        if greeted:
            self.protocol.dataReceived(HELLO)
            self.reactor.advance(0)

    def lose(self) -> None:
        self.protocol.connectionLost(Failure(ConnectionDone()))
        self.reactor.advance(0.1)

    def test_ups_wait_for_the_confirmation_of_every_wanted_channel(self) -> None:
        self.failureResultOf(self.link.subscribe(b"a"), Unavailable)
        self.failureResultOf(self.link.subscribe(b"b"), Unavailable)
        self.connect()
        self.protocol.dataReceived(confirmation(b"subscribe", b"a"))
        self.assertEqual(self.states, [])
        self.assertFalse(self.link.connected)
        self.protocol.dataReceived(message(b"a", b"early") + confirmation(b"subscribe", b"b"))
        self.assertEqual(self.states, ["up"])
        self.assertEqual(self.messages, [(b"a", b"early")])

    def test_an_early_confirmation_does_not_stand_for_a_later_subscription(self) -> None:
        self.connect()
        first = self.link.subscribe(b"a")
        self.link.unsubscribe(b"a")
        second = self.link.subscribe(b"a")
        self.failureResultOf(first, Unavailable)
        answers = [confirmation(b"subscribe", b"a"), confirmation(b"unsubscribe", b"a")]
        self.protocol.dataReceived(b"".join(answers))
        self.assertNoResult(second)
        self.protocol.dataReceived(confirmation(b"subscribe", b"a"))
        self.successResultOf(second)
        self.successResultOf(self.link.subscribe(b"a"))

    def test_a_pending_subscription_fails_at_a_loss_and_is_written_again_at_the_next_connection(self) -> None:
        self.connect()
        pending = self.link.subscribe(b"a")
        self.lose()
        self.failureResultOf(pending, Unavailable)
        self.connect()
        self.assertIn(b"$9\r\nSUBSCRIBE\r\n$1\r\na\r\n", self.transport.value())
        self.assertEqual(self.states, ["up", "down"])

    def test_pings_that_are_answered_keep_the_connection(self) -> None:
        self.connect()
        for _ in range(5):
            self.transport.clear()
            self.reactor.pump([5, 0])
            self.assertEqual(self.transport.value(), b"*1\r\n$4\r\nPING\r\n")
            self.protocol.dataReceived(b"*2\r\n$4\r\npong\r\n$0\r\n\r\n")
        self.assertFalse(self.transport.disconnected)

    def test_a_ping_without_an_answer_drops_the_connection_after_the_timeout(self) -> None:
        self.connect()
        self.reactor.pump([5, 0, 1.9, 0])
        self.assertFalse(self.transport.disconnected)
        self.reactor.pump([0.2, 0])
        self.assertTrue(self.transport.disconnected)
        self.assertFalse(self.link.connected)

    def test_a_server_that_accepts_and_says_nothing_is_left_and_tried_again(self) -> None:
        self.connect(greeted=False)
        self.reactor.pump([2.1, 0])
        self.assertTrue(self.transport.disconnected)
        attempts = len(self.reactor.unixClients)
        self.lose()
        self.assertEqual(len(self.reactor.unixClients), attempts + 1)

    def test_the_pauses_between_attempts_grow_to_a_second_and_never_end(self) -> None:
        pauses: list[float] = []
        for _ in range(40):
            self.connect(greeted=False)
            self.protocol.connectionLost(Failure(ConnectionDone()))
            attempts, before = len(self.reactor.unixClients), self.reactor.seconds()
            while len(self.reactor.unixClients) == attempts:
                self.reactor.advance(0.025)
            pauses.append(self.reactor.seconds() - before)
        for shorter, longer in pairwise(pauses):
            self.assertLess(shorter, longer + 0.03)
        self.assertLess(pauses[0], 0.11)
        self.assertLess(pauses[-1], 1.01)

    def test_stop_leaves_no_timer_behind(self) -> None:
        self.connect()
        pending = self.link.subscribe(b"a")
        stopped: Deferred[None] = self.link.stop()
        self.assertNoResult(stopped)
        self.protocol.connectionLost(Failure(ConnectionDone()))
        self.successResultOf(stopped)
        self.failureResultOf(pending, Unavailable)
        self.assertEqual(self.reactor.getDelayedCalls(), [])
        self.assertEqual(self.states, ["up", "down"])

    def test_stop_between_two_attempts_leaves_no_timer_behind(self) -> None:
        self.connect()
        self.protocol.connectionLost(Failure(ConnectionDone()))
        self.successResultOf(self.link.stop())
        self.assertEqual(self.reactor.getDelayedCalls(), [])
