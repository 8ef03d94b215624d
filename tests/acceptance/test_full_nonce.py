"""``nonce`` (PROTOCOL section 3, Messages): a request that is sent again takes effect once."""

import json

from tests.acceptance.messages import TwoInAChat
from tests.support.chat import CORE, FULL, ChatCase, together

GOOD_NONCES = ("x", "x" * 64, "😀" * 64, " ", "1:2", "\x00", "a\nb", "007", '"', "{}")
BAD_NONCES = ("", "x" * 65, 5, 1.5, True, None, [], {})


class Retrying(TwoInAChat):
    async def send(self, text="hi", nonce="n", sender=None, **d):
        return await (sender or self.alice).call(
            11, self.t, **{"chat_id": self.chat_id, "message": text, "nonce": nonce, **d}
        )

    async def code(self, text="hi", nonce="n", sender=None, **d):
        return await (sender or self.alice).refusal_code(
            11, self.t, **{"chat_id": self.chat_id, "message": text, "nonce": nonce, **d}
        )

    async def stored(self, text="hi", nonce="n"):
        """A first message with this nonce, which bob got; its reply."""
        first = await self.send(text, nonce)
        self.assertNotIn("dup", first)
        await self.bob.expect(12, self.t, message=text, message_id=first["message_id"])
        return first

    async def test_a_retry_is_answered_like_the_first_and_causes_no_event(self):
        first = await self.stored()
        await self.quiet()
        for _ in range(2):
            self.assertEqual(await self.send(), {**first, "dup": True})
        await self.quiet()

    async def test_another_text_under_the_same_nonce_is_a_conflict(self):
        first = await self.stored()
        self.assertEqual(await self.code("other"), "conflict")
        self.assertEqual(await self.send(), {**first, "dup": True})
        await self.quiet()

    async def test_the_same_text_under_another_nonce_is_another_message(self):
        await self.stored(nonce="a")
        second = await self.stored(nonce="A")
        self.assertEqual(second["message_id"], 2)

    async def test_the_other_members_nonces_are_their_own(self):
        await self.stored()
        back = await self.send("other text", sender=self.bob)
        self.assertNotIn("dup", back)
        await self.alice.expect(12, self.t, message="other text", sender_id=2)

    async def test_another_chats_nonces_are_its_own(self):
        await self.stored()
        carol = await self.user(3)
        make = self.private if self.t == 1 else self.group
        other = await make(self.alice, carol)
        self.assertNotIn("dup", await self.send("other text", chat_id=other))
        await carol.expect(12, self.t, message="other text")

    async def test_a_retry_from_another_device_or_node_is_a_retry(self):
        elsewhere = await self.user(1, FULL, node=await self.started_node(**self.settings))
        beside, core = await self.user(1, FULL), await self.user(1, CORE)
        first = await self.stored()
        for device in (elsewhere, beside, core):
            self.assertEqual(await self.send(sender=device), {**first, "dup": True})
            self.assertEqual(await self.code("other", sender=device), "conflict")
        for device in (elsewhere, beside):
            await device.expect(12, self.t, message="hi", sender_id=1)
        await self.quiet(self.bob, elsewhere, beside)

    async def test_of_many_at_once_one_takes_effect(self):
        devices = [self.alice, await self.user(1, node=await self.started_node(**self.settings))]
        replies = await together(*[self.send(sender=devices[n % 2]) for n in range(20)])
        firsts = [n for n, reply in enumerate(replies) if not reply.get("dup")]
        self.assertEqual(len(firsts), 1)
        self.assertEqual({(reply["message_id"], reply["seq"]) for reply in replies}, {(1, 2)})
        if self.profile is FULL:
            await devices[1 - firsts[0] % 2].expect(12, self.t, message="hi")
        await self.bob.expect(12, self.t, message="hi")
        await self.quiet()

    async def test_without_id_a_retry_is_silent_and_a_conflict_an_error(self):
        device = await self.user(1, FULL)
        for text in ("hi", "hi", "other"):
            self.alice.send(11, self.t, chat_id=self.chat_id, message=text, nonce="n")
        await self.alice.expect_error("conflict", op=11, t=self.t)
        for receiver in (self.bob, device):
            await receiver.expect(12, self.t, message="hi", message_id=1)
        await self.quiet()

    async def test_a_retry_after_an_edit_or_a_deletion_restores_nothing(self):
        first = await self.stored("secret")
        where = {"chat_id": self.chat_id, "message_id": first["message_id"]}
        await self.alice.call(11, 6, **where, message="edited")
        await self.bob.expect(12, 6)
        self.assertEqual(await self.send("secret"), {**first, "dup": True})
        self.assertEqual(await self.code("edited"), "conflict")
        await self.alice.call(11, 7, **where)
        await self.bob.expect(12, 7)
        self.assertEqual(await self.send("secret"), {**first, "dup": True})
        await self.quiet()
        self.assertTrue((await self.bob.history(self.chat_id, after=0))[0][0]["deleted"])

    async def test_a_refused_request_leaves_its_nonce_unused(self):
        self.assertEqual(await self.code("a\0b"), "bad_request")
        self.assertEqual(await self.code("other", reply_to=9), "not_found")
        self.assertEqual(
            await self.alice.refusal_code(11, 3 - self.t, chat_id=self.chat_id, message="other", nonce="n"),
            "wrong_chat_type",
        )
        await self.stored("hi")

    async def test_membership_and_chat_type_come_before_the_nonce(self):
        await self.stored()
        carol = await self.user(3)
        self.assertEqual(await self.code(sender=carol), "not_found")
        other_type = {"chat_id": self.chat_id, "message": "hi", "nonce": "n"}
        self.assertEqual(await self.alice.refusal_code(11, 3 - self.t, **other_type), "wrong_chat_type")

    async def test_a_nonce_is_any_text_of_1_to_64_characters(self):
        for nonce in GOOD_NONCES:
            first = await self.stored(f"with {nonce!r}", nonce)
            self.assertEqual(await self.send(f"with {nonce!r}", nonce), {**first, "dup": True})

    async def test_another_nonce_is_a_bad_request(self):
        for nonce in BAD_NONCES:
            error = await self.alice.refused(11, self.t, chat_id=self.chat_id, message="x", nonce=nonce)
            self.assertEqual((error.code.code, "nonce" in error.message), ("bad_request", True), nonce)
        d = {"chat_id": self.chat_id, "message": "x", "nonce": "\ud800"}
        self.alice.connection.send_text(json.dumps({"op": 11, "t": self.t, "d": d}).encode())
        self.assertIn("nonce", (await self.alice.expect_error("bad_request"))["message"])
        await self.quiet()


class RetryingPrivate(Retrying, ChatCase):
    t = 1


class RetryingInAGroup(Retrying, ChatCase):
    t = 2


class RetryingInTheCoreProfile(Retrying, ChatCase):
    t = 2
    profile = CORE
