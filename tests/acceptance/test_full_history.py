"""11/10 (PROTOCOL section 3, Messages): the messages of a chat, page by page, as they are now."""

import msgspec

from tests.acceptance.messages import TwoInAChat
from tests.support.chat import CORE, ChatCase, together
from tests.support.user import BAD_IDS, NOBODY

LONG = "\U0001f600" * 4000
"""16,000 bytes."""


def ids(messages):
    return [message["message_id"] for message in messages]


class HistoryCase(TwoInAChat):
    t = 2
    settings = {"requests_per_s": 100_000, "burst": 100_000}

    async def written(self, count, text=str):
        """So many messages of alice, which bob got."""
        calls = [
            self.alice.call(11, self.t, chat_id=self.chat_id, message=text(n)) for n in range(1, count + 1)
        ]
        await together(*calls)
        for n in range(1, count + 1):
            await self.bob.expect(12, self.t, message_id=n)

    async def page(self, **bounds):
        """Ids and ``more``."""
        messages, more = await self.bob.history(self.chat_id, **bounds)
        return ids(messages), more

    async def pages(self, limit, *, back):
        """Page after page until there are no more."""
        found, bounds, more = [], {} if back else {"after": 0}, True
        while more:
            page, more = await self.page(limit=limit, **bounds)
            self.assertTrue(page)
            found = page + found if back else found + page
            bounds = {"before": page[0]} if back else {"after": page[-1]}
        return found


class Pages(HistoryCase, ChatCase):
    async def setUp(self):
        await super().setUp()
        await self.written(110)

    async def test_without_bounds_it_is_the_newest_50(self):
        self.assertEqual(await self.page(), (list(range(61, 111)), True))

    async def test_before_and_after_give_the_page_next_to_a_message(self):
        self.assertEqual(await self.page(before=61, limit=3), ([58, 59, 60], True))
        self.assertEqual(await self.page(after=60, limit=3), ([61, 62, 63], True))
        self.assertEqual(await self.page(after=0, limit=1), ([1], True))
        self.assertEqual(await self.page(limit=1), ([110], True))

    async def test_more_says_whether_there_are_further_ones_in_that_direction(self):
        self.assertEqual(await self.page(before=4, limit=3), ([1, 2, 3], False))
        self.assertEqual(await self.page(before=5, limit=3), ([2, 3, 4], True))
        self.assertEqual(await self.page(after=107, limit=3), ([108, 109, 110], False))
        self.assertEqual(await self.page(after=106, limit=3), ([107, 108, 109], True))

    async def test_beyond_the_ends_there_is_nothing(self):
        self.assertEqual(await self.page(before=1), ([], False))
        self.assertEqual(await self.page(after=110), ([], False))
        self.assertEqual(await self.page(after=NOBODY), ([], False))
        self.assertEqual(await self.page(before=NOBODY, limit=2), ([109, 110], True))

    async def test_the_largest_page_is_100(self):
        self.assertEqual(await self.page(limit=100), (list(range(11, 111)), True))
        self.assertEqual(await self.page(after=0, limit=100), (list(range(1, 101)), True))

    async def test_page_by_page_everything_is_shown_once_in_both_directions(self):
        for back in (True, False):
            self.assertEqual(await self.pages(37, back=back), list(range(1, 111)))

    async def test_deleted_ones_keep_their_place(self):
        for message_id in (1, 50, 109, 110):
            await self.alice.call(11, 7, chat_id=self.chat_id, message_id=message_id)
        self.assertEqual(await self.page(limit=2), ([109, 110], True))
        self.assertEqual(await self.pages(37, back=True), list(range(1, 111)))

    async def test_bad_members_are_refused_by_name(self):
        rows = [("before", value) for value in BAD_IDS]
        rows += [("after", value) for value in BAD_IDS if value != 0]
        rows += [("limit", value) for value in (0, -1, 101, 2**53, "1", 1.5, True, None, [])]
        rows += [("chat_id", value) for value in BAD_IDS]
        for member, value in rows:
            error = await self.bob.refused(11, 10, **{"chat_id": self.chat_id, member: value})
            self.assertEqual(
                (error.code.code, member in error.message), ("bad_request", True), (member, value)
            )

    async def test_both_bounds_are_a_bad_request(self):
        code = await self.bob.refusal_code(11, 10, chat_id=self.chat_id, before=5, after=1)
        self.assertEqual(code, "bad_request")


