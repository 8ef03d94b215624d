"""1/2 and a client that reads slowly (PROTOCOL section 3; DESIGN section 3): its replay waits for it."""

from tests.support.chat import together
from tests.support.rawcase import RawCase

LONG = "\U0001f600" * 3990
MESSAGES = 600
"""Together 9.6 MB: more than a socket takes."""


class SlowReplay(RawCase):
    timeout = 120
    settings = {"outbox_bytes": 65536, "requests_per_s": 100_000, "burst": 100_000}

    async def setUp(self):
        await super().setUp()
        self.alice, self.carol = await self.users(1, 3)
        self.chat_id = (await self.alice.call(13, 1, user_ids=[2], type=2))["chat_id"]
        self.own = await self.group(self.alice, self.carol)
        for _ in range(MESSAGES // 50):
            sends = [self.alice.call(11, 2, chat_id=self.chat_id, message=LONG) for _ in range(50)]
            await together(*sends)

    async def test_a_big_replay_waits_for_its_reader_and_stalls_nobody(self):
        slow = await self.raw(2)
        slow.transport.pauseProducing()
        slow.say({"op": 1, "t": 2, "id": "all", "d": {"chats": {str(self.chat_id): 1}}})
        for _ in range(100):
            await self.fence(self.own, self.alice, self.carol)
        slow.transport.resumeProducing()
        for seq in range(2, MESSAGES + 2):
            frame = await slow.json()
            self.assertEqual((frame["op"], frame["t"], frame["d"]["seq"]), (12, 2, seq))
        reply = await slow.json()
        self.assertEqual((reply["id"], reply["d"]["heads"]), ("all", {str(self.chat_id): MESSAGES + 1}))

    async def test_who_goes_away_in_the_middle_harms_nobody(self):
        slow = await self.raw(2)
        slow.transport.pauseProducing()
        slow.say({"op": 1, "t": 2, "id": "all", "d": {"chats": {str(self.chat_id): 1}}})
        for _ in range(10):
            await self.fence(self.own, self.alice, self.carol)
        await slow.close()
        back = await self.user(2)
        caught = await back.catch_up({self.chat_id: MESSAGES - 10})
        self.assertEqual(len(caught.events), 11)

    async def test_who_is_removed_in_the_middle_sees_nothing_of_later(self):
        slow = await self.raw(2)
        slow.transport.pauseProducing()
        slow.say({"op": 1, "t": 2, "id": "all", "d": {"chats": {str(self.chat_id): 1}}})
        for _ in range(10):
            await self.fence(self.own, self.alice, self.carol)
        await self.alice.call(13, 2, chat_id=self.chat_id, remove_users=[2])
        for message_id in range(MESSAGES - 9, MESSAGES + 1):
            where = {"chat_id": self.chat_id, "message_id": message_id}
            await self.alice.call(11, 6, **where, message="written after the removal")
        slow.transport.resumeProducing()
        seqs = []
        while (frame := await slow.json()).get("id") != "all":
            self.assertNotEqual(frame["d"].get("message"), "written after the removal")
            seqs.append(frame["d"]["seq"])
        self.assertEqual(frame["d"], {"heads": {}, "reset": [self.chat_id]})
        seqs.remove(MESSAGES + 2)
        self.assertEqual(seqs, list(range(2, 2 + len(seqs))))
