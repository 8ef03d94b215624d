"""13/1 and what it causes (PROTOCOL section 3, Chats), in both profiles."""

from tests.support.chat import CORE, FULL, ChatCase, together
from tests.support.user import BAD_LISTS


class Creating:
    async def test_a_private_chat_reaches_both(self):
        alice, bob = await self.users(1, 2)
        reply = await alice.call(13, 1, user_ids=[2], type=1)
        self.assertEqual((reply["seq"], reply["type"]), (1, 1))
        self.assertEqual(sorted(reply["users"]), [1, 2])
        event = await bob.expect(14, 1, chat_id=reply["chat_id"], seq=1, type=1)
        self.assertEqual(sorted(event["users"]), [1, 2])
        await self.fence(reply["chat_id"], alice, bob, private=True)

    async def test_a_private_chat_has_no_owner(self):
        alice = await self.user(1)
        self.assertIsNone((await alice.call(13, 1, user_ids=[2], type=1)).get("owner_id"))

    async def test_naming_oneself_too_is_allowed(self):
        alice, bob = await self.users(1, 2)
        for d in ({"user_ids": [1, 2], "type": 1}, {"user_ids": [2, 1], "type": 2}):
            reply = await alice.call(13, 1, **d)
            self.assertEqual(sorted(reply["users"]), [1, 2])
            await bob.expect(14, 1, chat_id=reply["chat_id"])

    async def test_the_same_pair_always_gets_the_same_chat(self):
        alice, bob = await self.users(1, 2)
        other_device = await self.user(1)
        chat_id = await self.private(alice, bob, other_device)
        await alice.call(11, 1, chat_id=chat_id, message="1")
        await bob.expect(12, 1)
        if self.profile is FULL:
            await other_device.expect(12, 1)
        for user in (alice, bob):
            again = await user.call(13, 1, user_ids=[3 - user.user_id], type=1)
            self.assertEqual((again["chat_id"], again["seq"]), (chat_id, 2))
        await self.fence(chat_id, bob, alice, other_device, private=True)

    async def test_reopening_without_id_answers_the_asking_connection_alone(self):
        alice, bob = await self.users(1, 2)
        other_device = await self.user(1)
        chat_id = await self.private(alice, bob, other_device)
        alice.send(13, 1, user_ids=[2], type=1)
        await alice.expect(14, 1, chat_id=chat_id, type=1)
        await self.fence(chat_id, bob, alice, other_device, private=True)

    async def test_both_creating_at_the_same_moment_get_one_chat_and_hear_of_it_once(self):
        for round_ in range(5):
            one, other = 10 + 2 * round_, 11 + 2 * round_
            alice, bob, alices, bobs = [await self.user(user_id) for user_id in (one, other, one, other)]
            replies = await together(
                alice.call(13, 1, user_ids=[other], type=1), bob.call(13, 1, user_ids=[one], type=1)
            )
            self.assertEqual(len({reply["chat_id"] for reply in replies}), 1)
            chat_id = replies[0]["chat_id"]
            for device in (alices, bobs):
                await device.expect(14, 1, chat_id=chat_id, seq=1)
            events = [user.events.frames for user in (alice, bob)]
            await alice.call(11, 1, chat_id=chat_id, message="fence")
            await bob.call(11, 1, chat_id=chat_id, message="fence")
            while (12, 1) not in [frame.kind for frame in events[0]]:
                await alice.sync(chat_id)
            while (12, 1) not in [frame.kind for frame in events[1]]:
                await bob.sync(chat_id)
            heard = [frame for queue in events for frame in queue if frame.kind == (14, 1)]
            self.assertEqual([frame.d["seq"] for frame in heard], [1], "one reply made it, the other hears")

    async def test_a_group_reaches_every_member(self):
        alice, bob, carol = await self.users(1, 2, 3)
        reply = await alice.call(13, 1, user_ids=[2, 3], type=2, chat="Wir")
        self.assertEqual((reply["seq"], reply["type"], reply["chat"], reply["owner_id"]), (1, 2, "Wir", 1))
        self.assertEqual(sorted(reply["users"]), [1, 2, 3])
        for user in (bob, carol):
            event = await user.expect(14, 1, chat_id=reply["chat_id"], chat="Wir", owner_id=1, type=2, seq=1)
            self.assertEqual(sorted(event["users"]), [1, 2, 3])
        await self.fence(reply["chat_id"], alice, bob, carol)

    async def test_without_id_the_asking_connection_gets_the_event(self):
        alice, bob = await self.users(1, 2)
        alice.send(13, 1, user_ids=[2], type=2)
        event = await alice.expect(14, 1, owner_id=1)
        await bob.expect(14, 1, chat_id=event["chat_id"])
        alice.send(13, 1, user_ids=[2], type=1)
        event = await alice.expect(14, 1, type=1)
        await bob.expect(14, 1, chat_id=event["chat_id"])

    async def test_every_connection_of_every_member_hears_of_it_once(self):
        alice, bob = await self.users(1, 2)
        devices = [await self.user(user_id, profile) for user_id in (1, 2) for profile in (FULL, CORE, None)]
        for make in (self.group, self.private):
            chat_id = await make(alice, bob, *devices)
            await self.fence(chat_id, alice, bob, *devices[3:], private=make == self.private)
            if make == self.group:
                await devices[0].expect(12, 2, message="fence")

    async def test_a_group_of_one_and_one_without_a_name(self):
        alice = await self.user(1)
        reply = await alice.call(13, 1, user_ids=[], type=2)
        self.assertEqual((reply["users"], reply["chat"]), ([1], ""))
        await alice.call(11, 2, chat_id=reply["chat_id"], message="diary")

    async def test_two_groups_of_the_same_people_are_two(self):
        alice, bob = await self.users(1, 2)
        self.assertNotEqual(await self.group(alice, bob), await self.group(alice, bob))

    async def test_a_private_chat_is_with_exactly_one_other(self):
        alice = await self.user(1)
        for user_ids in ([], [1], [2, 3], [1, 2, 3]):
            error = await alice.refused(13, 1, user_ids=user_ids, type=1)
            self.assertEqual((error.code.code, "user_ids" in error.message), ("bad_request", True))

    async def test_bad_members_are_refused_by_name(self):
        alice, bob = await self.users(1, 2)
        for value in (0, 3, "1", 1.5, True, None, []):
            await self.refused_by_name(alice, "type", user_ids=[2], type=value)
        await self.refused_by_name(alice, "type", user_ids=[2])
        for value in BAD_LISTS:
            await self.refused_by_name(alice, "user_ids", user_ids=value, type=2)
        await self.refused_by_name(alice, "user_ids", type=2)
        for value in ("x" * 65, 1, None, True, []):
            await self.refused_by_name(alice, "chat", user_ids=[2], type=2, chat=value)
        chat_id = await self.group(alice, bob, chat="😀" * 64)
        await self.fence(chat_id, alice, bob)

    async def refused_by_name(self, user, member, **d):
        error = await user.refused(13, 1, **d)
        self.assertEqual((error.code.code, member in error.message), ("bad_request", True), d)


class CreatingInTheFullProfile(Creating, ChatCase):
    pass


class CreatingInTheCoreProfile(Creating, ChatCase):
    profile = CORE
