"""Friends and blocks over two nodes: what each request shows to every session, and what befriending is refused for.

What a request makes of a pair is in `tests.unit.test_store_pairs`; the same table is used here for what is shown.
"""

from __future__ import annotations

from typing import Any

from chatsrv.redis import Unavailable
from chatsrv.wire.codes import Profile
from chatsrv.wire.refusal import Refused
from chatsrv.wire.requests import (
    AddFriend,
    AnswerFriend,
    BlockUser,
    ListFriends,
    RemoveFriend,
    UnblockUser,
)
from tests.integration.test_nodes import after_command, before_command
from tests.unit.test_store_kit import Listener, NodeCase, until
from tests.unit.test_store_pairs import OUTCOMES, STATES

CORE, FULL = Profile.CORE, Profile.FULL
COMMANDS: dict[str, Any] = {
    "add": lambda other: AddFriend(user_id=other),
    "accept": lambda other: AnswerFriend(user_id=other, type=1),
    "deny": lambda other: AnswerFriend(user_id=other, type=2),
    "remove": lambda other: RemoveFriend(user_id=other),
    "block": lambda other: BlockUser(user_id=other),
    "unblock": lambda other: UnblockUser(user_id=other),
}

#: By state: the lists of the caller and of the other one.
LISTS = {
    "strangers": ("", ""),
    "asked": ("outgoing", "incoming"),
    "asking": ("incoming", "outgoing"),
    "friends": ("friends", "friends"),
    "blocks": ("blocked", ""),
    "blocked": ("", "blocked"),
    "both block": ("blocked", "blocked"),
}


class FriendsCase(NodeCase):
    async def setUp(self) -> None:
        await super().setUp()
        self.here, self.there = await self.node(), await self.node()

    async def code(self, listener: Listener, command: Any) -> str | None:
        """The code of the refusal, or None if there is none."""
        try:
            await listener.ask(command)
        except Refused as refused:
            return refused.code.code
        return None

    async def lists(self, listener: Listener) -> dict[str, list[int]]:
        reply = (await listener.ask(ListFriends())).reply
        return {name: getattr(reply, name) for name in ("friends", "incoming", "outgoing", "blocked")}

    async def blocked_pair(self) -> tuple[Listener, Listener]:
        """1 blocks 2."""
        alice, bob = await self.user(self.here, 1), await self.user(self.there, 2)
        await alice.ask(BlockUser(user_id=2))
        await self.settle()
        return alice, bob


