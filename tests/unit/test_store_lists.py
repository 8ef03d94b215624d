"""Users, the pending set and leases in the store: versions, refusals, repeats, and the store's own clock."""

from __future__ import annotations

from twisted.internet.defer import Deferred

from chatsrv.store.events import MEMBERSHIP, RELATION
from chatsrv.store.pairs import Relation
from chatsrv.store.users import Counts
from chatsrv.wire.codes import ErrorCode
from chatsrv.wire.refusal import Refused
from tests.unit.test_store_kit import CHANNEL, StoreCase, on_both

BIG = 2**53 - 1
DAY_MS = 86_400_000


def relation(version: int, flags: str, t: int = 0, type: int = 0, by: int = 0) -> Relation:
    """``flags``: f friend, i incoming, o outgoing, x blocked by him, b blocks him."""
    friend, incoming, outgoing, blocked, blocker = (b"%d" % (flag in flags) for flag in "fioxb")
    told = (b"%d" % number for number in (t, type, by))
    return Relation(b"%d" % version, friend, incoming, outgoing, *told, b"op", blocked, blocker)


class ListCase(StoreCase):
    async def chat(self, version: int, member: bool, chat_id: int = 7, user: int = 1) -> None:
        await self.store.users.apply_chat(user, chat_id, member, version, CHANNEL)

    async def pair(self, version: int, flags: str, other: int = 2) -> None:
        await self.store.users.apply_pair(1, other, relation(version, flags), CHANNEL)


@on_both
class Memberships(ListCase):
    async def test_the_newest_version_stands_whatever_the_order(self) -> None:
        for order in ((1, 5, 9), (9, 5, 1), (5, 9, 1), (9, 1, 5), (1, 9, 5), (5, 1, 9)):
            for last_joins in (True, False):
                user = self._next_user = getattr(self, "_next_user", 100) + 1
                for version in order:
                    await self.chat(version, (version == 5) != last_joins, user=user)
                chats = (await self.store.users.read(user)).chats
                self.assertEqual(chats, {7: 9} if last_joins else {}, order)

    async def test_the_same_version_again_changes_and_tells_nothing(self) -> None:
        for member in (True, False):
            await self.chat(3 + member, member)
            before = self.keyspace()
            await self.chat(3 + member, member)
            await self.chat(3 + member, not member)
            self.assertEqual(self.keyspace(), before)

    async def test_each_change_raises_rev_and_is_in_the_log(self) -> None:
        await self.chat(1, True)
        await self.chat(2, False)
        await self.pair(1, "i")
        events = await self.store.users.events(1, 0)
        self.assertEqual(
            [(e.rev, e.kind, e.about, e.holds, e.version) for e in events],
            [(1, MEMBERSHIP, 7, True, 1), (2, MEMBERSHIP, 7, False, 2), (3, RELATION, 2, False, 1)],
        )
        self.assertEqual(await self.store.users.rev(1), 3)
        self.assertEqual([e.rev for e in await self.store.users.events(1, 2)], [3])

    async def test_the_log_keeps_the_last_hundred_or_some_more(self) -> None:
        for version in range(1, 302):
            await self.chat(version, bool(version % 2))
        revs = [e.rev for e in await self.store.users.events(1, 0)]
        self.assertEqual(revs, list(range(302 - len(revs), 302)))
        self.assertEqual(len(revs), 100)

    async def test_the_log_goes_when_nothing_changed_for_a_day(self) -> None:
        for change in (self.chat(1, True), self.pair(1, "f")):
            self.outside.persist(self.key("{u:1}:log"))
            await change
            self.assertTrue(DAY_MS - 60_000 < self.outside.pttl(self.key("{u:1}:log")) <= DAY_MS)
        self.assertEqual(self.outside.pttl(self.key("{u:1}:state")), -1)

    async def test_a_removal_is_remembered_for_a_day_and_not_counted(self) -> None:
        await self.chat(5, True)
        await self.chat(6, False)
        self.assertEqual(await self.store.users.counts(1), Counts(0, 0, 0, 0))
        await self.chat(4, True)
        self.assertEqual((await self.store.users.read(1)).chats, {})
        left = self.key("{u:1}:left")
        self.outside.zadd(left, {"7": self.outside.zscore(left, "7") - DAY_MS - 1})
        await self.chat(2, True, chat_id=8)
        await self.chat(3, False, chat_id=8)
        self.assertEqual(self.outside.hkeys(self.key("{u:1}:chats")), [b"8"])
        self.assertEqual(self.outside.zrange(left, 0, -1), [b"8"])
        await self.chat(9, True, chat_id=8)
        self.assertEqual(await self.store.users.counts(1), Counts(1, 0, 0, 0))

    async def test_large_ids_and_versions_survive(self) -> None:
        await self.chat(BIG - 1, False, BIG, BIG)
        await self.chat(BIG, True, BIG, BIG)
        self.assertEqual((await self.store.users.read(BIG)).chats, {BIG: BIG})
        event = (await self.store.users.events(BIG, 1))[0]
        self.assertEqual((event.about, event.version), (BIG, BIG))


