"""One chat on two nodes: group commit, unknown outcomes, what the bus loses, and what a crash leaves behind."""

from __future__ import annotations

from typing import Any

import msgspec
from twisted.internet.defer import Deferred, gatherResults
from twisted.python.failure import Failure

from chatsrv.actors import group_commit
from chatsrv.kernel import MailboxFull, Overdue
from chatsrv.redis import Unavailable
from chatsrv.wire.codes import CloseCode, Profile
from chatsrv.wire.refusal import Refused
from chatsrv.wire.requests import CreateChat, DeleteMessage, EditMessage, SendGroup, SendPrivate, UpdateChat
from tests.unit.test_store_kit import Listener, NodeCase, TestNode, until


class ChatCase(NodeCase):
    async def setUp(self) -> None:
        await super().setUp()
        self.here, self.there = await self.node(), await self.node()
        self.alice, self.bob = await self.user(self.here, 1), await self.user(self.there, 2)
        self.carol = await self.user(self.here, 3)
        created = await self.alice.ask(CreateChat(user_ids=[2, 3], type=2))
        self.chat_id = created.reply.chat_id
        await self.settle()
        self.everyone = (self.alice, self.bob, self.carol)
        self.calls: list[tuple[str, Any]] = []
        self.stuck: list[Any] = []

    def send(self, text: str, by: Listener | None = None) -> Deferred[Any]:
        return (by or self.alice).ask(SendGroup(chat_id=self.chat_id, message=text))

    def record(self, node: TestNode) -> None:
        """Note each script that changes a chat."""
        run = node.own_link.run

        def noting(done: Any, script: Any, keys: Any, args: Any) -> None:
            if script.name in ("chat_send", "chat_edit", "chat_delete", "chat_update"):
                self.calls.append((script.name, list(args)))
            run(done, script, keys, args)

        node.own_link.run = noting

    def keep_first_answer(self, node: TestNode, name: str = "chat_send") -> None:
        """The script runs, but its answer stays away until `let_go`."""
        run = node.own_link.run

        def keeping(done: Any, script: Any, keys: Any, args: Any) -> None:
            if script.name == name and not self.stuck:
                self.stuck.append(None)
                run(lambda reply: self.stuck.append((done, reply)), script, keys, args)
            else:
                run(done, script, keys, args)

        node.own_link.run = keeping

    async def let_go(self) -> None:
        await until(lambda: len(self.stuck) == 2, "the answer that is kept")
        done, reply = self.stuck[1]
        done(reply)

    def batches(self) -> list[list[str]]:
        """The texts of each group commit."""
        sends = [args for name, args in self.calls if name == "chat_send"]
        return [
            [args[-1]] if type(args[-1]) is str else [draft[2] for draft in msgspec.msgpack.decode(args[-1])]
            for args in sends
        ]

    def check_all_got(self, first: int, last: int) -> None:
        for listener in self.everyone:
            self.assertEqual(listener.seqs(self.chat_id), list(range(first, last + 1)), listener.user_id)


