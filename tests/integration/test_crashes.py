"""A bug of ours at each point where a request waits for the store (RELIABILITY F32, F33).

The command was carried out or it was not, and what comes back raises in whoever waits: nobody knows this exception.
Whoever asked is told so, once; the actor is taken from the store again and goes on; nothing is done twice, and
every session sees every event of the chat once.
"""

from __future__ import annotations

from typing import Any

from chatsrv.actors import Result
from chatsrv.wire.refusal import Refused
from chatsrv.wire.requests import (
    AddFriend,
    AnswerFriend,
    BlockUser,
    CreateChat,
    DeleteMessage,
    EditMessage,
    ListFriends,
    MarkRead,
    ReadDetails,
    ReadHistory,
    ReadInbox,
    RemoveFriend,
    SendGroup,
    Typing,
    UpdateChat,
)
from tests.unit.test_store_kit import NodeCase

LONG_AGO = 1
APART_S = 11
"""Crashes so far apart only restart an actor."""


class Planted(Exception):
    """What a bug of ours raises."""


class CrashCase(NodeCase):
    timeout = 60

    async def setUp(self) -> None:
        await super().setUp()
        self.here, self.there = await self.node(), await self.node()
        self.alice, self.bob = await self.user(self.here, 1), await self.user(self.there, 2)
        self.carol = await self.user(self.here, 3)
        self.chat_id = (await self.alice.ask(CreateChat(user_ids=[2, 3], type=2))).reply.chat_id
        for text in ("one", "two", "three"):
            await self.alice.ask(SendGroup(chat_id=self.chat_id, message=text))
        await self.settle()

    def plant(self, fail_at: int, *, run_first: bool) -> list[int]:
        """The ``fail_at``-th command from now on comes back as a bug; the number of commands so far."""
        link, write, count = self.here.own_link, type(self.here.own_link).write, [0]

        def faulty(done: Any, packed: bytes) -> None:
            count[0] += 1
            if count[0] != fail_at:
                write(link, done, packed)
            elif run_first:
                write(link, lambda reply: done(Planted()), packed)
            else:
                done(Planted())

        link.write = faulty  # type: ignore[method-assign]
        return count

    async def crashes(self, make: Any) -> None:
        """Ask for what ``make`` makes of a number, and crash at each command of it, until none is left."""
        number, points = 0, 0
        for run_first in (False, True):
            fail_at, hit = 0, True
            while hit:
                number, fail_at = number + 1, fail_at + 1
                count = self.plant(fail_at, run_first=run_first)
                answers = await self.answers(make(number))
                hit = count[0] >= fail_at
                points += hit
                self.case = (number, fail_at, run_first, answers)
                self.assertEqual(len(answers), 1, self.case)
                self.assertIsInstance(answers[0], (Result, Planted, Refused), self.case)
                await self.goes_on(number)
        self.assertGreaterEqual(points, 2, "nothing was planted")
        self.flushLoggedErrors(Planted)

    async def answers(self, command: Any) -> list[Any]:
        """How the request is answered, however often."""
        found: list[Any] = []
        asked = self.alice.ask(command)
        asked.addCallbacks(found.append, lambda failure: found.append(failure.value))
        await self.settle()
        del self.here.own_link.write
        self.age_what_is_pending()
        for _ in range(APART_S):
            self.here.clock.advance(1)
            self.there.clock.advance(1)
            await self.settle()
        return found

    def age_what_is_pending(self) -> None:
        """So that it is swept; else each crash would leave the next request one more delivery to make first."""
        pending = self.key("{pending}")
        for member in self.outside.zrange(pending, 0, -1):
            self.outside.zadd(pending, {member: LONG_AGO})

    async def goes_on(self, number: int) -> None:
        """The next request is carried out, and everybody saw every event once."""
        sent = (await self.alice.ask(SendGroup(chat_id=self.chat_id, message=f"next {number}"))).reply
        await self.settle()
        for listener in (self.alice, self.bob, self.carol):
            self.assertIsNone(listener.code, self.case)
            events = [*listener.of(12, self.chat_id), *listener.of(14, self.chat_id)]
            seqs = sorted(
                d["seq"] for d in events if "seq" in d and "created_at" not in d and not d.get("dup")
            )
            self.assertEqual(seqs, list(range(1, sent.seq + 1)), self.case)


