"""A client that comes and goes on two nodes while others write: every event once, in order (issue 3)."""

import random
import time

from tests.support.chat import ChatCase, together

COMINGS = 12


class Storm(ChatCase):
    settings = {"requests_per_s": 100_000, "burst": 100_000, "mailbox_entries": 10_000}

    async def setUp(self):
        await super().setUp()
        seed = int(time.time())
        print(f"storm seed {seed}")
        self.dice = random.Random(seed)
        self.nodes = [self.node, await self.started_node(**self.settings)]
        self.writers = [await self.user(n, node=self.nodes[n % 2]) for n in (1, 3)]
        self.chat_id = (await self.writers[0].call(13, 1, user_ids=[2, 3], type=2))["chat_id"]
        await self.writers[1].expect(14, 1)
        self.mine = {writer.user_id: [] for writer in self.writers}

    async def write(self, writer):
        """Any change of the chat until told to stop."""
        mine, where = self.mine[writer.user_id], {"chat_id": self.chat_id}
        while self.writing:
            op = self.dice.choice((2, 2, 2, 2, 6, 7, 13)) if mine else 2
            if op == 2:
                text = str(self.dice.random())
                mine.append((await writer.call(11, 2, **where, message=text))["message_id"])
            elif op == 6:
                message_id = self.dice.choice(mine)
                await writer.call(11, 6, **where, message_id=message_id, message=str(self.dice.random()))
            elif op == 7:
                await writer.call(11, 7, **where, message_id=mine.pop(self.dice.randrange(len(mine))))
            else:
                await writer.call(13, 2, **where, chat=str(self.dice.random()))

    async def come_and_go(self):
        """What the absent one sees, over all his connections."""
        seen = [1]
        for coming in range(COMINGS):
            back = await self.user(2, node=self.dice.choice(self.nodes))
            seen += [frame.d["seq"] for frame in (await back.catch_up({self.chat_id: seen[-1]})).events]
            for _ in range(self.dice.randrange(20) if coming < COMINGS - 1 else 0):
                seen.append((await back.events.next("an event")).d["seq"])
            await self.dice.choice((back.close, back.connection.abort))()
        return seen

    async def test_nothing_is_missed_and_nothing_comes_twice(self):
        self.writing = True
        writing = [self.write(writer) for writer in self.writers for _ in range(3)]
        seen, *_ = await together(self.stopped_after(self.come_and_go()), *writing)
        self.assertEqual(seen, list(range(1, len(seen) + 1)))
        last = await self.user(2, node=self.nodes[1])
        caught = await last.catch_up({self.chat_id: seen[-1]})
        head = last.hello.heads[self.chat_id]
        self.assertEqual(caught.heads, {self.chat_id: head})
        self.assertGreater(head, 3 * COMINGS)
        await self.same_as_afresh(last)

    async def stopped_after(self, coming):
        seen = await coming
        self.writing = False
        return seen

    async def same_as_afresh(self, last):
        """What a replay of everything says of each message is what history says."""
        replayed = {}
        for frame in (await last.catch_up({self.chat_id: 0})).events:
            if frame.op == 12 and "message" in frame.d:
                replayed[frame.d["message_id"]] = frame.d["message"]
        self.assertEqual(len(replayed), (await last.call(13, 3, chat_id=self.chat_id))["last_message_id"])
        page, more = await last.history(self.chat_id, after=0, limit=100)
        while page:
            for row in page:
                self.assertEqual(replayed.pop(row["message_id"]), row.get("message", ""))
            page, more = await last.history(self.chat_id, after=page[-1]["message_id"], limit=100)
        self.assertEqual((replayed, more), ({}, False))
