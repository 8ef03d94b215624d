"""The epoch: when it changes, who is told, and what is forgotten. Nodes on one store, whose tail can be lost.

``remember`` copies the keys of the test, ``restore`` puts them back as they were: that is what a store does which
lost its tail, or was restored from a copy.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred, gatherResults

from chatsrv.kernel import Envelope, Overdue
from chatsrv.redis import Unavailable
from chatsrv.wire.codes import CloseCode
from chatsrv.wire.requests import AddFriend, CreateChat, SendGroup, UpdateChat
from tests.integration.test_nodes import after_command, before_command
from tests.unit.test_store_kit import Listener, NodeCase, TestNode, until


class Client(Listener):
    """A listener that notes every code it is closed with, and leaves the actor that it joined."""

    def __init__(self, node: TestNode, user_id: int) -> None:
        super().__init__(node, user_id)
        self.codes: list[CloseCode] = []
        self.actor = node.users.get(user_id)

    def close(self, code: CloseCode) -> None:
        self.codes.append(code)

    def leave(self) -> None:
        self.is_closed = True
        self.actor.leave(self)


class EpochCase(NodeCase):
    async def setUp(self) -> None:
        await super().setUp()
        self.here, self.there = await self.node(), await self.node()
        self.alice, self.bob = await self.client(self.here, 1), await self.client(self.there, 2)
        self.chat_id = (await self.alice.ask(CreateChat(user_ids=[2], type=2))).reply.chat_id
        await self.settle()
        self.first = self.here.epoch.name

    async def client(self, node: TestNode, user_id: int) -> Client:
        client = Client(node, user_id)
        await client.join()
        return client

    async def send(self, text: str = "x", by: Client | None = None) -> Any:
        reply = (await (by or self.alice).ask(SendGroup(chat_id=self.chat_id, message=text))).reply
        await self.settle()
        return reply

    def remember(self, pattern: str = "") -> dict[str, bytes]:
        return {key: value for key, value in self.keyspace().items() if pattern in key}

    def restore(self, kept: dict[str, bytes], pattern: str = "") -> None:
        for key in self.keyspace():
            if pattern in key:
                self.outside.delete(key)
        for key, value in kept.items():
            self.outside.restore(key, 0, value)

    @property
    def stored(self) -> str:
        return (self.outside.get(self.key("{epoch}")) or b"").decode()

    async def pass_time(self, seconds: float, *nodes: TestNode) -> None:
        for node in nodes or self.nodes:
            node.clock.advance(seconds)
        await self.settle()

    async def cut_links(self, kind: str) -> None:
        """The nodes' connections of this kind (``normal``, ``pubsub``) are lost, and come back."""
        links = [node.own_link if kind == "normal" else node.bus.link for node in self.nodes]
        self.outside.client_kill_filter(_type=kind)
        await until(lambda: not any(link.connected for link in links), "the loss")
        for link in links:
            await link.when_up()

    def check_begun(self, node: TestNode, *clients: Client) -> None:
        """The node serves the store's epoch, has forgotten what it knew, and has told everybody so."""
        self.assertEqual(node.epoch.name, self.stored)
        self.assertNotEqual(node.epoch.name, self.first)
        self.assertEqual((len(node.chats), len(node.users)), (0, 0))
        for client in clients:
            self.assertEqual(client.codes[0], CloseCode.GOING_AWAY)
            self.assertEqual(client.feeds, set())

    def check_goes_on(self) -> None:
        self.assertEqual({self.here.epoch.name, self.there.epoch.name, self.stored}, {self.first})
        self.assertEqual((self.alice.codes, self.bob.codes), ([], []))


class Beginnings(EpochCase):
    async def test_all_nodes_of_a_store_serve_the_epoch_that_the_first_one_took(self) -> None:
        self.assertTrue(self.first)
        self.assertEqual((self.there.epoch.name, self.stored), (self.first, self.first))
        self.assertEqual([c.hello.epoch for c in (self.alice, self.bob)], [self.first] * 2)
        self.outside.delete(self.key("{epoch}"))
        started = await gatherResults([Deferred.fromCoroutine(self.node()) for _ in range(3)])
        self.assertEqual({node.epoch.name for node in started}, {self.stored})

    async def test_while_nothing_is_lost_it_stays(self) -> None:
        for _ in range(5):
            await self.send()
            await self.pass_time(5)
        for kind in ("normal", "pubsub"):
            await self.cut_links(kind)
            await self.pass_time(1)
        self.check_goes_on()


