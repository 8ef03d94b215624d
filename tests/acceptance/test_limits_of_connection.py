"""What one connection may send, crossed by one: the settings reach the socket (RELIABILITY section 4)."""

from tests.acceptance.handshakes import HandshakeCase, bearer
from tests.support.raw import PING, PONG, TEXT, frame, upgrade
from tests.support.rawcase import RawCase
from tests.support.tokens import token_for

REQUEST = b'{"op":16,"t":2,"id":1,"d":{"user_id":2,"type":1}}'


class Heads(HandshakeCase):
    settings = {"head_bytes": 2048, "head_lines": 10}

    def head(self, size=0, lines=0):
        """An upgrade request of at least so many bytes and header lines."""
        more = {f"X_{number}": "" for number in range(lines - 6)}
        data = upgrade(**bearer(token_for(1)), **more)
        return upgrade(**bearer(token_for(1)), **more, Y="y" * (size - len(data) - 5)) if size else data

    async def test_a_head_at_the_limit_is_read_and_one_byte_more_is_431(self):
        self.assertEqual(len(self.head(size=2048)), 2048)
        self.assertEqual((await self.answer(self.head(size=2048))).status, 101)
        await self.refused(431, self.head(size=2049))

    async def test_as_many_header_lines_as_allowed_are_read_and_one_more_is_431(self):
        self.assertEqual((await self.answer(self.head(lines=10))).status, 101)
        await self.refused(431, self.head(lines=11))


class SlowHeads(HandshakeCase):
    settings = {"head_timeout_s": 0.1}

    async def test_a_head_that_does_not_end_is_dropped_without_an_answer(self):
        with self.assertRaisesRegex(AssertionError, "the connection ended; unread: b''"):
            await self.answer(b"GET /ws HTTP/1.1\r\n")


class Fragments(RawCase):
    settings = {"fragments": 3}

    async def test_as_many_fragments_as_allowed_are_a_message_and_one_more_is_1008(self):
        client = await self.raw(1)
        parts = (frame(TEXT, REQUEST[:5], fin=False), frame(0, REQUEST[5:9], fin=False))
        client.send(b"".join(parts) + frame(0, REQUEST[9:]))
        self.assertEqual((await client.json())["id"], 1)
        client.send(b"".join(parts) + frame(0, b" ", fin=False) + frame(0, REQUEST[9:]))
        self.assertEqual(await client.close_code(), 1008)


class UnfinishedMessages(RawCase):
    settings = {"message_timeout_s": 0.2}

    async def test_a_message_that_is_not_finished_in_time_is_1008(self):
        client = await self.raw(1)
        client.send(frame(TEXT, REQUEST[:5], fin=False))
        self.assertEqual(await client.close_code(), 1008)


class ControlFrames(RawCase):
    settings = {"control_frames_per_10s": 3}

    async def test_as_many_pings_as_allowed_are_answered_and_one_more_is_1008(self):
        client = await self.raw(1)
        client.send(frame(PING) * 3)
        for _ in range(3):
            await client.next_of(PONG)
        client.send(frame(PING))
        self.assertEqual(await client.close_code(), 1008)


class FramesPerSecond(RawCase):
    settings = {"frames_per_s": 1, "burst": 1000}

    async def test_as_many_frames_in_10_s_as_allowed_are_read_and_one_more_is_1008(self):
        client = await self.raw(1)
        client.send(frame(TEXT, REQUEST) * 10)
        for _ in range(10):
            await client.json()
        client.send(frame(TEXT, REQUEST))
        self.assertEqual(await client.close_code(), 1008)
