"""16/4 and 16/5 (PROTOCOL section 3, Friends): who is told of a block, and what is there before and after."""

from tests.acceptance.relations import AliceAndBob
from tests.support.chat import CORE, FULL, ChatCase, together
from tests.support.user import BAD_IDS, NOBODY

NOTHING = ([], [], [], [])


class Blocking(AliceAndBob):
    async def gone(self, *others):
        """These are told that there is nothing between them and alice any more, in the full profile."""
        for other in others:
            if other.profile is FULL:
                self.assertEqual(await other.expect(17, 3), {"user_id": 1})

    async def test_the_blocker_is_answered_and_a_stranger_not_told(self):
        self.assertEqual(await self.alice.call(16, 4, user_id=2), {"user_id": 2})
        self.assertEqual(await self.alice.call(16, 5, user_id=2), {"user_id": 2})
        await self.marker(self.alice, self.bob)

    async def test_only_the_blocker_sees_it_in_his_list(self):
        await self.alice.call(16, 4, user_id=2)
        self.assertEqual(await self.relations(self.alice), ([], [], [], [2]))
        self.assertEqual(await self.relations(self.bob), NOTHING)
        await self.alice.call(16, 5, user_id=2)
        self.assertEqual(await self.relations(self.alice), NOTHING)

    async def test_the_blockers_full_profile_devices_are_told(self):
        devices = {n: [await self.user(n, profile) for profile in (FULL, CORE, None)] for n in (1, 2)}
        for t in (4, 5):
            await self.alice.call(16, t, user_id=2)
            self.assertEqual(await devices[1][0].expect(17, t), {"user_id": 2})
        await self.marker(self.alice, self.bob, *devices[1], *devices[2])

    async def test_without_id_the_blocker_gets_the_event_in_the_full_profile_only(self):
        for t in (4, 5):
            self.alice.send(16, t, user_id=2)
            if self.profile is FULL:
                await self.alice.expect(17, t, user_id=2)
        await self.alice.sync()
        await self.marker(self.alice, self.bob)

    async def test_it_ends_a_friendship(self):
        device = await self.user(2, FULL)
        await self.asked(self.alice, self.bob, device)
        await self.bob.call(16, 2, user_id=1, type=1)
        await device.expect(17, 2)
        await self.alice.expect(17, 2)
        await self.alice.call(16, 4, user_id=2)
        await self.gone(self.bob, device)
        self.assertEqual(await self.relations(self.alice), ([], [], [], [2]))
        self.assertEqual(await self.relations(self.bob), NOTHING)
        await self.marker(self.alice, self.bob, device)

    async def test_friends_who_are_blocked_are_seen_offline(self):
        await self.friends(self.alice, self.bob)
        await together(self.alice.status(2), self.bob.status(1))
        await self.alice.call(16, 4, user_id=2)
        await together(self.alice.status(), self.bob.status())

    async def test_it_drops_requests_both_ways(self):
        carol = await self.user(3)
        await self.asked(self.alice, self.bob)
        await self.asked(carol, self.alice)
        for other in (self.bob, carol):
            await self.alice.call(16, 4, user_id=other.user_id)
            await self.gone(other)
            self.assertEqual(await self.relations(other), NOTHING)
        self.assertEqual(await self.relations(self.alice), ([], [], [], [2, 3]))
        self.assertEqual(await self.bob.refusal_code(16, 2, user_id=1, type=1), "not_found")
        self.assertEqual(await self.alice.refusal_code(16, 2, user_id=3, type=1), "not_found")
        await self.marker(self.alice, self.bob, carol)

    async def test_repeats_are_harmless(self):
        device = await self.user(1, FULL)
        for t in (5, 4, 4, 5, 5):
            self.assertEqual(await self.alice.call(16, t, user_id=2), {"user_id": 2})
        for t in (4, 5):
            await device.expect(17, t, user_id=2)
        await self.marker(self.alice, self.bob, device)

    async def test_unblocking_restores_no_friendship_but_one_may_ask_again(self):
        await self.friends(self.alice, self.bob)
        await self.alice.call(16, 4, user_id=2)
        await self.gone(self.bob)
        await self.alice.call(16, 5, user_id=2)
        self.assertEqual((await self.user(1)).hello.friend_ids, [])
        await self.friends(self.bob, self.alice)

    async def test_both_may_block_each_other(self):
        await together(self.alice.call(16, 4, user_id=2), self.bob.call(16, 4, user_id=1))
        for user, other in ((self.alice, self.bob), (self.bob, self.alice)):
            self.assertEqual(await self.relations(user), ([], [], [], [other.user_id]))
        await self.alice.call(16, 5, user_id=2)
        for user in (self.alice, self.bob):
            self.assertEqual(await user.refusal_code(16, 1, user_id=3 - user.user_id), "forbidden")
        await self.bob.call(16, 5, user_id=1)
        await self.friends(self.alice, self.bob)

    async def test_someone_never_seen_can_be_blocked(self):
        self.assertEqual(await self.alice.call(16, 4, user_id=NOBODY), {"user_id": NOBODY})
        late = await self.user(NOBODY)
        self.assertEqual(await late.refusal_code(16, 1, user_id=1), "forbidden")

    async def test_bad_members_are_refused_by_name(self):
        for t in (4, 5):
            for value in (*BAD_IDS, 1):
                error = await self.alice.refused(16, t, user_id=value)
                self.assertEqual((error.code.code, "user_id" in error.message), ("bad_request", True), value)
            self.assertEqual(await self.alice.refusal_code(16, t), "bad_request")


class BlockingInTheFullProfile(Blocking, ChatCase):
    pass


class BlockingInTheCoreProfile(Blocking, ChatCase):
    profile = CORE


class TooMany(AliceAndBob, ChatCase):
    settings = {"blocked": 2}

    async def test_more_than_the_limit_are_refused(self):
        for user_id in (2, 3, 3):
            await self.alice.call(16, 4, user_id=user_id)
        self.assertEqual(await self.alice.refusal_code(16, 4, user_id=4), "limit_reached")
        await self.alice.call(16, 5, user_id=3)
        await self.alice.call(16, 4, user_id=4)
        self.assertEqual(await self.relations(self.alice), ([], [], [], [2, 4]))