class InAChat(CrashCase):
    async def test_sending(self) -> None:
        await self.crashes(lambda n: SendGroup(chat_id=self.chat_id, message=f"text {n}"))

    async def test_sending_with_a_nonce_and_again(self) -> None:
        await self.crashes(lambda n: SendGroup(chat_id=self.chat_id, message="text", nonce=f"{(n + 1) // 2}"))

    async def test_editing(self) -> None:
        await self.crashes(lambda n: EditMessage(chat_id=self.chat_id, message_id=1, message=f"new {n}"))

    async def test_deleting(self) -> None:
        await self.crashes(lambda n: DeleteMessage(chat_id=self.chat_id, message_id=n))

    async def test_changing_a_group(self) -> None:
        await self.crashes(lambda n: UpdateChat(chat_id=self.chat_id, chat=f"name {n}", add_users=[10 + n]))

    async def test_reading(self) -> None:
        await self.crashes(lambda n: ReadHistory(chat_id=self.chat_id))
        await self.crashes(lambda n: ReadDetails(chat_id=self.chat_id))

    async def test_marks_and_typing(self) -> None:
        await self.crashes(lambda n: MarkRead(chat_id=self.chat_id, message_id=1 + n % 3))
        await self.crashes(lambda n: Typing(chat_id=self.chat_id))


class OfAUser(CrashCase):
    async def test_creating_a_group(self) -> None:
        await self.crashes(lambda n: CreateChat(user_ids=[2], type=2, chat=f"group {n}"))

    async def test_opening_a_private_chat(self) -> None:
        await self.crashes(lambda n: CreateChat(user_ids=[20 + n], type=1))

    async def test_friend_requests(self) -> None:
        await self.crashes(lambda n: AddFriend(user_id=20 + n))
        await self.crashes(lambda n: AnswerFriend(user_id=20 + n, type=1))
        await self.crashes(lambda n: RemoveFriend(user_id=20 + n))

    async def test_blocking(self) -> None:
        await self.crashes(lambda n: BlockUser(user_id=20 + n))

    async def test_reading_lists(self) -> None:
        await self.crashes(lambda n: ReadInbox())
        await self.crashes(lambda n: ListFriends())


class APoisonMessage(CrashCase):
    """One request makes its actor raise, whenever it is tried."""

    def poison(self) -> list[str]:
        """Of the chat's actor here: it raises at an edit to the word; how often that was."""
        actor = self.here.chats.get(self.chat_id)
        receive, tried = actor.receive, []

        def poisoned(envelope: Any) -> Any:
            if getattr(envelope.command, "message", "") == "poison":
                tried.append("poison")
                raise Planted
            return receive(envelope)

        self.patch(actor, "receive", poisoned)
        return tried

    async def test_is_answered_to_its_sender_once_and_never_tried_again(self) -> None:
        tried = self.poison()
        before = self.alice.ask(SendGroup(chat_id=self.chat_id, message="before"))
        bad = self.carol.ask(EditMessage(chat_id=self.chat_id, message_id=1, message="poison"))
        after = self.alice.ask(SendGroup(chat_id=self.chat_id, message="after"))
        await self.assertFailure(bad, Planted)
        self.assertEqual([(await one).reply.seq for one in (before, after)], [5, 6])
        await self.settle()
        self.case = None
        await self.goes_on(1)
        self.assertEqual((tried, len(self.flushLoggedErrors(Planted))), (["poison"], 1))
