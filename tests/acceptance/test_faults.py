"""What must survive a crash, a stop, and a store that is away (issue 2; PROTOCOL section 6)."""

import os
import signal

from twisted.internet import reactor
from twisted.internet.task import deferLater

from tests.acceptance.faults import DURABLE, PREFIX, FaultCase
from tests.support.chat import CORE
from tests.support.process import child_of
from tests.support.store import stored_messages

AWAY_S = 5


class TheService(FaultCase):
    async def setUp(self):
        self.redis = self.redis_server(*DURABLE)
        self.node = await self.started_process(redis=str(self.redis.address))

    async def test_after_a_kill_every_replied_message_is_stored_once_and_without_gaps(self):
        load, running = await self.loaded()
        await load.replies(200)
        self.assertEqual(await self.node.kill(), -signal.SIGKILL)
        await running
        await self.node.start()
        stored = stored_messages(self.redis, PREFIX, load.chat_id)
        self.check_gapless(stored)
        self.assertGreaterEqual(stored.items(), load.replied.items())
        alice, bob = await self.users(1, 2)
        self.assertEqual(alice.hello.heads, {load.chat_id: len(stored) + 1})
        sent = await alice.call(11, 2, chat_id=load.chat_id, message="after")
        self.assertEqual(sent["message_id"], len(stored) + 1)
        await bob.expect(12, 2, message="after")

    async def test_a_stop_ends_with_0_in_time_and_answers_what_it_stored(self):
        load, running = await self.loaded()
        await load.replies(200)
        closed = [user.connection.closed for user in load.users]
        began = reactor.seconds()
        self.assertEqual(await self.node.terminate(), 0, self.node.log)
        self.assertLess(reactor.seconds() - began, 5)
        await running
        self.assertEqual({(await one).code for one in closed}, {1001})
        stored = stored_messages(self.redis, PREFIX, load.chat_id)
        self.check_gapless(stored)
        self.assertEqual(stored, load.replied)
        self.assertNotIn("Traceback", self.node.log)


class TheEmbeddedStore(FaultCase):
    async def setUp(self):
        self.node = await self.started_process()

    async def texts_are(self, user, chat_id, texts):
        """By the protocol alone: an edit of one's message to the same text changes nothing."""
        head = user.hello.heads[chat_id]
        for message_id, text in texts.items():
            reply = await user.call(11, 6, chat_id=chat_id, message_id=message_id, message=text)
            self.assertEqual(reply["seq"], head, (message_id, text))

    async def all_replied_is_there(self, load):
        for user_id in (1, 2, 3, 4):
            user = await self.user(user_id)
            own = {n: text for n, (sender, text) in load.replied.items() if sender == user_id}
            await self.texts_are(user, load.chat_id, own)
        self.assertNotIn("Traceback", self.node.log)

    async def test_after_a_kill_of_the_service_everything_replied_is_there(self):
        load, running = await self.loaded()
        await load.replies(200)
        await self.node.kill()
        await running
        await self.node.start()
        await self.all_replied_is_there(load)

    async def test_after_a_stop_under_load_everything_replied_is_there(self):
        load, running = await self.loaded()
        await load.replies(200)
        self.assertEqual(await self.node.terminate(), 0, self.node.log)
        await running
        await self.node.start()
        await self.all_replied_is_there(load)

    async def test_after_a_restart_everything_is_still_there(self):
        alice, bob = await self.users(1, 2)
        await self.friends(alice, bob)
        await alice.call(16, 1, user_id=3)
        group, private = await self.group(alice, bob, chat="Wir"), await self.private(alice, bob)
        kept = await alice.call(11, 2, chat_id=group, message="kept")
        dropped = await alice.call(11, 2, chat_id=group, message="dropped")
        await alice.call(11, 7, chat_id=group, message_id=dropped["message_id"])
        self.assertEqual(await self.node.terminate(), 0)
        await self.node.start()
        alice, bob = await self.users(1, 2)
        self.assertEqual(alice.hello.heads, {group: 4, private: 1})
        self.assertEqual((alice.hello.friend_ids, alice.hello.outgoing), ([2], [3]))
        await self.texts_are(alice, group, {kept["message_id"]: "kept"})
        state = await bob.call(13, 2, chat_id=group)
        self.assertEqual((state["chat"], sorted(state["users"]), state["owner_id"]), ("Wir", [1, 2], 1))
        self.assertEqual((await bob.call(13, 1, user_ids=[1], type=1))["chat_id"], private)
        sent = await bob.call(11, 2, chat_id=group, message="next")
        self.assertEqual((sent["message_id"], sent["seq"]), (3, 5))
        await alice.expect(12, 2, message="next")
        self.assertNotIn("Traceback", self.node.log)

    async def test_a_killed_redis_is_started_again_and_nothing_replied_is_lost(self):
        load, running = await self.loaded()
        await load.replies(100)
        os.kill(child_of(self.node.transport.pid, "redis-server"), signal.SIGKILL)
        while not load.unavailable:
            await load.replies(1)
        await load.replies(100)
        load.stopping = True
        await running
        for user in load.users:
            own = {n: text for n, (sender, text) in load.replied.items() if sender == user.user_id}
            again = await self.user_in_the_end(user.user_id)
            await self.texts_are(again, load.chat_id, own)
        self.assertNotIn("Traceback", self.node.log)


