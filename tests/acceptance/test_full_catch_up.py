"""1/2 (PROTOCOL section 3, Connection): what a connection missed is replayed, whole and in order.

That each replay is without a hole, within its bounds and as its reply says, the witness checks.
"""

from tests.acceptance.messages import TwoInAChat
from tests.support.chat import CORE, FULL, ChatCase, together
from tests.support.user import NOBODY


class Absent(TwoInAChat):
    """bob goes away after the first message; ``self.since`` is where he stopped."""

    t = 2
    settings = {"requests_per_s": 100_000, "burst": 100_000}

    async def setUp(self):
        await super().setUp()
        await self.sent("seen")
        self.since = 2
        await self.bob.close()

    async def missed(self, user=None, **options):
        """bob is back and has caught up; kind and members of what came."""
        self.back = user or await self.user(2, **options)
        caught = await self.back.catch_up({self.chat_id: self.since})
        self.assertEqual((caught.heads, caught.reset), (self.back.hello.heads, []))
        return [(frame.kind, frame.d) for frame in caught.events]

    async def happened(self):
        """One event of each kind, by alice."""
        where = {"chat_id": self.chat_id}
        await self.alice.call(11, self.t, **where, message="new")
        await self.alice.call(11, 6, **where, message_id=1, message="edited")
        await self.alice.call(11, 7, **where, message_id=2)


class Replays(Absent):
    async def test_messages_edits_and_deletions_come_in_their_order(self):
        await self.happened()
        missed = await self.missed()
        self.assertEqual([kind for kind, _ in missed], [(12, self.t), (12, 6), (12, 7)])
        self.assertEqual([d["seq"] for _, d in missed], [3, 4, 5])
        self.assertEqual([d["message_id"] for _, d in missed], [2, 1, 2])
        self.assertEqual({d["sender_id"] for _, d in missed}, {1})
        await self.fence(self.chat_id, self.alice, self.back, private=self.t == 1)

    async def test_a_text_is_shown_as_it_is_now(self):
        for text in ("older", "old", "now"):
            await self.alice.call(11, 6, chat_id=self.chat_id, message_id=1, message=text)
        self.assertEqual([d["message"] for _, d in await self.missed()], ["now"] * 3)
        self.since = 1
        first = (await self.missed(self.back))[0]
        self.assertEqual((first[0], first[1]["message"]), ((12, self.t), "now"))
        self.assertNotIn("deleted", first[1])

    async def test_a_deleted_message_is_shown_without_text(self):
        await self.alice.call(11, 6, chat_id=self.chat_id, message_id=1, message="secret")
        await self.alice.call(11, 7, chat_id=self.chat_id, message_id=1)
        self.since = 1
        message, edit, deletion = await self.missed()
        for _, d in (message, edit):
            self.assertEqual((d["message"], d["deleted"]), ("", True))
        self.assertEqual((deletion[0], deletion[1]["by"], deletion[1]["sender_id"]), ((12, 7), 1, 1))

    async def test_another_node_replays_the_same(self):
        await self.happened()
        here = await self.missed()
        there = await self.missed(node=await self.started_node(**self.settings))
        self.assertEqual(here, there)

    async def test_who_missed_nothing_gets_nothing(self):
        self.assertEqual(await self.missed(), [])
        self.assertEqual(await self.back.catch_up({}), ([], {}, []))

    async def test_from_the_beginning_it_shows_the_creation(self):
        self.since = 0
        missed = await self.missed()
        self.assertEqual([kind for kind, _ in missed], [(14, 1), (12, self.t)])
        self.assertEqual(sorted(missed[0][1]["users"]), [1, 2])

    async def test_ones_own_from_other_devices_come_in_the_full_profile_only(self):
        device = await self.user(2)
        await device.call(11, self.t, chat_id=self.chat_id, message="mine")
        await self.alice.call(11, self.t, chat_id=self.chat_id, message="hers")
        self.assertEqual([d["message"] for _, d in await self.missed()], ["mine", "hers"])
        missed = await self.missed(await self.user(2, CORE))
        self.assertEqual([d["message"] for _, d in missed], ["hers"])

    async def test_marks_and_typing_are_not_replayed(self):
        await self.alice.call(11, 8, chat_id=self.chat_id, message_id=1)
        await self.alice.call(11, 9, chat_id=self.chat_id)
        self.assertEqual(await self.missed(), [])
        await self.fence(self.chat_id, self.alice, self.back, private=self.t == 1)

    async def test_without_id_the_reply_is_an_event_of_the_full_profile(self):
        await self.happened()
        for profile in (FULL, CORE):
            back = await self.user(2, profile)
            back.send(1, 2, chats={self.chat_id: self.since}, epoch=back.hello.epoch)
            if profile is FULL:
                await back.expect(1, 2, heads={str(self.chat_id): 5}, reset=[])
            await back.sync(self.chat_id)
            while len(back.replayed) < 3:
                await back.sync(self.chat_id)
            back.nothing_arrived()

    async def test_live_events_meanwhile_come_once(self):
        await together(*[self.write(n) for n in range(30)])
        back = await self.user(2)
        caught, *_ = await together(
            back.catch_up({self.chat_id: self.since}), *[self.write(n) for n in range(30)]
        )
        head = back.hello.heads[self.chat_id]
        self.assertEqual([frame.d["seq"] for frame in caught.events], list(range(3, head + 1)))
        for seq in range(head + 1, 63):
            await back.expect(12, self.t, seq=seq)
        await self.fence(self.chat_id, self.alice, back, private=self.t == 1)

    async def test_what_comes_after_hello_is_not_replayed(self):
        await self.write(0)
        back = await self.user(2)
        await self.happened()
        self.assertEqual([d["seq"] for _, d in await self.missed(back)], [3])
        for t, seq in ((self.t, 4), (6, 5), (7, 6)):
            await back.expect(12, t, seq=seq)

    async def write(self, n):
        await self.alice.call(11, self.t, chat_id=self.chat_id, message=str(n))


