"""Catch-up (1/2): what was missed, complete or reset, never in between."""

from __future__ import annotations

from chatsrv.actors import replay as replay_module
from chatsrv.wire.codes import Profile
from chatsrv.wire.frames import CaughtUp
from chatsrv.wire.requests import DeleteMessage, EditMessage
from tests.unit.test_replay_kit import ReplayCase


class Complete(ReplayCase):
    async def test_all_that_was_missed_comes_as_it_is_now(self) -> None:
        await self.send("one")
        await self.send("two", self.bob, reply_to=1)
        await self.alice.ask(EditMessage(self.chat_id, 1, "uno"))
        await self.bob.ask(DeleteMessage(self.chat_id, 2))
        await self.update(chat="then")
        await self.alice.ask(EditMessage(self.chat_id, 1, "eins"))
        await self.update(chat="now", add_users=[4])
        session = await self.check_complete(0, 8)
        frames = [(op, t, d) for op, t, d in session.frames if op in (12, 14)]
        self.assertEqual([(op, t) for op, t, _ in frames][:3], [(14, 1), (12, 2), (12, 2)])
        self.assertEqual([(op, t) for op, t, _ in frames][3:], [(12, 6), (12, 7), (14, 2), (12, 6), (14, 2)])
        one, two, edited, deleted, _, again, _ = [d for _, _, d in frames[1:]]
        self.assertEqual([d["message"] for d in (one, edited, again)], ["eins"] * 3)
        self.assertEqual((two["message"], two["deleted"], two["reply_to"]), ("", True, 1))
        self.assertEqual((deleted["message_id"], deleted["by"], "message" in deleted), (2, 2, False))
        for state in session.of(14):
            self.assertEqual((state["chat"], state["users"], state["owner_id"]), ("now", [1, 2, 3, 4], 1))

    async def test_what_did_not_change_since_comes_as_those_saw_it_who_were_there(self) -> None:
        for number in range(5):
            await self.send(f"text {number}", (self.alice, self.bob)[number % 2])
        await self.update(chat="name")
        session = await self.check_complete(1, 7)
        for op in (12, 14):
            live = [d for d in self.bob.of(op) if "sender_id" in d or op == 14]
            told = [d for d in session.of(op) if d["seq"] in {d["seq"] for d in live}]
            self.assertEqual(told, [d for d in live if d["seq"] > 1])

    async def test_it_begins_after_the_position_and_ends_at_the_head_of_hello(self) -> None:
        for _ in range(9):
            await self.send()
        for after in (1, 4, 8, 9):
            await self.check_complete(after, 10)

    async def test_what_comes_after_hello_is_not_replayed_but_live(self) -> None:
        await self.send()
        session = await self.returning()
        for _ in range(3):
            await self.send()
        await self.settle()
        self.assertEqual(session.seqs(self.chat_id), [3, 4, 5])
        caught_up = await session.catch_up({self.chat_id: 0})
        self.assertEqual(
            (session.seqs(self.chat_id), caught_up.heads), ([3, 4, 5, 1, 2], {f"{self.chat_id}": 2})
        )

    async def test_more_than_a_page_is_read_page_by_page_and_no_further_than_it_has_to_be(self) -> None:
        self.assertEqual(replay_module.PAGE, 100)
        for _ in range(249):
            await self.send()
        session, pages = await self.returning(), self.count_pages()
        caught_up = await session.catch_up({self.chat_id: 3})
        self.assertEqual(caught_up.heads, {str(self.chat_id): 250})
        self.assertEqual(session.seqs(self.chat_id), list(range(4, 251)))
        self.assertEqual([args[:2] for args in pages], [[3, 100], [103, 100], [203, 47]])

    async def test_of_several_chats_each_is_replayed_in_full(self) -> None:
        chats = [self.chat_id, await self.group(), await self.group()]
        for self.chat_id in chats:
            for _ in range(3):
                await self.send()
        session = await self.returning()
        caught_up = await session.catch_up({chats[2]: 1, chats[0]: 4, chats[1]: 3, 10**6: 1})
        self.assertEqual(caught_up, CaughtUp(heads=dict.fromkeys(map(str, chats), 4), reset=[10**6]))
        self.assertEqual([session.seqs(chat_id) for chat_id in chats], [[], [4], [2, 3, 4]])

    async def test_of_no_chats_there_is_nothing_to_do(self) -> None:
        session, pages = await self.returning(), self.count_pages()
        self.assertEqual(await session.catch_up({}), CaughtUp(heads={}, reset=[]))
        self.assertEqual(pages, [])

    async def test_a_position_after_hellos_head_is_confirmed_if_the_store_is_there(self) -> None:
        session = await self.returning()
        await self.send()
        await self.settle()
        for seq in (1, 2):
            caught_up = await session.catch_up({self.chat_id: seq})
            self.assertEqual(caught_up, CaughtUp(heads={str(self.chat_id): seq}, reset=[]))
        self.assertEqual(session.seqs(self.chat_id), [2])


