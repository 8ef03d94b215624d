"""``connect`` over real sockets against a scripted server."""

from autobahn.websocket.types import ConnectionDeny
from twisted.internet import reactor
from twisted.internet.error import ConnectionRefusedError
from twisted.internet.protocol import Factory, Protocol
from twisted.trial.unittest import TestCase

from chatsrv.client import (
    ConnectionClosed,
    ConnectTimeout,
    Frame,
    HandshakeRefused,
    Profile,
    TokenIn,
    connect,
)
from tests.support.scripted import ScriptedServer


class ConnectCase(TestCase):
    timeout = 20

    def setUp(self):
        self.server = ScriptedServer(reactor)
        self.addCleanup(self.server.stop)

    async def connected(self, **options):
        connection = await connect(reactor, self.server.url, "tok.en", **options)
        self.addCleanup(connection.close)
        return connection


class AConnection(ConnectCase):
    async def test_fires_with_its_hello(self):
        connection = await self.connected()
        self.assertEqual((connection.hello.chat_ids, connection.hello.friend_ids), ([7], [2, 3]))

    async def test_carries_the_token_in_a_header_by_default(self):
        await self.connected()
        request = self.server.requests[0]
        self.assertEqual(request.headers["authorization"], "Bearer tok.en")
        self.assertEqual(request.protocols, ["chatsrv.v1"])

    async def test_carries_the_token_as_a_subprotocol_when_told(self):
        self.server.choose = "chatsrv.core"
        connection = await self.connected(profile=Profile.CORE, token_in=TokenIn.SUBPROTOCOL)
        self.assertEqual(self.server.requests[0].protocols, ["chatsrv.core", "bearer.tok.en"])
        self.assertNotIn("authorization", self.server.requests[0].headers)
        self.assertIs(connection.profile, Profile.CORE)

    async def test_without_a_profile_offers_none_and_speaks_core(self):
        connection = await self.connected(profile=None)
        self.assertEqual(self.server.requests[0].protocols, [])
        self.assertIs(connection.profile, Profile.CORE)

    async def test_calls_and_gets_events(self):
        events = []
        self.server.choose = "chatsrv.v1"
        connection = await self.connected(on_event=events.append)
        reply = connection.call(11, 1, {"chat_id": 7, "message": "ä"})
        request = await self.server.peer.inbox.get()
        self.assertEqual(request, {"op": 11, "t": 1, "d": {"chat_id": 7, "message": "ä"}, "id": 1})
        self.server.peer.say(12, 1, {"seq": 1})
        self.server.peer.say(12, 1, {"seq": 2}, id=1)
        self.assertEqual((await reply).d, {"seq": 2})
        self.assertEqual(events, [Frame(12, 1, {"seq": 1})])
        self.assertIs(connection.profile, Profile.FULL)

    async def test_misses_no_event_that_comes_with_hello(self):
        events = []
        self.server.hello = None
        connecting = self.connected(on_event=events.append)
        self.server.opened = lambda peer: (peer.say(1, 1, {"chat_ids": [], "friend_ids": []}), peer.say(2, 1))
        await connecting
        while not events:
            await self.turn()
        self.assertEqual(events, [Frame(2, 1)])

    async def turn(self):
        from twisted.internet.task import deferLater

        await deferLater(reactor, 0)

    async def test_a_ping_is_answered_and_the_answer_is_heard(self):
        connection = await self.connected()
        connection.heard_at = 0.0
        connection.ping()
        while not connection.heard_at:
            await self.turn()

    async def test_close_ends_with_1000(self):
        connection = await self.connected()
        self.assertEqual((await connection.close()).code, 1000)
        self.assertEqual(await self.server.peer.lost, 1000)

    async def test_the_servers_close_code_and_reason_arrive(self):
        connection = await self.connected()
        waiting = connection.call(11, 1)
        self.server.peer.sendCloseFrame(4409, b"replaced")
        error = await self.assertFailure(waiting, ConnectionClosed)
        self.assertEqual((error.code, error.reason), (4409, "replaced"))
        self.assertEqual(await connection.closed, (4409, "replaced"))

    async def test_a_dropped_line_is_1006(self):
        connection = await self.connected()
        self.server.peer.transport.abortConnection()
        self.assertEqual((await connection.closed).code, 1006)

    async def test_abort_ends_without_a_close_frame(self):
        connection = await self.connected()
        self.assertEqual((await connection.abort()).code, 1006)
        self.assertIsNone(await self.server.peer.lost)


