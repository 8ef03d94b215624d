"""Friend requests and their answers: what two users have between them, told to both. PROTOCOL section 3, op 16."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from chatsrv.actors.subscriber import Result, Subscriber
from chatsrv.kernel import Envelope
from chatsrv.store.events import UserEvent
from chatsrv.store.pairs import ACCEPTED, ALREADY_ASKED, ALREADY_FRIENDS, ANSWERED, ASKED, Done, PairState
from chatsrv.wire.codes import ErrorCode
from chatsrv.wire.frames import FriendAnswered, FriendAsked
from chatsrv.wire.refusal import Refused
from chatsrv.wire.requests import ACCEPT, AddFriend, AnswerFriend

if TYPE_CHECKING:
    from chatsrv.actors.user import UserActor


class Asking:
    """A request of a session about another user, whose answer stands in the place of its event.

    What else the session is to be told of the two meanwhile waits, and goes before or after the answer as its
    version says. The event comes over another connection than the answer, so it may come after it, or never,
    when a later one took its place.
    """

    def __init__(self, envelope: Envelope, other: int, operation: str) -> None:
        self.session: Subscriber = envelope.origin
        self.other = other
        self.operation = operation
        self._envelope = envelope
        self._version: int | None = None  # once it is answered
        self._waiting: list[tuple[UserEvent, bytes]] = []

    def takes(self, event: UserEvent, frame: bytes) -> bool:
        """Whether the session is not to get this event of the two, or not yet."""
        if self._version is None:
            self._waiting.append((event, frame))
            return True
        return event.operation == self.operation

    def ended_by(self, event: UserEvent) -> bool:
        """Whether the place of the answer is behind us."""
        return self._version is not None and event.about == self.other and event.version >= self._version

    def answer(self, done: Done, result: Result) -> None:
        self._version = done.version
        waiting = [(event, frame) for event, frame in self._waiting if event.operation != self.operation]
        for event, frame in waiting:
            if event.version <= done.version:
                self.session.deliver(frame)
        self._envelope.answer(result)
        for event, frame in waiting:
            if event.version > done.version:
                self.session.deliver(frame)

    def fail(self, error: Exception) -> None:
        """What took effect all the same follows."""
        self._envelope.answer(error)
        for _, frame in self._waiting:
            self.session.deliver(frame)

    @property
    def ended(self) -> bool:
        """Whether the event, or a later one, came before the answer."""
        return any(self.ended_by(event) for event, _ in self._waiting)


async def add_friend(user: UserActor, envelope: Envelope, command: AddFriend) -> None:
    caller, other = user.user_id, command.user_id
    store = user.node.store
    pair = await store.pairs.read(caller, other)
    await _check_limits(user, other, pair)
    asked = FriendAsked(user_id=other, asker=caller)
    accepted = FriendAsked(user_id=other, asker=caller, accepted=True)
    results = {
        ASKED: Result(asked, asked),
        ACCEPTED: Result(accepted, FriendAnswered(user_id=other, type=ACCEPT, answerer=caller)),
    }
    results |= {ALREADY_ASKED: results[ASKED], ALREADY_FRIENDS: results[ACCEPTED]}
    await _carry_out(
        user, envelope, other, lambda operation: store.pairs.add(caller, other, operation), results
    )


async def answer_friend(user: UserActor, envelope: Envelope, command: AnswerFriend) -> None:
    caller, other = user.user_id, command.user_id
    store = user.node.store
    pair = await store.pairs.read(caller, other)
    if pair.asked != other:
        raise Refused(ErrorCode.NOT_FOUND)
    if command.type == ACCEPT:
        await _check_limits(user, other, pair)
    answered = FriendAnswered(user_id=other, type=command.type, answerer=caller)
    await _carry_out(
        user,
        envelope,
        other,
        lambda operation: store.pairs.answer(caller, other, command.type, operation),
        {ANSWERED: Result(answered, answered)},
    )


async def _check_limits(user: UserActor, other: int, pair: PairState) -> None:
    """Room for one more friend (if this makes one) or open request (if it opens one), on both sides."""
    if pair.friends or pair.asked == user.user_id:
        return
    options = user.node.options
    for counts in [await user.node.store.users.counts(someone) for someone in (user.user_id, other)]:
        if counts.friends >= options.friends or (not pair.asked and counts.requests >= options.open_requests):
            raise Refused(ErrorCode.LIMIT_REACHED)


async def _carry_out(
    user: UserActor,
    envelope: Envelope,
    other: int,
    change: Callable[[str], Awaitable[Done]],
    results: dict[str, Result],
) -> None:
    """Make the change and tell both; if that cannot be finished now, the asker gets the event after the error."""
    node = user.node
    operation = node.next_operation()
    asking = Asking(envelope, other, operation)
    user.asking.append(asking)
    low, high = sorted((user.user_id, other))
    try:
        done = await node.handoffs.carry_out(f"p:{low}:{high}", operation, lambda: change(operation))
    except Exception as error:
        user.asking = [each for each in user.asking if each is not asking]
        asking.fail(error)
        raise
    asking.answer(done, results[done.what])
    if asking.ended or done.what in (ALREADY_ASKED, ALREADY_FRIENDS):
        user.asking = [each for each in user.asking if each is not asking]
