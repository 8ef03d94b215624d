"""Catch-up (1/2): paced by the socket, one request after the other, ended by the connection's end."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred

from chatsrv.actors import replay as replay_module
from chatsrv.actors.replay import REPEAT_S, WAITING
from chatsrv.kernel import Envelope, MailboxFull
from chatsrv.redis import Unavailable
from chatsrv.wire.codes import Profile
from chatsrv.wire.frames import CaughtUp
from chatsrv.wire.requests import CatchUp, DeleteMessage, EditMessage, SendGroup
from tests.unit.test_replay_kit import ReplayCase


class Pacing(ReplayCase):
    async def setUp(self) -> None:
        await super().setUp()
        for _ in range(4):
            await self.send()
        self.carol = await self.returning()

    async def drain(self) -> None:
        """The socket takes more, once."""
        self.carol.drained.pop()()
        await self.settle()

    async def test_while_the_socket_takes_no_more_one_frame_leaves_per_time_it_is_drained(self) -> None:
        self.carol.congested = True
        asked = self.carol.catch_up({self.chat_id: 1})
        await self.settle()
        for sent in range(4):
            self.assertEqual((len(self.carol.frames), len(self.carol.drained)), (sent, 1))
            await self.drain()
        caught_up = await asked
        self.assertEqual((self.carol.seqs(self.chat_id), caught_up.reset), ([2, 3, 4, 5], []))
        self.assertEqual(self.carol.drained, [])

    async def congest_after(self, count: int) -> Deferred[CaughtUp]:
        """A replay whose socket is full after so many frames."""
        deliver = self.carol.deliver

        def congesting(frame: bytes) -> None:
            deliver(frame)
            self.carol.congested = len(self.carol.frames) == count

        self.carol.deliver = congesting  # type: ignore[method-assign]
        asked = self.carol.catch_up({self.chat_id: 1})
        await self.settle()
        self.assertEqual(len(self.carol.frames), count)
        return asked

    async def test_congestion_stops_it_wherever_it_is(self) -> None:
        for count in (1, 2, 3):
            self.carol = await self.returning()
            asked = await self.congest_after(count)
            self.carol.congested = False
            await self.drain()
            await asked
            self.assertEqual(self.carol.seqs(self.chat_id), [2, 3, 4, 5])

    async def test_what_changes_while_it_waits_is_told_as_it_is_then(self) -> None:
        asked = await self.congest_after(2)
        await self.alice.ask(DeleteMessage(self.chat_id, 4))
        await self.alice.ask(EditMessage(self.chat_id, 3, "new"))
        await self.settle()
        self.carol.congested = False
        await self.drain()
        await asked
        told = {d["seq"]: d["message"] for d in self.carol.of(12) if d["seq"] <= 5 and "message" in d}
        self.assertEqual(told, {2: "x", 3: "x", 4: "new", 5: ""})

    async def test_who_is_removed_while_it_waits_is_told_no_more_of_it(self) -> None:
        asked = await self.congest_after(2)
        await self.update(remove_users=[3])
        self.carol.congested = False
        await self.drain()
        self.assertEqual((await asked).reset, [self.chat_id])
        self.assertEqual(self.carol.seqs(self.chat_id), [2, 3, 6])

    async def test_live_events_pass_while_it_waits(self) -> None:
        self.carol.congested = True
        asked = self.carol.catch_up({self.chat_id: 3})
        await self.settle()
        await self.send()
        await self.settle()
        self.assertEqual(self.carol.seqs(self.chat_id), [6])
        self.carol.congested = False
        await self.drain()
        await asked
        self.assertEqual(self.carol.seqs(self.chat_id), [6, 4, 5])

    async def test_a_chat_that_was_replayed_already_waits_a_second_and_another_one_does_not(self) -> None:
        self.assertEqual(REPEAT_S, 1.0)
        other = await self.group()
        self.carol = await self.returning()
        await self.carol.catch_up({self.chat_id: 3})
        pages = self.count_pages()
        await self.carol.catch_up({other: 0, self.chat_id: 5})
        asked = self.carol.catch_up({self.chat_id: 4, other: 0})
        await self.settle()
        self.there.clock.advance(0.9)
        await self.settle()
        self.assertEqual([args[0] for args in pages if len(args) > 1], [0])
        self.there.clock.advance(0.1)  # once, however many chats are repeated
        self.assertEqual((await asked).heads, {str(self.chat_id): 5, str(other): 1})
        self.assertEqual(self.carol.seqs(self.chat_id), [4, 5, 5])


class Requests(ReplayCase):
    async def setUp(self) -> None:
        await super().setUp()
        self.first, self.other = self.chat_id, await self.group()
        for chat_id in (self.first, self.other):
            for _ in range(4):
                await self.alice.ask(SendGroup(chat_id, "x"))
        self.carol = await self.returning()

    async def test_they_are_carried_out_one_after_the_other(self) -> None:
        order: list[str] = []
        asked = [
            self.carol.catch_up({chat_id: after}) for chat_id, after in ((self.other, 3), (self.first, 2))
        ]
        for number, one in enumerate(asked):
            one.addCallback(lambda _, n=number: order.append(f"{n} after {len(self.carol.frames)}"))
        for one in asked:
            await one
        self.assertEqual(order, ["0 after 2", "1 after 5"])
        self.assertEqual((self.carol.seqs(self.other), self.carol.seqs(self.first)), ([4, 5], [3, 4, 5]))

    async def test_too_many_that_wait_are_refused_and_there_is_room_again_later(self) -> None:
        asked = [self.carol.catch_up({self.first: 5}) for _ in range(1 + WAITING)]
        self.assertRaises(MailboxFull, self.carol.catch_up, {self.first: 5})
        for one in asked:
            await one
        await self.carol.catch_up({self.first: 5})

    async def test_where_the_store_does_not_answer_it_is_unavailable_and_the_next_goes_on(self) -> None:
        for after in (1, 5):
            carol = await self.returning()
            self.there.own_link.arm(1, run_first=False, for_good=False)
            failing, next_one = carol.catch_up({self.first: after}), carol.catch_up({self.other: 4})
            await self.assertFailure(failing, Unavailable)
            self.assertEqual((await next_one).heads, {str(self.other): 5})
            self.there.own_link.heal()

    async def test_a_bug_of_ours_is_logged_and_answered_and_the_next_goes_on(self) -> None:
        self.patch(replay_module, "chat_frame", lambda *_: 1 // 0)
        failing = self.carol.catch_up({self.first: 1})
        next_one = self.carol.catch_up({self.first: 5})
        await self.assertFailure(failing, ZeroDivisionError)
        await next_one
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    async def test_an_answer_that_is_not_taken_is_logged_and_the_next_request_goes_on(self) -> None:
        self.carol.replays.post(Envelope(CatchUp({}), lambda _: 1 // 0, self.carol))
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.assertEqual((await self.carol.catch_up({self.first: 5})).reset, [])

    async def test_the_end_of_the_connection_ends_them_all(self) -> None:
        for congested in (False, True):
            session = await self.returning()
            session.congested = congested
            answers: list[Any] = []
            for _ in range(2):
                session.catch_up({self.first: 1}).addBoth(answers.append)
            pages = self.count_pages()
            session.replays.stop()
            await self.settle()
            for drained in session.drained:
                drained()
            self.assertEqual((answers, session.frames, pages), ([], [], []))
            del self.there.own_link.run

    async def test_nothing_more_is_read_then_also_where_nothing_would_be_sent(self) -> None:
        self.patch(replay_module, "PAGE", 1)
        carol = await self.user(self.here, 3)
        for _ in range(3):
            await carol.ask(SendGroup(self.first, "hers"))
        for after in (5, 8):
            core = await self.returning(profile=Profile.CORE)
            pages = self.count_pages()
            core.catch_up({self.first: after, self.other: 1})
            core.replays.stop()
            await self.settle()
            self.assertEqual(len(pages), 1)
            del self.there.own_link.run

    async def test_what_waited_is_not_answered_any_more_though_the_one_before_ends_in_order(self) -> None:
        answers: list[CaughtUp] = []
        for epoch in ({}, {"epoch": "another"}):
            self.carol.catch_up({self.first: 5}, **epoch).addCallback(answers.append)
        self.carol.replays.stop()
        await self.settle()
        self.assertEqual([answer.reset for answer in answers], [[]])
