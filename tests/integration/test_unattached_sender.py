"""A member whose own log has not told yet that he was added: his requests work, and their replies have their place.

Bob's session is there when Alice, on another node, adds him; what is published to him is lost. The reply to what
he asks comes behind the events since he was added, and once; when his log catches up, nothing comes again.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred, gatherResults

from chatsrv.redis import Unavailable
from chatsrv.wire.codes import Profile
from chatsrv.wire.requests import CreateChat, DeleteMessage, EditMessage, SendGroup, UpdateChat
from tests.integration.test_nodes import after_command
from tests.unit.test_store_kit import Listener, NodeCase, until


class UnattachedCase(NodeCase):
    with_dave = False  # on Bob's node he is a member all the time, so that its feed is under way
    chat_deaf = False  # and of the chat's events since Bob was added it heard nothing

    async def setUp(self) -> None:
        await super().setUp()
        self.here, self.there = await self.node(), await self.node()
        self.alice, self.once = await self.user(self.here, 1), await self.user(self.here, 2)
        self.dave = await self.user(self.there, 4)
        members = [2, 3, 4] if self.with_dave else [2, 3]
        self.chat_id = (await self.alice.ask(CreateChat(user_ids=members, type=2))).reply.chat_id
        await self.settle()
        self.mine = (await self.say(self.once, "mine")).message_id
        await self.update(self.alice, remove_users=[2])
        self.once.leave()
        await self.settle()
        self.bob, self.device = await self.user(self.there, 2), await self.user(self.there, 2)
        self.core = await self.user(self.there, 2, Profile.CORE)
        await self.settle()
        self.assertEqual(self.bob.hello.chat_ids, [])
        channels = [self.there.channels.user(2).encode()]
        if self.chat_deaf:
            channels.append(self.there.channels.chat(self.chat_id).encode())
        hear = self.there.bus._listeners
        self.listeners = {channel: hear[channel] for channel in channels}
        hear.update(dict.fromkeys(channels, lambda payload: None))
        self.since = (await self.update(self.alice, add_users=[2])).seq
        await self.say(self.alice, "since")
        await self.settle()
        self.assertEqual(self.got(self.bob), [])

    async def say(self, listener: Listener, text: str) -> Any:
        return (await listener.ask(SendGroup(chat_id=self.chat_id, message=text))).reply

    async def update(self, listener: Listener, **change: Any) -> Any:
        return (await listener.ask(UpdateChat(chat_id=self.chat_id, **change))).reply

    def ask(self, command: Any) -> Deferred[Any]:
        return self.bob.ask(command)

    def hear(self) -> None:
        self.there.bus._listeners.update(self.listeners)

    async def catch_up(self) -> None:
        """The channels work again, and the head checks find what was missed."""
        await self.settle()
        self.hear()
        for _ in range(2):
            self.there.clock.advance(1)
            await self.settle()

    def got(self, listener: Listener) -> list[tuple[int, int, int, bool]]:
        """What of the chat, in order: seq, op, t, and whether it is a reply."""
        return [
            (d["seq"], op, t, "id" in d)
            for op, t, d in listener.frames
            if op in (12, 14) and d["chat_id"] == self.chat_id
        ]

    async def check(self, command: Any, op: int, t: int) -> None:
        """The addition first, the reply at its place, each event once, also when all is heard again."""
        reply = (await self.ask(command)).reply
        self.assertEqual(
            self.got(self.bob),
            [(self.since, 14, 2, False), (self.since + 1, 12, 2, False), (reply.seq, op, t, True)],
        )
        await self.catch_up()
        last = (await self.say(self.alice, "after")).seq
        await self.settle()
        self.assertEqual([seq for seq, *_ in self.got(self.bob)], list(range(self.since, last + 1)))
        self.assertEqual([found for found in self.got(self.bob) if found[3]], [(reply.seq, op, t, True)])
        self.assertEqual([seq for seq, *_ in self.got(self.device)], list(range(self.since, last + 1)))
        silent = {reply.seq} if op == 12 else set()
        self.assertEqual(
            [seq for seq, *_ in self.got(self.core)],
            [seq for seq in range(self.since, last + 1) if seq not in silent],
        )
        self.assertEqual([op for op in self.got(self.device) + self.got(self.core) if op[3]], [])


class NobodyElseThere(UnattachedCase):
    async def test_a_message_has_its_reply_in_place(self) -> None:
        await self.check(SendGroup(chat_id=self.chat_id, message="x"), 12, 2)

    async def test_an_edit_has_its_reply_in_place(self) -> None:
        await self.check(EditMessage(chat_id=self.chat_id, message_id=self.mine, message="y"), 12, 6)

    async def test_a_deletion_has_its_reply_in_place(self) -> None:
        await self.check(DeleteMessage(chat_id=self.chat_id, message_id=self.mine), 12, 7)

    async def test_a_change_has_its_reply_in_place(self) -> None:
        await self.check(UpdateChat(chat_id=self.chat_id, chat="name"), 14, 2)

    async def test_an_addition_by_him_too(self) -> None:
        await self.check(UpdateChat(chat_id=self.chat_id, add_users=[9]), 14, 2)

    async def test_several_at_once_have_theirs_in_order(self) -> None:
        commands = [
            SendGroup(chat_id=self.chat_id, message="a"),
            SendGroup(chat_id=self.chat_id, message="b"),
            SendGroup(chat_id=self.chat_id, message="c"),
            EditMessage(chat_id=self.chat_id, message_id=self.mine, message="y"),
            UpdateChat(chat_id=self.chat_id, chat="name"),
            SendGroup(chat_id=self.chat_id, message="d"),
            DeleteMessage(chat_id=self.chat_id, message_id=self.mine),
        ]
        asked = gatherResults([self.bob.ask(command) for command in commands])
        await self.settle()
        self.there.clock.advance(0.2)  # the log is read beside the commits
        await asked
        await self.catch_up()
        got = self.got(self.bob)
        self.assertEqual([seq for seq, *_ in got], list(range(self.since, self.since + 9)))
        self.assertEqual([answered for *_, answered in got], [False] * 2 + [True] * 7)

    async def test_of_a_core_session_too(self) -> None:
        self.bob, self.core = self.core, self.bob
        reply = (await self.ask(SendGroup(chat_id=self.chat_id, message="x"))).reply
        await self.catch_up()
        self.assertEqual([seq for seq, *_ in self.got(self.bob)], [self.since, self.since + 1, reply.seq])

    async def test_what_changes_nothing_is_answered(self) -> None:
        reply = (
            await self.ask(EditMessage(chat_id=self.chat_id, message_id=self.mine, message="mine"))
        ).reply
        self.assertEqual(reply.message_id, self.mine)
        await self.catch_up()
        self.assertEqual(
            [seq for seq, *_, answered in self.got(self.bob) if not answered], [self.since, self.since + 1]
        )

    async def test_one_who_left_by_it_is_answered(self) -> None:
        reply = (await self.ask(UpdateChat(chat_id=self.chat_id, remove_users=[2]))).reply
        self.assertNotIn(2, reply.users)
        self.assertEqual(self.got(self.bob)[-1], (reply.seq, 14, 2, True))

    async def removed_meanwhile(self, script: str, command: Any) -> Any:
        async def remove(_: Any) -> None:
            self.end = (await self.update(self.alice, remove_users=[2])).seq

        after_command(self.there, script, remove)
        reply = (await self.ask(command)).reply
        del self.there.own_link.run
        return reply

    COMMANDS = ("chat_send", "chat_edit", "chat_delete", "chat_update")

    def command(self, script: str) -> Any:
        return {
            "chat_send": SendGroup(chat_id=self.chat_id, message="x"),
            "chat_edit": EditMessage(chat_id=self.chat_id, message_id=self.mine, message="y"),
            "chat_delete": DeleteMessage(chat_id=self.chat_id, message_id=self.mine),
            "chat_update": UpdateChat(chat_id=self.chat_id, chat="name"),
        }[script]

    async def check_removed_meanwhile(self, script: str) -> None:
        reply = await self.removed_meanwhile(script, self.command(script))
        self.assertEqual([seq for seq, *_, answered in self.got(self.bob) if answered], [reply.seq])
        self.assertLess(reply.seq, self.end)
        await self.say(self.alice, "secret")
        await self.catch_up()
        got = self.got(self.bob)
        self.assertEqual([seq for seq, *_, answered in got if answered], [reply.seq])
        self.assertLessEqual(max(seq for seq, *_ in got), self.end)
        self.assertEqual(self.bob.feeds, set())

    async def test_removed_meanwhile_his_message_is_answered(self) -> None:
        await self.check_removed_meanwhile("chat_send")

    async def test_removed_meanwhile_his_edit_is_answered(self) -> None:
        await self.check_removed_meanwhile("chat_edit")

    async def test_removed_meanwhile_his_deletion_is_answered(self) -> None:
        await self.check_removed_meanwhile("chat_delete")

    async def test_removed_meanwhile_his_change_is_answered(self) -> None:
        await self.check_removed_meanwhile("chat_update")

    async def test_attached_while_his_change_is_handed_over_he_gets_it_once(self) -> None:
        """The others of his node see the change before he is answered; he himself must not."""

        async def log_catches_up(_: Any) -> None:
            self.hear()
            self.there.users.get(2).repair()
            await self.there.settle_bus()
            await until(lambda: self.bob.feeds, "the attachment")
            await self.there.settle()
            self.there.clock.advance(0.2)
            await self.there.settle()

        after_command(self.there, "handoff_done", log_catches_up)
        reply = (await self.ask(UpdateChat(chat_id=self.chat_id, add_users=[9]))).reply
        await self.catch_up()
        self.assertEqual(
            self.got(self.bob),
            [(self.since, 14, 2, False), (self.since + 1, 12, 2, False), (reply.seq, 14, 2, True)],
        )

    async def test_whose_place_cannot_be_read_is_told_so_and_gets_the_event_later(self) -> None:
        """What he asked took effect, but the store went away before it could tell since when he is a member."""

        async def break_down(_: Any) -> None:
            self.there.own_link.arm(1, run_first=False, for_good=True)

        after_command(self.there, "chat_send", break_down)
        asked = self.bob.ask(SendGroup(chat_id=self.chat_id, message="x"))
        await self.assertFailure(asked, Unavailable)
        self.there.own_link.heal()
        del self.there.own_link.run
        await self.catch_up()
        self.assertEqual(
            self.got(self.bob),
            [(self.since, 14, 2, False), (self.since + 1, 12, 2, False), (self.since + 2, 12, 2, False)],
        )


class AFeedUnderWay(NobodyElseThere):
    with_dave = True


class AFeedBehind(NobodyElseThere):
    """The reply waits until the hole before it is filled."""

    with_dave = chat_deaf = True

    def ask(self, command: Any) -> Any:
        asked = self.bob.ask(command)

        async def time_passes() -> None:
            for _ in range(5):
                await self.there.settle()
                self.there.clock.advance(0.2)

        Deferred.fromCoroutine(time_passes())
        return asked
