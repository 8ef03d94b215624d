"""13/2 and what it causes (PROTOCOL section 3, Chats), in both profiles."""

from tests.support.chat import CORE, FULL, ChatCase
from tests.support.store import texts_in_store
from tests.support.user import BAD_LISTS, NOBODY


class Updating:
    async def setUp(self):
        await super().setUp()
        self.alice, self.bob, self.carol = await self.users(1, 2, 3)
        self.chat_id = await self.group(self.alice, self.bob, self.carol, chat="old")

    async def update(self, user, **d):
        return await user.call(13, 2, chat_id=self.chat_id, **d)

    async def hear(self, *users, **members):
        """Each of the users gets one 14/2 with these; ``users_`` is compared without order."""
        expected = members.pop("users_", None)
        for user in users:
            event = await user.expect(14, 2, chat_id=self.chat_id, **members)
            if expected is not None:
                self.assertEqual(sorted(event["users"]), expected)

    async def quiet(self, sender, *receivers):
        await self.fence(self.chat_id, sender, *receivers)

    async def test_any_member_renames(self):
        reply = await self.update(self.bob, chat="new")
        self.assertEqual((reply["chat"], reply["seq"], reply["owner_id"]), ("new", 2, 1))
        self.assertEqual(sorted(reply["users"]), [1, 2, 3])
        await self.hear(self.alice, self.carol, chat="new", seq=2, type=2, owner_id=1, by=2, users_=[1, 2, 3])
        await self.quiet(self.bob, self.alice, self.carol)

    async def test_without_id_the_asking_connection_gets_the_event(self):
        self.bob.send(13, 2, chat_id=self.chat_id, chat="new")
        await self.hear(self.alice, self.bob, self.carol, chat="new", by=2)
        await self.quiet(self.bob, self.alice, self.carol)

    async def test_the_callers_other_devices_hear_of_it(self):
        devices = [await self.user(2, profile) for profile in (FULL, CORE, None)]
        await self.update(self.bob, chat="new")
        await self.hear(*devices, self.alice, self.carol, chat="new")
        await self.quiet(self.alice, self.bob, *devices, self.carol)

    async def test_any_member_adds_and_the_added_get_14_2(self):
        dave = await self.user(4)
        reply = await self.update(self.bob, add_users=[4])
        self.assertEqual(sorted(reply["users"]), [1, 2, 3, 4])
        await self.hear(dave, self.alice, self.carol, chat="old", by=2, seq=2, users_=[1, 2, 3, 4])
        await self.quiet(self.alice, dave, self.bob, self.carol)
        await dave.call(11, 2, chat_id=self.chat_id, message="hello")

    async def test_every_device_of_the_added_hears_of_it(self):
        devices = [await self.user(4, profile) for profile in (FULL, CORE, None)]
        await self.update(self.alice, add_users=[4])
        await self.hear(*devices, self.bob, self.carol, users_=[1, 2, 3, 4])
        await self.quiet(self.alice, *devices, self.bob, self.carol)

    async def test_the_owner_removes_and_the_removed_hears_of_it_last(self):
        devices = [await self.user(3, profile) for profile in (FULL, CORE, None)]
        await self.update(self.alice, remove_users=[3])
        await self.hear(self.bob, self.carol, *devices, users_=[1, 2], by=1)
        await self.quiet(self.alice, self.bob)
        await self.update(self.alice, chat="without carol")
        await self.hear(self.bob, chat="without carol")
        marker = await self.group(self.alice, self.carol, *devices)
        await self.fence(marker, self.alice, self.carol, *devices)

    async def test_only_the_owner_removes_others(self):
        for removed in (1, 3):
            code = await self.bob.refusal_code(13, 2, chat_id=self.chat_id, remove_users=[removed])
            self.assertEqual(code, "forbidden")
        await self.quiet(self.alice, self.bob, self.carol)

    async def test_a_forbidden_part_refuses_all_of_it(self):
        dave = await self.user(4)
        code = await self.bob.refusal_code(
            13, 2, chat_id=self.chat_id, chat="new", add_users=[4], remove_users=[2, 3]
        )
        self.assertEqual(code, "forbidden")
        state = await self.update(self.bob, add_users=[])
        self.assertEqual((state["chat"], sorted(state["users"]), state["seq"]), ("old", [1, 2, 3], 1))
        await self.quiet(self.bob, self.alice, self.carol)
        marker = await self.group(self.bob, dave)
        await self.fence(marker, self.bob, dave)

    async def test_several_parts_are_one_event(self):
        dave = await self.user(4)
        await self.update(self.alice, chat="new", add_users=[4], remove_users=[3])
        await self.hear(self.bob, self.carol, dave, chat="new", seq=2, users_=[1, 2, 4])
        await self.quiet(self.alice, self.bob, dave)

    async def test_a_member_leaves(self):
        device = await self.user(2)
        reply = await self.update(self.bob, remove_users=[2])
        self.assertEqual(sorted(reply["users"]), [1, 3])
        await self.hear(self.alice, self.carol, device, by=2, owner_id=1, users_=[1, 3])
        await self.quiet(self.alice, self.carol)
        self.assertEqual(await self.bob.refusal_code(11, 2, chat_id=self.chat_id, message="x"), "not_found")

    async def test_the_owner_leaving_hands_over_to_the_lowest_of_the_earliest(self):
        await self.update(self.alice, remove_users=[1])
        await self.hear(self.bob, self.carol, owner_id=2, users_=[2, 3])
        await self.update(self.bob, remove_users=[3])
        await self.hear(self.carol, users_=[2])

    async def test_the_owner_leaving_hands_over_to_the_earliest_joined(self):
        dave = await self.user(9)
        await self.update(self.bob, add_users=[9])
        await self.hear(self.alice, self.carol, dave)
        await self.update(self.alice, remove_users=[2, 3])
        await self.hear(self.bob, self.carol, dave)
        await self.update(dave, add_users=[2])
        await self.hear(self.alice, self.bob)
        await self.update(self.alice, remove_users=[1])
        await self.hear(self.bob, dave, owner_id=9, users_=[2, 9])

    async def test_an_owner_who_comes_back_is_no_owner(self):
        await self.update(self.alice, remove_users=[1])
        await self.hear(self.bob, self.carol, owner_id=2)
        await self.update(self.bob, add_users=[1])
        await self.hear(self.alice, self.carol, owner_id=2)
        code = await self.alice.refusal_code(13, 2, chat_id=self.chat_id, remove_users=[2])
        self.assertEqual(code, "forbidden")

    async def test_the_last_one_leaving_deletes_the_chat_and_its_texts(self):
        await self.alice.call(11, 2, chat_id=self.chat_id, message="a very rare text")
        reply = await self.update(self.alice, remove_users=[1, 2, 3])
        self.assertEqual(reply["users"], [])
        await self.bob.expect(12, 2)
        await self.carol.expect(12, 2)
        await self.hear(self.bob, self.carol, users_=[])
        self.assertEqual(texts_in_store(self.redis, self.prefix, "very rare"), [])
        for user in (self.alice, self.bob):
            code = await user.refusal_code(11, 2, chat_id=self.chat_id, message="x")
            self.assertEqual(code, "not_found")
        self.assertNotEqual(await self.group(self.alice, self.bob), self.chat_id)

    async def test_leaving_one_after_the_other_deletes_it_too(self):
        await self.update(self.carol, remove_users=[3])
        await self.hear(self.alice, self.bob)
        await self.update(self.alice, remove_users=[1])
        await self.hear(self.bob, owner_id=2)
        self.assertEqual((await self.update(self.bob, remove_users=[2]))["users"], [])
        self.assertEqual((await self.user(2)).hello.chat_ids, [])

    async def test_one_who_left_and_was_added_again_sees_what_is_new(self):
        await self.update(self.bob, remove_users=[2])
        await self.hear(self.alice, self.carol)
        await self.quiet(self.alice, self.carol)
        await self.update(self.carol, add_users=[2])
        await self.hear(self.alice, self.bob, users_=[1, 2, 3])
        await self.quiet(self.alice, self.bob, self.carol)

    async def test_what_changes_nothing_is_harmless(self):
        unchanged = ({}, {"chat": "old"}, {"add_users": []}, {"remove_users": []}, {"add_users": [1, 2]})
        for d in (*unchanged, {"remove_users": [99]}, {"add_users": [2], "remove_users": [99]}):
            state = await self.update(self.alice, **d)
            self.assertEqual((state["chat"], state["seq"], sorted(state["users"])), ("old", 1, [1, 2, 3]), d)
        await self.quiet(self.alice, self.bob, self.carol)

    async def test_the_empty_name_alone_takes_the_name_away(self):
        await self.update(self.bob, chat="")
        await self.hear(self.alice, self.carol, chat="")

    async def test_the_empty_name_beside_empty_lists_takes_the_name_away(self):
        await self.update(self.bob, chat="", add_users=[], remove_users=[])
        await self.hear(self.alice, self.carol, chat="")

    async def test_the_same_id_in_both_lists_is_a_bad_request(self):
        code = await self.alice.refusal_code(13, 2, chat_id=self.chat_id, add_users=[4], remove_users=[3, 4])
        self.assertEqual(code, "bad_request")
        await self.quiet(self.alice, self.bob, self.carol)

    async def test_a_private_chat_cannot_be_updated(self):
        private = await self.private(self.alice, self.bob)
        for d in ({"chat": "x"}, {"add_users": [3]}, {"remove_users": [1]}, {"remove_users": [2]}):
            code = await self.alice.refusal_code(13, 2, chat_id=private, **d)
            self.assertEqual(code, "wrong_chat_type", d)
        await self.fence(private, self.alice, self.bob, private=True)

    async def test_a_stranger_cannot_update_or_join(self):
        dave = await self.user(4)
        for d in ({"chat": "x"}, {"add_users": [4]}, {"remove_users": [4]}, {}):
            self.assertEqual(await dave.refusal_code(13, 2, chat_id=self.chat_id, **d), "not_found")
            self.assertEqual(await dave.refusal_code(13, 2, chat_id=NOBODY, **d), "not_found")

    async def test_bad_members_are_refused_by_name(self):
        cases = [("add_users", value) for value in BAD_LISTS]
        cases += [("remove_users", value) for value in BAD_LISTS]
        cases += [("chat", value) for value in ("x" * 65, 1, None, True, [])]
        for member, value in cases:
            error = await self.alice.refused(13, 2, chat_id=self.chat_id, **{member: value})
            self.assertEqual((error.code.code, member in error.message), ("bad_request", True), value)
        error = await self.alice.refused(13, 2, chat="x")
        self.assertEqual((error.code.code, "chat_id" in error.message), ("bad_request", True))
        await self.quiet(self.alice, self.bob, self.carol)

    async def test_messages_and_updates_share_one_count(self):
        first = await self.alice.call(11, 2, chat_id=self.chat_id, message="1")
        renamed = await self.update(self.alice, chat="2")
        second = await self.alice.call(11, 2, chat_id=self.chat_id, message="3")
        self.assertEqual([first["seq"], renamed["seq"], second["seq"]], [2, 3, 4])
        self.assertEqual([first["message_id"], second["message_id"]], [1, 2])
        for user in (self.bob, self.carol):
            await user.expect(12, 2, seq=2)
            await user.expect(14, 2, seq=3)
            await user.expect(12, 2, seq=4)


class UpdatingInTheFullProfile(Updating, ChatCase):
    async def test_the_empty_name_beside_a_list_takes_the_name_away(self):
        await self.update(self.bob, chat="", add_users=[4])
        await self.hear(self.alice, self.carol, chat="", users_=[1, 2, 3, 4])


class UpdatingInTheCoreProfile(Updating, ChatCase):
    profile = CORE

    async def test_the_empty_name_beside_a_list_leaves_the_name(self):
        await self.update(self.bob, chat="", add_users=[4])
        await self.hear(self.alice, self.carol, chat="old", users_=[1, 2, 3, 4])
        await self.update(self.alice, chat="", remove_users=[4])
        await self.hear(self.bob, self.carol, chat="old", users_=[1, 2, 3])
