"""``User``: one connection with a queue of its events, and the verbs that make a chat test three lines.

``expect`` takes the next event and says what it has to be; ``call`` and ``refused`` send a request with
``id`` and wait for its answer; ``sync`` is a barrier; ``nothing_arrived`` asserts an empty queue. Status
frames (2/1) come when they like and have a queue of their own; what ``catch_up`` brings is no news and
stands in ``replayed``.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from twisted.internet import reactor

from chatsrv.client import ConnectionClosed, Frame, Profile, RequestRefused, connect
from tests.support.queue import PATIENCE_S, Queue
from tests.support.tokens import token_for
from tests.support.witness import Witness

NOBODY = 2**53 - 1
"""A user, chat and message id that no test makes."""
BAD_IDS = (0, -1, 2**53, 2**63, 10**30, "1", 1.5, True, None, [], {})
BAD_LISTS = (None, 1, "2", {}, [0], [-1], [2**53], ["2"], [2.5], [True], [None], [[2]], [2, "3"])
"""What is no id, and no list of user ids."""


class CaughtUp(NamedTuple):
    """What a 1/2 brought, and what its reply said."""

    events: list[Frame]
    heads: dict[int, int]
    reset: list[int]


class User:
    """One connection of one user."""

    def __init__(self, user_id: int, profile: Profile | None) -> None:
        self.user_id = user_id
        self.profile = profile
        self.events = Queue(f"user {user_id}")
        self.statuses = Queue(f"user {user_id}")
        self.replayed: list[Frame] = []
        self.strays: list[Frame] = []
        self.broken: AssertionError | None = None

    @classmethod
    async def connected(
        cls, url: str, user_id: int, profile: Profile | None = Profile.FULL, **options: Any
    ) -> User:
        """A user who was said hello to."""
        user = cls(user_id, profile)
        early: list[Frame] = []
        token = options.pop("token", None) or token_for(user_id)
        user.connection = await connect(
            reactor, url, token, profile=profile, on_event=early.append, **options
        )
        user.hello = user.connection.hello
        user.witness = Witness(profile, user.hello)
        user.connection.on_event = user._arrived
        user.connection.on_stray = user.strays.append
        user.connection.closed.addCallback(user._ended)
        for frame in early:
            user._arrived(frame)
        return user

    # -- what comes in

    async def expect(self, op: int, t: int, /, **members: Any) -> dict[str, Any]:
        """The ``d`` of the next event, which must be op/t and have these members."""
        frame = await self.events.next(f"{op}/{t}")
        self._hold()
        got = {name: frame.d.get(name) for name in members}
        assert frame.kind == (op, t), f"user {self.user_id} expected {op}/{t} but got {frame}"
        assert got == members, f"user {self.user_id} expected {members} but got {frame}"
        return frame.d

    async def expect_error(self, code: str, /, **members: Any) -> dict[str, Any]:
        """The next event must be a 3/1 without ``id``."""
        return await self.expect(3, 1, code=code, **members)

    async def status(self, *online: int, patience_s: float = PATIENCE_S) -> None:
        """Wait until a 2/1 names exactly these."""
        while True:
            frame = await self.statuses.next(f"a status of {online}", patience_s)
            if sorted(frame.d["user_ids"]) == sorted(online):
                return

    def nothing_arrived(self) -> None:
        """No event is in the queue (status apart), and none broke a rule."""
        self._hold()
        assert not self.events.frames, f"user {self.user_id} got {list(self.events.frames)}"
        assert not self.strays, f"user {self.user_id} got replies nobody asked for: {self.strays}"

    # -- what goes out

    async def call(self, op: int, t: int, /, **d: Any) -> dict[str, Any]:
        """Send a request with ``id``; the ``d`` of its reply, which is op + 1 (of op 1: 1) and the same t."""
        replay = self.witness.asked(op, t, d, by_id=True)
        try:
            reply = await self.connection.call(op, t, d)
        except RequestRefused:
            self.witness.refused(replay)
            raise
        assert reply.kind == (op + (op > 1), t), f"{op}/{t} was answered by {reply}"
        self.witness.replied(reply, replay)
        return reply.d

    async def refused(self, op: int, t: int, /, **d: Any) -> RequestRefused:
        """Send a request with ``id`` that must be refused; the error."""
        try:
            reply = await self.connection.call(op, t, d)
        except RequestRefused as error:
            return error
        raise AssertionError(f"{op}/{t} {d} was not refused but answered by {reply}")

    async def refusal_code(self, op: int, t: int, /, **d: Any) -> str:
        """Send a request with ``id`` that must be refused; the code."""
        return (await self.refused(op, t, **d)).code.code

    def send(self, op: int, t: int, /, **d: Any) -> None:
        """Send a request without ``id``."""
        self.witness.asked(op, t, d, by_id=False)
        self.connection.send(op, t, d)

    async def catch_up(self, chats: dict[int, int], *, epoch: Any = ...) -> CaughtUp:
        """1/2 from these positions, in hello's epoch unless told another one (None: left out)."""
        first = len(self.replayed)
        chosen = self.hello.epoch if epoch is ... else epoch
        reply = await self.call(1, 2, chats=chats, **({} if chosen is None else {"epoch": chosen}))
        heads = {int(chat_id): seq for chat_id, seq in reply["heads"].items()}
        return CaughtUp(self.replayed[first:], heads, reply["reset"])

    async def history(self, chat_id: int, **bounds: Any) -> tuple[list[dict[str, Any]], bool]:
        """11/10: a page of messages, and whether there are more."""
        page = await self.call(11, 10, chat_id=chat_id, **bounds)
        assert page["chat_id"] == chat_id, page
        return page["messages"], page["more"]

    async def sync(self, chat_id: int | None = None) -> None:
        """Wait until everything sent before, about this chat or about friends, has been carried out."""
        if chat_id is None:
            code = await self.refusal_code(16, 2, user_id=NOBODY, type=2)
        else:
            code = await self.refusal_code(11, 7, chat_id=chat_id, message_id=NOBODY)
        assert code == "not_found", code
        self._hold()

    async def close(self) -> None:
        """Close the connection and wait for its end; none of its frames broke a rule."""
        await self.connection.close()
        self._hold()

    # -- inside

    def _arrived(self, frame: Frame) -> None:
        replayed = False
        try:
            replayed = self.witness.saw(frame)
        except AssertionError as error:
            self.broken = self.broken or error
        if replayed:
            self.replayed.append(frame)
        else:
            (self.statuses if frame.kind == (2, 1) else self.events).put(frame)

    def _hold(self) -> None:
        if self.broken is not None:
            raise self.broken

    def _ended(self, closed: Any) -> None:
        for queue in (self.events, self.statuses):
            queue.end(ConnectionClosed(*closed))
