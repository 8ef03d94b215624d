"""What a user may do in an hour, on two nodes: crossed by one, spent only by what is new, given back when refused."""

from __future__ import annotations

from typing import Any

from chatsrv.redis import Unavailable
from chatsrv.wire.refusal import Refused
from chatsrv.wire.requests import (
    AddFriend,
    AnswerFriend,
    BlockUser,
    CreateChat,
    RemoveFriend,
    UnblockUser,
    UpdateChat,
)
from tests.integration.test_friends import FriendsCase
from tests.integration.test_nodes import before_command
from tests.unit.test_store_kit import Listener


def group(*others: int, **more: Any) -> CreateChat:
    return CreateChat(user_ids=list(others), type=2, **more)


def private(other: int) -> CreateChat:
    return CreateChat(user_ids=[other], type=1)


class AllowanceCase(FriendsCase):
    async def setUp(self) -> None:
        await super().setUp()
        self.alice, self.device = await self.user(self.here, 1), await self.user(self.there, 1)
        self.bob = await self.user(self.there, 2)

    async def rate_limited(self, command: Any, listener: Listener | None = None) -> None:
        """It is refused for that, with the time to wait, and changes nothing."""
        await self.settle()
        before = self.keyspace()
        refused = await self.assertFailure((listener or self.alice).ask(command), Refused)
        self.assertEqual(refused.code.code, "rate_limited")
        self.assertTrue(0 < refused.retry_after_ms <= 3_600_000, refused.retry_after_ms)
        await self.settle()
        self.assertEqual(self.keyspace(), before)


class FriendRequests(AllowanceCase):
    options = {"friend_requests_per_h": 3}

    async def test_three_are_made_and_the_fourth_is_refused_on_every_device_and_node(self) -> None:
        for other, listener in ((3, self.alice), (4, self.device), (5, self.alice)):
            await listener.ask(AddFriend(user_id=other))
        await self.rate_limited(AddFriend(user_id=6))
        await self.rate_limited(AddFriend(user_id=6), self.device)
        self.alice.leave()
        await self.rate_limited(AddFriend(user_id=6), await self.user(self.here, 1))
        await self.bob.ask(AddFriend(user_id=6))

    async def test_repeats_acceptances_and_answers_cost_nothing(self) -> None:
        for other in (3, 4):
            await self.alice.ask(AddFriend(user_id=other))
            await self.alice.ask(AddFriend(user_id=other))
        for other in (5, 6):
            await (await self.user(self.there, other)).ask(AddFriend(user_id=1))
        await self.alice.ask(AddFriend(user_id=5))
        await self.alice.ask(AnswerFriend(user_id=6, type=1))
        await self.alice.ask(AddFriend(user_id=5))
        await self.alice.ask(AddFriend(user_id=7))
        await self.rate_limited(AddFriend(user_id=8))

    async def test_a_request_that_was_withdrawn_and_is_made_again_counts_again(self) -> None:
        for _ in range(3):
            await self.alice.ask(AddFriend(user_id=2))
            await self.alice.ask(RemoveFriend(user_id=2))
        await self.rate_limited(AddFriend(user_id=2))

    async def test_a_refused_one_costs_nothing_and_goes_behind_the_rate(self) -> None:
        await self.bob.ask(BlockUser(user_id=1))
        for _ in range(5):
            self.assertEqual(await self.code(self.alice, AddFriend(user_id=2)), "forbidden")
        for other in (3, 4, 5):
            await self.alice.ask(AddFriend(user_id=other))
        await self.rate_limited(AddFriend(user_id=2))
        await self.bob.ask(UnblockUser(user_id=1))
        await self.rate_limited(AddFriend(user_id=2))


