"""The client library against real nodes: whatever ends its connections, it misses nothing and doubles nothing."""

import importlib.util
import random
import time
from pathlib import Path

from twisted.internet import reactor
from twisted.internet.defer import ensureDeferred

from chatsrv.client import Client, ConnectionClosed, HandshakeRefused, RequestRefused, State, frames, verbs
from tests.support.chat import ChatCase, together
from tests.support.queue import Queue
from tests.support.tokens import token_for

QUICK = {"requests_per_s": 100_000, "burst": 100_000, "jwt_leeway_s": 0}
EXAMPLE = Path(__file__).parents[2] / "docs/examples/echo.py"
CHANGES = {(12, 1), (12, 2), (12, 6), (12, 7), (14, 1), (14, 2)}


class Device:
    """A client that writes down what it is told; ``drop_every``: it loses its line after so many events."""

    def __init__(self, user_id, urls, *, token=None, drop_every=0, **options):
        self.user_id = user_id
        self.urls = urls
        self.events, self.resets, self.tries = [], [], 0
        self.changes = Queue(f"a device of user {user_id}")
        self.states = Queue(f"a device of user {user_id}")
        self.drop_every = drop_every
        self.client = Client(
            reactor,
            self.next_url,
            token or (lambda: token_for(user_id)),
            on_event=self.heard,
            on_reset=self.resets.extend,
            on_state=lambda state, reason: self.states.put((state, reason)),
            backoff_s=(0.02, 0.2),
            **options,
        )

    def next_url(self):
        self.tries += 1
        return self.urls[self.tries % len(self.urls)]

    def heard(self, frame):
        self.events.append(frame)
        if frame.kind in CHANGES:
            self.changes.put(frame)
        if self.drop_every and len(self.events) % self.drop_every == 0:
            self.client.connection.abort()

    async def until(self, seq, chat_id):
        """Wait for one event of a chat."""
        while True:
            frame = await self.changes.next(f"event {seq} of chat {chat_id}")
            if (frame.d["chat_id"], frame.d["seq"]) == (chat_id, seq):
                return

    async def reaches(self, wanted):
        """Wait for a state; the reason."""
        while True:
            state, reason = await self.states.next(wanted)
            if state is wanted:
                return reason

    def of(self, chat_id):
        """The changes of a chat, as ``{seq: frame}``; none twice, none out of order."""
        given = [frame for frame in self.events if frame.kind in CHANGES and frame.d["chat_id"] == chat_id]
        seqs = [frame.d["seq"] for frame in given]
        assert seqs == sorted(set(seqs)), seqs
        return dict(zip(seqs, given, strict=True))

    def texts(self, chat_id):
        """The messages given of a chat, in order."""
        return [frame.d["message"] for frame in self.of(chat_id).values() if frame.kind in ((12, 1), (12, 2))]

    def send(self, chat_id, text):
        """A message to a group."""
        return verbs.send_group(self.client, chat_id, text)

    async def send_in_turn(self, chat_id, texts):
        """Messages to a group, each after the reply to the one before."""
        return [await self.send(chat_id, text) for text in texts]


class DeviceCase(ChatCase):
    settings = QUICK

    async def device(self, user_id, *nodes, **options):
        """A connected one."""
        device = Device(user_id, [node.url for node in nodes or [self.node]], **options)
        self.addCleanup(device.client.stop)
        await device.client.start()
        return device

    async def in_a_group(self, *devices):
        """A group of all of them; each was told of it."""
        owner, *others = devices
        chat = await verbs.create_group(owner.client, [other.user_id for other in others])
        await together(*[device.until(1, chat.chat_id) for device in devices])
        return chat.chat_id


class TheExample(DeviceCase):
    async def test_repeats_what_others_write_until_they_say_bye(self):
        bob = await self.device(2)
        spec = importlib.util.spec_from_file_location("echo", EXAMPLE)
        echo = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(echo)
        said = Queue("the example")
        echo.print = lambda *words: said.put(words[0])
        running = ensureDeferred(echo.main(reactor, token_for(1), self.node.url))
        while await said.next("user") != "user":
            pass
        chat = await verbs.create_private(bob.client, 1)
        await verbs.send_private(bob.client, chat.chat_id, "Hello")
        await bob.until(3, chat.chat_id)
        self.assertEqual(bob.texts(chat.chat_id), ["Hello", "Hello"])
        self.assertEqual(bob.of(chat.chat_id)[3].d["reply_to"], 1)
        await verbs.send_private(bob.client, chat.chat_id, "bye")
        await running


