"""``nonce`` of 13/1 (PROTOCOL section 3, Chats): a group that is created again is the same group."""

from tests.support.chat import CORE, ChatCase, together


class CreatingAgain:
    async def setUp(self):
        await super().setUp()
        self.alice, self.bob = await self.users(1, 2)

    async def create(self, user=None, **d):
        given = {"user_ids": [2], "type": 2, "chat": "us", "nonce": "n", **d}
        return await (user or self.alice).call(13, 1, **given)

    async def created(self):
        """The group, for the first time; bob saw it."""
        first = await self.create()
        self.assertNotIn("dup", first)
        await self.bob.expect(14, 1, chat_id=first["chat_id"])
        return first

    async def test_a_retry_is_answered_with_the_same_group_and_causes_no_event(self):
        first = await self.created()
        for _ in range(2):
            self.assertEqual(await self.create(), {**first, "dup": True})
        await self.fence(first["chat_id"], self.alice, self.bob)
        self.assertEqual((await self.user(1)).hello.chat_ids, [first["chat_id"]])

    async def test_the_same_users_in_another_order_are_the_same_request(self):
        first = await self.create(user_ids=[2, 3])
        again = await self.create(user_ids=[3, 2, 2, 1])
        self.assertEqual((again["chat_id"], again["dup"]), (first["chat_id"], True))

    async def test_another_name_or_other_users_are_a_conflict(self):
        first = await self.created()
        for change in ({"chat": "them"}, {"chat": ""}, {"user_ids": [2, 3]}, {"user_ids": []}):
            given = {"user_ids": [2], "type": 2, "chat": "us", "nonce": "n", **change}
            self.assertEqual(await self.alice.refusal_code(13, 1, **given), "conflict", change)
        await self.fence(first["chat_id"], self.alice, self.bob)

    async def test_another_nonce_and_none_make_another_group(self):
        ids = {(await self.create(nonce=nonce))["chat_id"] for nonce in ("a", "b")}
        ids |= {(await self.alice.call(13, 1, user_ids=[2], type=2, chat="us"))["chat_id"] for _ in range(2)}
        self.assertEqual(len(ids), 4)

    async def test_the_nonces_of_another_caller_are_his_own(self):
        first = await self.created()
        other = await self.create(self.bob, user_ids=[1])
        self.assertNotEqual(other["chat_id"], first["chat_id"])
        self.assertEqual((await self.alice.expect(14, 1))["owner_id"], 2)

    async def test_a_retry_shows_the_state_as_it_is_now(self):
        first = await self.created()
        change = {"chat": "new", "add_users": [3]}
        changed = await self.alice.call(13, 2, chat_id=first["chat_id"], **change)
        again = await self.create()
        self.assertEqual((again["chat"], sorted(again["users"])), ("new", [1, 2, 3]))
        self.assertEqual((again["seq"], again["dup"]), (changed["seq"], True))

    async def test_a_retry_after_leaving_or_after_the_end_finds_nothing(self):
        for leaving in ([1], [1, 2]):
            nonce = f"leave {leaving}"
            first = await self.create(nonce=nonce)
            await self.alice.call(13, 2, chat_id=first["chat_id"], remove_users=leaving)
            given = {"user_ids": [2], "type": 2, "chat": "us", "nonce": nonce}
            self.assertEqual(await self.alice.refusal_code(13, 1, **given), "not_found", leaving)

    async def test_of_many_at_once_on_two_nodes_one_takes_effect(self):
        device = await self.user(1, node=await self.started_node(**self.settings))
        replies = await together(*[self.create([self.alice, device][n % 2]) for n in range(10)])
        self.assertEqual(len({reply["chat_id"] for reply in replies}), 1)
        self.assertEqual([reply.get("dup", False) for reply in replies].count(False), 1)
        chat_id = replies[0]["chat_id"]
        await self.bob.expect(14, 1, chat_id=chat_id)
        await self.fence(chat_id, await self.user(1), self.bob)
        self.assertEqual((await self.user(2)).hello.heads, {chat_id: 2})

    async def test_a_bad_nonce_is_refused_by_name(self):
        for nonce in ("", "x" * 65, 5, None, []):
            error = await self.alice.refused(13, 1, user_ids=[2], type=2, nonce=nonce)
            self.assertEqual((error.code.code, "nonce" in error.message), ("bad_request", True), nonce)

    async def test_a_private_chat_needs_none_and_is_the_same_with_any(self):
        first = await self.alice.call(13, 1, user_ids=[2], type=1, nonce="n")
        self.assertNotIn("dup", first)
        for nonce in ("n", "m"):
            again = await self.alice.call(13, 1, user_ids=[2], type=1, nonce=nonce)
            self.assertEqual(again, {**first, "dup": True})
        self.assertNotIn("dup", await self.create())


class CreatingAgainInTheFullProfile(CreatingAgain, ChatCase):
    async def test_without_id_the_caller_is_shown_the_group_each_time(self):
        device = await self.user(1)
        for _ in range(2):
            self.alice.send(13, 1, user_ids=[2], type=2, nonce="n")
        first = await self.alice.expect(14, 1, dup=None)
        await self.alice.expect(14, 1, chat_id=first["chat_id"], dup=True)
        for other in (device, self.bob):
            await other.expect(14, 1, chat_id=first["chat_id"])
        await self.fence(first["chat_id"], self.alice, device, self.bob)


class CreatingAgainInTheCoreProfile(CreatingAgain, ChatCase):
    profile = CORE
