"""In which order errors are found, and what limits the rate (PROTOCOL section 4)."""

import json

from tests.support.chat import CORE, ChatCase
from tests.support.rawcase import RawCase
from tests.support.user import NOBODY


class Equal(RawCase):
    async def test_a_stranger_and_a_missing_chat_get_the_same_bytes(self):
        alice = await self.user(1)
        bob = await self.user(2)
        group, private = await self.group(alice, bob), await self.private(alice, bob)
        await alice.call(11, 2, chat_id=group, message="x")
        rows = [
            (11, 1, {"message": "x"}),
            (11, 2, {"message": "x"}),
            (11, 6, {"message_id": 1, "message": "y"}),
        ]
        rows += [
            (11, 7, {"message_id": 1}),
            (13, 2, {}),
            (13, 2, {"chat": "x"}),
            (13, 2, {"remove_users": [3]}),
        ]
        carol = await self.raw(3)
        for op, t, d in rows:
            answers = set()
            for chat_id in (group, private, NOBODY):
                carol.say({"op": op, "t": t, "id": 1, "d": {"chat_id": chat_id, **d}})
                answers.add(await carol.next_text())
            self.assertEqual(len(answers), 1, answers)
            self.assertEqual(json.loads(answers.pop())["d"]["code"], "not_found")


class Order(ChatCase):
    """Shape, rate, membership, chat type, the message's existence, right, limits."""

    async def test_shape_comes_before_membership(self):
        alice = await self.user(1)
        for op, t, d in ((11, 1, {"message": ""}), (11, 7, {"message_id": 0}), (13, 2, {"chat": 5})):
            self.assertEqual(await alice.refusal_code(op, t, chat_id=NOBODY, **d), "bad_request")

    async def test_membership_comes_before_chat_type(self):
        alice, bob, carol = await self.users(1, 2, 3)
        private, group = await self.private(alice, bob), await self.group(alice, bob)
        self.assertEqual(await carol.refusal_code(11, 2, chat_id=private, message="x"), "not_found")
        self.assertEqual(await carol.refusal_code(11, 1, chat_id=group, message="x"), "not_found")
        self.assertEqual(await carol.refusal_code(13, 2, chat_id=private, chat="x"), "not_found")

    async def test_the_messages_existence_comes_before_right(self):
        alice, bob, carol = await self.users(1, 2, 3)
        group = await self.group(alice, bob, carol)
        sent = await alice.call(11, 2, chat_id=group, message="x")
        await alice.call(11, 7, chat_id=group, message_id=sent["message_id"])
        code = await bob.refusal_code(11, 6, chat_id=group, message_id=sent["message_id"], message="y")
        self.assertEqual(code, "not_found")
        self.assertEqual(await bob.refusal_code(11, 7, chat_id=group, message_id=2), "not_found")


class RightBeforeLimits(ChatCase):
    settings = {"members": 3}

    async def test_right_comes_before_limits(self):
        alice, bob, carol = await self.users(1, 2, 3)
        group = await self.group(alice, bob, carol)
        code = await bob.refusal_code(13, 2, chat_id=group, add_users=[4, 5], remove_users=[3])
        self.assertEqual(code, "forbidden")


class Rate(ChatCase):
    settings = {"requests_per_s": 1, "burst": 3}

    async def test_a_request_beyond_the_burst_is_rate_limited(self):
        alice = await self.user(1)
        for _ in range(3):
            self.assertEqual(await alice.refusal_code(16, 2, user_id=2, type=1), "not_found")
        error = await alice.refused(16, 2, user_id=2, type=1)
        self.assertEqual(error.code.code, "rate_limited")
        self.assertTrue(0 < error.retry_after_ms <= 1000, error.retry_after_ms)
        other_device = await self.user(1)
        self.assertEqual(await other_device.refusal_code(16, 2, user_id=2, type=1), "not_found")

    async def test_shape_comes_before_rate_and_rate_before_membership(self):
        alice = await self.user(1)
        for _ in range(3):
            await alice.refusal_code(16, 2, user_id=2, type=1)
        self.assertEqual(await alice.refusal_code(11, 1, chat_id=0, message="x"), "bad_request")
        self.assertEqual(await alice.refusal_code(11, 1, chat_id=NOBODY, message="x"), "rate_limited")

    async def test_without_id_the_refusal_is_an_event(self):
        alice = await self.user(1, CORE)
        for _ in range(4):
            alice.send(16, 2, user_id=2, type=1)
        errors = [await alice.expect(3, 1, op=16, t=2) for _ in range(4)]
        codes = sorted(error["code"] for error in errors)
        self.assertEqual(codes, ["not_found"] * 3 + ["rate_limited"])
        delays = [error["retry_after_ms"] for error in errors if error["code"] == "rate_limited"]
        self.assertGreater(delays[0], 0)


class Flood(RawCase):
    settings = {"requests_per_s": 1, "burst": 1, "refused_per_10s": 5}

    async def test_too_many_refused_requests_close_with_1008(self):
        client = await self.raw(1)
        for _ in range(8):
            client.say({"op": 16, "t": 2, "d": {"user_id": 2, "type": 1}})
        self.assertEqual(await client.close_code(), 1008)

    async def test_as_many_as_allowed_do_not(self):
        client = await self.raw(1)
        for _ in range(6):
            client.say({"op": 16, "t": 2, "d": {"user_id": 2, "type": 1}})
        codes = sorted([(await client.json())["d"]["code"] for _ in range(6)])
        self.assertEqual(codes, ["not_found", *["rate_limited"] * 5])
        client.say("{")
        self.assertEqual((await client.json())["d"]["code"], "bad_json")
