"""``reply_to`` (PROTOCOL section 3, Messages): a message that answers another one of its chat."""

from tests.acceptance.messages import TwoInAChat
from tests.support.chat import CORE, ChatCase
from tests.support.user import BAD_IDS, NOBODY


class Replying(TwoInAChat):
    async def setUp(self):
        await super().setUp()
        self.first = await self.sent("a question")

    async def answer(self, reply_to, sender=None, text="an answer"):
        d = {"chat_id": self.chat_id, "message": text, "reply_to": reply_to}
        return await (sender or self.bob).call(11, self.t, **d)

    async def rows(self):
        """The chat's messages by id."""
        return {row["message_id"]: row for row in (await self.alice.history(self.chat_id))[0]}

    async def test_everyone_sees_what_it_answers(self):
        device, core = await self.user(2), await self.user(1, CORE)
        sent = await self.answer(self.first)
        for receiver in (self.alice, device, core):
            await receiver.expect(12, self.t, message_id=sent["message_id"], reply_to=self.first)
        self.assertEqual((await self.rows())[sent["message_id"]]["reply_to"], self.first)
        inbox = await self.alice.call(13, 4)
        self.assertEqual(inbox["chats"][0]["last"]["reply_to"], self.first)

    async def test_a_message_that_answers_none_says_so_by_silence(self):
        await self.alice.call(11, self.t, chat_id=self.chat_id, message="x")
        self.assertNotIn("reply_to", await self.bob.expect(12, self.t, message="x"))
        for row in (await self.rows()).values():
            self.assertNotIn("reply_to", row)

    async def test_it_stays_when_the_answer_is_edited_and_when_it_is_deleted(self):
        where = {"chat_id": self.chat_id, "message_id": (await self.answer(self.first))["message_id"]}
        for op, d in ((6, {"message": "a better answer"}), (7, {})):
            await self.bob.call(11, op, **where, **d)
            self.assertEqual((await self.rows())[where["message_id"]]["reply_to"], self.first)

    async def test_one_may_answer_oneself_an_edited_and_a_deleted_message(self):
        where = {"chat_id": self.chat_id, "message_id": self.first}
        for op, d in ((6, {"message": "edited"}), (7, {})):
            await self.alice.call(11, op, **where, **d)
            await self.bob.expect(12, op)
            await self.answer(self.first, self.alice)
            await self.bob.expect(12, self.t, reply_to=self.first)

    async def test_one_that_does_not_exist_is_not_found(self):
        for missing in (self.first + 1, NOBODY):
            d = {"chat_id": self.chat_id, "message": "x", "reply_to": missing}
            self.assertEqual(await self.alice.refusal_code(11, self.t, **d), "not_found", missing)
        await self.quiet()

    async def test_it_may_answer_one_that_was_sent_just_before_it(self):
        for n in range(1, 6):
            d = {"chat_id": self.chat_id, "message": str(n), "reply_to": self.first + n - 1}
            self.alice.send(11, self.t, **d)
        for n in range(1, 6):
            await self.bob.expect(12, self.t, message=str(n), reply_to=self.first + n - 1)

    async def test_a_replayed_answer_says_it_too(self):
        head = (await self.answer(self.first))["seq"]
        again = await self.user(1)
        (event,) = (await again.catch_up({self.chat_id: head - 1})).events
        self.assertEqual((event.kind, event.d["reply_to"]), ((12, self.t), self.first))

    async def test_bad_ones_are_refused_by_name(self):
        for value in BAD_IDS:
            error = await self.alice.refused(11, self.t, chat_id=self.chat_id, message="x", reply_to=value)
            self.assertEqual((error.code.code, "reply_to" in error.message), ("bad_request", True), value)
        await self.quiet()


class ReplyingPrivate(Replying, ChatCase):
    t = 1


class ReplyingInAGroup(Replying, ChatCase):
    t = 2