@on_both
class Relations(ListCase):
    async def test_the_newest_version_stands_whatever_the_order(self) -> None:
        await self.pair(2, "f")
        await self.pair(1, "i")
        self.assertEqual((await self.store.users.read(1))[3:7], ({2}, set(), set(), set()))
        await self.pair(4, "o")
        await self.pair(3, "")
        self.assertEqual((await self.store.users.read(1))[3:7], (set(), set(), {2}, set()))
        before = self.keyspace()
        await self.pair(4, "f")
        self.assertEqual(self.keyspace(), before)
        await self.pair(1, "x", other=BIG)
        self.assertEqual((await self.store.users.read(1))[3:7], (set(), set(), {2}, {BIG}))
        self.assertEqual(await self.store.users.counts(1), Counts(0, 0, 1, 1))
        await self.pair(2, "", other=BIG)
        self.assertEqual((await self.store.users.read(1)).blocked, set())

    async def test_that_nothing_is_left_is_remembered_for_a_day(self) -> None:
        await self.pair(5, "f")
        await self.pair(6, "")
        await self.pair(4, "f")
        self.assertEqual((await self.store.users.read(1)).friends, set())
        pairs, parted = self.key("{u:1}:pairs"), self.key("{u:1}:parted")
        self.outside.zadd(parted, {"2": self.outside.zscore(parted, "2") - DAY_MS - 1})
        await self.pair(1, "f", other=3)
        self.assertEqual((self.outside.hkeys(pairs), self.outside.zcard(parted)), ([b"3"], 0))

    async def test_who_comes_back_is_not_forgotten(self) -> None:
        for flags in "fioxb":
            await self.pair(1, "", other=ord(flags))
            await self.pair(2, flags, other=ord(flags))
        self.assertFalse(self.outside.exists(self.key("{u:1}:parted")))

    async def test_a_million_strangers_who_were_asked_leave_no_more_than_those_of_a_day(self) -> None:
        """Ten are forgotten with each change, so what is old goes faster than anything new comes."""
        parted = self.key("{u:1}:parted")
        for other in range(100, 140):
            await self.pair(1, "", other)
        self.outside.zadd(
            parted, {user: self.outside.zscore(parted, user) - DAY_MS - 1 for user in range(100, 140)}
        )
        for other in range(200, 204):
            await self.pair(1, "", other)
        self.assertEqual(self.outside.hlen(self.key("{u:1}:pairs")), 4)

    async def test_an_event_says_what_holds_and_what_to_show(self) -> None:
        await self.store.users.apply_pair(1, BIG, relation(1, "f", 2, 1, BIG), CHANNEL)
        (event,) = await self.store.users.events(1, 0)
        self.assertEqual(
            (event.about, event.holds, event.incoming, event.outgoing), (BIG, True, False, False)
        )
        self.assertEqual((event.t, event.type, event.by, event.operation), (2, 1, BIG, "op"))
        self.assertFalse(event.blocked)
        await self.store.users.apply_pair(1, BIG, relation(2, "x", 4, 0, 1), CHANNEL)
        (event,) = await self.store.users.events(1, 1)
        self.assertEqual((event.holds, event.blocked, event.t, event.by), (False, True, 4, 1))


@on_both
class Blockers(ListCase):
    async def test_are_found_among_those_asked_about_and_shown_to_nobody(self) -> None:
        for other, blocker in ((2, True), (3, False), (BIG, True)):
            await self.pair(1, "b" if blocker else "f", other)
        self.assertEqual(await self.store.users.blockers_among(1, [2, 3, 4]), {2})
        self.assertEqual(await self.store.users.blockers_among(1, {BIG}), {BIG})
        self.assertEqual(await self.store.users.blockers_among(1, ()), set())
        self.assertEqual(await self.store.users.blockers_among(7, [1, 2]), set())
        self.assertEqual((await self.store.users.read(1))[3:7], ({3}, set(), set(), set()))
        self.assertEqual(await self.store.users.counts(1), Counts(0, 1, 0, 0))
        self.assertFalse(any(event.blocked for event in await self.store.users.events(1, 0)))

    async def test_are_none_any_more_when_the_pair_says_so(self) -> None:
        await self.pair(1, "b")
        await self.pair(2, "")
        self.assertEqual(await self.store.users.blockers_among(1, [2]), set())


