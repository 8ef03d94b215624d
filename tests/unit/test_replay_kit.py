"""What the tests of catch-up share: a session that catches up, and chats in which it missed something. No tests."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred

from chatsrv.actors.replay import Replays
from chatsrv.kernel import Envelope
from chatsrv.wire.codes import Profile
from chatsrv.wire.frames import CaughtUp
from chatsrv.wire.requests import CatchUp, CreateChat, SendGroup, UpdateChat
from tests.unit.test_store_kit import Listener, NodeCase, TestNode


class Returning(Listener):
    """A session that catches up. Its socket takes no more while it is ``congested``, until it is drained."""

    def __init__(self, node: TestNode, user_id: int, profile: Profile = Profile.FULL) -> None:
        super().__init__(node, user_id, profile)
        self.congested = False
        self.drained: list[Callable[[], None]] = []

    def when_drained(self, callback: Callable[[], None]) -> None:
        self.drained.append(callback)

    def begin(self) -> Replays:
        """What a session makes of its hello."""
        assert self.hello is not None
        heads = {int(chat_id): seq for chat_id, seq in self.hello.heads.items()}
        self.replays = Replays(self, self.node, heads, self.hello.epoch)
        return self.replays

    def catch_up(self, chats: dict[int, int], **epoch: str) -> Deferred[CaughtUp]:
        answer: Deferred[CaughtUp] = Deferred()

        def answered(result: Any) -> None:
            failed = isinstance(result, Exception)
            answer.errback(result) if failed else answer.callback(result.reply)

        self.replays.post(Envelope(CatchUp(chats, **epoch), answered, self))
        return answer


class ReplayCase(NodeCase):
    """Alice owns a group, with Bob; both see it live. Carol, a member too, was away and comes back elsewhere."""

    async def setUp(self) -> None:
        await super().setUp()
        self.here, self.there = await self.node(), await self.node()
        self.alice, self.bob = await self.user(self.here, 1), await self.user(self.here, 2)
        self.chat_id = await self.group()

    async def group(self) -> int:
        reply = (await self.alice.ask(CreateChat(user_ids=[2, 3], type=2, chat="g"))).reply
        await self.settle()
        return reply.chat_id

    async def send(self, text: str = "x", by: Listener | None = None, **more: Any) -> Any:
        return (await (by or self.alice).ask(SendGroup(self.chat_id, text, **more))).reply

    async def update(self, by: Listener | None = None, **change: Any) -> Any:
        reply = (await (by or self.alice).ask(UpdateChat(self.chat_id, **change))).reply
        await self.settle()
        return reply

    async def returning(self, user_id: int = 3, profile: Profile = Profile.FULL) -> Returning:
        """A session after its hello and its first status."""
        session = Returning(self.there, user_id, profile)
        await session.join()
        await self.settle()
        session.frames.clear()
        session.begin()
        return session

    def count_pages(self) -> list[list[Any]]:
        """The arguments of each page, or head, that is read there from now on."""
        pages: list[list[Any]] = []
        run = self.there.own_link.run

        def noting(done: Any, script: Any, keys: Any, args: Any) -> None:
            if script.name in ("chat_events", "chat_head"):
                pages.append(list(args))
            run(done, script, keys, args)

        self.there.own_link.run = noting
        return pages

    async def check_complete(self, after: int, head: int, **options: Any) -> Returning:
        session = await self.returning(**options)
        caught_up = await session.catch_up({self.chat_id: after})
        self.assertEqual(caught_up, CaughtUp(heads={str(self.chat_id): head}, reset=[]))
        self.assertEqual(session.seqs(self.chat_id), list(range(after + 1, head + 1)))
        return session

    async def check_reset(self, after: int, **options: Any) -> None:
        session = await self.returning(**options)
        await self.check_reset_of(session, after)

    async def check_reset_of(self, session: Returning, after: int) -> None:
        caught_up = await session.catch_up({self.chat_id: after})
        self.assertEqual(caught_up, CaughtUp(heads={}, reset=[self.chat_id]))
        self.assertEqual(session.seqs(self.chat_id), [])