class AMissingKey(EpochCase):
    """The store was emptied, or is another one."""

    async def test_it_is_found_at_the_renewal_of_the_lease_and_the_other_nodes_follow(self) -> None:
        self.outside.delete(self.key("{epoch}"))
        await self.pass_time(5, self.here)
        self.check_begun(self.here, self.alice)
        self.assertEqual((self.there.epoch.name, self.bob.codes), (self.first, []))
        await self.pass_time(5, self.there)
        self.check_begun(self.there, self.bob)

    async def test_it_is_found_when_a_link_comes_back(self) -> None:
        for kind in ("normal", "pubsub"):
            alice, before = await self.client(self.here, 1), self.here.epoch.name
            self.outside.delete(self.key("{epoch}"))
            await self.cut_links(kind)
            await self.settle()
            self.assertNotEqual(self.here.epoch.name, before)
            self.check_begun(self.here, alice)

    async def test_the_next_hello_says_it_and_all_goes_on(self) -> None:
        await self.send()
        self.restore({})
        await self.pass_time(5)
        self.alice.leave()
        alice, bob = await self.client(self.here, 1), await self.client(self.there, 2)
        self.assertEqual([c.hello.epoch for c in (alice, bob)], [self.stored] * 2)
        self.assertEqual([c.hello.chat_ids for c in (alice, bob)], [[], []])
        chat_id = (await alice.ask(CreateChat(user_ids=[2], type=2))).reply.chat_id
        await self.settle()
        self.chat_id = chat_id
        await self.send("new", alice)
        self.assertEqual((alice.seqs(chat_id), bob.seqs(chat_id)), ([1, 2], [1, 2]))
        self.assertEqual((alice.codes, bob.codes), ([], []))


class LostTails(EpochCase):
    async def lose(self) -> None:
        """Two messages, which the store then never had."""
        await self.send("kept")
        kept = self.remember()
        await self.send("lost 1")
        await self.send("lost 2")
        self.restore(kept)

    async def test_a_head_that_went_back_ends_the_epoch_on_all_nodes(self) -> None:
        await self.lose()
        await self.pass_time(1, self.here)
        self.check_begun(self.here, self.alice)
        await self.pass_time(5, self.there)
        self.check_begun(self.there, self.bob)
        self.assertEqual(self.here.epoch.name, self.there.epoch.name)

    async def test_the_numbers_go_on_from_the_store_and_clients_see_them_in_order(self) -> None:
        await self.lose()
        await self.pass_time(5)
        alice, bob = await self.client(self.here, 1), await self.client(self.there, 2)
        self.assertEqual([c.hello.heads for c in (alice, bob)], [{str(self.chat_id): 2}] * 2)
        reply = await self.send("again", alice)
        self.assertEqual((reply.message_id, reply.seq), (2, 3))
        self.assertEqual([d["message"] for d in bob.of(12)], ["again"])

    async def test_when_two_nodes_see_it_at_once_one_new_epoch_begins_and_stays(self) -> None:
        await self.lose()
        await self.pass_time(1)
        self.check_begun(self.here, self.alice)
        self.check_begun(self.there, self.bob)
        begun = self.stored
        clients = [await self.client(self.here, 1), await self.client(self.there, 2)]
        for _ in range(3):
            await self.pass_time(5)
        self.assertEqual({self.here.epoch.name, self.there.epoch.name, self.stored}, {begun})
        self.assertEqual([client.codes for client in clients], [[], []])

    async def test_many_chats_that_went_back_end_it_once(self) -> None:
        for _ in range(30):
            await self.alice.ask(CreateChat(user_ids=[2], type=2))
        await self.settle()
        kept = self.remember()
        for chat in list(self.here.chats):
            await self.alice.ask(SendGroup(chat_id=chat.chat_id, message="lost"))
        await self.settle()
        self.restore(kept)
        ends = self.count(self.here, "epoch_end")
        await self.pass_time(1, self.here)
        self.check_begun(self.here, self.alice)
        self.assertEqual(len(ends), 1)

    def count(self, node: TestNode, name: str) -> list[str]:
        run, found = node.own_link.run, list[str]()

        def noting(done: Any, script: Any, keys: Any, args: Any) -> None:
            if script.name == name:
                found.append(name)
            run(done, script, keys, args)

        node.own_link.run = noting
        return found

    async def test_a_users_rev_that_went_back_ends_it_too(self) -> None:
        kept = self.remember("{u:1}")
        await self.alice.ask(AddFriend(user_id=2))
        await self.settle()
        self.restore(kept, "{u:1}")
        await self.pass_time(1, self.here)
        self.check_begun(self.here, self.alice)

    async def test_a_chat_that_is_not_there_any_more_ends_it(self) -> None:
        self.restore({}, f"{{c:{self.chat_id}}}")
        await self.pass_time(1, self.here)
        self.check_begun(self.here, self.alice)

    async def test_one_that_was_deleted_in_order_does_not(self) -> None:
        for client in (self.alice, self.bob):
            await client.ask(UpdateChat(chat_id=self.chat_id, remove_users=[client.user_id]))
            await self.settle()
        await self.pass_time(5)
        self.check_goes_on()

    async def test_a_loss_that_could_not_be_noted_is_noted_later_and_nobody_is_greeted_meanwhile(
        self,
    ) -> None:
        await self.lose()
        run = self.here.own_link.run

        def failing(done: Any, script: Any, keys: Any, args: Any) -> None:
            if script.name in ("epoch_take", "epoch_end"):
                done(Unavailable("down", sent=False))
            else:
                run(done, script, keys, args)

        self.here.own_link.run = failing
        await self.pass_time(1, self.here)
        self.assertEqual((self.alice.codes[0], self.stored), (CloseCode.GOING_AWAY, self.first))
        self.alice.leave()
        await self.assertFailure(Client(self.here, 1).join(), Unavailable)
        del self.here.own_link.run
        await self.pass_time(5, self.here)
        self.check_begun(self.here)
        self.assertEqual((await self.client(self.here, 1)).hello.epoch, self.stored)


