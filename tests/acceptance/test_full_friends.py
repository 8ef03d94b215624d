"""16/3 and 16/6 (PROTOCOL section 3, Friends): ending what there is between two users, and listing it."""

from tests.acceptance.relations import AliceAndBob
from tests.support.chat import CORE, FULL, ChatCase, together
from tests.support.user import BAD_IDS, NOBODY

NOTHING = ([], [], [], [])


class Removing(AliceAndBob):
    async def hellos_are_empty(self):
        for user_id in (1, 2):
            hello = (await self.user(user_id)).hello
            self.assertEqual(
                (hello.friend_ids, hello.outgoing, 3 - user_id in hello.incoming), ([], [], False)
            )

    async def test_it_ends_a_friendship_for_both(self):
        await self.friends(self.alice, self.bob)
        self.assertEqual(await self.alice.call(16, 3, user_id=2), {"user_id": 2})
        if self.profile is FULL:
            self.assertEqual(await self.bob.expect(17, 3), {"user_id": 1})
        await self.marker(self.alice, self.bob)
        await self.hellos_are_empty()

    async def test_either_of_the_two_may_end_it(self):
        await self.friends(self.alice, self.bob)
        self.assertEqual(await self.bob.call(16, 3, user_id=1), {"user_id": 1})
        await self.hellos_are_empty()

    async def test_it_withdraws_ones_own_request(self):
        await self.asked(self.alice, self.bob)
        self.assertEqual(await self.alice.call(16, 3, user_id=2), {"user_id": 2})
        if self.profile is FULL:
            self.assertEqual(await self.bob.expect(17, 3), {"user_id": 1})
        self.assertEqual(await self.bob.refusal_code(16, 2, user_id=1, type=1), "not_found")
        await self.marker(self.alice, self.bob)
        await self.hellos_are_empty()

    async def test_every_full_profile_connection_of_both_is_told(self):
        devices = {n: [await self.user(n, profile) for profile in (FULL, CORE, None)] for n in (1, 2)}
        await self.asked(self.alice, self.bob, *devices[2])
        await devices[1][0].expect(17, 1)
        await self.alice.call(16, 3, user_id=2)
        await devices[1][0].expect(17, 3, user_id=2)
        await devices[2][0].expect(17, 3, user_id=1)
        if self.profile is FULL:
            await self.bob.expect(17, 3, user_id=1)
        await self.marker(self.alice, *devices[1], self.bob, *devices[2])

    async def test_without_id_the_caller_gets_the_event_in_the_full_profile_only(self):
        await self.friends(self.alice, self.bob)
        self.alice.send(16, 3, user_id=2)
        if self.profile is FULL:
            await self.alice.expect(17, 3, user_id=2)
            await self.bob.expect(17, 3, user_id=1)
        await self.alice.sync()
        await self.marker(self.alice, self.bob)

    async def test_where_there_is_nothing_to_end_it_is_not_found(self):
        await self.asked(self.alice, self.bob)
        rows = [(self.bob, 1), (self.alice, 3), (self.alice, NOBODY)]
        for user, other in rows:
            self.assertEqual(await user.refusal_code(16, 3, user_id=other), "not_found", other)
        await self.alice.call(16, 3, user_id=2)
        for user in (self.alice, self.bob):
            self.assertEqual(await user.refusal_code(16, 3, user_id=3 - user.user_id), "not_found")
        if self.profile is FULL:
            await self.bob.expect(17, 3)
        await self.marker(self.alice, self.bob)

    async def test_a_request_that_was_denied_is_not_there(self):
        await self.asked(self.alice, self.bob)
        await self.bob.call(16, 2, user_id=1, type=2)
        await self.alice.expect(17, 2, type=2)
        self.assertEqual(await self.alice.refusal_code(16, 3, user_id=2), "not_found")

    async def test_afterwards_one_may_ask_again(self):
        for _ in range(2):
            await self.friends(self.alice, self.bob)
            await self.alice.call(16, 3, user_id=2)
            if self.profile is FULL:
                await self.bob.expect(17, 3)
        await self.asked(self.bob, self.alice)

    async def test_removed_friends_see_each_other_offline(self):
        await self.friends(self.alice, self.bob)
        await together(self.alice.status(2), self.bob.status(1))
        await self.alice.call(16, 3, user_id=2)
        await together(self.alice.status(), self.bob.status())

    async def test_both_at_once_end_it_once(self):
        await self.friends(self.alice, self.bob)
        sides = ((self.alice, 2), (self.bob, 1))
        tried = [user.connection.call(16, 3, {"user_id": other}) for user, other in sides]
        for waiting in tried:
            waiting.addErrback(lambda failure: failure.value.code.code)
        answers = await together(*tried)
        self.assertIn("not_found", answers)
        await self.hellos_are_empty()

    async def test_it_crosses_to_another_node(self):
        there = await self.user(2, FULL, node=await self.started_node())
        await self.asked(self.alice, self.bob, there)
        await there.call(16, 2, user_id=1, type=1)
        await self.alice.expect(17, 2)
        await self.alice.call(16, 3, user_id=2)
        await there.expect(17, 3, user_id=1)
        await together(self.alice.status(), there.status())

    async def test_bad_members_are_refused_by_name(self):
        for value in (*BAD_IDS, 1):
            error = await self.alice.refused(16, 3, user_id=value)
            self.assertEqual((error.code.code, "user_id" in error.message), ("bad_request", True), value)
        self.assertEqual(await self.alice.refusal_code(16, 3), "bad_request")
        await self.marker(self.alice, self.bob)


class RemovingInTheFullProfile(Removing, ChatCase):
    pass


class RemovingInTheCoreProfile(Removing, ChatCase):
    profile = CORE


class Listing(AliceAndBob):
    async def test_of_a_new_user_it_is_empty(self):
        self.assertEqual(await self.relations(self.alice), NOTHING)

    async def test_it_names_friends_requests_both_ways_and_blocks(self):
        carol, dave = await self.users(3, 4)
        await self.friends(self.alice, self.bob)
        await self.alice.call(16, 1, user_id=3)
        await dave.call(16, 1, user_id=1)
        await self.alice.expect(17, 1)
        await self.alice.call(16, 4, user_id=5)
        self.assertEqual(await self.relations(self.alice), ([2], [4], [3], [5]))
        self.assertEqual(await self.relations(self.bob), ([1], [], [], []))
        self.assertEqual(await self.relations(carol), ([], [1], [], []))
        self.assertEqual(await self.relations(dave), ([], [], [1], []))


class ListingInTheFullProfile(Listing, ChatCase):
    async def test_without_id_it_is_an_event(self):
        self.alice.send(16, 6)
        self.assertEqual(
            await self.alice.expect(17, 6, friends=[], blocked=[]),
            {"friends": [], "incoming": [], "outgoing": [], "blocked": []},
        )


class ListingInTheCoreProfile(Listing, ChatCase):
    profile = CORE

    async def test_without_id_nothing_comes(self):
        self.alice.send(16, 6)
        await self.alice.sync()
        await self.marker(self.alice)
