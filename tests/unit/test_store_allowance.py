"""What a user may do in an hour, in the store: spent at once, made up for evenly, given back."""

from __future__ import annotations

from twisted.internet.defer import Deferred

from chatsrv.wire.refusal import Refused
from tests.unit.test_store_kit import StoreCase, on_both

HOUR_MS = 3_600_000


@on_both
class Allowances(StoreCase):
    async def spend(self, many: int = 1, most: int = 20, what: str = "chats", user_id: int = 1) -> int:
        return await self.store.users.spend(user_id, [(what, most, many)])

    def time_passes(self, ms: float, what: str = "chats") -> None:
        """As the script sees it."""
        key = self.key("{u:1}:rates")
        self.outside.hset(key, what, float(self.outside.hget(key, what)) - ms)

    async def test_an_hours_is_spent_at_once_and_one_more_is_told_when(self) -> None:
        for most in (1, 3, 7, 20, 60, 999):
            what = f"of {most}"
            for _ in range(most):
                self.assertEqual(await self.spend(1, most, what), 0, most)
            wait_ms = await self.spend(1, most, what)
            self.assertTrue(0 < wait_ms <= HOUR_MS / most + 1, (most, wait_ms))
            self.assertGreater(wait_ms, HOUR_MS / most - 5_000)

    async def test_who_waits_as_long_as_told_may_and_then_waits_again(self) -> None:
        await self.spend(20)
        self.time_passes(await self.spend())
        self.assertEqual(await self.spend(), 0)
        self.assertGreater(await self.spend(), HOUR_MS / 20 - 5_000)

    async def test_rest_gives_an_hours_and_no_more(self) -> None:
        await self.spend(20)
        self.time_passes(100 * HOUR_MS)
        self.assertEqual(await self.spend(20), 0)
        self.assertGreater(await self.spend(), 0)

    async def test_what_is_too_much_spends_nothing_of_anything(self) -> None:
        await self.spend(20)
        before = self.keyspace()
        self.assertGreater(await self.store.users.spend(1, [("invites", 60, 5), ("chats", 20, 1)]), 0)
        self.assertEqual(self.keyspace(), before)

    async def test_more_than_an_hours_needs_all_of_it_and_takes_as_long_to_be_made_up_for(self) -> None:
        self.assertEqual(await self.spend(100), 0)
        self.assertTrue(0 <= 81 * HOUR_MS / 20 - await self.spend() < 10_000)
        self.time_passes(5 * HOUR_MS)
        self.assertEqual(await self.spend(), 0)
        self.assertGreater(await self.spend(100), 0)

    async def test_what_is_given_back_leaves_nothing(self) -> None:
        before = self.keyspace()
        for many in (1, 20, 100):
            await self.spend(many)
            self.assertEqual(await self.spend(-many), 0)
            self.assertEqual(self.keyspace(), before)
        await self.spend(19)
        await self.spend(1)
        await self.spend(-1)
        self.assertEqual((await self.spend() > 0, await self.spend() > 0), (False, True))

    async def test_users_and_what_they_do_are_counted_apart(self) -> None:
        await self.spend(20)
        self.assertEqual((await self.spend(20, what="invites"), await self.spend(20, user_id=2)), (0, 0))

    async def test_it_is_forgotten_when_all_is_made_up_for(self) -> None:
        await self.spend(20, what="chats")
        await self.spend(1, what="invites")
        ttl_ms = self.outside.pttl(self.key("{u:1}:rates"))
        self.assertTrue(HOUR_MS - 5_000 < ttl_ms <= HOUR_MS, ttl_ms)

    async def test_another_store_of_the_same_keys_counts_the_same(self) -> None:
        other = await self.second_store()
        await self.spend(20)
        self.assertGreater(await other.users.spend(1, [("chats", 20, 1)]), 0)

    async def test_to_ask_for_the_time_to_wait_spends_nothing(self) -> None:
        for many in (20, 0):
            before = self.keyspace()
            wait_ms = await self.store.users.wait_for(1, [("chats", 20, 1), ("invites", 60, 60)])
            self.assertEqual((wait_ms > 0, self.keyspace()), (not many, before))
            await self.spend(many)

    async def test_a_nonce_is_bound_and_paid_for_at_once_or_neither(self) -> None:
        async def bind(nonce: str, candidate: int = 7) -> int:
            return await self.store.users.bind_nonce(1, nonce, "digest", candidate, 1000, [("chats", 2, 1)])

        self.assertEqual([await bind("a", 0), await bind("a"), await bind("a", 8)], [0, 7, 7])
        self.assertEqual(await bind("b"), 7)
        before = self.keyspace()
        refused = await self.assertFailure(Deferred.fromCoroutine(bind("c")), Refused)
        self.assertEqual(refused.code.code, "rate_limited")
        self.assertTrue(0 <= HOUR_MS / 2 - refused.retry_after_ms < 10_000, refused.retry_after_ms)
        self.assertEqual(self.keyspace(), before)
