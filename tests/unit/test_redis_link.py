"""The connection for commands, against a real server: what it returns, and how it behaves when that fails."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any
from unittest import SkipTest

from twisted.internet import reactor
from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.endpoints import UNIXServerEndpoint
from twisted.internet.protocol import Factory, Protocol
from twisted.trial.unittest import TestCase

from chatsrv.redis import RedisAddress, RedisLink, ReplyError, Script, Unavailable, commands
from tests.support.redis import RedisServer


class Refuser(Protocol):
    """Accepts a connection and closes it at the first byte."""

    def dataReceived(self, data: bytes) -> None:
        self.transport.loseConnection()


def next_call(listeners: list[Callable[[], None]]) -> Deferred[None]:
    """Fires the next time that these listeners are called."""
    called: Deferred[None] = Deferred()

    def listener() -> None:
        listeners.remove(listener)
        called.callback(None)

    listeners.append(listener)
    return called


def next_turn() -> Deferred[None]:
    """Fires in the next turn of the reactor."""
    turned: Deferred[None] = Deferred()
    reactor.callLater(0, turned.callback, None)  # type: ignore[attr-defined]
    return turned


class LinkTestCase(TestCase):
    password: str | None = "secret"
    arguments: tuple[str, ...] = ()

    def setUp(self) -> None:
        self.server = RedisServer(*self.arguments, password=self.password).start()
        self.addCleanup(self.server.remove)

    def link(self, address: RedisAddress | None = None, **options: Any) -> RedisLink:
        link = RedisLink(reactor, address or self.server.address, **options)
        self.addCleanup(link.stop)
        link.start()
        return link


class RepliesTests(LinkTestCase):
    async def test_text_that_looks_like_a_number_comes_back_as_the_same_bytes(self) -> None:
        link = self.link()
        await link.when_up()
        for text in (b"007", b"1.0", b"+1", b"1_000", b"QUEUED", b"", b"\xff\x00\r\n"):
            await link.call("SET", "key", text)
            self.assertEqual(await link.call("GET", "key"), text)

    async def test_replies_are_bytes_numbers_lists_and_none(self) -> None:
        link = self.link()
        await link.when_up()
        self.assertEqual(await link.call("RPUSH", "list", "a", 1, b"b"), 3)
        self.assertEqual(await link.call("LRANGE", "list", 0, -1), [b"a", b"1", b"b"])
        self.assertIsNone(await link.call("GET", "nothing"))

    async def test_an_error_reply_has_its_code(self) -> None:
        link = self.link()
        await link.when_up()
        await link.call("SET", "key", "x")
        error = await self.assertFailure(link.call("LPUSH", "key", "x"), ReplyError)
        self.assertEqual(error.code, "WRONGTYPE")

    async def test_commands_of_one_turn_are_answered_in_their_order(self) -> None:
        link = self.link()
        await link.when_up()
        replies: list[object] = []
        for number in range(500):
            link.send(replies.append, "ECHO", number)
        await link.call("PING")
        self.assertEqual(replies, [b"%d" % number for number in range(500)])

    async def test_the_version_of_the_server_is_known_and_no_error_remains_once_it_is_up(self) -> None:
        link = self.link()
        await link.when_up()
        self.assertGreaterEqual(link.version, (6, 2, 0))
        self.assertEqual(link.last_error, "")

    async def test_the_database_of_the_address_is_selected(self) -> None:
        path, password = self.server.address.path, self.server.address.password
        link, other = self.link(RedisAddress(path=path, password=password, database=3)), self.link()
        await gatherResults([link.when_up(), other.when_up()])
        await link.call("SET", "key", "x")
        self.assertIsNone(await other.call("GET", "key"))

    async def test_a_part_that_cannot_be_sent_raises_and_leaves_the_pairing_intact(self) -> None:
        link = self.link()
        await link.when_up()
        for part in ("\ud800", None, object()):
            self.assertRaises((TypeError, UnicodeError), link.send, print, "SET", "key", part)
        self.assertEqual(await link.call("ECHO", "x"), b"x")

    async def test_a_callback_that_raises_is_logged_and_kills_nothing(self) -> None:
        link = self.link()
        await link.when_up()

        def fail(reply: object) -> None:
            raise RuntimeError("ours")

        link.send(fail, "PING")
        self.assertEqual(await link.call("ECHO", "x"), b"x")
        self.assertTrue(link.connected)
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 1)


class ScriptTests(LinkTestCase):
    script = Script("echo", "#!lua\nreturn {KEYS[1], ARGV[1]}")

    async def test_a_script_runs_and_a_flushed_script_cache_is_invisible(self) -> None:
        link = self.link()
        await link.when_up()
        await link.load([self.script])
        self.assertEqual(await link.run_script(self.script, ["k"], ["007"]), [b"k", b"007"])
        await link.call("SCRIPT", "FLUSH")
        self.assertEqual(await link.run_script(self.script, ["k"], [b"\xff"]), [b"k", b"\xff"])

    async def test_loaded_scripts_are_there_again_after_a_restart(self) -> None:
        link = self.link()
        await link.when_up()
        await link.load([self.script])
        down = next_call(link.downs)
        self.server.kill()
        await down
        self.server.start()
        await link.when_up()
        sha = self.script.sha if link.version >= (7, 0, 0) else self.script.sha_without_header
        self.assertEqual(await link.call("SCRIPT", "EXISTS", sha), [1])

    async def test_a_script_that_does_not_compile_fails_the_load_by_name(self) -> None:
        link = self.link()
        await link.when_up()
        error = await self.assertFailure(link.load([self.script, Script("broken", "return (")]), ReplyError)
        self.assertIn("broken", error.text)

    async def test_an_error_inside_a_script_has_the_code_of_the_command(self) -> None:
        link = self.link()
        await link.when_up()
        await link.call("SET", "key", "x")
        script = Script("push", "#!lua\nreturn redis.call('LPUSH', KEYS[1], 1)")
        error = await self.assertFailure(link.run_script(script, ["key"], []), ReplyError)
        self.assertEqual(error.code, "WRONGTYPE")

    async def test_out_of_memory_inside_a_script_has_its_code(self) -> None:
        link = self.link()
        await link.when_up()
        await link.call("CONFIG", "SET", "maxmemory", 1)
        for source in ("return redis.call('SET', KEYS[1], 1)", "#!lua\nreturn redis.call('SET', KEYS[1], 1)"):
            error = await self.assertFailure(link.run_script(Script("set", source), ["key"], []), ReplyError)
            self.assertEqual(error.code, "OOM")

    def test_the_header_line_is_emptied_for_old_servers_so_that_line_numbers_stay(self) -> None:
        self.assertEqual(self.script.source_without_header, "\nreturn {KEYS[1], ARGV[1]}")
        plain = Script("plain", "return 1")
        self.assertEqual(plain.sha, plain.sha_without_header)


class OutageTests(LinkTestCase):
    async def test_it_fails_fast_and_for_sure_when_it_was_never_up(self) -> None:
        self.server.kill()
        link = self.link()
        got: list[Any] = []
        link.send(got.append, "PING")
        self.assertIsInstance(got[0], Unavailable)
        self.assertFalse(got[0].sent)

    async def test_what_was_in_flight_fails_as_unknown_before_the_downs_are_called(self) -> None:
        link = self.link()
        await link.when_up()
        order: list[Any] = []
        link.downs.append(lambda: order.append(("down", link.connected)))
        down = next_call(link.downs)
        self.server.pause()
        for _ in range(3):
            link.send(order.append, "PING")
        self.server.kill()
        await down
        self.assertEqual([getattr(entry, "sent", entry) for entry in order], [True] * 3 + [("down", False)])

    async def test_it_recovers_after_a_kill_with_a_password_while_connections_are_closed_at_once(
        self,
    ) -> None:
        link = self.link()
        await link.when_up()
        down = next_call(link.downs)
        self.server.kill()
        await down
        refused = Deferred[None]()
        factory = Factory.forProtocol(Refuser)
        connections: list[object] = []

        def build(address: object) -> Refuser:
            connections.append(address)
            if len(connections) == 3:
                refused.callback(None)
            return Refuser()

        factory.buildProtocol = build  # type: ignore[assignment,method-assign]
        path = str(self.server.address.path)
        (self.server.folder / "s").unlink()
        port = await UNIXServerEndpoint(reactor, path).listen(factory)
        await refused
        self.assertFalse(link.connected)
        await port.stopListening()
        self.server.start()
        await link.when_up()
        self.assertEqual(await link.call("ECHO", "x"), b"x")

    async def test_nothing_that_was_sent_while_it_was_down_is_executed_later(self) -> None:
        link = self.link()
        await link.when_up()
        down = next_call(link.downs)
        self.server.kill()
        await down
        late = [self.assertFailure(link.call("INCR", "late"), Unavailable) for _ in range(1000)]
        self.server.start()
        await link.when_up()
        await gatherResults(late)
        self.assertIsNone(await link.call("GET", "late"))

    async def test_a_paused_server_means_unavailable_at_the_deadline_and_replies_pair_afterwards(
        self,
    ) -> None:
        link = self.link(timeout_s=0.05)
        await link.when_up()
        self.server.pause()
        for number in range(3):
            error = await self.assertFailure(link.call("ECHO", number), Unavailable)
            self.assertTrue(error.sent)
        self.server.resume()
        self.assertEqual(await link.call("ECHO", "after"), b"after")
        self.assertEqual(await link.call("ECHO", "later"), b"later")

    async def test_a_pause_of_our_own_process_makes_no_answered_command_late(self) -> None:
        link = self.link(timeout_s=0.05)
        await link.when_up()
        answer = link.call("ECHO", "x")
        await next_turn()  # in which it is handed to the transport
        await next_turn()  # in which that writes
        end = time.monotonic() + 0.1
        while time.monotonic() < end:
            pass
        self.assertEqual(await answer, b"x")

    async def test_a_wrong_password_is_said_and_tried_again_until_it_is_right(self) -> None:
        link = self.link(RedisAddress(path=self.server.address.path, password="wrong"))
        good = self.link()
        await good.when_up()
        while "WRONGPASS" not in link.last_error:
            await good.call("PING")
        self.assertFalse(link.connected)
        self.assertNotIn("wrong ", link.last_error)
        await good.call("CONFIG", "SET", "requirepass", "wrong")
        await link.when_up()

    async def test_a_user_of_an_access_control_list_can_log_in(self) -> None:
        link = self.link()
        await link.when_up()
        await link.call(
            "ACL", "SETUSER", "ann", "on", ">pw", "~*", "&*", "+@all", "-@dangerous", "+acl|whoami"
        )
        ann = self.link(RedisAddress(path=self.server.address.path, username="ann", password="pw"))
        await ann.when_up()
        self.assertEqual(await ann.call("ACL", "WHOAMI"), b"ann")

    async def test_a_readonly_reply_goes_to_its_caller_and_the_link_reconnects(self) -> None:
        link = self.link()
        await link.when_up()
        down = next_call(link.downs)
        await link.call("REPLICAOF", "127.0.0.1", 1)
        error = await self.assertFailure(link.call("SET", "key", "x"), ReplyError)
        self.assertEqual(error.code, "READONLY")
        self.assertFalse(link.connected)
        await down

    async def test_a_replica_is_not_up_until_it_is_promoted(self) -> None:
        link, other = self.link(), self.link()
        await gatherResults([link.when_up(), other.when_up()])
        await other.call("REPLICAOF", "127.0.0.1", 1)
        await self.assertFailure(link.call("SET", "key", "x"), ReplyError)
        while "replica" not in link.last_error:
            await other.call("PING")
        await other.call("REPLICAOF", "NO", "ONE")
        await link.when_up()
        await link.call("SET", "key", "x")

    async def test_a_stopped_link_stays_away_and_says_so(self) -> None:
        link = self.link()
        await link.when_up()
        await link.stop()
        await link.stop()
        await self.assertFailure(link.when_up(), Unavailable)
        await self.assertFailure(link.call("PING"), Unavailable)

    async def test_what_is_sent_in_the_turn_of_the_stop_still_leaves(self) -> None:
        link, other = self.link(), self.link()
        await gatherResults([link.when_up(), other.when_up()])
        last = self.assertFailure(link.call("SET", "last", "x"), Unavailable)
        await link.stop()
        await last
        self.assertEqual(await other.call("GET", "last"), b"x")


class BoundTests(LinkTestCase):
    async def test_one_command_too_many_is_refused_for_sure(self) -> None:
        link = self.link(max_in_flight=4)
        await link.when_up()
        got: list[Any] = []
        for _ in range(5):
            link.send(got.append, "PING")
        self.assertEqual([(type(entry), entry.sent) for entry in got], [(Unavailable, False)])
        await link.room()
        self.assertEqual(await link.call("ECHO", "x"), b"x")

    async def test_bulk_work_is_let_in_while_less_than_half_waits(self) -> None:
        link = self.link(max_in_flight=8)
        await link.when_up()
        most = 0

        async def worker() -> None:
            nonlocal most
            for _ in range(10):
                await link.room()
                link.send(lambda reply: None, "PING")
                most = max(most, len(link._pipeline.waiting))  # type: ignore[union-attr]

        await gatherResults([Deferred.fromCoroutine(worker()) for _ in range(20)])
        self.assertEqual(most, 4)

    async def test_who_is_to_be_greeted_and_all_others_are_let_in_by_turns(self) -> None:
        link = self.link(max_in_flight=2)
        await link.when_up()
        order: list[str] = []

        async def worker(name: str, *, hello: bool) -> None:
            await link.room(hello=hello)
            order.append(name)
            link.send(lambda reply: None, "PING")

        link.send(lambda reply: None, "PING")
        others = [Deferred.fromCoroutine(worker(f"o{n}", hello=False)) for n in range(4)]
        hellos = [Deferred.fromCoroutine(worker(f"h{n}", hello=True)) for n in range(2)]
        await gatherResults([*others, *hellos])
        self.assertEqual([name for name in order if name[0] == "o"], ["o0", "o1", "o2", "o3"])
        self.assertLessEqual(order.index("h1"), 3)
        self.assertLess(order.index("o1"), 4)

    async def test_one_more_than_may_wait_for_room_is_refused(self) -> None:
        self.patch(commands, "ROOM_WAITERS", 2)
        link = self.link(max_in_flight=2)
        await link.when_up()
        link.send(lambda reply: None, "PING")
        waiting = [link.room() for _ in range(2)]
        refused = await self.assertFailure(link.room(), Unavailable)
        self.assertEqual(refused.sent, False)
        await gatherResults([*waiting, link.room(hello=True)])

    async def test_who_waits_for_room_is_told_when_the_link_goes_down(self) -> None:
        link = self.link(max_in_flight=2)
        await link.when_up()
        self.server.pause()
        pings = [self.assertFailure(link.call("PING"), Unavailable) for _ in range(2)]
        room = self.assertFailure(link.room(), Unavailable)
        self.server.kill()
        await gatherResults([room, *pings])
        await self.assertFailure(link.room(), Unavailable)


class LoadingTests(LinkTestCase):
    async def test_a_server_that_is_loading_is_not_up_yet(self) -> None:
        link = self.link()
        await link.when_up()
        if link.version < (7, 0, 0):
            raise SkipTest("Redis 6.2 cannot be made to answer while it loads so little")
        await link.call("CONFIG", "SET", "key-load-delay", 2000)  # microseconds per key
        await link.call("EVAL", "for i = 1, 300 do redis.call('SET', 'k' .. i, i) end", 0)
        await link.call("CONFIG", "SET", "loading-process-events-interval-bytes", 1024)
        down, states = next_call(link.downs), []
        await link.call("SAVE")
        self.server.arguments = [
            "--key-load-delay",
            "2000",
            "--loading-process-events-interval-bytes",
            "1024",
        ]
        self.server.kill()
        await down
        self.server.start()
        link.ups.append(lambda: states.append("up"))
        while not link.last_error.startswith("LOADING"):
            await next_turn()
        self.assertEqual(states, [])
        await link.when_up()
        self.assertEqual(await link.call("DBSIZE"), 300)
