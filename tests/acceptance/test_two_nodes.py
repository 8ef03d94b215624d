"""Two ``twistd chatsrv`` processes on one Redis behave as one server (issue 2; DESIGN sections 2, 3)."""

from uuid import uuid4

from tests.support.chat import ProcessCase, together

MESSAGES = 200


class TwoNodes(ProcessCase):
    async def setUp(self):
        server = self.redis_server()
        shared = {
            "redis": str(server.address),
            "redis_key_prefix": f"{uuid4().hex}:",
            "status_interval_s": 0.01,
        }
        self.nodes = await together(*[self.started_process(**shared) for _ in range(2)])
        self.node = self.nodes[0]

    async def spread(self, *user_ids):
        """Users on the two nodes in turn."""
        return [await self.user(user_id, node=self.nodes[n % 2]) for n, user_id in enumerate(user_ids)]

    async def test_a_storm_in_one_group_reaches_every_member_once_in_one_order(self):
        users = await self.spread(1, 2, 3, 4, 5, 6)
        chat_id = await self.group(*users)
        calls = [users[n % 6].call(11, 2, chat_id=chat_id, message=str(n)) for n in range(MESSAGES)]
        replies = await together(*calls)
        self.assertEqual(sorted(r["seq"] for r in replies), list(range(2, MESSAGES + 2)))
        self.assertEqual(sorted(r["message_id"] for r in replies), list(range(1, MESSAGES + 1)))
        truth = {reply["seq"]: (str(n), n % 6 + 1) for n, reply in enumerate(replies)}
        for user in users:
            expected = [(seq, *truth[seq]) for seq in sorted(truth) if truth[seq][1] != user.user_id]
            events = [await user.expect(12, 2, chat_id=chat_id) for _ in expected]
            got = [(event["seq"], event["message"], event["sender_id"]) for event in events]
            self.assertEqual(got, expected)
        await self.fence(chat_id, users[0], *users[1:])

    async def test_messages_edits_and_deletions_cross_over(self):
        alice, bob = await self.spread(1, 2)
        for make, t in ((self.private, 1), (self.group, 2)):
            chat_id = await make(alice, bob)
            sent = await alice.call(11, t, chat_id=chat_id, message="a")
            await bob.expect(12, t, seq=2, message="a")
            await alice.call(11, 6, chat_id=chat_id, message_id=sent["message_id"], message="b")
            await bob.expect(12, 6, seq=3, message="b")
            back = await bob.call(11, t, chat_id=chat_id, message="c")
            await alice.expect(12, t, seq=4, message_id=back["message_id"])
            await alice.call(11, 7, chat_id=chat_id, message_id=sent["message_id"])
            await bob.expect(12, 7, seq=5, by=1)

    async def test_chat_updates_cross_over(self):
        alice, bob, carol, dave = await self.spread(1, 2, 3, 4)
        chat_id = await self.group(alice, bob)
        await alice.call(13, 2, chat_id=chat_id, chat="new", add_users=[3, 4])
        for user in (bob, carol, dave):
            event = await user.expect(14, 2, chat_id=chat_id, chat="new", seq=2)
            self.assertEqual(sorted(event["users"]), [1, 2, 3, 4])
        await self.fence(chat_id, alice, bob, carol, dave)
        await alice.call(13, 2, chat_id=chat_id, remove_users=[2, 3])
        for user in (bob, carol, dave):
            await user.expect(14, 2, chat_id=chat_id, seq=4)
        await self.fence(chat_id, alice, dave)
        await self.fence(await self.group(alice, bob, carol), alice, bob, carol)

    async def test_a_private_chat_made_on_both_nodes_at_once_is_one_and_heard_of_once(self):
        for one in (11, 13, 15, 17, 19):
            alice, bob = await self.spread(one, one + 1)
            replies = await together(
                alice.call(13, 1, user_ids=[one + 1], type=1), bob.call(13, 1, user_ids=[one], type=1)
            )
            self.assertEqual(replies[0]["chat_id"], replies[1]["chat_id"])
            await together(*[u.call(11, 1, chat_id=replies[0]["chat_id"], message="x") for u in (alice, bob)])
            heard = [await self.up_to_message(user) for user in (alice, bob)]
            self.assertEqual(sorted(heard), [[], [(14, 1)]])

    async def up_to_message(self, user):
        """What came before the other's message."""
        kinds = []
        while (kind := (await user.events.next("a message")).kind) != (12, 1):
            kinds.append(kind)
        return kinds

    async def test_one_removed_and_one_added_in_a_storm_see_exactly_their_part(self):
        alice, bob, carol, dave = await self.spread(1, 2, 3, 4)
        chat_id = await self.group(alice, bob, carol)
        storm = [u.call(11, 2, chat_id=chat_id, message=str(n)) for n in range(60) for u in (alice, carol)]
        swap = alice.call(13, 2, chat_id=chat_id, add_users=[4], remove_users=[2])
        change = (await together(*storm[:60], swap, *storm[60:]))[60]["seq"]
        last = (await alice.call(11, 2, chat_id=chat_id, message="last"))["seq"]
        for user, first, final in ((bob, 2, change), (dave, change, last)):
            got = [await user.events.next("an event") for _ in range(first, final + 1)]
            self.assertEqual([frame.d["seq"] for frame in got], list(range(first, final + 1)))
            self.assertEqual([frame.d["seq"] for frame in got if frame.op == 14], [change])
        erin = await self.user(5)
        await self.fence(await self.group(erin, bob), erin, bob)

    async def test_friend_events_and_status_cross_over(self):
        alice, bob = await self.spread(1, 2)
        await self.friends(alice, bob)
        await together(alice.status(2), bob.status(1))
        elsewhere = await self.user(2, node=self.nodes[0])
        await bob.close()
        await elsewhere.close()
        await alice.status()
        await self.user(2, node=self.nodes[1])
        await alice.status(2)

    async def test_a_persons_devices_on_two_nodes_stay_in_step(self):
        here, there = await self.spread(1, 1)
        bob = await self.user(2, node=self.nodes[1])
        chat_id = await self.group(here, there, bob)
        for device, other in ((here, there), (there, here)):
            await device.call(11, 2, chat_id=chat_id, message="mine")
            await other.expect(12, 2, message="mine", sender_id=1)
            await bob.expect(12, 2, message="mine")

    async def test_one_node_stopping_leaves_the_other_whole(self):
        alice, bob, carol = await self.spread(1, 2, 3)
        await self.friends(alice, bob)
        await alice.status(2)
        chat_id = await self.group(alice, bob, carol)
        closed = bob.connection.closed
        self.assertEqual(await self.nodes[1].terminate(), 0)
        self.assertEqual((await closed).code, 1001)
        await self.fence(chat_id, alice, carol)
        again = await self.user(2)
        self.assertEqual(again.hello.heads[chat_id], 2)
        await self.fence(chat_id, alice, again, carol)
        for node in self.nodes:
            self.assertNotIn("Traceback", node.log)


class ADeadNode(ProcessCase):
    async def test_its_users_go_offline_when_its_lease_ends(self):
        shared = {"redis": str(self.redis_server().address), "lease_s": 1, "lease_renew_s": 0.3}
        self.node, other = await together(*[self.started_process(**shared) for _ in range(2)])
        alice, bob = await self.user(1), await self.user(2, node=other)
        await self.friends(alice, bob)
        await alice.status(2)
        await other.kill()
        await alice.status(patience_s=25)
