"""Pairs in the store: every request in every state of a pair, what is handed over, and what a block forbids."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from chatsrv.store.pairs import Done, PairState, PrivateChat, Relation
from chatsrv.store.repository import REFUSALS
from chatsrv.wire.refusal import Refused
from tests.unit.test_store_kit import StoreCase, on_both, until

BIG = 2**53 - 1
DAY_MS = 86_400_000
CODES = {code.code for code in REFUSALS.values()}

#: What the caller (one) may ask.
REQUESTS: dict[str, Callable[[PairCase], Any]] = {
    "add": lambda case: case.pairs.add(case.one, case.two, "op"),
    "accept": lambda case: case.pairs.answer(case.one, case.two, 1, "op"),
    "deny": lambda case: case.pairs.answer(case.one, case.two, 2, "op"),
    "remove": lambda case: case.pairs.remove(case.one, case.two, "op"),
    "block": lambda case: case.pairs.block(case.one, case.two, "op"),
    "unblock": lambda case: case.pairs.unblock(case.one, case.two, "op"),
}

#: How a state comes about: the requests that lead there, of the caller (one) and of the other (two).
STATES: dict[str, list[tuple[str, str]]] = {
    "strangers": [],
    "asked": [("one", "add")],
    "asking": [("two", "add")],
    "friends": [("one", "add"), ("two", "accept")],
    "blocks": [("one", "add"), ("one", "block")],
    "blocked": [("two", "block")],
    "both block": [("one", "block"), ("two", "block")],
}

#: By state: what comes of each request: a refusal, "same", or the state after it and the 17/t for either side.
OUTCOMES: dict[str, dict[str, str | tuple[str, int, int]]] = {
    "strangers": {
        "add": ("asked", 1, 1),
        "accept": "not_found",
        "deny": "not_found",
        "remove": "not_found",
        "block": ("blocks", 4, 0),
        "unblock": "same",
    },
    "asked": {
        "add": "same",
        "accept": "not_found",
        "deny": "not_found",
        "remove": ("strangers", 3, 3),
        "block": ("blocks", 4, 3),
        "unblock": "same",
    },
    "asking": {
        "add": ("friends", 2, 2),
        "accept": ("friends", 2, 2),
        "deny": ("strangers", 2, 2),
        "remove": "not_found",
        "block": ("blocks", 4, 3),
        "unblock": "same",
    },
    "friends": {
        "add": "same",
        "accept": "not_found",
        "deny": "not_found",
        "remove": ("strangers", 3, 3),
        "block": ("blocks", 4, 3),
        "unblock": "same",
    },
    "blocks": {
        "add": "forbidden",
        "accept": "not_found",
        "deny": "not_found",
        "remove": "not_found",
        "block": "same",
        "unblock": ("strangers", 5, 0),
    },
    "blocked": {
        "add": "forbidden",
        "accept": "not_found",
        "deny": "not_found",
        "remove": "not_found",
        "block": ("both block", 4, 0),
        "unblock": "same",
    },
    "both block": {
        "add": "forbidden",
        "accept": "not_found",
        "deny": "not_found",
        "remove": "not_found",
        "block": "same",
        "unblock": ("blocked", 5, 0),
    },
}


class PairCase(StoreCase):
    async def setUp(self) -> None:
        await super().setUp()
        self.pairs = self.store.pairs
        self.one, self.two = 1, 2
        self.case: object = None

    async def bring_about(self, state: str, one: int, two: int) -> None:
        """A pair of its own in this state; everything is delivered."""
        for who, request in STATES[state]:
            self.one, self.two = (one, two) if who == "one" else (two, one)
            await REQUESTS[request](self)
        self.one, self.two = one, two
        await self.pairs.handed_over(one, two, await self.pairs.handoff(one, two))

    def state(self, name: str, chat: int = 0) -> PairState:
        blockers = {"blocks": {self.one}, "blocked": {self.two}, "both block": {self.one, self.two}}
        asked = {"asked": self.one, "asking": self.two}.get(name, 0)
        return PairState(name == "friends", asked, chat, frozenset(blockers.get(name, ())))

    async def refused(self, waiting: Any, code: str) -> None:
        """It is refused with this code, and nothing is written."""
        before = self.keyspace()
        try:
            await waiting
        except Refused as refusal:
            self.assertEqual(refusal.code.code, code, self.case)
        else:
            raise AssertionError(f"it was not refused: {self.case}")
        self.assertEqual(self.keyspace(), before)

    async def told(self) -> dict[int, Relation]:
        """The handoff entries to the two."""
        entries = await self.pairs.handoff(self.one, self.two)
        return {int(to[2:]): Relation.parse(entry) for to, entry in entries.items() if to[:1] == b"u"}

    def relation(self, state: PairState, user: int, version: int, t: int, kind: int) -> Relation:
        """What the user is to be told of the state."""
        other = self.one + self.two - user
        flags = (state.friends, state.asked == other, state.asked == user)
        blocks = (user in state.blockers, other in state.blockers)
        numbers = (version, *map(int, flags), t, kind, self.one)
        return Relation(*(b"%d" % n for n in numbers), b"op", *(b"%d" % flag for flag in blocks))


@on_both
class EveryRequestInEveryState(PairCase):
    async def test_is_refused_or_harmless_or_changes_the_state_and_tells_both(self) -> None:
        for n, state in enumerate(STATES):
            self.assertEqual(set(OUTCOMES[state]), set(REQUESTS))
            for m, (request, outcome) in enumerate(OUTCOMES[state].items()):
                low = 100 * n + 2 * m + 1
                for one, two in ((low, low + 1), (BIG - low, low)):
                    self.case = (state, request)
                    await self.bring_about(state, one, two)
                    await self._check(request, outcome, await self.pairs.read(one, two))

    async def _check(self, request: str, outcome: str | tuple[str, int, int], before: PairState) -> None:
        asking = REQUESTS[request](self)
        if outcome in CODES:
            await self.refused(asking, str(outcome))
        elif outcome == "same":
            keyspace = self.keyspace()
            done = await asking
            self.assertEqual(
                (done.changed, done.friends), (False, before.friends and request == "add"), self.case
            )
            self.assertEqual(self.keyspace(), keyspace, self.case)
        else:
            await self._check_change(request, await asking, *outcome)

    async def _check_change(self, request: str, done: Done, after: str, mine: int, his: int) -> None:
        state = self.state(after)
        self.assertEqual(await self.pairs.read(self.one, self.two), state, self.case)
        self.assertEqual(await self.pairs.read(self.two, self.one), state, self.case)
        self.assertEqual((done.changed, done.friends), (True, request == "add" and state.friends), self.case)
        kind = 0 if mine != 2 else 2 if request == "deny" else 1
        told = {
            user: self.relation(state, user, done.version, t, kind)
            for user, t in ((self.one, mine), (self.two, his))
        }
        self.assertEqual(await self.told(), told, self.case)

    async def test_versions_go_up_with_each_change(self) -> None:
        versions = []
        for request in ("unblock", "add", "add", "remove", "block", "block", "unblock", "unblock", "add"):
            versions.append((await REQUESTS[request](self)).version)
        places = [sorted({*versions}).index(version) for version in versions]
        self.assertEqual((versions[0], places), (0, [0, 1, 1, 2, 3, 3, 4, 4, 5]))

    async def test_versions_go_up_though_the_clock_went_back(self) -> None:
        done = await self.pairs.add(1, 2, "op")
        ahead = done.version + DAY_MS
        self.outside.hset(self.key("{p:1:2}:state"), "version", ahead)
        self.assertEqual((await self.pairs.remove(1, 2, "op")).version, ahead + 1)


@on_both
class Forgetting(PairCase):
    """A pair with nothing left between the two takes no room for ever (RELIABILITY 4: bounded, whoever asks)."""

    def expiry(self) -> int:
        """Ms until the state of the pair goes; -1: never."""
        low, high = sorted((self.one, self.two))
        return int(self.outside.pttl(self.key(f"{{p:{low}:{high}}}:state")))

    async def test_one_with_nothing_left_goes_after_a_day_and_any_other_stays(self) -> None:
        for n, state in enumerate(STATES):
            for m, request in enumerate(REQUESTS):
                self.case = (state, request)
                await self.bring_about(state, 100 * n + 10 * m + 1, 100 * n + 10 * m + 2)
                outcome = OUTCOMES[state][request]
                if isinstance(outcome, str):
                    continue
                await REQUESTS[request](self)
                if outcome[0] == "strangers":
                    self.assertTrue(DAY_MS - 60_000 < self.expiry() <= DAY_MS, self.case)
                else:
                    self.assertEqual(self.expiry(), -1, self.case)

    async def test_one_with_a_private_chat_stays(self) -> None:
        await self.bring_about("asked", 1, 2)
        await self.pairs.remove(1, 2, "op")
        self.assertGreater(self.expiry(), 0)
        await self.pairs.open_chat(1, 2, 33, "op")
        self.assertEqual(self.expiry(), -1)
        for request in ("block", "unblock"):
            await REQUESTS[request](self)
            self.assertEqual(self.expiry(), -1)

    async def test_one_that_was_forgotten_goes_on_above_what_its_users_remember(self) -> None:
        await self.bring_about("asked", 1, 2)
        before = await self.pairs.remove(1, 2, "op")
        self.outside.delete(self.key("{p:1:2}:state"))
        await until(lambda: self.outside.time()[0] * 1000 > before.version, "the next second of the store")
        self.assertGreater((await self.pairs.add(1, 2, "op")).version, before.version)


@on_both
class TheirChat(PairCase):
    async def entry(self) -> PrivateChat | None:
        entries = await self.pairs.handoff(1, 2)
        chats = [PrivateChat.parse(entry) for to, entry in entries.items() if to[:2] == b"c:"]
        return chats[0] if chats else None

    async def test_the_first_candidate_is_it_for_ever(self) -> None:
        self.assertEqual(await self.pairs.open_chat(2, 1, BIG, "op"), BIG)
        before = self.keyspace()
        self.assertEqual(await self.pairs.open_chat(1, 2, 34, "op2"), BIG)
        self.assertEqual(self.keyspace(), before)
        self.assertEqual(set(await self.pairs.handoff(2, 1)), {b"c:%d" % BIG})
        entry = await self.entry()
        assert entry is not None
        self.assertEqual(entry, PrivateChat(2, "op", entry.version, False))

    async def test_a_new_one_is_forbidden_while_either_blocks(self) -> None:
        for state in ("blocks", "blocked", "both block"):
            await self.bring_about(state, 1, 2)
            for caller, other in ((1, 2), (2, 1)):
                await self.refused(self.pairs.open_chat(caller, other, 33, "op"), "forbidden")
            for each, other in ((1, 2), (2, 1)):
                await self.pairs.unblock(each, other, "op")
        self.assertEqual(await self.pairs.open_chat(1, 2, 33, "op"), 33)

    async def test_an_existing_one_is_opened_again_and_told_whether_either_blocks(self) -> None:
        await self.pairs.open_chat(2, 1, 33, "opened")
        steps = (("one", "block", True), ("two", "block", True), ("one", "unblock", True))
        for who, request, blocked in (*steps, ("two", "unblock", False)):
            self.one, self.two = (1, 2) if who == "one" else (2, 1)
            done = await REQUESTS[request](self)
            self.assertEqual(await self.entry(), PrivateChat(2, "opened", done.version, blocked))
            self.assertEqual(await self.pairs.open_chat(1, 2, 34, "op"), 33)

    async def test_what_does_not_concern_it_is_not_told_to_it(self) -> None:
        await self.pairs.open_chat(1, 2, 33, "opened")
        await self.pairs.handed_over(1, 2, await self.pairs.handoff(1, 2))
        for request in ("add", "remove", "unblock"):
            await REQUESTS[request](self)
            self.assertIsNone(await self.entry())


@on_both
class HandoffLog(PairCase):
    async def test_an_entry_is_taken_off_only_as_it_was_delivered(self) -> None:
        await self.pairs.add(2, 1, "op")
        delivered = await self.pairs.handoff(1, 2)
        await self.pairs.block(1, 2, "op2")
        await self.pairs.handed_over(1, 2, delivered)
        self.assertEqual(len(await self.told()), 2)
        await self.pairs.handed_over(1, 2, await self.pairs.handoff(1, 2))
        self.assertEqual(await self.told(), {})

    async def test_an_entry_without_block_flags_means_none(self) -> None:
        relation = Relation.parse(b"1:1:0:0:2:1:7:op")
        self.assertEqual((relation.operation, relation.blocked, relation.blocker), (b"op", b"0", b"0"))