class ALineThatBreaks(DeviceCase):
    async def test_costs_nothing_that_others_did_meanwhile(self):
        alice, bob = await self.device(1), await self.device(2)
        chat_id = await self.in_a_group(alice, bob)
        bob.client.connection.abort()
        await bob.reaches(State.WAITING)
        first = await alice.send(chat_id, "a")
        await alice.send(chat_id, "b")
        await verbs.edit(alice.client, chat_id, first.message_id, "edited")
        last = await alice.send(chat_id, "c")
        await together(alice.until(last.seq, chat_id), bob.until(last.seq, chat_id))
        self.assertEqual(list(bob.of(chat_id)), [1, 2, 3, 4, 5])
        self.assertEqual(alice.texts(chat_id), ["a", "b", "c"])
        self.assertEqual(bob.resets, [])

    async def test_does_not_lose_or_double_what_was_being_sent(self):
        alice, bob = await self.device(1), await self.device(2)
        chat_id = await self.in_a_group(alice, bob)
        calls = [alice.send(chat_id, str(n)) for n in range(50)]
        await bob.until(2, chat_id)
        alice.client.connection.abort()
        replies = await together(*calls)
        self.assertEqual(sorted(reply.message_id for reply in replies), list(range(1, 51)))
        await together(alice.until(51, chat_id), bob.until(51, chat_id))
        self.assertEqual(alice.texts(chat_id), [str(n) for n in range(50)])
        self.assertEqual(bob.texts(chat_id), alice.texts(chat_id))

    async def test_fails_what_may_not_be_sent_again(self):
        alice, bob = await self.device(1), await self.device(2)
        chat_id = await self.in_a_group(alice, bob)
        sent = await alice.send(chat_id, "a")
        edit = verbs.edit(alice.client, chat_id, sent.message_id, "b")
        alice.client.connection.abort()
        await self.assertFailure(edit, ConnectionClosed)
        await verbs.edit(alice.client, chat_id, sent.message_id, "c")

    async def test_again_and_again_on_all_devices_leaves_them_all_the_same(self):
        seed = int(time.time())
        print(f"reconnect seed {seed}")
        dice = random.Random(seed)
        other = await self.started_node(**QUICK)
        nodes = [self.node, other]
        devices = [
            await self.device(user_id, *nodes[:: dice.choice((1, -1))], drop_every=dice.randint(5, 15))
            for user_id in (1, 1, 2, 2, 3)
        ]
        chat_id = await self.in_a_group(devices[0], devices[2], devices[4])
        await together(*[device.until(1, chat_id) for device in (devices[1], devices[3])])
        texts = [[f"{n}/{device}" for n in range(24)] for device in range(5)]
        replies = await together(*[d.send_in_turn(chat_id, t) for d, t in zip(devices, texts, strict=True)])
        ids = [reply.message_id for sent in replies for reply in sent]
        self.assertEqual(sorted(ids), list(range(1, 121)))
        await together(*[device.until(121, chat_id) for device in devices])
        told = [{seq: frame.d["message"] for seq, frame in d.of(chat_id).items() if seq > 1} for d in devices]
        self.assertEqual(list(told[0]), list(range(2, 122)))
        self.assertEqual(told, [told[0]] * 5)
        for n, sent in enumerate(texts):
            self.assertEqual([text for text in told[0].values() if text.endswith(f"/{n}")], sent)
        self.assertGreater(min(device.tries for device in devices), 5)
        self.assertEqual([device.resets for device in devices], [[]] * 5)


class ANodeThatGoes(DeviceCase):
    async def test_is_left_for_another_one(self):
        other = await self.started_node(**QUICK)
        alice, bob = await self.device(1, self.node), await self.device(2, other, self.node)
        chat_id = await self.in_a_group(alice, bob)
        alice.urls = [other.url]
        sending = [alice.send(chat_id, str(n)) for n in range(20)]
        await self.node.stop()
        await together(*sending)
        await bob.until(21, chat_id)
        self.assertEqual(alice.texts(chat_id), [str(n) for n in range(20)])
        self.assertEqual(bob.texts(chat_id), alice.texts(chat_id))

    async def test_is_waited_for_when_it_is_the_only_one(self):
        alice, bob = await self.device(1), await self.device(2)
        chat_id = await self.in_a_group(alice, bob)
        await self.node.stop()
        sending = alice.send(chat_id, "into the dark")
        again = await self.started_node(**QUICK)
        for device in (alice, bob):
            device.urls = [again.url]
        sent = await sending
        await together(alice.until(sent.seq, chat_id), bob.until(sent.seq, chat_id))
        self.assertEqual(bob.texts(chat_id), ["into the dark"])