class TheStoreAway(FaultCase):
    async def setUp(self):
        self.redis = self.redis_server(*DURABLE)
        self.node = await self.started_process(redis=str(self.redis.address))

    async def away(self, begin, end):
        load, running = await self.loaded()
        await load.replies(100)
        begin()
        await deferLater(reactor, AWAY_S)
        self.assertGreater(load.unavailable, 0)
        end()
        await load.replies(100)
        load.stopping = True
        await running
        await self.everything_works(load)

    async def everything_works(self, load):
        """Nobody was disconnected, nobody missed an event, and every row works."""
        sent = await load.users[0].call(11, 2, chat_id=load.chat_id, message="fence")
        stored = stored_messages(self.redis, PREFIX, load.chat_id)
        self.check_gapless(stored)
        self.assertGreaterEqual(stored.items(), load.replied.items())
        for user in load.users:
            await self.saw_everything(user, stored, sent["message_id"], load.replied)
        alice, bob = load.users[:2]
        await self.friends(alice, bob)
        await self.fence(await self.group(alice, bob), alice, bob)
        await self.fence(await self.private(alice, bob), alice, bob, private=True)
        await self.user(5)
        self.assertNotIn("Traceback", self.node.log)

    async def saw_everything(self, user, stored, last, replied):
        """Others' messages, all of them in order; in the full profile own ``unavailable`` ones too."""
        own = {n for n, (sender, _text) in stored.items() if sender == user.user_id}
        shown = set() if user.profile is CORE else own - set(replied) - {last}
        expected = [n for n in sorted(stored) if n not in own or n in shown]
        got = [(await user.expect(12, 2))["message_id"] for _ in expected]
        self.assertEqual(got, expected)

    async def test_a_redis_that_does_not_answer(self):
        await self.away(self.redis.pause, self.redis.resume)

    async def test_a_redis_that_is_killed_and_started_again(self):
        await self.away(self.redis.kill, self.redis.start)

    async def test_while_it_is_away_every_request_is_unavailable_and_handshakes_are_refused(self):
        alice, bob = await self.users(1, 2)
        chat_id = await self.group(alice, bob)
        alice = await self.user(1)
        self.redis.kill()
        rows = [
            (11, 2, {"chat_id": chat_id, "message": "x"}),
            (11, 6, {"chat_id": chat_id, "message_id": 1, "message": "y"}),
        ]
        rows += [(11, 7, {"chat_id": chat_id, "message_id": 1}), (13, 1, {"user_ids": [3], "type": 1})]
        rows += [(13, 1, {"user_ids": [3], "type": 2}), (13, 2, {"chat_id": chat_id, "chat": "x"})]
        rows += [(16, 1, {"user_id": 3}), (16, 2, {"user_id": 3, "type": 1})]
        rows += [(11, 8, {"chat_id": chat_id, "message_id": 1}), (11, 9, {"chat_id": chat_id})]
        rows += [(11, 10, {"chat_id": chat_id}), (13, 3, {"chat_id": chat_id}), (13, 4, {})]
        rows += [(1, 2, {"chats": {chat_id: 0}}), *[(16, t, {"user_id": 3}) for t in (3, 4, 5)], (16, 6, {})]
        for op, t, d in rows:
            self.assertEqual(await alice.refusal_code(op, t, **d), "unavailable", (op, t))
        self.assertEqual(await alice.refusal_code(11, 2, chat_id=chat_id, message=""), "bad_request")
        self.redis.start()
        while await alice.refusal_code(16, 2, user_id=3, type=1) == "unavailable":
            pass
        await bob.sync()
        self.assertNotIn("Traceback", self.node.log)