@on_both
class Nonces(ListCase):
    async def bind(self, candidate: int, nonce: str = "n", digest: str = "d", user: int = 1) -> int:
        return await self.store.users.bind_nonce(user, nonce, digest, candidate, DAY_MS)

    async def test_the_first_candidate_is_bound_and_looking_binds_nothing(self) -> None:
        self.assertEqual(await self.bind(0), 0)
        self.assertEqual(self.keys(), [])
        self.assertEqual([await self.bind(each) for each in (BIG, 8, 0)], [BIG] * 3)

    async def test_another_user_and_another_nonce_have_one_of_their_own(self) -> None:
        nonces = ("n", "N", "n ", "}{:*?[", "\u00fc\U0001f600", "x" * 64)
        bound = [await self.bind(10 + i, nonce) for i, nonce in enumerate(nonces)]
        self.assertEqual(bound, [10 + i for i in range(len(nonces))])
        self.assertEqual(await self.bind(99, user=2), 99)

    async def test_another_request_under_it_is_a_conflict_and_changes_nothing(self) -> None:
        await self.bind(7)
        before = self.keyspace()
        for candidate in (0, 8):
            failure = await self.assertFailure(
                Deferred.fromCoroutine(self.bind(candidate, digest="e")), Refused
            )
            self.assertIs(failure.code, ErrorCode.CONFLICT)
        self.assertEqual(self.keyspace(), before)

    async def test_it_is_forgotten_by_redis_after_the_window_which_a_repeat_does_not_prolong(self) -> None:
        await self.bind(7)
        (key,) = self.keys()
        self.assertTrue(DAY_MS - 10_000 < self.outside.pttl(key) <= DAY_MS)
        self.outside.pexpire(key, 1_000)
        await self.bind(8)
        self.assertLessEqual(self.outside.pttl(key), 1_000)


@on_both
class Pending(ListCase):
    async def test_what_is_old_enough_is_due_oldest_first(self) -> None:
        for member in ("c:1|a", "p:1:2|b"):
            await self.store.pending.add(member)
        self.assertEqual(await self.store.pending.due(10_000, 10), [])
        key = self.key("{pending}")
        self.outside.zincrby(key, -20_000, "p:1:2|b")
        self.assertEqual(await self.store.pending.due(10_000, 10), ["p:1:2|b"])
        self.outside.zincrby(key, -15_000, "c:1|a")
        self.assertEqual(await self.store.pending.due(10_000, 10), ["p:1:2|b", "c:1|a"])
        self.assertEqual(await self.store.pending.due(10_000, 1), ["p:1:2|b"])
        await self.store.pending.remove("p:1:2|b")
        await self.store.pending.remove("p:1:2|b")
        self.assertEqual(await self.store.pending.due(10_000, 10), ["c:1|a"])


@on_both
class Leases(ListCase):
    async def test_a_lease_is_renewed_only_while_it_is_there(self) -> None:
        leases = self.store.leases
        self.assertFalse(await leases.renew("a", 1000))
        self.assertEqual(await leases.live(), [])
        self.assertTrue(await leases.renew("a", 1000, new=True))
        self.assertTrue(await leases.renew("a", 2000))
        self.assertEqual(await leases.live(), ["a"])

    async def test_one_that_ended_is_taken_over_once_and_again_when_the_reaper_dies(self) -> None:
        leases = self.store.leases
        await leases.renew("a", -1, new=True)
        await leases.renew("b", 60_000, new=True)
        await leases.list_users("a", [1, 2], True, CHANNEL)
        self.assertEqual(await leases.take_ended(60_000, 10), ["a"])
        self.assertEqual(await leases.take_ended(60_000, 10), [])
        self.assertFalse(await leases.renew("a", 1000))
        self.outside.zadd(self.key("{nodes}:reaping"), {"a": 1})
        self.assertEqual(await leases.take_ended(60_000, 10), ["a"])
        self.assertEqual(await leases.users("a"), {1, 2})
        await leases.drop("a")
        self.assertEqual(self.keys("*reaping"), [])
        self.assertEqual(await leases.users("a"), set())
        self.assertEqual(await leases.live(), ["b"])

    async def test_one_that_ended_counts_until_it_is_taken_over(self) -> None:
        await self.store.leases.renew("a", -1, new=True)
        self.assertEqual(await self.store.leases.live(), ["a"])
        await self.store.leases.take_ended(60_000, 10)
        self.assertEqual(await self.store.leases.live(), [])

    async def test_users_are_listed_per_lease(self) -> None:
        leases = self.store.leases
        await leases.list_users("a", [1, BIG], True, CHANNEL)
        self.assertEqual(await leases.online("a", [1, 2, BIG]), [True, False, True])
        await leases.list_users("a", [1, 5], False, CHANNEL)
        self.assertEqual(await leases.users("a"), {BIG})