class WhileAway(DeviceCase):
    settings = {**QUICK, "log_events_per_chat": 100}

    async def away(self, device):
        """Take its line, and let it find nobody."""
        urls, device.urls = device.urls, ["ws://127.0.0.1:1/ws"]
        device.client.connection.abort()
        await device.reaches(State.WAITING)
        return urls

    async def back(self, device, urls):
        device.urls = urls
        while not device.client.connection:
            await device.states.next("a connection")

    async def test_more_than_is_kept_is_a_reset_and_goes_on_from_there(self):
        alice, bob = await self.device(1), await self.device(2)
        chat_id, quiet = await self.in_a_group(alice, bob), await self.in_a_group(alice, bob)
        urls = await self.away(bob)
        await together(*[alice.send(chat_id, str(n)) for n in range(400)])
        await self.back(bob, urls)
        await alice.send(quiet, "quiet")
        await alice.send(chat_id, "last")
        await together(bob.until(2, quiet), bob.until(402, chat_id))
        self.assertEqual((bob.resets, bob.texts(chat_id)), ([chat_id], ["last"]))
        newest = await verbs.history(bob.client, chat_id, limit=2)
        self.assertEqual([m.message for m in newest.messages], ["399", "last"])

    async def test_being_put_into_one_chat_and_out_of_another_resets_both(self):
        alice, bob = await self.device(1), await self.device(2)
        old, kept = await self.in_a_group(alice, bob), await self.in_a_group(alice, bob)
        urls = await self.away(bob)
        new = (await verbs.create_group(alice.client, [2])).chat_id
        await verbs.update_chat(alice.client, old, remove_users=[2])
        await self.back(bob, urls)
        for chat_id in (new, kept):
            await alice.send(chat_id, "here")
            await bob.until(2, chat_id)
        self.assertEqual(sorted(bob.resets), [old, new])
        self.assertEqual(list(bob.of(old)), [1])

    async def test_leaving_and_coming_back_on_the_line_needs_no_reset(self):
        alice, bob = await self.device(1), await self.device(2)
        chat_id = await self.in_a_group(alice, bob)
        await verbs.update_chat(bob.client, chat_id, remove_users=[2])
        await alice.send(chat_id, "unseen")
        await verbs.update_chat(alice.client, chat_id, add_users=[2])
        await alice.send(chat_id, "seen")
        await bob.until(5, chat_id)
        self.assertEqual((list(bob.of(chat_id)), bob.resets), ([1, 2, 4, 5], []))


class TheToken(DeviceCase):
    async def test_is_renewed_on_the_line(self):
        asked = Queue("a token callback")
        device = await self.device(1, token=lambda: asked.put("again") or token_for(1, ttl_s=3))
        line = device.client.connection
        for _ in range(3):  # the third one is asked for when the first one has run out
            await asked.next("asking for a token")
        await verbs.list_friends(device.client)
        self.assertIs(device.client.connection, line)

    async def test_that_ran_out_is_replaced_by_a_new_one(self):
        tokens = iter([token_for(1, ttl_s=2)])
        device = await self.device(1, token=lambda: next(tokens, None) or token_for(1, ttl_s=self.ttl_s))
        self.ttl_s = -10
        reason = await device.reaches(State.WAITING)
        self.assertEqual(reason.code, 4401)
        self.ttl_s = 3600
        await verbs.list_friends(device.client)
        self.assertEqual(device.client.state, State.CONNECTED)

    async def test_that_nobody_takes_stops_it(self):
        device = Device(1, [self.node.url], token=lambda: token_for(1, ttl_s=-10))
        await self.assertFailure(device.client.start(), HandshakeRefused)
        self.assertEqual(device.tries, 2)


class ThePace(DeviceCase):
    settings = {"requests_per_s": 100, "burst": 20}

    async def test_is_such_that_nothing_is_refused(self):
        refused = []
        self.patch(frames, "refusal_of", lambda frame: refused.append(frame) or RequestRefused(*frame.d))
        alice, bob = await self.device(1), await self.device(2)
        chat_id = await self.in_a_group(alice, bob)
        await together(*[alice.send(chat_id, str(n)) for n in range(100)])
        await bob.until(101, chat_id)
        self.assertEqual((refused, bob.texts(chat_id)), ([], [str(n) for n in range(100)]))