class Contents(HistoryCase, ChatCase):
    async def test_an_empty_chat_has_an_empty_page(self):
        for bounds in ({}, {"before": 1}, {"after": 0}):
            self.assertEqual(await self.page(**bounds), ([], False))

    async def test_a_message_is_shown_as_it_is_now(self):
        sent = [await self.alice.call(11, 2, chat_id=self.chat_id, message=text) for text in "abc"]
        edits = [
            await self.alice.call(11, 6, chat_id=self.chat_id, message_id=2, message=text) for text in "xy"
        ]
        await self.alice.call(11, 6, chat_id=self.chat_id, message_id=3, message="z")
        await self.alice.call(11, 7, chat_id=self.chat_id, message_id=3)
        rows = [{"message_id": n, "sender_id": 1, "sent_at": sent[n - 1]["sent_at"]} for n in (1, 2, 3)]
        rows[0]["message"] = "a"
        rows[1] |= {"message": "y", "edited_at": edits[1]["edited_at"]}
        rows[2]["deleted"] = True
        for user in (self.alice, self.bob):
            self.assertEqual(await user.history(self.chat_id), (rows, False))

    async def test_a_new_member_reads_what_came_before_him(self):
        await self.written(3)
        carol = await self.user(3)
        await self.alice.call(13, 2, chat_id=self.chat_id, add_users=[3])
        await carol.expect(14, 2)
        self.assertEqual(ids((await carol.history(self.chat_id))[0]), [1, 2, 3])

    async def test_strangers_and_removed_members_are_told_that_there_is_no_such_chat(self):
        await self.written(1)
        carol = await self.user(3)
        await self.alice.call(13, 2, chat_id=self.chat_id, remove_users=[2])
        await self.bob.expect(14, 2)
        for user in (carol, self.bob):
            errors = [await user.refused(11, 10, chat_id=chat) for chat in (self.chat_id, NOBODY)]
            self.assertEqual({error.code.code for error in errors}, {"not_found"})
            self.assertEqual(errors[0].message, errors[1].message)

    async def test_it_holds_what_the_same_connection_sent_just_before(self):
        for n in range(20):
            self.alice.send(11, 2, chat_id=self.chat_id, message=str(n))
        messages, _ = await self.alice.history(self.chat_id, limit=20)
        self.assertEqual([message["message"] for message in messages], [str(n) for n in range(20)])

    async def test_a_page_is_cut_at_64_kib_at_its_far_end(self):
        await self.written(10, text=lambda n: LONG)
        newest, more = await self.page(limit=10)
        self.assertEqual((newest[-1], more), (10, True))
        self.assertLess(len(newest), 5)
        oldest, more = await self.page(after=0, limit=10)
        self.assertEqual((oldest[0], more), (1, True))
        messages, _ = await self.bob.history(self.chat_id)
        self.assertLessEqual(len(msgspec.json.encode(messages)), 65536 + 100)
        for back in (True, False):
            self.assertEqual(await self.pages(10, back=back), list(range(1, 11)))


class Profiles(HistoryCase, ChatCase):
    async def test_the_core_profile_gets_it_by_id_only(self):
        core = await self.user(1, CORE)
        await self.written(2)
        self.assertEqual(ids((await core.history(self.chat_id))[0]), [1, 2])
        core.send(11, 10, chat_id=self.chat_id)
        await self.fence(self.chat_id, self.bob, core)

    async def test_without_id_the_full_profile_gets_it_as_an_event(self):
        await self.written(2)
        self.bob.send(11, 10, chat_id=self.chat_id, limit=1)
        page = await self.bob.expect(12, 10, chat_id=self.chat_id, more=True)
        self.assertEqual(ids(page["messages"]), [2])
        self.bob.send(11, 10, chat_id=NOBODY)
        await self.bob.expect_error("not_found", op=11, t=10)


class InAPrivateChat(HistoryCase, ChatCase):
    t = 1

    async def test_both_read_all_of_it(self):
        await self.written(3)
        for user in (self.alice, self.bob):
            self.assertEqual(ids((await user.history(self.chat_id))[0]), [1, 2, 3])


class LargeMessages(HistoryCase, ChatCase):
    settings = {**HistoryCase.settings, "message_chars": 20_000, "frame_bytes": 2**20}

    async def test_a_message_larger_than_a_page_is_a_page_of_its_own(self):
        await self.written(3, text=lambda n: "\x01" * 20_000)
        self.assertEqual(await self.page(), ([3], True))
        for back in (True, False):
            self.assertEqual(await self.pages(10, back=back), [1, 2, 3])


class SmallFrames(HistoryCase, ChatCase):
    """What bounds the frames of clients does not bound the server's (RELIABILITY A7)."""

    settings = {**HistoryCase.settings, "frame_bytes": 1024}

    async def test_a_page_may_be_larger_than_what_a_client_may_send(self):
        await self.written(50, text=lambda n: "x" * 900)
        self.assertEqual(await self.page(), (list(range(1, 51)), False))