class Profiles(ReplayCase):
    async def test_the_core_profile_gets_no_12_of_its_own_user_and_the_full_one_does(self) -> None:
        carol = await self.user(self.here, 3)
        await self.send("hers", carol)
        await self.send("not hers")
        await carol.ask(EditMessage(self.chat_id, 1, "hers still"))
        await self.update(carol, chat="by her")
        await self.alice.ask(DeleteMessage(self.chat_id, 1))
        await self.check_complete(0, 6)
        core = await self.returning(profile=Profile.CORE)
        caught_up = await core.catch_up({self.chat_id: 0})
        self.assertEqual(caught_up.heads, {str(self.chat_id): 6})
        self.assertEqual(core.seqs(self.chat_id), [1, 3, 5, 6])
        self.assertEqual([(op, t) for op, t, _ in core.frames], [(14, 1), (12, 2), (14, 2), (12, 7)])


class Resets(ReplayCase):
    async def test_another_epoch_is_and_nothing_is_read_for_it(self) -> None:
        await self.send()
        session, pages = await self.returning(), self.count_pages()
        other = await session.catch_up({self.chat_id: 1, 10**6: 1}, epoch="another")
        self.assertEqual(other, CaughtUp(heads={}, reset=[self.chat_id, 10**6]))
        self.assertEqual((session.seqs(self.chat_id), pages), ([], []))
        same = await session.catch_up({self.chat_id: 1}, epoch=session.hello.epoch)
        self.assertEqual((same.heads, session.seqs(self.chat_id)), ({str(self.chat_id): 2}, [2]))

    async def test_a_chat_that_he_is_not_in_is_and_one_that_does_not_exist(self) -> None:
        outsider = await self.returning(user_id=9)
        caught_up = await outsider.catch_up({self.chat_id: 0, 10**6: 0})
        self.assertEqual(caught_up, CaughtUp(heads={}, reset=[self.chat_id, 10**6]))
        self.assertEqual(outsider.of(12) + outsider.of(14), [])

    async def test_a_chat_that_he_was_added_to_since_hello_is_for_all_of_it_came_live(self) -> None:
        session = await self.returning()
        chat_id = await self.group()
        caught_up = await session.catch_up({chat_id: 0})
        self.assertEqual((caught_up.reset, session.seqs(chat_id)), ([chat_id], [1]))

    async def test_a_position_ahead_of_the_store_is(self) -> None:
        await self.send()
        for seq in (3, 10**9, 2**53 - 1):
            await self.check_reset(seq)

    async def test_a_gap_older_than_the_log_is(self) -> None:
        for n in range(1, 4):
            await self.send()
            await self.send()
            await self.alice.ask(EditMessage(self.chat_id, n, "edited"))
        self.outside.xtrim(self.key(f"{{c:{self.chat_id}}}:log"), minid="5-0", approximate=False)
        for after in (0, 3, 5):
            await self.check_reset(after)
        for after in (6, 7):
            await self.check_complete(after, 10)

    async def test_a_log_that_is_empty_is(self) -> None:
        for _ in range(3):
            await self.send()
        self.outside.xtrim(self.key(f"{{c:{self.chat_id}}}:log"), maxlen=0, approximate=False)
        for after in (0, 3):
            await self.check_reset(after)
        await self.check_complete(4, 4)

    async def test_a_chat_that_lost_its_end_since_hello_is(self) -> None:
        for _ in range(4):
            await self.send()
        session = await self.returning()
        self.outside.hdel(self.key(f"{{c:{self.chat_id}}}:messages"), 3, 4)
        caught_up = await session.catch_up({self.chat_id: 1})
        self.assertEqual(caught_up, CaughtUp(heads={}, reset=[self.chat_id]))

    async def test_a_gap_with_a_message_that_is_no_longer_kept_is(self) -> None:
        for _ in range(9):
            await self.send()
        self.outside.hdel(self.key(f"{{c:{self.chat_id}}}:messages"), 1, 2, 3)
        for after in (0, 3):
            await self.check_reset(after)
        await self.check_complete(4, 10)

    async def test_one_with_such_a_message_on_a_later_page_is(self) -> None:
        self.patch(replay_module, "PAGE", 3)
        for _ in range(9):
            await self.send()
        self.outside.hdel(self.key(f"{{c:{self.chat_id}}}:messages"), 6)
        session = await self.returning()
        caught_up = await session.catch_up({self.chat_id: 1})
        self.assertEqual(caught_up, CaughtUp(heads={}, reset=[self.chat_id]))

    async def test_a_time_in_which_he_was_no_member_is(self) -> None:
        await self.send("seen")  # 2
        await self.update(remove_users=[3])  # 3
        await self.send("not for her")  # 4
        await self.update(add_users=[3])  # 5
        await self.send("seen again")  # 6
        for after in (0, 1, 2, 3):
            await self.check_reset(after)
        for after in (4, 5, 6):
            await self.check_complete(after, 6)

    async def test_one_who_was_removed_since_hello_is(self) -> None:
        for _ in range(3):
            await self.send()
        session = await self.returning()
        await self.update(remove_users=[3])
        session.frames.clear()
        for after in (1, 4, 5):
            await self.check_reset_of(session, after)

    async def test_one_who_was_removed_and_came_back_since_hello_is(self) -> None:
        for _ in range(3):
            await self.send()
        session = await self.returning()
        await self.update(remove_users=[3])
        await self.update(add_users=[3])
        session.frames.clear()
        await self.check_reset_of(session, 1)

    async def test_a_chat_that_was_deleted_since_hello_is(self) -> None:
        await self.send()
        session = await self.returning()
        for user in (2, 3):
            await self.update(remove_users=[user])
        await self.update(remove_users=[1])
        session.frames.clear()
        for after in (1, 2):
            await self.check_reset_of(session, after)