class GroupCommit(ChatCase):
    async def test_what_comes_while_a_commit_is_in_flight_goes_out_as_one_of_at_most_64(self) -> None:
        self.record(self.here)
        self.keep_first_answer(self.here)
        heard = self.there.heard.count(f"{self.prefix}0:c:{self.chat_id}".encode())
        answers = [self.send(str(n), self.alice if n % 2 else self.carol) for n in range(101)]
        await self.let_go()
        results = await gatherResults(answers)
        self.assertEqual([len(batch) for batch in self.batches()], [1, 64, 36])
        self.assertEqual([text for batch in self.batches() for text in batch], [str(n) for n in range(101)])
        self.assertEqual([result.reply.message_id for result in results], list(range(1, 102)))
        await self.settle()
        channel = f"{self.prefix}0:c:{self.chat_id}".encode()
        self.assertEqual(self.there.heard.count(channel) - heard, 3, "one bus message per batch")
        self.check_all_got(1, 102)

    async def test_a_commit_is_at_most_128_kib(self) -> None:
        self.record(self.here)
        self.keep_first_answer(self.here)
        answers = [self.send("😀" * 4000) for _ in range(20)]
        await self.let_go()
        await gatherResults(answers)
        self.assertEqual([len(batch) for batch in self.batches()], [1, 8, 8, 3])
        await self.settle()
        self.calls.clear()
        self.stuck.clear()
        answers = [self.send("x" * 4000) for _ in range(40)]
        await self.let_go()
        await gatherResults(answers)
        self.assertEqual([len(batch) for batch in self.batches()], [1, 32, 7])

    async def test_any_other_request_closes_the_batch_and_keeps_its_place(self) -> None:
        self.record(self.here)
        self.keep_first_answer(self.here)
        answers = [
            self.send("a"),
            self.send("b"),
            self.send("c"),
            self.alice.ask(EditMessage(chat_id=self.chat_id, message_id=3, message="c2")),
            self.send("d"),
            self.alice.ask(DeleteMessage(chat_id=self.chat_id, message_id=4)),
            self.alice.ask(UpdateChat(chat_id=self.chat_id, chat="name")),
            self.send("e"),
            self.send("f"),
        ]
        await self.let_go()
        results = await gatherResults(answers)
        self.assertEqual([result.reply.seq for result in results], list(range(2, 11)))
        names = [name for name, _ in self.calls]
        self.assertEqual(
            names,
            ["chat_send", "chat_send", "chat_edit", "chat_send", "chat_delete", "chat_update", "chat_send"],
        )
        self.assertEqual(self.batches(), [["a"], ["b", "c"], ["d"], ["e", "f"]])
        await self.settle()
        self.check_all_got(1, 10)

    async def test_each_of_a_batch_has_its_own_result(self) -> None:
        self.keep_first_answer(self.here)
        outsider = await self.user(self.here, 9)
        asked = [
            self.send("a"),
            self.send("b", outsider),
            self.alice.ask(SendPrivate(chat_id=self.chat_id, message="c")),
            self.send("d", self.carol),
        ]
        codes: list[str] = []
        for refused in asked[1:3]:
            refused.addErrback(lambda failure: codes.append(failure.value.code.code))
        await self.let_go()
        results = await gatherResults(asked)
        self.assertEqual(codes, ["not_found", "wrong_chat_type"])
        self.assertEqual((results[0].reply.seq, results[3].reply.seq), (2, 3))
        await self.settle()
        self.check_all_got(1, 3)

    async def test_the_reply_stands_in_the_events_place_though_the_bus_was_faster(self) -> None:
        self.keep_first_answer(self.here)
        asked = self.send("a")
        await self.settle()
        await self.send("from there", self.bob)
        await self.settle()
        self.assertEqual(self.bob.seqs(self.chat_id), [1, 2, 3])
        self.assertEqual(self.alice.seqs(self.chat_id), [1])
        await self.let_go()
        await asked
        await self.settle()
        self.check_all_got(1, 3)
        self.assertEqual([("id" in d) for d in self.alice.of(12)], [True, False])

    async def test_two_nodes_at_once_end_in_one_order_for_all(self) -> None:
        asked = [self.send(f"{n}", self.everyone[n % 3]) for n in range(300)]
        await gatherResults(asked)
        await self.settle()
        self.check_all_got(1, 301)
        texts = [[d.get("message", "own") for d in listener.of(12)] for listener in self.everyone]
        for seen in zip(*texts, strict=True):
            self.assertEqual((len(set(seen)), seen.count("own")), (2, 1), seen)


class Spacing(ChatCase):
    """Of a group of three on two nodes, two sessions are here; a commit is to be a second away for each of them."""

    async def setUp(self) -> None:
        await super().setUp()
        self.patch(group_commit, "SPACING_S", 1.0)
        self.record(self.here)
        await self.send("first")
        await self.settle()

    async def test_what_comes_soon_after_a_commit_goes_out_together(self) -> None:
        answers = [self.send("a"), self.send("b", self.carol)]
        self.here.clock.advance(1.9)
        answers.append(self.send("c"))
        self.assertEqual(self.batches(), [["first"]])
        self.here.clock.advance(0.1)
        await gatherResults(answers)
        self.assertEqual(self.batches(), [["first"], ["a", "b", "c"]])
        await self.settle()
        self.check_all_got(1, 5)

    async def test_what_comes_later_goes_out_at_once(self) -> None:
        self.here.clock.advance(2)
        await self.send("a")
        self.assertEqual(self.batches(), [["first"], ["a"]])

    async def test_as_much_as_fits_into_one_commit_does_not_wait(self) -> None:
        self.keep_first_answer(self.here)
        self.here.clock.advance(2)
        answers = [self.send(str(n)) for n in range(66)]
        await self.let_go()
        await gatherResults(answers[:65])
        self.assertEqual([len(batch) for batch in self.batches()], [1, 1, 64])
        self.here.clock.advance(2)
        await answers[65]

    async def test_who_waits_is_answered_when_the_actor_is_let_go(self) -> None:
        answers = [self.send("a"), self.send("b")]
        self.here.chats.clear()
        for answer in answers:
            await self.assertFailure(answer, Overdue)