class Chats(AllowanceCase):
    options = {"chats_per_h": 3}

    async def test_three_are_created_and_the_fourth_is_refused_on_every_device_and_node(self) -> None:
        await self.alice.ask(group())
        await self.device.ask(private(2))
        await self.alice.ask(group(2, 3, nonce="n"))
        for listener in (self.alice, self.device):
            for command in (group(), private(3), group(nonce="m")):
                await self.rate_limited(command, listener)
        await self.bob.ask(group())

    async def test_what_is_there_already_is_opened_for_nothing(self) -> None:
        for _ in range(5):
            await self.bob.ask(private(1))
            await self.alice.ask(private(2))
            await self.alice.ask(group(2, nonce="n"))
            await self.device.ask(group(2, nonce="n"))
        for _ in range(2):
            await self.alice.ask(group())
        await self.rate_limited(group())
        await self.alice.ask(group(2, nonce="n"))

    async def test_a_repeat_of_one_whose_outcome_was_unknown_is_not_counted_again(self) -> None:
        run = self.here.own_link.run

        def losing(done: Any, script: Any, keys: Any, args: Any) -> None:
            if script.name == "chat_create":
                done(Unavailable("it was not run", sent=True))
            else:
                run(done, script, keys, args)

        for n in range(3):
            self.here.own_link.run = losing
            await self.assertFailure(self.alice.ask(group(2, nonce=str(n))), Unavailable)
            del self.here.own_link.run
        await self.rate_limited(group())
        for n in range(3):
            await self.alice.ask(group(2, nonce=str(n)))

    async def test_one_that_another_device_creates_with_the_last_at_this_moment_is_answered(self) -> None:
        for _ in range(2):
            await self.alice.ask(group())

        async def create(_: Any) -> None:
            self.made = (await self.device.ask(group(2, nonce="n"))).reply.chat_id

        before_command(self.here, "user_wait", create)
        self.assertEqual((await self.alice.ask(group(2, nonce="n"))).reply.chat_id, self.made)
        await self.rate_limited(group(2, nonce="m"))

    async def test_a_refused_one_costs_nothing_and_goes_behind_the_rate(self) -> None:
        await self.bob.ask(BlockUser(user_id=1))
        for _ in range(4):
            for command in (group(2), private(2), group(2, nonce="n")):
                self.assertEqual(await self.code(self.alice, command), "forbidden")
        self.assertEqual(self.keys("{u:1}:rates"), [])
        for _ in range(3):
            await self.alice.ask(group())
        for command in (group(2), private(2)):
            await self.rate_limited(command)


class Invites(AllowanceCase):
    options = {"invites_per_h": 4}

    async def test_four_users_are_put_into_groups_and_the_fifth_is_not(self) -> None:
        chat_id = (await self.alice.ask(group(2, 3))).reply.chat_id
        await self.device.ask(UpdateChat(chat_id=chat_id, add_users=[3, 4]))
        await self.alice.ask(private(9))
        await self.alice.ask(UpdateChat(chat_id=chat_id, add_users=[5]))
        await self.rate_limited(UpdateChat(chat_id=chat_id, add_users=[6], chat="x"))
        await self.rate_limited(group(6), self.device)
        await self.alice.ask(UpdateChat(chat_id=chat_id, add_users=[2, 3], chat="x", remove_users=[4]))
        await self.alice.ask(group())
        await self.bob.ask(UpdateChat(chat_id=chat_id, add_users=[6]))

    async def test_a_refused_change_costs_nothing_and_goes_behind_the_rate(self) -> None:
        chat_id = (await self.bob.ask(group(1))).reply.chat_id
        blocker = await self.user(self.here, 9)
        await blocker.ask(BlockUser(user_id=1))
        for change in ({"add_users": [3, 9]}, {"add_users": [3], "remove_users": [2]}):
            for _ in range(4):
                self.assertEqual(
                    await self.code(self.alice, UpdateChat(chat_id=chat_id, **change)), "forbidden"
                )
        self.assertEqual(self.keys("{u:1}:rates"), [])
        await self.alice.ask(UpdateChat(chat_id=chat_id, add_users=[3, 4, 5, 6]))
        await self.rate_limited(UpdateChat(chat_id=chat_id, add_users=[9]))
        self.assertEqual(await self.code(self.alice, UpdateChat(chat_id=77, add_users=[9])), "not_found")

    async def test_a_large_group_needs_all_of_it_and_is_made_up_for_later(self) -> None:
        await self.alice.ask(group(*range(10, 18)))
        refused = await self.assertFailure(self.alice.ask(group(2)), Refused)
        self.assertTrue(0 <= 5 * 900_000 - refused.retry_after_ms < 10_000, refused.retry_after_ms)

    async def test_who_is_put_into_it_by_somebody_else_at_this_moment_costs_nothing(self) -> None:
        chat_id = (await self.bob.ask(group(1))).reply.chat_id

        async def add(_: Any) -> None:
            await self.bob.ask(UpdateChat(chat_id=chat_id, add_users=[3, 4]))

        before_command(self.here, "chat_update", add)
        await self.alice.ask(UpdateChat(chat_id=chat_id, add_users=[3, 4, 5]))
        await self.alice.ask(UpdateChat(chat_id=chat_id, add_users=[6, 7, 8]))
        await self.rate_limited(UpdateChat(chat_id=chat_id, add_users=[9]))


