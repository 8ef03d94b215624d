"""13/4 (PROTOCOL section 3, Chats): the caller's chats with last message and unread, newest activity first."""

import msgspec

from tests.acceptance.inbox import InboxCase
from tests.support.chat import CORE, together


class Order(InboxCase):
    async def test_of_a_new_user_it_is_empty(self):
        self.assertEqual(await (await self.user(9)).call(13, 4), {"chats": []})

    async def test_the_newest_activity_comes_first(self):
        ids = await self.groups(4)
        sent = [await self.said(chat_id) for chat_id in (ids[2], ids[3], ids[1], ids[2], ids[0])]
        self.assertEqual([row["chat_id"] for row in await self.rows()], self.by_activity(sent))

    async def test_a_change_of_the_chat_is_activity_and_an_edit_or_deletion_is_none(self):
        lowest, _, highest = made = sorted(await self.groups(3))
        for chat_id in made[:2]:
            await self.said(chat_id)
        await self.alice.call(13, 2, chat_id=highest, chat="new")
        for op, d in ((6, {"message": "y"}), (7, {})):
            await self.alice.call(11, op, chat_id=lowest, message_id=1, **d)
            self.assertEqual((await self.rows())[0]["chat_id"], highest)

    async def test_page_by_page_every_chat_is_shown_once_in_the_same_order(self):
        ids = await self.groups(7)
        for limit in (1, 2, 3, 6, 7, 8, 100):
            rows = await self.rows(limit=limit)
            self.assertEqual([row["chat_id"] for row in rows], ids, limit)

    async def test_a_page_has_50_chats_unless_told_otherwise(self):
        await together(*[self.alice.call(13, 1, user_ids=[], type=2) for _ in range(52)])
        page = await self.alice.call(13, 4)
        self.assertEqual((len(page["chats"]), "cursor" in page), (50, True))
        rest = await self.alice.call(13, 4, cursor=page["cursor"])
        self.assertEqual((len(rest["chats"]), "cursor" in rest), (2, False))

    async def test_what_becomes_active_between_two_pages_is_not_shown_twice(self):
        ids = await self.groups(6)
        first = await self.alice.call(13, 4, limit=3)
        for chat_id in (ids[0], ids[5]):
            await self.said(chat_id)
        second = await self.alice.call(13, 4, limit=3, cursor=first["cursor"])
        shown = [row["chat_id"] for row in [*first["chats"], *second["chats"]]]
        self.assertEqual(shown, ids[:5])

    async def test_a_chat_one_has_left_is_not_in_it(self):
        left, kept = await self.groups(2)
        await self.bob.call(13, 2, chat_id=left, remove_users=[2])
        self.assertEqual([row["chat_id"] for row in await self.rows(self.bob)], [kept])

    async def test_a_page_is_cut_at_64_kib_and_the_next_one_goes_on(self):
        ids = [(await self.alice.call(13, 1, user_ids=[2], type=2))["chat_id"] for _ in range(8)]
        ids = self.by_activity([await self.said(chat_id, "\U0001f600" * 4000) for chat_id in ids])
        page = await self.alice.call(13, 4)
        self.assertTrue(0 < len(page["chats"]) < 8)
        self.assertLessEqual(len(msgspec.json.encode(page)), 65536 + 200)
        self.assertEqual([row["chat_id"] for row in await self.rows()], ids)

    async def test_bad_members_are_refused_by_name(self):
        await self.groups(2)
        cursors = (
            "x",
            "1",
            "1-",
            "-1",
            "1-2-3",
            "a-b",
            "99999999999999999-1",
            "1 -2",
            "",
            1,
            None,
            [],
            "1" * 65,
        )
        for member, values in (("cursor", cursors), ("limit", (0, -1, 101, "5", 1.5, True, None))):
            for value in values:
                error = await self.alice.refused(13, 4, **{member: value})
                seen = (error.code.code, member in error.message)
                self.assertEqual(seen, ("bad_request", True), (member, value))


class Rows(InboxCase):
    async def test_a_row_of_a_group(self):
        chat_id = await self.group(self.alice, self.bob, chat="us")
        sent = await self.said(chat_id, "hi")
        last = {"message_id": 1, "sender_id": 1, "message": "hi", "sent_at": sent["sent_at"]}
        row = {"chat_id": chat_id, "type": 2, "chat": "us", "users_count": 2, "last_message_id": 1, "seq": 2}
        row["last"] = last
        self.assertEqual(await self.rows(self.alice), [{**row, "read": 1, "unread": 0}])
        self.assertEqual(await self.rows(self.bob), [{**row, "read": 0, "unread": 1}])

    async def test_a_row_of_a_private_chat_names_the_other_one(self):
        chat_id = await self.private(self.alice, self.bob)
        for user, other in ((self.alice, 2), (self.bob, 1)):
            row = {"chat_id": chat_id, "type": 1, "chat": "", "user_id": other, "users_count": 2}
            row |= {"last_message_id": 0, "seq": 1, "read": 0, "unread": 0}
            self.assertEqual(await self.rows(user), [row])

    async def test_the_last_message_is_shown_as_it_is_now(self):
        chat_id = await self.group(self.alice, self.bob)
        await self.said(chat_id, "before")
        sent = await self.said(chat_id, "secret")
        where = {"chat_id": chat_id, "message_id": 2}
        edit = await self.alice.call(11, 6, **where, message="edited")
        last = {"message_id": 2, "sender_id": 1, "sent_at": sent["sent_at"]}
        shown = (await self.row(chat_id))["last"]
        self.assertEqual(shown, {**last, "message": "edited", "edited_at": edit["edited_at"]})
        await self.alice.call(11, 7, **where)
        self.assertEqual((await self.row(chat_id))["last"], {**last, "deleted": True})

    async def test_the_core_profile_gets_it_by_id_only(self):
        chat_id = await self.group(self.alice, self.bob)
        core = await self.user(1, CORE)
        self.assertEqual((await self.row(chat_id, core))["chat_id"], chat_id)
        core.send(13, 4)
        await self.fence(chat_id, self.bob, core)

    async def test_without_id_the_full_profile_gets_it_as_an_event(self):
        chat_id = await self.group(self.alice, self.bob)
        self.alice.send(13, 4, limit=1)
        inbox = await self.alice.expect(14, 4)
        self.assertEqual([row["chat_id"] for row in inbox["chats"]], [chat_id])