class ReplaysOfAPrivateChat(Replays, ChatCase):
    t = 1


class ReplaysOfAGroup(Replays, ChatCase):
    async def test_changes_show_the_present_state(self):
        for change in ({"chat": "old"}, {"add_users": [3]}, {"chat": "now"}, {"remove_users": [3]}):
            await self.alice.call(13, 2, chat_id=self.chat_id, **change)
        missed = await self.missed()
        self.assertEqual([kind for kind, _ in missed], [(14, 2)] * 4)
        for _, d in missed:
            self.assertEqual((d["chat"], sorted(d["users"]), d["owner_id"], d["by"]), ("now", [1, 2], 1, 1))

    async def test_many_chats_come_each_in_its_order(self):
        chats = [(await self.alice.call(13, 1, user_ids=[2], type=2))["chat_id"] for _ in range(30)]
        for n in range(3):
            await together(*[self.alice.call(11, 2, chat_id=chat, message=str(n)) for chat in chats])
        back = await self.user(2)
        caught = await back.catch_up(dict.fromkeys(chats, 1))
        self.assertEqual(caught.heads, dict.fromkeys(chats, 4))
        for chat in chats:
            texts = [frame.d["message"] for frame in caught.events if frame.d["chat_id"] == chat]
            self.assertEqual(texts, ["0", "1", "2"])

    async def test_several_catch_ups_at_once_are_all_answered(self):
        await self.happened()
        other = (await self.alice.call(13, 1, user_ids=[2], type=2))["chat_id"]
        back = await self.user(2)
        asked = ({self.chat_id: self.since}, {other: 0}, {NOBODY: 7})
        first, second, third = await together(*[back.catch_up(chats) for chats in asked])
        self.assertEqual((first.heads, second.heads, third.reset), ({self.chat_id: 5}, {other: 1}, [NOBODY]))
        self.assertEqual(len(back.replayed), 4)