class Hellos(EpochCase):
    async def test_one_is_not_given_while_the_store_is_in_another_epoch(self) -> None:
        self.outside.set(self.key("{epoch}"), "another")
        client = Client(self.here, 3)
        await self.assertFailure(client.join(), Unavailable)
        self.assertIsNone(client.hello)
        await self.settle()
        self.check_begun(self.here, self.alice)
        self.assertEqual((await self.client(self.here, 3)).hello.epoch, "another")

    async def test_nor_when_that_begins_at_any_step_of_it(self) -> None:
        for step in ("user_enter", "user_read", "chat_head"):
            for place in (before_command, after_command):
                await self._begins_at(step, place)

    async def _begins_at(self, step: str, place: Any) -> None:
        first = await self.client(self.here, 1)  # his actor knows the chat, and so its head is read
        name = f"{step} {place.__name__}"

        async def begin(_: Any) -> None:
            self.outside.set(self.key("{epoch}"), name)

        place(self.here, step, begin)
        device = Client(self.here, 1)
        joined = await device.join().addErrback(lambda failure: failure.trap(Unavailable))
        del self.here.own_link.run
        await self.settle()
        self.assertEqual((joined, device.hello), (Unavailable, None), name)
        self.check_begun(self.here, first)
        for client in (first, device):
            client.leave()

    async def test_who_waits_for_his_turn_is_told_to_come_again(self) -> None:
        answers: list[Any] = []
        self.here.users.get(1).mailbox.put(Envelope("a join", answers.append))
        self.outside.set(self.key("{epoch}"), "another")
        await self.pass_time(5, self.here)
        self.assertEqual([type(answer) for answer in answers], [Overdue])


class OldEpochs(EpochCase):
    async def test_a_store_that_comes_back_with_one_begins_a_new_one(self) -> None:
        names = [self.first]
        for old in range(3):
            self.outside.delete(self.key("{epoch}"))
            await self.pass_time(5)
            names.append(self.stored)
            self.outside.set(self.key("{epoch}"), names[old])
            await self.pass_time(5)
            names.append(self.stored)
        self.assertEqual(len(set(names)), 7)
        self.assertEqual({self.here.epoch.name, self.there.epoch.name}, {names[-1]})


class WhoComesBack(EpochCase):
    async def test_stays_online_though_an_old_connection_of_his_ends_later(self) -> None:
        self.outside.set(self.key("{epoch}"), "another")
        await self.pass_time(5, self.here)
        await self.client(self.here, 1)
        self.alice.leave()
        await self.pass_time(6, self.here)
        listed = await self.here.store.leases.users(self.here.lease.name)
        self.assertEqual(listed, {1})
