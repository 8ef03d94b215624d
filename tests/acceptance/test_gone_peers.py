"""Peers that are gone or do not read, and many that come back at once (RELIABILITY F25 to F28, F31)."""

import json
import random

from twisted.internet import reactor

from chatsrv.client import Client, HandshakeRefused, State
from tests.support.chat import ChatCase, together
from tests.support.raw import CLOSE, PING, frame
from tests.support.rawcase import RawCase
from tests.support.tokens import token_for
from tests.unit.test_store_kit import until

LONG = "\U0001f600" * 3990
"""16 KB in UTF-8."""
MOST = 5_000
"""So many of them are more than the system and the outbox hold."""


class HalfOpen(RawCase):
    """A peer whose end the network never tells: it answers nothing, and its socket stays."""

    settings = {"ping_interval_s": 1, "ping_timeout_s": 0.1, "presence_grace_s": 0.1}

    async def test_it_is_pinged_then_dropped_and_its_friends_see_it(self):
        alice, bob = await self.users(1, 2)
        await self.friends(alice, bob)
        await bob.close()
        await alice.status()
        silent = await self.raw(2)
        await alice.status(2)
        await silent.next_of(PING)
        await silent.lost.addTimeout(5, reactor)
        await alice.status()
        await until(lambda: len(self.node.service.sessions) == 1, "the end of the session")


class SlowConsumer(RawCase):
    settings = {"outbox_bytes": 65536, "requests_per_s": 100_000, "burst": 100_000, "close_timeout_s": 30}

    async def test_after_4408_it_resumes_where_it_was_and_misses_nothing(self):
        alice, carol, slow = await self.user(1), await self.user(3), await self.raw(2)
        chat_id = (await alice.call(13, 1, user_ids=[2, 3], type=2))["chat_id"]
        await carol.expect(14, 1)
        slow.transport.pauseProducing()
        head = 1
        while len(self.node.service.sessions) == 3:
            self.assertLess(head, MOST, "nobody was thrown out")
            sent = await together(*[alice.call(11, 2, chat_id=chat_id, message=LONG) for _ in range(20)])
            for _ in sent:
                head = (await carol.expect(12, 2))["seq"]
        slow.transport.resumeProducing()
        seqs = []
        while (taken := await slow.next_frame())[0] != CLOSE:
            seqs += [event["seq"] for event in [json.loads(taken[1])["d"]] if "seq" in event]
        self.assertEqual(int.from_bytes(taken[1][:2], "big"), 4408)
        self.assertEqual(seqs, list(range(1, len(seqs) + 1)))
        back = await self.user(2)
        caught = await back.catch_up({chat_id: seqs[-1]})
        self.assertEqual((caught.heads, caught.reset), ({chat_id: head}, []))
        self.assertEqual([event.d["seq"] for event in caught.events], list(range(len(seqs) + 1, head + 1)))


class NeverReads(RawCase):
    settings = {"close_timeout_s": 0.5, "outbox_bytes": 2**24, "requests_per_s": 100_000, "burst": 100_000}

    async def test_who_closes_and_does_not_read_what_waits_is_gone_in_time(self):
        alice, deaf = await self.user(1), await self.raw(2)
        chat_id = (await alice.call(13, 1, user_ids=[2], type=2))["chat_id"]
        deaf.transport.pauseProducing()
        shell = next(each for each in self.node.service.sessions if each.user_id == 2)._shell
        sent = 0
        while not shell.congested:
            self.assertLess(sent := sent + 20, MOST, "the socket takes it all")
            await together(*[alice.call(11, 2, chat_id=chat_id, message=LONG) for _ in range(20)])
        deaf.send(frame(CLOSE, b"\x03\xe8"))
        await until(lambda: not shell.transport.connected, "the end of the socket")
        self.assertEqual(self.node.service._admission.connections, 1)
        await alice.sync()


class Storm(ChatCase):
    """Everybody comes back at once: who is not taken in now is told when to come again, and then is."""

    settings = {"exempt_loopback": False, "handshakes_per_address_per_s": 50, "handshake_burst": 10}
    CLIENTS = 40

    async def test_all_are_back_soon_though_few_were_taken_at_once(self):
        refusals = []

        def refused_by(user_id):
            def heard(state, reason):
                if isinstance(reason, HandshakeRefused):
                    refusals.append((reason.status, reason.retry_after_s))
                elif state is State.CONNECTED:
                    arrived.add(user_id)

            return heard

        arrived = set()
        for user_id in range(1, self.CLIENTS + 1):
            client = Client(
                reactor,
                self.node.url,
                lambda user_id=user_id: token_for(user_id),
                on_state=refused_by(user_id),
                backoff_s=(0.02, 0.2),
                random=random.Random(user_id).random,
            )
            client.start()
            self.addCleanup(lambda client=client: client.stop())
        await until(lambda: len(arrived) == self.CLIENTS, "all of them")
        self.assertTrue(refusals)
        self.assertEqual({status for status, _ in refusals}, {429})
        self.assertTrue(all(after_s >= 1 for _, after_s in refusals), refusals)


class LostAcks(ChatCase):
    """A tenth of the answers never arrive; whoever gets none sends again with the same nonce."""

    settings = {"requests_per_s": 100_000, "burst": 100_000}

    async def test_what_is_sent_again_is_stored_once(self):
        chance = random.Random(31)
        alice, bob = await self.users(1, 2)
        chat_id = await self.group(alice, bob)
        ids = []
        for number in range(100):
            sending = {"chat_id": chat_id, "message": f"number {number}", "nonce": f"n{number}"}
            first = await alice.call(11, 2, **sending)
            while chance.random() < 0.1:
                again = await alice.call(11, 2, **sending)
                self.assertEqual(again, first | {"dup": True})
            ids.append(first["message_id"])
        self.assertEqual(ids, list(range(1, 101)))
        for number in range(100):
            await bob.expect(12, 2, message=f"number {number}", message_id=number + 1)
        await self.fence(chat_id, alice, bob)
