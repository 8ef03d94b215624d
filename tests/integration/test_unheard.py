"""Commits that nobody is told of, for their own node is the only listener (decision 15), and what must still hold."""

from __future__ import annotations

import gc
from typing import Any

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from chatsrv.kernel import Envelope
from chatsrv.redis import Unavailable
from chatsrv.wire.requests import CreateChat, SendGroup
from tests.unit.test_store_kit import Listener, NodeCase, TestNode, until

PAUSE_MS = 200


class ChatCase(NodeCase):
    def redis_of_test(self) -> Any:
        return self.own_server()  # it is paused, and a pause is for all of a server

    async def group(self, owner: Listener, other: int) -> int:
        """A group with one message in it."""
        chat_id = (await owner.ask(CreateChat(user_ids=[other], type=2))).reply.chat_id
        await self.settle()
        await owner.ask(SendGroup(chat_id=chat_id, message="first"))
        await self.settle()
        return int(chat_id)

    def send(self, listener: Listener, chat_id: int) -> Deferred[Any]:
        sent = listener.ask(SendGroup(chat_id=chat_id, message="text"))
        sent.addErrback(lambda failure: failure.value)
        return sent


class TwoNodes(ChatCase):
    async def apart(self) -> tuple[TestNode, Listener, Listener, int]:
        """Alice and bob in a group, each on a node; alice's commits are held up behind what her node says besides."""
        here, there = await self.node(), await self.node()
        alice, bob = await self.user(here, 1), await self.user(there, 2)
        chat_id = await self.group(alice, 2)
        self.outside.execute_command("CLIENT", "PAUSE", PAUSE_MS, "WRITE")
        return here, alice, bob, chat_id

    async def test_an_actor_that_is_let_go_while_it_commits_leaves_nobody_out(self) -> None:
        here, alice, bob, chat_id = await self.apart()
        self.send(alice, chat_id)
        for _ in range(4):
            here.chats.crashed(here.chats.get(chat_id), Failure(ZeroDivisionError()), None)
        await until(lambda: bob.seqs(chat_id) == [1, 2, 3], "bob's events")
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 4)

    async def test_a_node_that_stops_while_it_commits_leaves_nobody_out(self) -> None:
        here, alice, bob, chat_id = await self.apart()
        self.send(alice, chat_id)
        here.chats.stop()
        await until(lambda: bob.seqs(chat_id) == [1, 2, 3], "bob's events")


class OneNode(ChatCase):
    async def setUp(self) -> None:
        await super().setUp()
        self.here = await self.node()
        self.alice = await self.user(self.here, 1)
        self.chat_id = await self.group(self.alice, 2)
        self.chat = self.here.chats.get(self.chat_id)

    async def test_whoever_left_meanwhile_the_feed_goes_on(self) -> None:
        self.send(self.alice, self.chat_id)
        self.alice.leave()
        await until(lambda: self.chat.feed.position == 3, "the event")
        alice = await self.user(self.here, 1)
        reply = await self.send(alice, self.chat_id)
        self.assertEqual(reply.reply.seq, 4)

    def post(self, answer: Any) -> None:
        self.chat.post(Envelope(SendGroup(chat_id=self.chat_id, message="text"), answer, self.alice))

    async def test_an_asker_that_fails_keeps_neither_the_others_nor_the_mailbox(self) -> None:
        answers: list[Any] = []
        self.post(answers.append)
        self.here.own_link.arm(1, run_first=True, for_good=False)
        self.post(answers.append)
        self.post(lambda result: 1 // 0)
        self.post(answers.append)
        await until(lambda: len(answers) == 3, "the answers")
        self.here.own_link.heal()
        self.assertEqual([type(answer) for answer in answers[1:]], [Unavailable, Unavailable])
        self.assertTrue(self.flushLoggedErrors(ZeroDivisionError))
        self.post(answers.append)
        await until(lambda: len(answers) == 4, "what came after it")
        self.assertEqual(answers[-1].reply.seq, 7)

    async def test_a_batch_that_cannot_be_sent_is_answered_whole(self) -> None:
        answers: list[Any] = []

        class Broken:
            def append(_, *args: object) -> None:
                del self.chat.appender
                raise ZeroDivisionError

        self.post(answers.append)
        self.chat.appender = Broken()  # type: ignore[assignment]
        self.post(answers.append)
        self.post(answers.append)
        await until(lambda: len(answers) == 3, "the answers")
        self.assertEqual([type(answer) for answer in answers[1:]], [ZeroDivisionError] * 2)
        self.assertTrue(self.flushLoggedErrors(ZeroDivisionError))
        self.assertEqual((await self.send(self.alice, self.chat_id)).reply.seq, 4)

    async def test_a_commit_that_fails_leaves_no_cycles(self) -> None:
        for _ in range(2):  # the first time fills caches
            gc.collect()
            gc.disable()
            self.addCleanup(gc.enable)
            for _ in range(20):
                self.here.own_link.arm(1, run_first=True, for_good=False)
                self.assertIsInstance(await self.send(self.alice, self.chat_id), Unavailable)
                self.here.own_link.heal()
                await self.settle()
            unreachable = gc.collect()
        self.assertLess(unreachable, 20 * 10)