class WhatIsShown(FriendsCase):
    async def test_of_each_request_in_each_state_by_a_full_profile_session(self) -> None:
        await self._every_request_in_every_state(FULL)

    async def test_of_each_request_in_each_state_by_a_core_profile_session(self) -> None:
        await self._every_request_in_every_state(CORE)

    async def _every_request_in_every_state(self, profile: Profile) -> None:
        base = 0
        for state, outcomes in OUTCOMES.items():
            for request, outcome in outcomes.items():
                self.case = (state, request, profile)
                base += 2
                listeners = await self._in_state(state, base, base + 1, profile)
                asker = listeners["asker"]
                refused = await self.code(asker, COMMANDS[request](base + 1))
                await self.settle()
                await self._check(listeners, outcome, refused)
                for listener in listeners.values():
                    listener.leave()

    async def _in_state(self, state: str, one: int, two: int, profile: Profile) -> dict[str, Listener]:
        """The sessions of both, after what leads to the state was shown and forgotten."""
        listeners = {
            "asker": await self.user(self.here, one, profile),
            "my full": await self.user(self.there, one),
            "my core": await self.user(self.here, one, CORE),
            "his full": await self.user(self.there, two),
            "his core": await self.user(self.here, two, CORE),
        }
        for who, request in STATES[state]:
            listener, other = ("my full", two) if who == "one" else ("his full", one)
            await listeners[listener].ask(COMMANDS[request](other))
            await self.settle()
        for listener in listeners.values():
            listener.frames.clear()
        return listeners

    async def _check(self, listeners: dict[str, Listener], outcome: Any, refused: str | None) -> None:
        after, mine, his = outcome if isinstance(outcome, tuple) else (self.case[0], 0, 0)
        self.assertEqual(
            refused, None if outcome == "same" or isinstance(outcome, tuple) else outcome, self.case
        )
        accepting = self.case[1] == "add" and after == "friends"
        same = {"add": 1, "block": 4, "unblock": 5}.get(self.case[1])
        replies = [] if refused else [(17, 1 if accepting else mine or same, True)]
        self.assertEqual(_shown(listeners["asker"]), replies, self.case)
        self.assertEqual(_shown(listeners["my full"]), [(17, mine, False)] if mine else [], self.case)
        self.assertEqual(_shown(listeners["my core"]), [(17, 2, False)] if mine == 2 else [], self.case)
        self.assertEqual(_shown(listeners["his full"]), [(17, his, False)] if his else [], self.case)
        self.assertEqual(
            _shown(listeners["his core"]), [(17, his, False)] if his in (1, 2) else [], self.case
        )
        for who, name in zip(("asker", "his full"), LISTS[after], strict=True):
            other = listeners["his full" if who == "asker" else "asker"].user_id
            lists = {
                each: [other] if each == name else []
                for each in ("friends", "incoming", "outgoing", "blocked")
            }
            self.assertEqual(await self.lists(listeners[who]), lists, self.case)
        for node in self.nodes:
            for user in node.users:
                self.assertEqual(user.asking, [], self.case)

    async def test_the_members_of_each_frame(self) -> None:
        alice, bob = await self.user(self.here, 1), await self.user(self.there, 2)
        device = await self.user(self.there, 1)
        for command in (
            AddFriend(user_id=2),
            RemoveFriend(user_id=2),
            BlockUser(user_id=2),
            UnblockUser(user_id=2),
        ):
            result = await alice.ask(command)
            await self.settle()
            self.assertEqual(result.event, result.reply)
        self.assertEqual(device.of(17)[1:], [{"user_id": 2}] * 3)
        self.assertEqual(bob.of(17)[1:], [{"user_id": 1}])
        relations = (await alice.ask(ListFriends())).reply
        self.assertEqual((relations.op, relations.t), (17, 6))

    async def test_a_block_whose_answer_was_lost_follows_in_the_full_profile_only(self) -> None:
        for profile in (FULL, CORE):
            user_id = 1 if profile is FULL else 3
            alice = await self.user(self.here, user_id, profile)
            device = await self.user(self.there, user_id)
            self._lose("user_pair")
            await self.assertFailure(alice.ask(BlockUser(user_id=2)), Unavailable)
            del self.here.own_link.run
            self.assertEqual(_shown(alice) + _shown(device), [])
            for member in self.outside.zrange(self.key("{pending}"), 0, -1):
                self.outside.zadd(self.key("{pending}"), {member: 1})
            self.there.clock.advance(5)
            await self.settle()
            self.assertEqual(_shown(device), [(17, 4, False)])
            self.assertEqual(_shown(alice), [(17, 4, False)] if profile is FULL else [])

    def _lose(self, name: str) -> None:
        """This script is not run by the node here."""
        run = self.here.own_link.run

        def losing(done: Any, script: Any, keys: Any, args: Any) -> None:
            if script.name == name:
                done(Unavailable("lost", sent=True))
            else:
                run(done, script, keys, args)

        self.here.own_link.run = losing

    async def test_what_was_missed_beyond_the_log_is_shown_from_the_lists(self) -> None:
        alice, core = await self.user(self.here, 1), await self.user(self.here, 1, CORE)
        pairs = self.store.pairs
        for state, user in (("friends", 10), ("asked", 11), ("asking", 12), ("blocks", 13), ("friends", 14)):
            for who, request in STATES[state]:
                await self._silently(request, *((1, user) if who == "one" else (user, 1)))
        await self.settle()
        for listener in (alice, core):
            listener.frames.clear()
        self.here.bus.unsubscribe(self.here.channels.user(1))
        for one, request, other in (
            (1, "remove", 10),
            (1, "remove", 11),
            (12, "remove", 1),
            (1, "unblock", 13),
        ):
            await self._silently(request, one, other)
        await self._silently("block", 1, 14)
        await self._silently("add", 1, 15)
        for other in range(200, 310):
            await self._silently("block", other, 1)
        self.here.users.get(1).repair()
        await until(lambda: len(alice.of(17)) == 6)
        self.assertEqual(
            [(t, d["user_id"]) for _, t, d in alice.frames],
            [(5, 13), (3, 10), (3, 11), (3, 12), (4, 14), (1, 15)],
        )
        self.assertEqual(core.of(17), [])
        self.assertEqual((await pairs.read(1, 300)).blockers, {300})

    async def _silently(self, request: str, caller: int, other: int) -> None:
        """Carry it out as if on another node, and tell both."""
        pairs = self.store.pairs
        if request in ("accept", "deny"):
            await pairs.answer(caller, other, 1 if request == "accept" else 2, "op")
        else:
            await getattr(pairs, request)(caller, other, "op")
        low, high = sorted((caller, other))
        await self.there.handoffs.deliver(f"p:{low}:{high}")