class UnknownOutcomes(ChatCase):
    async def failing(self, command: Any, *, run_first: bool, name: str) -> Any:
        """The request whose script's answer is lost, or which never ran; what it was answered with."""
        link, run = self.here.own_link, self.here.own_link.run

        def faulty(done: Any, script: Any, keys: Any, args: Any) -> None:
            if script.name != name:
                run(done, script, keys, args)
            elif run_first:
                run(lambda _: done(Unavailable("the answer was lost", sent=True)), script, keys, args)
            else:
                done(Unavailable("it was not run", sent=True))

        link.run = faulty
        answers: list[Any] = []
        self.alice.ask(command).addBoth(answers.append)
        await until(lambda: answers)
        del link.run
        await self.settle()
        self.here.clock.advance(1)
        await self.settle()
        assert isinstance(answers[0], Failure)
        return answers[0].value

    async def test_what_took_effect_follows_once_without_id(self) -> None:
        await self.send("old")
        commands = (
            ("chat_send", SendGroup(chat_id=self.chat_id, message="x")),
            ("chat_edit", EditMessage(chat_id=self.chat_id, message_id=1, message="new")),
            ("chat_delete", DeleteMessage(chat_id=self.chat_id, message_id=1)),
            ("chat_update", UpdateChat(chat_id=self.chat_id, chat="name")),
        )
        for seq, (name, command) in enumerate(commands, 3):
            self.assertIsInstance(await self.failing(command, run_first=True, name=name), Unavailable)
            self.check_all_got(1, seq)
            self.assertNotIn("id", self.alice.frames[-1][2])

    async def test_what_did_not_is_answered_and_nothing_follows(self) -> None:
        for name, command in (
            ("chat_send", SendGroup(chat_id=self.chat_id, message="x")),
            ("chat_update", UpdateChat(chat_id=self.chat_id, chat="name")),
        ):
            self.assertIsInstance(await self.failing(command, run_first=False, name=name), Unavailable)
        await self.send("next")
        await self.settle()
        self.check_all_got(1, 2)

    async def test_each_of_a_batch_is_answered_unavailable_and_the_next_is_taken(self) -> None:
        self.keep_first_answer(self.here)
        failures: list[Failure] = []
        first = self.send("a")
        rest = [self.send(text).addErrback(failures.append) for text in "bcd"]
        self.here.own_link.arm(1, run_first=True, for_good=False)
        await self.let_go()
        await first
        await gatherResults(rest)
        self.here.own_link.heal()
        self.assertEqual([failure.type for failure in failures], [Unavailable] * 3)
        await self.send("e")
        await self.settle()
        self.here.clock.advance(1)
        await self.settle()
        self.check_all_got(1, 6)
        self.assertEqual([("id" in d) for d in self.alice.of(12)], [True, False, False, False, True])

    async def test_a_core_session_is_told_no_event_of_its_own(self) -> None:
        core = await self.user(self.here, 1, Profile.CORE)
        await self.failing(SendGroup(chat_id=self.chat_id, message="x"), run_first=True, name="chat_send")
        self.assertEqual(core.of(12), [])
        await self.send("y", self.bob)
        await self.settle()
        self.assertEqual([d["message"] for d in core.of(12)], ["y"])


class Losses(ChatCase):
    def lose(self, node: TestNode, count: int) -> None:
        """The next messages of the chat's channel do not reach this node."""
        hear, left = node.bus._listeners, [count]
        channel = node.channels.chat(self.chat_id).encode()
        listener = hear[channel]

        def lossy(payload: bytes) -> None:
            left[0] -= 1
            if left[0] < 0:
                listener(payload)

        hear[channel] = lossy

    async def test_a_lost_publish_is_found_by_the_head_check(self) -> None:
        self.lose(self.there, 1)
        await self.send("lost")
        await self.settle()
        self.assertEqual(self.bob.seqs(self.chat_id), [1])
        self.there.clock.advance(1)
        await self.settle()
        self.check_all_got(1, 2)

    async def test_a_hole_is_refilled_before_what_is_behind_it_is_delivered(self) -> None:
        self.lose(self.there, 1)
        await self.send("lost")
        await self.send("next")
        await self.settle()
        self.assertEqual(self.bob.seqs(self.chat_id), [1])
        self.there.clock.advance(0.2)
        await self.settle()
        self.check_all_got(1, 3)
        self.assertEqual([d["message"] for d in self.bob.of(12)], ["lost", "next"])

    async def test_what_is_published_twice_or_late_is_delivered_once(self) -> None:
        channel = self.there.channels.chat(self.chat_id).encode()
        listener = self.there.bus._listeners[channel]
        payloads: list[bytes] = []
        self.there.bus._listeners[channel] = payloads.append
        for text in "abc":
            await self.send(text)
        await self.settle()
        for order in (2, 0, 0, 1, 2, 1):
            listener(payloads[order])
        self.check_all_got(1, 4)
        self.there.clock.advance(0.2)
        await self.settle()
        self.check_all_got(1, 4)

    async def test_a_lost_subscription_is_repaired(self) -> None:
        self.outside.client_kill_filter(_type="pubsub")
        await until(lambda: not self.there.bus.link.connected, "the loss")
        for text in "abc":
            await self.send(text)
        for node in self.nodes:
            await node.bus.link.when_up()
        await self.settle()
        self.check_all_got(1, 4)

    async def test_an_update_whose_user_event_was_lost_is_repaired_too(self) -> None:
        dave = await self.user(self.there, 4)
        channel = self.there.channels.user(4).encode()
        listener = self.there.bus._listeners[channel]
        self.there.bus._listeners[channel] = lambda payload: None
        await self.alice.ask(UpdateChat(chat_id=self.chat_id, add_users=[4]))
        await self.send("x")
        await self.settle()
        self.there.bus._listeners[channel] = listener
        self.assertEqual(dave.seqs(self.chat_id), [])
        self.there.clock.advance(1)
        await self.settle()
        self.assertEqual(dave.seqs(self.chat_id), [2, 3])


