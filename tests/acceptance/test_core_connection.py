"""The life and the end of a connection: WebSocket rules, close codes, tokens (PROTOCOL sections 1, 5)."""

import time

from twisted.internet import reactor

from tests.support.chat import CORE, ChatCase, together
from tests.support.raw import BINARY, CLOSE, PING, PONG, TEXT, frame
from tests.support.rawcase import RawCase
from tests.support.tokens import token_for

REQUEST = b'{"op":16,"t":2,"id":1,"d":{"user_id":2,"type":1}}'


class Frames(RawCase):
    async def test_a_ping_is_answered_with_its_payload(self):
        client = await self.raw(1)
        client.send(frame(PING, b"here?"))
        self.assertEqual(await client.next_of(PONG), b"here?")

    async def test_a_fragmented_message_is_one_frame(self):
        client = await self.raw(1)
        client.send(frame(TEXT, REQUEST[:5], fin=False) + frame(0, REQUEST[5:20], fin=False))
        client.send(frame(PING) + frame(0, REQUEST[20:]))
        await client.next_of(PONG)
        self.assertEqual((await client.json())["id"], 1)

    async def test_a_normal_close_is_answered(self):
        client = await self.raw(1)
        client.send(frame(CLOSE, b"\x03\xe8"))
        self.assertEqual(await client.close_code(), 1000)
        await client.lost

    async def closes_with(self, code, *frames):
        client = await self.raw(1)
        for data in frames:
            client.send(data)
        self.assertEqual(await client.close_code(), code)
        client.send(frame(CLOSE, code.to_bytes(2, "big")))
        await client.lost

    async def test_breaking_the_websocket_protocol_closes_with_1002(self):
        await together(
            self.closes_with(1002, frame(TEXT, REQUEST, masked=False)),
            self.closes_with(1002, frame(TEXT, REQUEST, rsv=4)),
            self.closes_with(1002, frame(3, b"")),
            self.closes_with(1002, frame(0, b"x")),
            self.closes_with(1002, frame(PING, b"x" * 126)),
            self.closes_with(1002, frame(PING, fin=False)),
            self.closes_with(1002, frame(TEXT, b"a", fin=False), frame(TEXT, b"b")),
            self.closes_with(1002, frame(CLOSE, b"\x01")),
            self.closes_with(1002, frame(CLOSE, (1005).to_bytes(2, "big"))),
        )

    async def test_a_binary_frame_closes_with_1003(self):
        await self.closes_with(1003, frame(BINARY, REQUEST))

    async def test_bad_utf8_closes_with_1007(self):
        texts = (b"\xed\xa0\x80", b"\xc0\x80", b"\xf4\x90\x80\x80", b'{"op":\xff', b"\xe2\x82")
        await together(*[self.closes_with(1007, frame(TEXT, text)) for text in texts])

    async def test_a_frame_over_the_limit_closes_with_1009(self):
        await together(
            self.closes_with(1009, frame(TEXT, b" " * 65537)),
            self.closes_with(1009, b"\x81\xff" + (2**40).to_bytes(8, "big") + b"abcd"),
            self.closes_with(1009, frame(TEXT, b" " * 40000, fin=False), frame(0, b" " * 30000)),
        )

    async def test_a_frame_at_the_limit_is_read(self):
        client = await self.raw(1)
        client.send(frame(TEXT, REQUEST + b" " * (65536 - len(REQUEST))))
        self.assertEqual((await client.json())["id"], 1)

    async def test_too_many_or_empty_fragments_close_with_1008(self):
        await together(
            self.closes_with(1008, frame(TEXT, b"{", fin=False), frame(0, b"", fin=False)),
            self.closes_with(1008, frame(TEXT, b"{", fin=False), *[frame(0, b" ", fin=False)] * 100),
        )


class Ends(ChatCase):
    async def test_a_stopping_server_closes_with_1001(self):
        connections = [await self.user(user_id) for user_id in (1, 1, 2)]
        connections.append(await self.user(3, CORE))
        ended = [user.connection.closed for user in connections]
        await self.node.stop()
        for closing in ended:
            self.assertEqual((await closing).code, 1001)

    async def test_an_abandoned_connection_harms_nobody(self):
        alice, bob = await self.users(1, 2)
        chat_id = await self.group(alice, bob)
        for number in range(20):
            bob.send(11, 2, chat_id=chat_id, message=str(number))
        await bob.connection.abort()
        again = await self.user(2)
        await self.fence(chat_id, again)
        events = []
        while not events or events[-1]["message"] != "fence":
            events.append(await alice.expect(12, 2, sender_id=2))
        self.assertEqual([event["seq"] for event in events], list(range(2, 2 + len(events))))
        self.assertEqual(
            [event["message"] for event in events[:-1]], [str(n) for n in range(len(events) - 1)]
        )

    async def test_a_token_that_expires_closes_with_4401(self):
        self.node = await self.started_node(jwt_leeway_s=0)
        user = await self.user(1, token=token_for(1, exp=int(time.time()) + 2))
        lasting = await self.user(1)
        self.assertEqual((await user.connection.closed).code, 4401)
        await lasting.sync()


class OldestGoes(ChatCase):
    settings = {"connections_per_user": 2}

    async def test_one_connection_too_many_closes_the_oldest_with_4409(self):
        first, second = await self.user(1), await self.user(1)
        bystander = await self.user(2)
        third = await self.user(1)
        self.assertEqual((await first.connection.closed).code, 4409)
        await self.user(1)
        self.assertEqual((await second.connection.closed).code, 4409)
        await third.sync()
        await bystander.sync()

    async def test_on_two_nodes_it_counts_together(self):
        other = await self.started_node(**self.settings)
        first = await self.user(1)
        second = await self.user(1, node=other)
        third = await self.user(1, node=other)
        closed = first.connection.closed.addTimeout(5, reactor)
        self.assertEqual((await closed).code, 4409)
        await second.sync()
        await third.sync()


class Silent(RawCase):
    settings = {"ping_interval_s": 1, "ping_timeout_s": 0.1}

    async def test_who_answers_no_ping_is_dropped_and_who_does_stays(self):
        lively = await self.user(2)
        silent = await self.raw(1)
        await silent.next_of(PING)
        await silent.lost.addTimeout(5, reactor)
        await lively.sync()


class Slow(RawCase):
    settings = {"outbox_bytes": 65536, "requests_per_s": 100_000, "burst": 100_000, "close_timeout_s": 30}

    async def test_who_does_not_read_is_closed_with_4408_and_stalls_nobody(self):
        alice, carol, slow = await self.user(1), await self.user(3), await self.raw(2)
        chat_id = (await alice.call(13, 1, user_ids=[2, 3], type=2))["chat_id"]
        await carol.expect(14, 1)
        slow.transport.pauseProducing()
        for number in range(60):
            text = f"{number} " + "\U0001f600" * 3990
            await together(*[alice.call(11, 2, chat_id=chat_id, message=text) for _ in range(20)])
            for _ in range(20):
                await carol.expect(12, 2, message=text)
        slow.transport.resumeProducing()
        self.assertEqual(await slow.close_code(), 4408)