class ARefusal(ConnectCase):
    async def test_carries_status_and_headers(self):
        self.server.deny = ConnectionDeny(401, "no")
        error = await self.assertFailure(connect(reactor, self.server.url, "x"), HandshakeRefused)
        self.assertEqual(error.status, 401)

    async def test_reads_the_headers_that_matter(self):
        error = HandshakeRefused(429, {"retry-after": "3", "www-authenticate": "Bearer"})
        self.assertEqual((error.retry_after_s, error.www_authenticate), (3, "Bearer"))
        self.assertIsNone(HandshakeRefused(503, {"retry-after": "soon"}).retry_after_s)

    async def test_a_close_before_hello_is_connection_closed(self):
        self.server.hello = None
        self.server.opened = lambda peer: peer.sendCloseFrame(4401, b"old")
        error = await self.assertFailure(connect(reactor, self.server.url, "x"), ConnectionClosed)
        self.assertEqual((error.code, error.reason), (4401, "old"))

    async def test_another_first_frame_is_a_protocol_error(self):
        self.server.hello = None
        self.server.opened = lambda peer: peer.say(2, 1)
        error = await self.assertFailure(connect(reactor, self.server.url, "x"), ConnectionClosed)
        self.assertEqual(error.code, 1002)

    async def test_nobody_listening_passes_through(self):
        await self.server.stop()
        await self.assertFailure(connect(reactor, self.server.url, "x"), ConnectionRefusedError)

    async def test_no_hello_in_time(self):
        self.server.hello = None
        await self.assertFailure(connect(reactor, self.server.url, "x", timeout_s=0.2), ConnectTimeout)
        await self.server.peer.lost

    async def test_a_token_that_would_break_the_header_is_a_value_error(self):
        for token in ("", "a b", "a\r\nX: y", "a,b"):
            with self.assertRaises(ValueError):
                connect(reactor, self.server.url, token)
        with self.assertRaises(ValueError):
            connect(reactor, self.server.url, "x", profile=None, token_in=TokenIn.SUBPROTOCOL)


class Canned(Protocol):
    """Answers every request with the same bytes."""

    def dataReceived(self, data):
        self.transport.write(self.factory.answer)
        self.transport.loseConnection()


class AnOddAnswer(TestCase):
    timeout = 20

    def refused_by(self, answer):
        factory = Factory.forProtocol(Canned)
        factory.noisy = False
        factory.answer = answer
        port = reactor.listenTCP(0, factory, interface="127.0.0.1")
        self.addCleanup(port.stopListening)
        return connect(reactor, f"ws://127.0.0.1:{port.getHost().port}/ws", "x")

    async def test_a_challenge_and_a_delay_are_kept(self):
        answer = (
            b"HTTP/1.1 503 Busy\r\nRetry-After: 2\r\n"
            b'WWW-Authenticate: Bearer error="invalid_token"\r\nContent-Length: 0\r\n\r\n'
        )
        error = await self.assertFailure(self.refused_by(answer), HandshakeRefused)
        self.assertEqual((error.status, error.retry_after_s), (503, 2))
        self.assertEqual(error.www_authenticate, 'Bearer error="invalid_token"')

    async def test_a_101_that_is_not_ours_is_a_protocol_error(self):
        error = await self.assertFailure(self.refused_by(b"HTTP/1.1 101 Hi\r\n\r\n"), ConnectionClosed)
        self.assertEqual(error.code, 1002)

    async def test_an_end_before_an_answer_is_connection_closed(self):
        error = await self.assertFailure(self.refused_by(b""), ConnectionClosed)
        self.assertEqual(error.code, 1006)
