"""What one connection may send, crossed by one: the settings take effect (RELIABILITY section 4)."""

from chatsrv.config import default
from tests.acceptance.handshakes import HandshakeCase, bearer
from tests.support.chat import ChatCase, ProcessCase
from tests.support.raw import PING, PONG, TEXT, RawClient, frame, upgrade
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


class Members(ChatCase):
    settings = {"message_chars": 10, "name_chars": 5, "history_page": 3}

    async def test_what_is_as_long_as_allowed_is_taken_and_one_more_is_a_bad_request(self):
        alice = await self.user(1)
        chat_id = await self.group(alice, chat="\U0001f600" * 5)
        sent = await alice.call(11, 2, chat_id=chat_id, message="\U0001f600" * 10)
        edit = {"chat_id": chat_id, "message_id": sent["message_id"]}
        await alice.call(11, 6, **edit, message="y" * 10)
        await alice.call(13, 2, chat_id=chat_id, chat="name5")
        await alice.call(11, 10, chat_id=chat_id, limit=3)
        for op, t, d in (
            (13, 1, {"user_ids": [], "type": 2, "chat": "name56"}),
            (13, 2, {"chat_id": chat_id, "chat": "name56"}),
            (11, 2, {"chat_id": chat_id, "message": "x" * 11}),
            (11, 6, {**edit, "message": "x" * 11}),
            (11, 10, {"chat_id": chat_id, "limit": 4}),
        ):
            self.assertEqual(await alice.refusal_code(op, t, **d), "bad_request", (op, t))

    async def test_a_text_of_the_default_length_has_less_than_16_kib(self):
        self.assertLess(len("\U0001f600".encode()) * default("message_chars"), 16 * 1024)


class Rate(RawCase):
    settings = {"requests_per_s": 1, "burst": 4}

    async def test_the_burst_is_answered_and_one_more_is_told_when_to_come_again(self):
        client = await self.raw(1)
        requests = [frame(TEXT, REQUEST.replace(b'"id":1', b'"id":%d' % number)) for number in range(5)]
        client.send(b"".join(requests))  # in one write, so that no second passes between them
        errors = {error["id"]: error["d"] for error in [await client.json() for _ in requests]}
        codes = [errors[number]["code"] for number in range(5)]
        self.assertEqual(codes, ["not_found"] * 4 + ["rate_limited"])
        retry_after_ms = errors[4]["retry_after_ms"]
        self.assertTrue(0 < retry_after_ms <= 1000, retry_after_ms)


class Tokens(HandshakeCase):
    token = token_for(1, jti="x" * 250)
    settings = {"jwt_token_bytes": len(token)}

    async def test_a_token_of_the_largest_size_is_read_and_one_byte_more_is_401(self):
        await self.accepted(**bearer(self.token))
        await self.refused(401, **bearer(token_for(1, jti="x" * 251)))


class Hours(ChatCase):
    settings = {"friend_requests_per_h": 2, "chats_per_h": 2, "invites_per_h": 2}

    async def refused_for_it(self, user, op, t, **d):
        error = await user.refused(op, t, **d)
        self.assertEqual(error.code.code, "rate_limited")
        self.assertTrue(1_000_000 < error.retry_after_ms <= 1_800_000, error.retry_after_ms)

    async def test_as_many_as_allowed_are_made_and_one_more_is_told_when_to_come_again(self):
        alice = await self.user(1)
        for other in (2, 3):
            await alice.call(16, 1, user_id=other)
        await self.refused_for_it(alice, 16, 1, user_id=4)
        chat_id = await self.group(alice)
        await alice.call(13, 1, user_ids=[2], type=1)
        await self.refused_for_it(alice, 13, 1, user_ids=[], type=2)
        await self.refused_for_it(await self.user(1), 13, 1, user_ids=[3], type=1)
        await alice.call(13, 2, chat_id=chat_id, add_users=[2, 3])
        await self.refused_for_it(alice, 13, 2, chat_id=chat_id, add_users=[4])


class LogLines(ProcessCase):
    settings = {"log_level": "debug", "log_lines_per_peer_per_min": 3}

    async def test_as_many_lines_about_one_peer_as_allowed_are_logged_and_one_more_is_not(self):
        node = await self.started_process()
        for _ in range(6):
            client = await RawClient.connected(node.port)
            client.send(b"GET /elsewhere HTTP/1.1\r\n\r\n")
            self.assertEqual((await client.response()).status, 404)
            await client.close()
        await node.terminate()
        self.assertEqual(node.log.count("refused the upgrade with 404"), 3, node.log)
