"""16/1 and 16/2 and what they cause (PROTOCOL section 3, Friends), in both profiles."""

from tests.acceptance.relations import AliceAndBob
from tests.support.chat import CORE, FULL, ChatCase, together
from tests.support.user import NOBODY


class Asking(AliceAndBob):
    async def test_the_other_is_asked_and_the_caller_answered(self):
        reply = await self.alice.call(16, 1, user_id=2)
        self.assertEqual((reply["user_id"], reply["from"]), (2, 1))
        self.assertFalse(reply.get("accepted"))
        await self.bob.expect(17, 1, **{"user_id": 1, "from": 1})
        await self.marker(self.alice, self.bob)

    async def test_without_id_the_sending_connection_gets_the_event(self):
        self.alice.send(16, 1, user_id=2)
        await self.alice.expect(17, 1, **{"user_id": 2, "from": 1})
        await self.bob.expect(17, 1, user_id=1)
        await self.marker(self.alice, self.bob)

    async def test_the_callers_other_devices_hear_of_it_in_the_full_profile_only(self):
        full, core, bare = [await self.user(1, profile) for profile in (FULL, CORE, None)]
        bobs = [await self.user(2, profile) for profile in (FULL, CORE, None)]
        await self.alice.call(16, 1, user_id=2)
        await full.expect(17, 1, **{"user_id": 2, "from": 1})
        for device in (self.bob, *bobs):
            await device.expect(17, 1, **{"user_id": 1, "from": 1})
        await self.marker(self.alice, full, core, bare, self.bob, *bobs)

    async def test_asking_again_is_harmless(self):
        for _ in range(3):
            reply = await self.alice.call(16, 1, user_id=2)
            self.assertEqual((reply["user_id"], reply["from"]), (2, 1))
        await self.bob.expect(17, 1, user_id=1)
        await self.marker(self.alice, self.bob)
        self.assertEqual((await self.user(2)).hello.incoming.count(1), 1)

    async def test_accepting_reaches_both(self):
        await self.alice.call(16, 1, user_id=2)
        await self.bob.expect(17, 1)
        reply = await self.bob.call(16, 2, user_id=1, type=1)
        self.assertEqual((reply["user_id"], reply["type"], reply["from"]), (1, 1, 2))
        await self.alice.expect(17, 2, **{"user_id": 2, "type": 1, "from": 2})
        await self.marker(self.alice, self.bob)
        hellos = [(await self.user(user_id)).hello for user_id in (1, 2)]
        self.assertEqual([hello.friend_ids for hello in hellos], [[2], [1]])
        self.assertEqual((hellos[0].outgoing, 1 in hellos[1].incoming), ([], False))

    async def test_an_answer_reaches_every_connection_of_both(self):
        devices = {user_id: [await self.user(user_id, p) for p in (FULL, CORE, None)] for user_id in (1, 2)}
        await self.alice.call(16, 1, user_id=2)
        await devices[1][0].expect(17, 1)
        for device in (self.bob, *devices[2]):
            await device.expect(17, 1)
        self.bob.send(16, 2, user_id=1, type=2)
        for device in (self.bob, *devices[2]):
            await device.expect(17, 2, **{"user_id": 1, "type": 2, "from": 2})
        for device in (self.alice, *devices[1]):
            await device.expect(17, 2, **{"user_id": 2, "type": 2, "from": 2})
        await self.marker(self.alice, self.bob, *devices[1], *devices[2])

    async def test_denying_ends_the_request_and_one_may_ask_again(self):
        for answer in (2, 2, 1):
            await self.alice.call(16, 1, user_id=2)
            await self.bob.expect(17, 1)
            reply = await self.bob.call(16, 2, user_id=1, type=answer)
            self.assertEqual((reply["user_id"], reply["type"]), (1, answer))
            await self.alice.expect(17, 2, user_id=2, type=answer)
            friends = (await self.user(1)).hello.friend_ids
            self.assertEqual(friends, [2] if answer == 1 else [])

    async def test_asking_who_asked_you_accepts(self):
        alices, bobs = await self.user(1), await self.user(2)
        await self.alice.call(16, 1, user_id=2)
        if self.profile is FULL:
            await alices.expect(17, 1)
        await together(self.bob.expect(17, 1), bobs.expect(17, 1))
        reply = await self.bob.call(16, 1, user_id=1)
        self.assertEqual((reply["user_id"], reply["accepted"]), (1, True))
        for device in (self.alice, alices):
            await device.expect(17, 2, **{"user_id": 2, "type": 1, "from": 2})
        await bobs.expect(17, 2, **{"user_id": 1, "type": 1, "from": 2})
        await self.marker(self.alice, alices, self.bob, bobs)
        self.assertEqual((await self.user(1)).hello.friend_ids, [2])

    async def test_asking_who_asked_you_without_id_gives_everyone_17_2(self):
        await self.alice.call(16, 1, user_id=2)
        await self.bob.expect(17, 1)
        self.bob.send(16, 1, user_id=1)
        await self.bob.expect(17, 2, **{"user_id": 1, "type": 1, "from": 2})
        await self.alice.expect(17, 2, **{"user_id": 2, "type": 1, "from": 2})
        await self.marker(self.alice, self.bob)

    async def test_both_asking_at_the_same_moment_are_friends(self):
        for one, other in ((11, 12), (13, 14), (15, 16)):
            first, second = await self.users(one, other)
            replies = await together(first.call(16, 1, user_id=other), second.call(16, 1, user_id=one))
            self.assertEqual(sorted(bool(reply.get("accepted")) for reply in replies), [False, True])
            self.assertEqual((await self.user(one)).hello.friend_ids, [other])
            self.assertEqual((await self.user(other)).hello.friend_ids, [one])

    async def test_asking_a_friend_is_harmless(self):
        await self.friends(self.alice, self.bob)
        for user in (self.alice, self.bob):
            reply = await user.call(16, 1, user_id=3 - user.user_id)
            self.assertEqual(reply["user_id"], 3 - user.user_id)
        await self.marker(self.alice, self.bob)
        hello = (await self.user(1)).hello
        self.assertEqual((hello.friend_ids, hello.outgoing), ([2], []))

    async def test_only_an_open_request_to_the_caller_can_be_answered(self):
        carol = await self.user(3)
        self.assertEqual(await self.bob.refusal_code(16, 2, user_id=1, type=1), "not_found")
        await self.alice.call(16, 1, user_id=2)
        await self.bob.expect(17, 1)
        for user, other in ((self.alice, 2), (carol, 1), (carol, 2), (self.bob, 3), (self.bob, NOBODY)):
            for answer in (1, 2):
                code = await user.refusal_code(16, 2, user_id=other, type=answer)
                self.assertEqual(code, "not_found")
        await self.bob.call(16, 2, user_id=1, type=1)
        await self.alice.expect(17, 2)
        self.assertEqual(await self.bob.refusal_code(16, 2, user_id=1, type=2), "not_found")
        await self.marker(self.alice, self.bob)
        self.assertEqual((await self.user(1)).hello.friend_ids, [2])

    async def test_nobody_befriends_himself(self):
        error = await self.alice.refused(16, 1, user_id=1)
        self.assertEqual((error.code.code, "user_id" in error.message), ("bad_request", True))

    async def test_bad_members_are_refused_by_name(self):
        for value in (0, -1, 2**53, "2", 1.5, True, None, [2]):
            for d in ((16, 1, {"user_id": value}), (16, 2, {"user_id": value, "type": 1})):
                error = await self.alice.refused(d[0], d[1], **d[2])
                self.assertEqual((error.code.code, "user_id" in error.message), ("bad_request", True), d)
        for value in (0, 3, "1", True, None, 1.5):
            error = await self.alice.refused(16, 2, user_id=2, type=value)
            self.assertEqual((error.code.code, "type" in error.message), ("bad_request", True), value)
        for t, d, member in ((1, {}, "user_id"), (2, {"type": 1}, "user_id"), (2, {"user_id": 2}, "type")):
            error = await self.alice.refused(16, t, **d)
            self.assertEqual((error.code.code, member in error.message), ("bad_request", True))
        await self.marker(self.alice, self.bob)


class AskingInTheFullProfile(Asking, ChatCase):
    pass


class AskingInTheCoreProfile(Asking, ChatCase):
    profile = CORE
