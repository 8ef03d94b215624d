"""Two nodes on one chat at once: what the scripts decide is one order without gaps (F40, F41)."""

from __future__ import annotations

import os
import random
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.task import deferLater

from chatsrv.store.events import CHANGED, DELETED, EDITED, MESSAGE
from chatsrv.wire.refusal import Refused
from tests.unit.test_store_kit import CHANNEL, StoreCase, on_both

OPERATIONS = 2_000


@on_both
class TwoLinks(StoreCase):
    async def setUp(self) -> None:
        await super().setUp()
        self.stores = [self.store, await self.second_store()]
        self.seed = int(os.environ.get("CHATSRV_TEST_SEED") or random.randrange(2**32))
        self.random = random.Random(self.seed)
        await self.group(7, 1, 2, 3)

    def started(self, coroutine: Any) -> Deferred[Any]:
        """The result, or the code of the refusal."""
        return Deferred.fromCoroutine(coroutine).addErrback(
            lambda failure: (failure.trap(Refused), failure.value.code.code)[1]
        )

    async def test_sends_edits_and_deletes_leave_no_gap_and_no_text_of_the_deleted(self) -> None:
        running = []
        for n in range(OPERATIONS):
            store, user = self.stores[n % 2], self.random.randint(1, 3)
            target = self.random.randint(1, max(1, n // 2))
            what = self.random.random()
            if what < 0.5:
                running.append(self.started(self.send(7, user, f"text {n}.", store=store)))
            elif what < 0.75:
                running.append(self.started(store.chats.edit(7, user, target, f"text {n}.", CHANNEL, "op")))
            else:
                running.append(self.started(store.chats.delete(7, user, target, CHANNEL, "op")))
            if n % 400 == 399:
                await gatherResults(running)
        results = await gatherResults(running)
        message = f"seed {self.seed}"
        head = await self.store.chats.head(7)
        events: list[Any] = []
        while len(events) < head.seq:
            events += (await self.store.chats.events(7, len(events), 500))[1]
        self.assertEqual([e.seq for e in events], list(range(1, head.seq + 1)), message)
        sent = [e.message_id for e in events if e.kind == MESSAGE]
        self.assertEqual(sent, list(range(1, len(sent) + 1)), message)
        gone = {e.message_id for e in events if e.kind == DELETED}
        self.assertTrue(len(gone) > 50 and any(e.kind == EDITED for e in events), message)
        self.assertEqual(len(gone), sum(e.kind == DELETED for e in events), "deleted twice, " + message)
        self.assertEqual({e.message_id for e in events if e.deleted}, gone, message)
        self._check_answers(results, head.seq, message)
        alive = {e.text.encode() for e in events if e.kind == MESSAGE and not e.deleted}
        contents = self.contents()
        self.assertEqual(contents.count(b"text "), len(alive), message)
        for text in alive:
            self.assertIn(text, contents, message)

    def _check_answers(self, results: list[Any], head: int, message: str) -> None:
        """Every event was answered to exactly one request."""
        seqs = [1]
        for result in results:
            if isinstance(result, list):
                seqs.append(result[1][0])
            elif not isinstance(result, str) and result.changed:
                seqs.append(result.event.seq)
        self.assertEqual(sorted(seqs), list(range(1, head + 1)), message)

    async def test_after_a_kick_nothing_of_him_is_taken(self) -> None:
        running: list[Any] = []

        def send(count: int) -> None:
            running.extend(self.started(self.send(7, 2, "x", store=self.stores[1])) for _ in range(count))

        for turns in range(10):
            send(10)
            for _ in range(turns % 3):
                await deferLater(reactor, 0)
            kick = self.started(self.update(7, 1, remove=[2]))
            send(10)
            await kick
            send(2)
            await gatherResults(running)
            await self.update(7, 1, add=[2])
        _, events, _ = await self.store.chats.events(7, 1, 1000)
        member, taken = True, 0
        for event in events:
            if event.kind == CHANGED:
                self.assertNotEqual(member, 2 in event.added)
                member = 2 in event.added
            else:
                self.assertTrue(member, f"a message of a former member was stored at {event.seq}")
                taken += 1
        refused = sum(send.result[1] == b"not_found" for send in running)
        self.assertEqual(taken + refused, len(running))
        self.assertGreaterEqual(refused, 20)

    async def test_two_owners_of_one_request_to_remove_make_one_event(self) -> None:
        changes = await gatherResults(
            [self.started(self.update(7, 1, remove=[2], store=store)) for store in self.stores]
        )
        self.assertEqual(sorted(change.changed for change in changes), [False, True])
        self.assertEqual({change.event.seq for change in changes}, {2})
