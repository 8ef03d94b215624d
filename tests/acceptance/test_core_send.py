"""11/1 and 11/2 and what they cause (PROTOCOL section 3, Messages), in both profiles."""

import json

from tests.acceptance.messages import BAD_TEXTS, TwoInAChat
from tests.support.chat import CORE, FULL, ChatCase, together
from tests.support.user import BAD_IDS, NOBODY

GOOD_TEXTS = (
    "007",
    "1.0",
    "+1",
    'a "quoted" \\ text',
    "zwei\nZeilen\t",
    "ä€😀",
    " x ",
    "x" * 4000,
    "😀" * 4000,
)


class Sending(TwoInAChat):
    async def test_the_sender_gets_a_reply_and_the_other_the_message(self):
        reply = await self.alice.call(11, self.t, chat_id=self.chat_id, message="hi")
        self.assertEqual((reply["chat_id"], reply["message_id"], reply["seq"]), (self.chat_id, 1, 2))
        event = await self.bob.expect(
            12, self.t, chat_id=self.chat_id, message="hi", message_id=1, seq=2, sender_id=1
        )
        self.assertEqual(event["sent_at"], reply["sent_at"])
        await self.quiet()

    async def test_without_an_id_the_sender_gets_nothing(self):
        self.alice.send(11, self.t, chat_id=self.chat_id, message="hi")
        await self.bob.expect(12, self.t, message="hi", message_id=1, sender_id=1)
        await self.alice.sync(self.chat_id)
        self.alice.nothing_arrived()

    async def test_every_connection_of_the_receiver_gets_it_once(self):
        full, core, bare = [await self.user(2, profile) for profile in (FULL, CORE, None)]
        await self.sent(receivers=[self.bob, full, core, bare])
        await self.quiet(self.bob, full, core, bare)

    async def test_the_senders_other_devices_get_it_in_the_full_profile_only(self):
        full, core, bare = [await self.user(1, profile) for profile in (FULL, CORE, None)]
        self.alice.send(11, self.t, chat_id=self.chat_id, message="mine")
        await full.expect(12, self.t, message="mine", sender_id=1)
        await self.bob.expect(12, self.t, message="mine")
        await self.quiet(self.alice, core, bare, sender=self.bob)

    async def test_requests_of_one_connection_take_effect_in_order(self):
        for number in range(30):
            if number % 3:
                self.alice.send(11, self.t, chat_id=self.chat_id, message=str(number))
            else:
                self.alice.connection.call(11, self.t, {"chat_id": self.chat_id, "message": str(number)})
        got = [await self.bob.expect(12, self.t) for _ in range(30)]
        self.assertEqual([event["message"] for event in got], [str(number) for number in range(30)])
        self.assertEqual([event["message_id"] for event in got], list(range(1, 31)))
        self.assertEqual([event["seq"] for event in got], list(range(2, 32)))
        await self.alice.sync(self.chat_id)

    async def test_both_at_once_get_numbers_without_gaps(self):
        def send(user):
            return [user.call(11, self.t, chat_id=self.chat_id, message=f"{user.user_id}") for _ in range(20)]

        replies = await together(*send(self.alice), *send(self.bob))
        self.assertEqual(sorted(reply["message_id"] for reply in replies), list(range(1, 41)))
        self.assertEqual(sorted(reply["seq"] for reply in replies), list(range(2, 42)))
        times = [reply["sent_at"] for reply in sorted(replies, key=lambda reply: reply["seq"])]
        self.assertEqual(times, sorted(times))
        for user in (self.alice, self.bob):
            got = [(await user.expect(12, self.t))["seq"] for _ in range(20)]
            self.assertEqual(got, sorted(got))

    async def test_texts_arrive_as_they_were_sent(self):
        for text in GOOD_TEXTS:
            await self.sent(text)

    async def test_bad_texts_are_refused_by_name(self):
        for text in BAD_TEXTS:
            error = await self.alice.refused(11, self.t, chat_id=self.chat_id, message=text)
            self.assertEqual(error.code.code, "bad_request", text[:5])
            self.assertIn("message", error.message)
        await self.quiet()

    async def test_a_lone_surrogate_is_refused_by_name(self):
        d = {"chat_id": self.chat_id, "message": "a\ud800"}
        self.alice.connection.send_text(json.dumps({"op": 11, "t": self.t, "d": d}).encode())
        error = await self.alice.expect_error("bad_request", op=11, t=self.t)
        self.assertIn("message", error["message"])
        await self.quiet()

    async def test_bad_members_are_refused_by_name(self):
        for value in BAD_IDS:
            error = await self.alice.refused(11, self.t, chat_id=value, message="x")
            self.assertEqual((error.code.code, "chat_id" in error.message), ("bad_request", True), value)
        for value in (1, None, True, [], {}):
            error = await self.alice.refused(11, self.t, chat_id=self.chat_id, message=value)
            self.assertEqual((error.code.code, "message" in error.message), ("bad_request", True), value)
        for d, member in (({"message": "x"}, "chat_id"), ({"chat_id": self.chat_id}, "message")):
            error = await self.alice.refused(11, self.t, **d)
            self.assertEqual((error.code.code, member in error.message), ("bad_request", True), member)
        await self.quiet()

    async def test_what_the_client_says_about_server_members_is_ignored(self):
        spoof = {"sender_id": 9, "message_id": 77, "seq": 88, "sent_at": 5, "by": 9, "from": 9}
        reply = await self.alice.call(11, self.t, chat_id=self.chat_id, message="x", **spoof)
        self.assertEqual((reply["message_id"], reply["seq"]), (1, 2))
        event = await self.bob.expect(12, self.t, sender_id=1, message_id=1, seq=2)
        self.assertNotEqual(event["sent_at"], 5)

    async def test_the_other_type_is_wrong_chat_type(self):
        code = await self.alice.refusal_code(11, 3 - self.t, chat_id=self.chat_id, message="x")
        self.assertEqual(code, "wrong_chat_type")
        await self.quiet()

    async def test_a_stranger_and_a_missing_chat_are_told_the_same(self):
        carol = await self.user(3)
        message_id = await self.sent()
        rows = [(11, 1, {"message": "x"}), (11, 2, {"message": "x"}), (13, 2, {"chat": "x"})]
        rows += [(11, 6, {"message_id": message_id, "message": "x"}), (11, 7, {"message_id": message_id})]
        for op, t, d in rows:
            errors = [await carol.refused(op, t, chat_id=chat, **d) for chat in (self.chat_id, NOBODY)]
            self.assertEqual({error.code.code for error in errors}, {"not_found"}, (op, t))
            self.assertEqual(errors[0].message, errors[1].message)
        await self.quiet()


class SendingPrivate(Sending, ChatCase):
    t = 1


class SendingPrivateInTheCoreProfile(SendingPrivate):
    profile = CORE


class SendingToAGroup(Sending, ChatCase):
    t = 2


class SendingToAGroupInTheCoreProfile(SendingToAGroup):
    profile = CORE
