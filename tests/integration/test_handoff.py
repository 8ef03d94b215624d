"""What one entity says of others reaches them, wherever the node that began it stops (DESIGN section 2, handoff log).

Each operation is interrupted at each of its commands: the command ran and its answer was lost, or it did not run; the
node is well again at once, or not before another node's sweep. Afterwards all lists agree, and what each session
was shown adds up to them.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from itertools import permutations
from typing import Any

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from chatsrv.redis import ReplyError, Unavailable
from chatsrv.store.pairs import Relation
from chatsrv.wire.refusal import Refused
from chatsrv.wire.requests import (
    AddFriend,
    AnswerFriend,
    BlockUser,
    CreateChat,
    RemoveFriend,
    SendGroup,
    UnblockUser,
    UpdateChat,
)
from tests.unit.test_store_kit import Listener, NodeCase, until

LONG_AGO = 1
Verbs = Callable[["Interrupted"], Awaitable[Any]]


async def _awaited(waiting: Awaitable[Any]) -> Any:
    return await waiting


class ShownRelations:
    """What a full-profile client makes of the frames of op 17: friends, incoming, outgoing, blocked."""

    def __init__(self, user_id: int) -> None:
        self.user_id = user_id
        self.lists: tuple[set[int], set[int], set[int], set[int]] = (set(), set(), set(), set())

    def take(self, t: int, d: dict[str, Any]) -> None:
        friends, incoming, outgoing, blocked = self.lists
        for others in (friends, incoming, outgoing, blocked):
            others.discard(d["user_id"])
        if d.get("accepted") or d.get("type") == 1:
            friends.add(d["user_id"])
        elif t == 1:
            (outgoing if d["from"] == self.user_id else incoming).add(d["user_id"])
        elif t == 4:
            blocked.add(d["user_id"])


class Interrupted(NodeCase):
    """Alice is 1, on the node that fails; Bob 2 and Carol 3 are on another one, and Alice once more."""

    async def setUp(self) -> None:
        await super().setUp()
        self.bad, self.good = await self.node(), await self.node()
        self.base = 0
        self.listeners: list[Listener] = []

    async def interrupted(self, prepare: Verbs | None, act: Verbs, again: Verbs | None = None) -> None:
        """Carry ``act`` out again and again, interrupted one command later each time, until it runs through.

        ``again`` is done afterwards, when nobody interrupts any more.
        """
        for run_first in (False, True):
            for for_good in (False, True):
                position = 0
                while True:
                    position += 1
                    self.case = (position, run_first, for_good)
                    await self._fresh()
                    if prepare is not None:
                        await prepare(self)
                        await self.settle()
                    whole = await self._one_run(act, position, run_first, for_good)
                    if again is not None:
                        await again(self)
                        await self.settle()
                    await self.check()
                    if whole:
                        break
                self.assertGreater(position, 5, "nothing was interrupted")

    async def _fresh(self) -> None:
        for listener in self.listeners:
            listener.leave()
        await self.settle()
        for key in self.keys("{[ucp]:*"):
            self.outside.delete(key)
        self.base += 10
        self.one, self.two, self.three = (self.base + n for n in (1, 2, 3))
        self.alice, self.device = await self.user(self.bad, self.one), await self.user(self.good, self.one)
        self.bob, self.carol = await self.user(self.good, self.two), await self.user(self.good, self.three)
        self.listeners = [self.alice, self.device, self.bob, self.carol]
        self.chat_id = 0

    async def _one_run(self, act: Verbs, position: int, run_first: bool, for_good: bool) -> bool:
        """True: it ran through without having been interrupted."""
        self.bad.own_link.arm(position, run_first=run_first, for_good=for_good)
        answers: list[Any] = []
        Deferred.fromCoroutine(_awaited(act(self))).addBoth(answers.append)
        await self.settle()
        while not answers:
            self.bad.clock.advance(1)
            await self.settle()
        if isinstance(answers[0], Failure):
            answers[0].trap(Unavailable)
        whole = not self.bad.own_link.failed
        self.bad.own_link.heal()
        await self.swept()
        return whole

    async def swept(self) -> None:
        """Make what is pending old, let the other node sweep, and the one that failed look again."""
        await self.settle()
        pending = self.key("{pending}")
        for member in self.outside.zrange(pending, 0, -1):
            self.outside.zadd(pending, {member: LONG_AGO})
        for node, seconds in ((self.good, 5), (self.bad, 1), (self.bad, 4), (self.bad, 1)):
            node.clock.advance(seconds)
            await self.settle()

    # What must hold

    async def check(self) -> None:
        self.assertEqual(self.keys("*handoff"), [], self.case)
        self.assertEqual(self.keys("{pending}"), [], self.case)
        users = (self.one, self.two, self.three)
        lists = {user: await self.store.users.read(user) for user in users}
        await self._check_pairs(lists)
        await self._check_chats(lists)
        for listener in self.listeners:
            self._check_shown(listener, lists[listener.user_id])
        before = self.keyspace()
        await self._deliver_again()
        self.assertEqual(self.keyspace(), before, self.case)

    async def _check_pairs(self, lists: Any) -> None:
        for one, other in permutations(lists, 2):
            pair = await self.store.pairs.read(one, other)
            self.assertEqual(other in lists[one].friends, pair.friends, self.case)
            self.assertEqual(other in lists[one].incoming, pair.asked == other, self.case)
            self.assertEqual(other in lists[one].outgoing, pair.asked == one, self.case)
            self.assertEqual(other in lists[one].blocked, one in pair.blockers, self.case)
            blockers = await self.store.users.blockers_among(one, [other])
            self.assertEqual(other in blockers, other in pair.blockers, self.case)
            if pair.chat:
                blocked = self.outside.hget(self.key(f"{{c:{pair.chat}}}:meta"), "blocked")
                self.assertEqual(blocked == b"1", bool(pair.blockers), self.case)

    async def _check_chats(self, lists: Any) -> None:
        said = {(user, chat) for user, each in lists.items() for chat in each.chats}
        members = {(user, chat) for user, chat, _ in self.memberships() if user > self.base}
        self.assertEqual(said, members, self.case)

    def memberships(self) -> Iterator[tuple[int, int, int]]:
        """User, chat and the version of it, as the chats say."""
        for key in self.keys("{c:*:members"):
            chat = int(key.split("{c:")[1].split("}")[0])
            for user, score in self.outside.zrange(key, 0, -1, withscores=True):
                yield int(user), chat, int(score)

    def _check_shown(self, listener: Listener, lists: Any) -> None:
        message = (self.case, listener.user_id, listener.frames)
        chats, shown = set(listener.hello.chat_ids), ShownRelations(listener.user_id)
        seqs: dict[int, list[int]] = {}
        for op, t, d in listener.frames:
            if op == 14:
                (chats.add if listener.user_id in d["users"] else chats.discard)(d["chat_id"])
            if op in (12, 14) and "dup" not in d:
                seqs.setdefault(d["chat_id"], []).append(d["seq"])
            elif op == 17:
                shown.take(t, d)
        self.assertEqual(chats, set(lists.chats), message)
        self.assertEqual(shown.lists, lists[3:7], message)
        for chat, numbers in seqs.items():
            self.assertEqual(numbers, sorted(set(numbers)), (chat, message))
        events = [(op, t, {**d, "id": 0}) for op, t, d in listener.frames if op == 17]
        self.assertEqual(len(events), len({repr(event) for event in events}), message)

    async def _deliver_again(self) -> None:
        """All that the owners said last, once more, and the contrary of it with the same version."""
        for user, chat, version in self.memberships():
            for member in (True, False):
                await self.store.users.apply_chat(user, chat, member, version, "nowhere")
        for one, other in ((self.one, self.two), (self.two, self.one)):
            version = self.outside.hget(self.key(f"{{u:{one}}}:pairs"), other)
            if version:
                contrary = Relation(version, b"0", b"1", b"0", b"1", b"0", b"2", b"op")
                await self.store.users.apply_pair(one, other, contrary, "nowhere")
        pair = await self.store.pairs.read(self.one, self.two)
        if pair.chat:
            known = self.outside.hget(self.key(f"{{c:{pair.chat}}}:meta"), "block_version")
            await self.store.chats.apply_block(pair.chat, not pair.blockers, int(known))

    # The operations

    async def test_creating_a_group(self) -> None:
        await self.interrupted(
            None, lambda case: case.alice.ask(CreateChat(user_ids=[case.two, case.three], type=2))
        )

    async def test_adding_and_removing_in_one_event(self) -> None:
        async def prepare(case: Interrupted) -> None:
            result = await case.alice.ask(CreateChat(user_ids=[case.two], type=2))
            case.chat_id = result.reply.chat_id

        async def act(case: Interrupted) -> None:
            await case.alice.ask(
                UpdateChat(chat_id=case.chat_id, add_users=[case.three], remove_users=[case.two])
            )

        await self.interrupted(prepare, act)

    async def test_the_last_one_leaving(self) -> None:
        async def prepare(case: Interrupted) -> None:
            result = await case.alice.ask(CreateChat(user_ids=[], type=2))
            case.chat_id = result.reply.chat_id

        async def act(case: Interrupted) -> None:
            await case.alice.ask(UpdateChat(chat_id=case.chat_id, remove_users=[case.one]))

        await self.interrupted(prepare, act)

    async def test_opening_a_private_chat(self) -> None:
        await self.interrupted(None, lambda case: case.alice.ask(CreateChat(user_ids=[case.two], type=1)))

    async def test_asking_for_friendship(self) -> None:
        await self.interrupted(None, lambda case: case.alice.ask(AddFriend(user_id=case.two)))

    async def test_accepting_by_asking_back(self) -> None:
        await self.interrupted(
            lambda case: case.bob.ask(AddFriend(user_id=case.one)),
            lambda case: case.alice.ask(AddFriend(user_id=case.two)),
        )

    async def test_accepting(self) -> None:
        await self.interrupted(
            lambda case: case.bob.ask(AddFriend(user_id=case.one)),
            lambda case: case.alice.ask(AnswerFriend(user_id=case.two, type=1)),
        )

    async def test_denying(self) -> None:
        await self.interrupted(
            lambda case: case.bob.ask(AddFriend(user_id=case.one)),
            lambda case: case.alice.ask(AnswerFriend(user_id=case.two, type=2)),
        )

    async def befriended(self) -> None:
        await self.bob.ask(AddFriend(user_id=self.one))
        await self.settle()
        await self.alice.ask(AddFriend(user_id=self.two))

    async def test_ending_a_friendship(self) -> None:
        await self.interrupted(
            Interrupted.befriended, lambda case: case.alice.ask(RemoveFriend(user_id=case.two))
        )

    async def test_withdrawing_a_request(self) -> None:
        await self.interrupted(
            lambda case: case.alice.ask(AddFriend(user_id=case.two)),
            lambda case: case.alice.ask(RemoveFriend(user_id=case.two)),
        )

    async def test_blocking_a_friend(self) -> None:
        await self.interrupted(
            Interrupted.befriended, lambda case: case.alice.ask(BlockUser(user_id=case.two))
        )

    async def test_blocking_whom_one_has_a_private_chat_with(self) -> None:
        await self.interrupted(
            lambda case: case.alice.ask(CreateChat(user_ids=[case.two], type=1)),
            lambda case: case.alice.ask(BlockUser(user_id=case.two)),
        )

    async def test_unblocking_whom_one_has_a_private_chat_with(self) -> None:
        async def prepare(case: Interrupted) -> None:
            await case.bob.ask(CreateChat(user_ids=[case.one], type=1))
            await case.alice.ask(BlockUser(user_id=case.two))

        await self.interrupted(prepare, lambda case: case.alice.ask(UnblockUser(user_id=case.two)))

    async def test_creating_a_group_with_a_nonce_and_asking_again(self) -> None:
        def create(case: Interrupted, listener: Listener) -> Awaitable[Any]:
            return listener.ask(CreateChat(user_ids=[case.two, case.three], type=2, nonce="n"))

        async def again(case: Interrupted) -> None:
            first = await create(case, case.device)
            chats = (await case.store.users.read(case.two)).chats
            self.assertEqual(set(chats), {first.reply.chat_id}, case.case)

        await self.interrupted(None, lambda case: create(case, case.alice), again)


class Sweeps(NodeCase):
    async def setUp(self) -> None:
        await super().setUp()
        self.here, self.there = await self.node(), await self.node()

    def long_ago(self, member: str, at: int = LONG_AGO) -> None:
        self.outside.zadd(self.key("{pending}"), {member: at})

    async def test_one_that_cannot_be_delivered_does_not_keep_back_the_others(self) -> None:
        await self.group(7, 1, 2)
        await self.group(8, 1, 2)
        self.outside.set(self.key("{u:2}:chats"), "damaged")
        await self.group(9, 1)
        for at, chat in ((1, 7), (2, 8), (3, 9)):
            self.long_ago(f"c:{chat}|op", at)
        self.here.clock.advance(5)
        await self.settle()
        self.assertEqual(len(self.flushLoggedErrors(ReplyError)), 2)
        self.assertEqual(set((await self.store.users.read(1)).chats), {7, 8, 9})
        self.assertEqual(self.outside.zrange(self.key("{pending}"), 0, -1), [b"c:7|op", b"c:8|op"])
        self.outside.delete(self.key("{u:2}:chats"))
        self.here.clock.advance(5)
        await self.settle()
        self.assertEqual(set((await self.store.users.read(2)).chats), {7, 8})
        self.assertEqual(self.keys("{pending}"), [])

    async def test_what_is_younger_than_ten_seconds_is_left_to_who_began_it(self) -> None:
        await self.group(7, 1)
        await self.store.pending.add("c:7|op")
        self.here.clock.advance(5)
        await self.settle()
        self.assertEqual((await self.store.users.read(1)).chats, {})

    async def test_both_nodes_sweeping_at_once_tell_it_once(self) -> None:
        bob = await self.user(self.there, 2)
        await self.group(7, 1, 2)
        self.long_ago("c:7|op")
        for node in (self.here, self.there):
            node.clock.advance(5)
        await self.settle()
        self.assertEqual(bob.seqs(7), [1])
        self.assertEqual(await self.store.users.rev(2), 1)
        self.assertEqual(self.keys("{pending}") + self.keys("*handoff"), [])

    async def test_an_operation_that_changes_nothing_delivers_what_lies_there(self) -> None:
        alice = await self.user(self.here, 1)
        await self.store.pairs.add(1, 2, "lost")
        result = await alice.ask(AddFriend(user_id=2))
        self.assertEqual(result.reply.t, 1)
        self.assertEqual((await self.store.users.read(2)).incoming, {1})
        self.assertEqual(self.keys("*handoff"), [])

    async def test_opening_a_private_chat_again_finishes_it(self) -> None:
        bob = await self.user(self.there, 2)
        await self.store.pairs.open_chat(1, 2, 44, "lost")
        result = await bob.ask(CreateChat(user_ids=[1], type=1))
        self.assertEqual((result.reply.chat_id, result.reply.users), (44, [1, 2]))
        self.assertEqual(set((await self.store.users.read(1)).chats), {44})

    async def test_a_refusal_leaves_nothing_pending(self) -> None:
        alice, bob = await self.user(self.here, 1), await self.user(self.there, 2)
        chat_id = (await alice.ask(CreateChat(user_ids=[2, 3], type=2))).reply.chat_id
        await self.settle()
        await self.assertFailure(bob.ask(UpdateChat(chat_id=chat_id, remove_users=[3])), Refused)
        await self.assertFailure(bob.ask(AnswerFriend(user_id=1, type=1)), Refused)
        await self.settle()
        self.assertEqual(self.keys("{pending}"), [])

    async def test_a_delivery_that_takes_too_long_is_unavailable_and_finished_later(self) -> None:
        alice, bob = await self.user(self.here, 1), await self.user(self.there, 2)
        stuck: list[Any] = []
        run = self.here.own_link.run

        def slow(done: Any, script: Any, keys: Any, args: Any) -> None:
            if script.name == "user_chat":
                stuck.append((done, script, keys, args))
            else:
                run(done, script, keys, args)

        self.here.own_link.run = slow
        asked = alice.ask(CreateChat(user_ids=[2], type=2))
        await until(lambda: len(stuck) == 2)
        self.here.clock.advance(5)
        await self.assertFailure(asked, Unavailable)
        del self.here.own_link.run
        self.long_ago(self.outside.zrange(self.key("{pending}"), 0, -1)[0].decode())
        self.there.clock.advance(5)
        await self.settle()
        (chat_id,) = (await self.store.users.read(2)).chats
        self.assertEqual((alice.seqs(chat_id), bob.seqs(chat_id)), ([1], [1]))

    async def test_later_frames_of_the_chat_wait_behind_the_reply(self) -> None:
        alice, bob = await self.user(self.here, 1), await self.user(self.there, 2)
        chat_id = (await alice.ask(CreateChat(user_ids=[2], type=2))).reply.chat_id
        await self.settle()
        waiting: Deferred[None] = Deferred()
        run = self.here.own_link.run

        def slow(done: Any, script: Any, keys: Any, args: Any) -> None:
            if script.name == "user_chat":
                waiting.addCallback(lambda _: run(done, script, keys, args))
            else:
                run(done, script, keys, args)

        self.here.own_link.run = slow
        asked = alice.ask(UpdateChat(chat_id=chat_id, add_users=[3]))
        await until(lambda: 2 in bob.seqs(chat_id), "the change at the others'")
        await bob.ask(SendGroup(chat_id=chat_id, message="x"))
        await self.settle()
        self.assertEqual(alice.seqs(chat_id), [1])
        waiting.callback(None)
        await asked
        del self.here.own_link.run
        await self.settle()
        self.assertEqual(
            [(d["seq"], "id" in d) for op, _, d in alice.frames if op in (12, 14)],
            [(1, True), (2, True), (3, False)],
        )