class Bounds(ChatCase):
    options = {"mailbox_entries": 5}

    async def test_a_full_mailbox_refuses_and_other_chats_go_on(self) -> None:
        other = (await self.alice.ask(CreateChat(user_ids=[2], type=2))).reply.chat_id
        self.keep_first_answer(self.here)
        answers = [self.send(str(n)) for n in range(6)]
        with self.assertRaises(MailboxFull):
            self.send("one too many")
        await self.alice.ask(SendGroup(chat_id=other, message="x"))
        await self.let_go()
        results = await gatherResults(answers)
        self.assertEqual([result.reply.seq for result in results], list(range(2, 8)))

    async def test_what_waited_beyond_its_deadline_is_not_carried_out(self) -> None:
        self.keep_first_answer(self.here)
        first = self.send("a")
        late = self.alice.ask(DeleteMessage(chat_id=self.chat_id, message_id=1))
        self.here.clock.advance(5.5)
        await self.let_go()
        await first
        await self.assertFailure(late, Overdue)
        await self.settle()
        self.check_all_got(1, 2)

    async def test_an_actor_that_crashes_again_and_again_lets_its_sessions_know(self) -> None:
        actor = self.here.chats.get(self.chat_id)
        self.patch(actor, "finish", None)
        for _ in range(4):
            asked = self.alice.ask(EditMessage(chat_id=self.chat_id, message_id=99, message="x"))
            await self.assertFailure(asked, Refused)
        await self.send("x")
        for n in range(4):
            asked = self.alice.ask(EditMessage(chat_id=self.chat_id, message_id=1, message=f"new {n}"))
            await self.assertFailure(asked, TypeError)
        self.assertEqual(len(self.flushLoggedErrors(TypeError)), 4)
        self.assertEqual(self.alice.code, CloseCode.INTERNAL_ERROR)
        self.assertEqual((self.carol.code, self.carol.feeds), (CloseCode.INTERNAL_ERROR, set()))
        self.assertIsNone(self.bob.code)
        self.assertIsNot(self.here.chats.get(self.chat_id), actor)


class Kicks(ChatCase):
    async def test_who_is_removed_sees_nothing_after_it_on_any_connection(self) -> None:
        device = await self.user(self.here, 2)
        asked: list[Any] = []
        for n in range(60):
            asked.append(
                self.send(str(n), self.everyone[n % 3]).addErrback(lambda failure: failure.trap(Refused))
            )
            if n == 20:
                asked.append(self.alice.ask(UpdateChat(chat_id=self.chat_id, remove_users=[2])))
        await gatherResults(asked)
        await self.settle()
        end = next(d["seq"] for d in self.alice.of(14, self.chat_id) if 2 not in d["users"])
        for listener, first in ((self.bob, 1), (device, 2)):
            self.assertEqual(listener.seqs(self.chat_id), list(range(first, end + 1)))
            self.assertEqual(listener.feeds, set())
        senders = {d["sender_id"] for d in self.carol.of(12) if d["seq"] > end and "sender_id" in d}
        self.assertNotIn(2, senders)

    async def test_who_comes_back_sees_what_follows_and_not_what_was_between(self) -> None:
        await self.alice.ask(UpdateChat(chat_id=self.chat_id, remove_users=[2]))
        await self.send("between")
        await self.alice.ask(UpdateChat(chat_id=self.chat_id, add_users=[2]))
        await self.send("after")
        await self.settle()
        self.assertEqual(self.bob.seqs(self.chat_id), [1, 2, 4, 5])
        self.assertEqual([d["message"] for d in self.bob.of(12)], ["after"])