def _shown(listener: Listener) -> list[tuple[int, int, bool]]:
    """Op and t of each frame but the status, and whether it was a reply; they are forgotten then."""
    shown = [(op, t, "id" in d) for op, t, d in listener.frames if op != 2]
    listener.frames.clear()
    return shown


class Befriending(FriendsCase):
    options = {"friends": 1, "open_requests": 1, "blocked": 2}

    async def test_is_forbidden_to_both_before_limits(self) -> None:
        alice, bob = await self.blocked_pair()
        for listener, stranger in ((alice, 8), (bob, 9)):
            await listener.ask(AddFriend(user_id=stranger))
        for listener in (alice, bob):
            self.assertEqual(await self.code(listener, AddFriend(user_id=3 - listener.user_id)), "forbidden")

    async def test_is_forbidden_when_the_block_came_in_the_last_moment(self) -> None:
        alice, bob = await self.user(self.here, 1), await self.user(self.there, 2)

        async def block(_: Any) -> None:
            await bob.ask(BlockUser(user_id=1))

        before_command(self.here, "pair_add", block)
        self.assertEqual(await self.code(alice, AddFriend(user_id=2)), "forbidden")
        await self.settle()
        self.assertEqual((alice.of(17), self.keys("{pending}")), ([], []))
        self.assertEqual(self.here.users.get(1).asking, [])

    async def test_a_request_that_a_block_dropped_cannot_be_answered(self) -> None:
        alice, bob = await self.user(self.here, 1), await self.user(self.there, 2)
        await bob.ask(AddFriend(user_id=1))

        async def block(_: Any) -> None:
            await bob.ask(BlockUser(user_id=1))

        before_command(self.here, "pair_answer", block)
        self.assertEqual(await self.code(alice, AnswerFriend(user_id=2, type=1)), "not_found")

    async def test_one_blocks_only_so_many(self) -> None:
        alice = await self.user(self.here, 1)
        for other in (2, 3):
            await alice.ask(BlockUser(user_id=other))
        for other, code in ((4, "limit_reached"), (3, None), (2, None)):
            self.assertEqual(await self.code(alice, BlockUser(user_id=other)), code)
        await alice.ask(UnblockUser(user_id=2))
        self.assertIsNone(await self.code(alice, BlockUser(user_id=4)))
        self.assertEqual((await self.lists(alice))["blocked"], [3, 4])

    async def test_crossing_blocks_are_two(self) -> None:
        alice, bob = await self.user(self.here, 1), await self.user(self.there, 2)

        async def block(_: Any) -> None:
            await bob.ask(BlockUser(user_id=1))
            await self.here.settle_bus()

        after_command(self.here, "pair_block", block)
        await alice.ask(BlockUser(user_id=2))
        await self.settle()
        self.assertEqual((_shown(alice), _shown(bob)), ([(17, 4, True)], [(17, 4, True)]))
        self.assertEqual((await self.store.pairs.read(1, 2)).blockers, {1, 2})


class Status(FriendsCase):
    async def test_is_not_shown_any_more_to_either(self) -> None:
        alice, bob = await self.user(self.here, 1), await self.user(self.there, 2)
        await alice.ask(AddFriend(user_id=2))
        await bob.ask(AnswerFriend(user_id=1, type=1))
        await self._seconds(3)
        self.assertEqual((alice.online, bob.online), ([2], [1]))
        await bob.ask(BlockUser(user_id=1))
        await self._seconds(3)
        self.assertEqual((alice.online, bob.online), ([], []))
        for node, stranger in ((self.here, 2), (self.there, 1)):
            self.assertFalse(node.presence.is_online(stranger), "nobody watches him there any more")

    async def _seconds(self, seconds: int) -> None:
        for _ in range(seconds):
            await self.settle()
            for node in self.nodes:
                node.clock.advance(1)
        await self.settle()
