"""Users on several nodes over one store, without sockets: what each session is told, in which order, and only once.

The races of hello, of creating chats and of asking for friendship, on one node and on two.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred, gatherResults

from chatsrv.store.pairs import Relation
from chatsrv.wire.codes import Profile
from chatsrv.wire.requests import (
    AddFriend,
    AnswerFriend,
    CreateChat,
    SendGroup,
    SendPrivate,
    UpdateChat,
)
from tests.unit.test_store_kit import Listener, NodeCase, TestNode, until


def before_command(node: TestNode, name: str, action: Any, of: str = "") -> None:
    """Carry ``action`` (a coroutine function) out right before the node sends the next script ``name`` (of a key)."""
    link, run = node.own_link, node.own_link.run
    left = [1]

    def waiting(done: Any, script: Any, keys: Any, args: Any) -> None:
        if script.name != name or of not in keys[0] or not left[0]:
            run(done, script, keys, args)
            return
        left[0] -= 1
        action_done = Deferred.fromCoroutine(action(keys))
        action_done.addCallback(lambda _: run(done, script, keys, args))

    link.run = waiting


def after_command(node: TestNode, name: str, action: Any) -> None:
    """Carry ``action`` out once, after the script ``name`` ran and before its answer is seen."""
    link, run = node.own_link, node.own_link.run
    left = [1]

    def waiting(done: Any, script: Any, keys: Any, args: Any) -> None:
        if script.name != name or not left[0]:
            run(done, script, keys, args)
            return
        left[0] -= 1

        def answered(reply: Any) -> None:
            Deferred.fromCoroutine(action(keys)).addCallback(lambda _: done(reply))

        run(answered, script, keys, args)

    link.run = waiting


class TwoNodeCase(NodeCase):
    async def setUp(self) -> None:
        await super().setUp()
        self.here, self.there = await self.node(), await self.node()

    async def group_of(self, owner: Listener, *others: int, name: str = "g") -> int:
        result = await owner.ask(CreateChat(user_ids=list(others), type=2, chat=name))
        await self.settle()
        return int(result.reply.chat_id)

    def send(self, listener: Listener, chat_id: int, text: str) -> Deferred[Any]:
        return listener.ask(SendGroup(chat_id=chat_id, message=text))

    def check_gapless(self, listener: Listener, chat_id: int, first: int, last: int) -> None:
        self.assertEqual(listener.seqs(chat_id), list(range(first, last + 1)))


class Hellos(TwoNodeCase):
    """A change between each two steps of a hello is either in it or follows it, never both, never neither."""

    STEPS = ("user_enter", "user_read", "chat_head", "lease_live")

    async def setUp(self) -> None:
        await super().setUp()
        friend = Relation(b"1", b"1", b"0", b"0", b"2", b"1", b"2", b"op")
        await self.store.users.apply_pair(2, 99, friend, "nowhere")

    async def greeted(self, listener: Listener) -> None:
        """The whole of it: up to the first status."""
        await listener.join()
        await until(lambda: listener.online is not None)

    async def everything(self, listener: Listener, chat_id: int) -> list[int]:
        """The positions that the hello covers and those that followed it."""
        covered = int(listener.hello.heads.get(str(chat_id), 0))
        return [*range(1, covered + 1), *listener.seqs(chat_id)]

    async def test_a_message_at_each_step_is_covered_or_follows(self) -> None:
        for step in self.STEPS:
            for place in (before_command, after_command):
                for others_here in (False, True):
                    alice = await self.user(self.there, 1)
                    chat_id = await self.group_of(alice, 2)
                    first = await self.user(self.here, 2) if others_here else None
                    bob = Listener(self.here, 2)

                    async def change(_: Any, alice: Listener = alice, chat_id: int = chat_id) -> None:
                        await self.send(alice, chat_id, "x")
                        await self.here.settle_bus()

                    place(self.here, step, change)
                    await self.greeted(bob)
                    del self.here.own_link.run
                    await self.send(alice, chat_id, "y")
                    await self.settle()
                    self.assertEqual(
                        await self.everything(bob, chat_id), [1, 2, 3], (step, place, others_here)
                    )
                    for listener in (alice, bob, first):
                        if listener:
                            listener.leave()

    async def test_a_new_chat_at_each_step_is_covered_or_follows(self) -> None:
        for step in self.STEPS:
            for place in (before_command, after_command):
                for others_here in (False, True):
                    alice = await self.user(self.there, 1)
                    await self.group_of(alice, 2)
                    first = await self.user(self.here, 2) if others_here else None
                    bob, made = Listener(self.here, 2), []

                    async def change(_: Any, alice: Listener = alice, made: Any = made) -> None:
                        made.append(await self.group_of(alice, 2))
                        await self.send(alice, made[0], "x")
                        await self.here.settle_bus()

                    place(self.here, step, change)
                    await self.greeted(bob)
                    del self.here.own_link.run
                    await self.send(alice, made[0], "y")
                    await self.settle()
                    self.assertEqual(
                        await self.everything(bob, made[0]), [1, 2, 3], (step, place, others_here)
                    )
                    for listener in (alice, bob, first):
                        if listener:
                            listener.leave()

    async def test_a_removal_and_a_return_at_each_step_end_as_the_store_says(self) -> None:
        for step in self.STEPS:
            for place in (before_command, after_command):
                for others_here in (False, True):
                    for back in (False, True):
                        await self._removed_at(step, place, others_here, back)

    async def _removed_at(self, step: str, place: Any, others_here: bool, back: bool) -> None:
        alice = await self.user(self.there, 1)
        chat_id = await self.group_of(alice, 2)
        first = await self.user(self.here, 2) if others_here else None
        bob = Listener(self.here, 2)

        async def change(_: Any) -> None:
            await alice.ask(UpdateChat(chat_id=chat_id, remove_users=[2]))
            if back:
                await self.send(alice, chat_id, "not for him")
                await alice.ask(UpdateChat(chat_id=chat_id, add_users=[2]))
            await self.here.settle_bus()

        place(self.here, step, change)
        await self.greeted(bob)
        del self.here.own_link.run
        await self.send(alice, chat_id, "y")
        await self.settle()
        message = (step, place.__name__, others_here, back)
        texts = [d["message"] for d in bob.of(12, chat_id)]
        self.assertEqual(texts, ["y"] if back else [], message)
        states = [2 in d["users"] for d in bob.of(14, chat_id)]
        member = states[-1] if states else chat_id in bob.hello.chat_ids
        self.assertEqual(member, back, message)
        seqs = bob.seqs(chat_id)
        self.assertEqual(seqs, sorted(set(seqs)), message)
        self.assertTrue(all(seq > bob.hello.heads.get(str(chat_id), 0) for seq in seqs), message)
        for listener in (alice, bob, first):
            if listener:
                listener.leave()

    async def test_who_was_added_again_while_other_heads_were_read_hears_of_it(self) -> None:
        """His head said removed; the return came before the last of the other heads did."""
        alice = await self.user(self.there, 1)
        chat_id, other = await self.group_of(alice, 2), await self.group_of(alice, 2)
        await self.user(self.here, 2)
        bob = Listener(self.here, 2)

        async def removed(_: Any) -> None:
            await alice.ask(UpdateChat(chat_id=chat_id, remove_users=[2]))

        async def returned(_: Any) -> None:
            await until(lambda: not self.here.own_link._pipeline.waiting, "the head of the one chat")
            await alice.ask(UpdateChat(chat_id=chat_id, add_users=[2]))
            await self.here.settle_bus()

        before_command(self.here, "chat_head", returned, of=f"{{c:{other}}}")
        after_command(self.here, "user_read", removed)
        await self.greeted(bob)
        del self.here.own_link.run
        self.assertEqual(bob.hello.chat_ids, [other])
        await self.send(alice, chat_id, "y")
        await self.send(alice, other, "z")
        await self.settle()
        self.assertEqual([d["message"] for d in bob.of(12)], ["y", "z"])


class Creations(TwoNodeCase):
    async def test_two_users_opening_their_private_chat_at_once_get_the_same_one(self) -> None:
        user_id = 10
        for where in (self.here, self.there):
            for _ in range(5):
                user_id += 2
                alice, bob = await self.user(self.here, user_id), await self.user(where, user_id + 1)
                asked = [
                    alice.ask(CreateChat(user_ids=[user_id + 1], type=1)),
                    bob.ask(CreateChat(user_ids=[user_id], type=1)),
                ]
                replies = [result.reply for result in await gatherResults(asked)]
                chat_id = replies[0].chat_id
                self.assertEqual(replies[1].chat_id, chat_id)
                self.assertEqual([reply.users for reply in replies], [[user_id, user_id + 1]] * 2)
                await self.settle()
                for one in (alice, bob):
                    await one.ask(SendPrivate(chat_id=chat_id, message="x"))
                    await self.settle()
                for listener in (alice, bob):
                    states = listener.of(14)
                    self.assertEqual({d["chat_id"] for d in states}, {chat_id})
                    self.assertLessEqual(len(states), 2)
                    self.assertEqual(sum("id" in d for d in states), 1)
                    self.assertEqual([d["seq"] for d in listener.of(12)], [2, 3])

    async def test_the_candidate_of_who_came_second_leaves_nothing_behind(self) -> None:
        alice, bob = await self.user(self.here, 1), await self.user(self.here, 2)
        await gatherResults(
            [alice.ask(CreateChat(user_ids=[2], type=1)), bob.ask(CreateChat(user_ids=[1], type=1))]
        )
        await self.settle()
        self.assertEqual([len(chat.feed) for chat in self.here.chats if chat.wanted], [2])
        self.assertEqual(self.keys("*handoff"), [])
        self.assertEqual(self.keys("{pending}"), [])

    async def test_the_reply_is_the_creation_though_the_other_one_wrote_meanwhile(self) -> None:
        for one, where in ((1, self.here), (3, self.there)):
            alice, bob = await self.user(self.here, one), await self.user(where, one + 1)

            async def change(_: Any, bob: Listener = bob, one: int = one) -> None:
                chat_id = (await self.store.pairs.read(one, one + 1)).chat
                await self.settle_of(bob)
                await bob.ask(SendPrivate(chat_id=chat_id, message="first!"))
                await self.here.settle_bus()

            before_command(self.here, "handoff_done", change)
            result = await alice.ask(CreateChat(user_ids=[one + 1], type=1))
            del self.here.own_link.run
            await self.settle()
            self.assertEqual((result.reply.op, result.reply.t, result.reply.seq), (14, 1, 1))
            self.assertEqual(
                [(op, d["seq"], "id" in d) for op, _, d in alice.frames if op in (12, 14)],
                [(14, 1, True), (12, 2, False)],
            )
            self.assertEqual(bob.seqs(result.reply.chat_id), [1, 2])

    async def settle_of(self, listener: Listener) -> None:
        await until(lambda: listener.of(14), "the chat")

    async def test_opening_it_again_answers_the_caller_alone_at_the_present_head(self) -> None:
        alice, bob = await self.user(self.here, 1), await self.user(self.there, 2)
        chat_id = (await alice.ask(CreateChat(user_ids=[2], type=1))).reply.chat_id
        await alice.ask(SendPrivate(chat_id=chat_id, message="x"))
        await self.settle()
        again = await bob.ask(CreateChat(user_ids=[1, 2], type=1))
        await self.settle()
        self.assertEqual((again.reply.chat_id, again.reply.seq), (chat_id, 2))
        self.assertEqual((alice.seqs(chat_id), bob.seqs(chat_id)), ([1, 2], [1, 2, 2]))

    async def test_a_group_is_heard_of_once_by_everyone_on_every_node(self) -> None:
        alice, bob = await self.user(self.here, 1), await self.user(self.there, 2)
        device, core = await self.user(self.there, 1), await self.user(self.here, 1, Profile.CORE)
        chat_id = await self.group_of(alice, 2)
        await self.send(alice, chat_id, "x")
        await self.settle()
        for listener in (alice, bob, device):
            self.check_gapless(listener, chat_id, 1, 2)
        self.assertEqual(core.seqs(chat_id), [1])


class Friends(TwoNodeCase):
    def shown(self, listener: Listener) -> str:
        """What its 17s add up to, in order, as a client would take them."""
        state = "none"
        for _, t, d in (frame for frame in listener.frames if frame[0] == 17):
            if t == 1:
                own = d["from"] == listener.user_id
                state = "friends" if d.get("accepted") else "outgoing" if own else "incoming"
            else:
                state = "friends" if d["type"] == 1 else "none"
        return state

    async def stored(self, user_id: int, other: int) -> str:
        lists = await self.store.users.read(user_id)
        names = ("friends", "incoming", "outgoing")
        states = [name for name in names if other in getattr(lists, name)]
        self.assertLessEqual(len(states), 1)
        return states[0] if states else "none"

    async def test_crossing_requests_end_in_friendship_on_all_connections(self) -> None:
        for where in (self.here, self.there):
            for turns in range(8):
                one = 100 + 2 * turns + (50 if where is self.there else 0)
                alice, bob = await self.user(self.here, one), await self.user(where, one + 1)
                device = await self.user(self.there, one)
                asked = alice.ask(AddFriend(user_id=one + 1))
                for _ in range(turns):
                    await self.here.marker()
                answers = await gatherResults([asked, bob.ask(AddFriend(user_id=one))])
                await self.settle()
                for listener, other in ((alice, one + 1), (bob, one), (device, one + 1)):
                    self.assertEqual(await self.stored(listener.user_id, other), "friends")
                    self.assertEqual(self.shown(listener), "friends", (turns, listener.frames))
                self.assertTrue(all((a.reply.op, a.reply.t) == (17, 1) for a in answers))
                self.assertEqual([a.reply.accepted is True for a in answers].count(True), 1)
                self.assertLessEqual(len(alice.of(17)), 2)

    async def test_a_crossing_request_in_the_middle_of_ones_own(self) -> None:
        for turns, script in enumerate(("pair_add", "user_pair", "handoff_done")):
            for place in (before_command, after_command):
                one = 300 + 10 * turns + 2 * (place is after_command)
                alice, bob = await self.user(self.here, one), await self.user(self.there, one + 1)

                async def crossing(_: Any, bob: Listener = bob, one: int = one) -> None:
                    await bob.ask(AddFriend(user_id=one))
                    await self.here.settle_bus()

                place(self.here, script, crossing)
                await alice.ask(AddFriend(user_id=one + 1))
                del self.here.own_link.run
                await self.settle()
                for listener, other in ((alice, one + 1), (bob, one)):
                    self.assertEqual(await self.stored(listener.user_id, other), "friends")
                    self.assertEqual(self.shown(listener), "friends", (script, place, listener.frames))
                self.assertEqual(self.here.users.get(one).asking, [])

    async def test_a_denial_faster_than_the_reply_follows_it(self) -> None:
        alice, bob = await self.user(self.here, 1, Profile.CORE), await self.user(self.there, 2)

        async def denied(_: Any) -> None:
            await until(lambda: bob.of(17), "the request")
            await bob.ask(AnswerFriend(user_id=1, type=2))
            await self.here.settle_bus()

        before_command(self.here, "handoff_done", denied)
        await alice.ask(AddFriend(user_id=2))
        del self.here.own_link.run
        await self.settle()
        self.assertEqual(
            [(t, d["from"], "id" in d) for op, t, d in alice.frames if op == 17],
            [(1, 1, True), (2, 2, False)],
        )
        self.assertEqual(self.here.users.get(1).asking, [])

    async def test_an_older_denial_that_comes_late_goes_before_the_reply(self) -> None:
        alice, bob = await self.user(self.here, 1), await self.user(self.there, 2)
        await alice.ask(AddFriend(user_id=2))
        await self.settle()
        channel = self.here.channels.user(1).encode()
        listener = self.here.bus._listeners[channel]
        late: list[bytes] = []
        self.here.bus._listeners[channel] = late.append
        await bob.ask(AnswerFriend(user_id=1, type=2))
        await self.settle()

        async def comes(_: Any) -> None:
            listener(late.pop(0))

        before_command(self.here, "handoff_done", comes)
        await alice.ask(AddFriend(user_id=2))
        del self.here.own_link.run
        await self.settle()
        for payload in late:
            listener(payload)
        self.assertEqual(
            [(t, "id" in d) for op, t, d in alice.frames if op == 17], [(1, True), (2, False), (1, True)]
        )
        self.assertEqual(self.here.users.get(1).asking, [])

    async def test_one_answer_on_each_of_two_nodes_counts_once(self) -> None:
        alice = await self.user(self.here, 1)
        bobs = [await self.user(node, 2) for node in (self.here, self.there)]
        await alice.ask(AddFriend(user_id=2))
        await self.settle()
        answers = [
            bob.ask(AnswerFriend(user_id=1, type=type)) for bob, type in zip(bobs, (1, 2), strict=True)
        ]
        failures = [0]
        for answer in answers:
            answer.addErrback(lambda failure: failures.append(failure.value.code.code))
        await gatherResults(answers)
        await self.settle()
        self.assertEqual(failures[1:], ["not_found"])
        for listener, other in ((alice, 2), (bobs[0], 1), (bobs[1], 1)):
            self.assertEqual(self.shown(listener), await self.stored(listener.user_id, other))

    async def test_what_happened_beyond_the_log_is_shown_from_the_lists(self) -> None:
        alice = await self.user(self.here, 1)
        actor = self.here.users.get(1)
        self.here.bus.unsubscribe(self.here.channels.user(1))
        for other in range(200, 310):
            await self.store.pairs.add(other, 1, "op")
            await self.here.handoffs.deliver(f"p:1:{other}")
        actor.repair()
        await until(lambda: len(alice.of(17)) == 110)
        self.assertEqual({d["user_id"] for d in alice.of(17)}, set(range(200, 310)))
        self.assertEqual({t for op, t, _ in alice.frames if op == 17}, {1})