class AtTheSameMoment(AllowanceCase):
    """What was new when the caller asked is not, or is refused, when the change is made."""

    options = {"friend_requests_per_h": 2}

    def spent(self) -> list[str]:
        return self.keys("{u:1}:rates")

    async def test_a_private_chat_that_the_other_one_opens_costs_him_alone(self) -> None:
        async def open_it(_: Any) -> None:
            self.opened = (await self.bob.ask(private(1))).reply.chat_id

        before_command(self.here, "pair_chat", open_it)
        self.assertEqual((await self.alice.ask(private(2))).reply.chat_id, self.opened)
        self.assertEqual(self.spent(), [])

    async def test_a_private_chat_with_one_who_blocks_the_caller_costs_nothing(self) -> None:
        before_command(self.here, "pair_chat", self._block)
        self.assertEqual(await self.code(self.alice, private(2)), "forbidden")
        self.assertEqual(self.spent(), [])

    async def test_a_friend_request_to_one_who_blocks_the_caller_costs_nothing(self) -> None:
        before_command(self.here, "pair_add", self._block)
        self.assertEqual(await self.code(self.alice, AddFriend(user_id=2)), "forbidden")
        self.assertEqual(self.spent(), [])

    async def test_a_friend_request_that_accepts_the_other_ones_costs_him_alone(self) -> None:
        async def ask(_: Any) -> None:
            await self.bob.ask(AddFriend(user_id=1))

        before_command(self.here, "pair_add", ask)
        self.assertTrue((await self.alice.ask(AddFriend(user_id=2))).reply.accepted)
        self.assertEqual(self.spent(), [])

    async def test_a_friend_request_that_another_device_makes_costs_once(self) -> None:
        async def ask(_: Any) -> None:
            await self.device.ask(AddFriend(user_id=2))

        before_command(self.here, "pair_add", ask)
        await self.alice.ask(AddFriend(user_id=2))
        await self.alice.ask(AddFriend(user_id=3))
        await self.rate_limited(AddFriend(user_id=4))

    async def _block(self, _: Any) -> None:
        await self.bob.ask(BlockUser(user_id=1))


class Failures(AllowanceCase):
    """The store fails at one command after the other: each is not sent, or not run, or its answer is lost."""

    options = {"chats_per_h": 1, "friend_requests_per_h": 1, "invites_per_h": 2}

    async def failing(self, kind: str, at: int, command: Any) -> str:
        """The name of the request's command number ``at``, which fails; the request must fail with it."""
        link, names = self.here.own_link, {script.sha: name for name, script in self.store.scripts.items()}
        await self.settle()
        send, sent = link.send, list[str]()

        def failing(done: Any, *parts: Any) -> None:
            sent.append(names.get(str(parts[1]), str(parts[0])))
            lost = Unavailable("planted", sent=kind != "not sent")
            if len(sent) != at + 1:
                send(done, *parts)
            elif kind == "lost":
                send(lambda _: done(lost), *parts)
            else:
                done(lost)

        link.send = failing
        try:
            await self.assertFailure(self.alice.ask(command), Unavailable)
        finally:
            link.send = send
        return sent[at]

    async def test_no_retry_with_the_same_nonce_is_charged_again(self) -> None:
        for kind in ("not sent", "not run", "lost"):
            failed = list[str]()
            while "chat_create" not in failed:
                command = group(2, 3, nonce=f"{kind} {len(failed)}")
                failed.append(await self.failing(kind, len(failed), command))
                await self.alice.ask(command)
                await self.rate_limited(group())
                self.outside.delete(self.key("{u:1}:rates"))
            self.assertEqual((failed.count("user_nonce"), failed.count("user_counts")), (2, 3), failed)

    async def test_what_fails_before_it_is_made_costs_nothing(self) -> None:
        """Nor does the change itself if it was certainly not sent."""
        chat_id = (await self.bob.ask(group(1))).reply.chat_id
        for command, change in (
            (group(3), "chat_create"),
            (private(3), "pair_chat"),
            (AddFriend(user_id=3), "pair_add"),
            (UpdateChat(chat_id=chat_id, add_users=[3]), "chat_update"),
        ):
            for kind in ("not sent", "lost"):
                failed = list[str]()
                while change not in failed and (kind == "not sent" or "user_spend" not in failed):
                    self.assertEqual(self.keys("{u:1}:rates"), [], failed)
                    failed.append(await self.failing(kind, len(failed), command))
                if kind == "not sent":
                    self.assertEqual(self.keys("{u:1}:rates"), [], failed)
                self.assertIn("user_wait", failed)
                self.outside.delete(self.key("{u:1}:rates"))
