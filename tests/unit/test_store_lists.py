"""Users, pairs, the pending set and leases in the store: versions, refusals, repeats, and the store's own clock."""

from __future__ import annotations

from typing import Any

from chatsrv.store.events import MEMBERSHIP, RELATION
from chatsrv.store.pairs import ACCEPTED, ALREADY_ASKED, ALREADY_FRIENDS, ASKED, PairState, Relation
from chatsrv.store.users import Counts
from chatsrv.wire.codes import ErrorCode
from chatsrv.wire.refusal import Refused
from tests.unit.test_store_kit import CHANNEL, StoreCase, on_both

BIG = 2**53 - 1
DAY_MS = 86_400_000


def relation(version: int, flags: str, t: int = 0, type: int = 0, by: int = 0) -> Relation:
    """``flags``: f friend, i incoming, o outgoing."""
    return Relation(
        b"%d" % version,
        *(b"%d" % (flag in flags) for flag in "fio"),
        b"%d" % t,
        b"%d" % type,
        b"%d" % by,
        b"op",
    )


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

    async def test_a_removal_is_remembered_for_a_day_and_not_counted(self) -> None:
        await self.chat(5, True)
        await self.chat(6, False)
        self.assertEqual(await self.store.users.counts(1), Counts(0, 0, 0))
        await self.chat(4, True)
        self.assertEqual((await self.store.users.read(1)).chats, {})
        left = self.key("{u:1}:left")
        self.outside.zadd(left, {"7": self.outside.zscore(left, "7") - DAY_MS - 1})
        await self.chat(2, True, chat_id=8)
        await self.chat(3, False, chat_id=8)
        self.assertEqual(self.outside.hkeys(self.key("{u:1}:chats")), [b"8"])
        self.assertEqual(self.outside.zrange(left, 0, -1), [b"8"])
        await self.chat(9, True, chat_id=8)
        self.assertEqual(await self.store.users.counts(1), Counts(1, 0, 0))

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
        self.assertEqual((await self.store.users.read(1))[3:], ({2}, set(), set()))
        await self.pair(4, "o")
        await self.pair(3, "")
        self.assertEqual((await self.store.users.read(1))[3:], (set(), set(), {2}))
        before = self.keyspace()
        await self.pair(4, "f")
        self.assertEqual(self.keyspace(), before)
        self.assertEqual(await self.store.users.counts(1), Counts(0, 0, 1))

    async def test_an_event_says_what_holds_and_what_to_show(self) -> None:
        await self.store.users.apply_pair(1, BIG, relation(1, "f", 2, 1, BIG), CHANNEL)
        (event,) = await self.store.users.events(1, 0)
        self.assertEqual(
            (event.about, event.holds, event.incoming, event.outgoing), (BIG, True, False, False)
        )
        self.assertEqual((event.t, event.type, event.by, event.operation), (2, 1, BIG, "op"))


@on_both
class Pairs(ListCase):
    async def refused(self, waiting: Any) -> None:
        before = self.keyspace()
        try:
            await waiting
        except Refused as refusal:
            self.assertIs(refusal.code, ErrorCode.NOT_FOUND)
        else:
            raise AssertionError("it was not refused")
        self.assertEqual(self.keyspace(), before)

    async def handoff(self) -> dict[int, Relation]:
        entries = await self.store.pairs.handoff(1, 2)
        return {int(user[2:]): Relation.parse(entry) for user, entry in entries.items()}

    async def test_asking_tells_both_sides(self) -> None:
        self.assertEqual((await self.store.pairs.add(2, 1, "op")).what, ASKED)
        self.assertEqual(await self.store.pairs.read(1, 2), PairState(False, 2, 0))
        told = await self.handoff()
        self.assertEqual(told[1], Relation(b"1", b"0", b"1", b"0", b"1", b"0", b"2", b"op"))
        self.assertEqual(told[2], Relation(b"1", b"0", b"0", b"1", b"1", b"0", b"2", b"op"))

    async def test_asking_again_changes_nothing(self) -> None:
        await self.store.pairs.add(2, 1, "op")
        before = self.keyspace()
        self.assertEqual((await self.store.pairs.add(2, 1, "op2")).what, ALREADY_ASKED)
        self.assertEqual(self.keyspace(), before)

    async def test_crossing_requests_make_friends_of_them(self) -> None:
        await self.store.pairs.add(2, 1, "op")
        self.assertEqual((await self.store.pairs.add(1, 2, "op2")).what, ACCEPTED)
        self.assertEqual(await self.store.pairs.read(1, 2), PairState(True, 0, 0))
        self.assertEqual(
            (await self.handoff())[2], Relation(b"2", b"1", b"0", b"0", b"2", b"1", b"1", b"op2")
        )
        before = self.keyspace()
        for one, other in ((1, 2), (2, 1)):
            self.assertEqual((await self.store.pairs.add(one, other, "op3")).what, ALREADY_FRIENDS)
        self.assertEqual(self.keyspace(), before)

    async def test_only_who_was_asked_can_answer_and_only_while_it_is_open(self) -> None:
        await self.refused(self.store.pairs.answer(1, 2, 1, "op"))
        await self.store.pairs.add(2, 1, "op")
        await self.refused(self.store.pairs.answer(2, 1, 1, "op"))
        await self.store.pairs.answer(1, 2, 2, "op2")
        self.assertEqual(await self.store.pairs.read(1, 2), PairState(False, 0, 0))
        self.assertEqual(
            (await self.handoff())[1], Relation(b"2", b"0", b"0", b"0", b"2", b"2", b"1", b"op2")
        )
        await self.refused(self.store.pairs.answer(1, 2, 1, "op"))

    async def test_after_a_denial_one_may_ask_again(self) -> None:
        await self.store.pairs.add(2, 1, "op")
        await self.store.pairs.answer(1, 2, 2, "op")
        self.assertEqual((await self.store.pairs.add(2, 1, "op")).what, ASKED)
        await self.store.pairs.answer(1, 2, 1, "op")
        self.assertEqual(await self.store.pairs.read(1, 2), PairState(True, 0, 0))

    async def test_the_first_candidate_is_the_private_chat_for_ever(self) -> None:
        self.assertEqual(await self.store.pairs.open_chat(2, 1, BIG, "op"), BIG)
        before = self.keyspace()
        self.assertEqual(await self.store.pairs.open_chat(1, 2, 34, "op2"), BIG)
        self.assertEqual(self.keyspace(), before)
        self.assertEqual(await self.store.pairs.handoff(2, 1), {b"c:%d" % BIG: b"2:op"})

    async def test_an_entry_is_taken_off_only_as_it_was_delivered(self) -> None:
        await self.store.pairs.add(2, 1, "op")
        delivered = await self.store.pairs.handoff(1, 2)
        await self.store.pairs.add(1, 2, "op2")
        await self.store.pairs.handed_over(1, 2, delivered)
        self.assertEqual(len(await self.handoff()), 2)
        await self.store.pairs.handed_over(1, 2, await self.store.pairs.handoff(1, 2))
        self.assertEqual(await self.handoff(), {})


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
