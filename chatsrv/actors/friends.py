"""Friend requests and their answers: what two users have between them, told to both. PROTOCOL section 3, op 16."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from chatsrv.actors.subscriber import Result, Subscriber
from chatsrv.kernel import Envelope
from chatsrv.store.pairs import ACCEPTED, ALREADY, ALREADY_FRIENDS, PairState
from chatsrv.wire.codes import ErrorCode
from chatsrv.wire.frames import FriendAnswered, FriendAsked
from chatsrv.wire.refusal import Refused
from chatsrv.wire.requests import ACCEPT, AddFriend, AnswerFriend

if TYPE_CHECKING:
    from chatsrv.actors.user import UserActor


class Asking:
    """A request whose event is not to go to its session, which gets the answer; ``skipped`` is that event.

    The answer and the event come over two connections: whichever is later ends it.
    """

    def __init__(self, session: Subscriber) -> None:
        self.session = session
        self.skipped: bytes | None = None
        self.answered = False


async def add_friend(user: UserActor, envelope: Envelope, command: AddFriend) -> None:
    caller, other = user.user_id, command.user_id
    store = user.node.store
    pair = await store.pairs.read(caller, other)
    await _check_limits(user, other, pair)
    done = await _carry_out(
        user, envelope, other, lambda operation: store.pairs.add(caller, other, operation)
    )
    if done in (ACCEPTED, ALREADY_FRIENDS):
        reply = FriendAsked(user_id=other, asker=caller, accepted=True)
        envelope.answer(Result(reply, FriendAnswered(user_id=other, type=ACCEPT, answerer=caller)))
    else:
        asked = FriendAsked(user_id=other, asker=caller)
        envelope.answer(Result(asked, asked))


async def answer_friend(user: UserActor, envelope: Envelope, command: AnswerFriend) -> None:
    caller, other = user.user_id, command.user_id
    store = user.node.store
    pair = await store.pairs.read(caller, other)
    if pair.asked != other:
        raise Refused(ErrorCode.NOT_FOUND)
    if command.type == ACCEPT:
        await _check_limits(user, other, pair)
    await _carry_out(
        user, envelope, other, lambda operation: store.pairs.answer(caller, other, command.type, operation)
    )
    answered = FriendAnswered(user_id=other, type=command.type, answerer=caller)
    envelope.answer(Result(answered, answered))


async def _check_limits(user: UserActor, other: int, pair: PairState) -> None:
    """Room for one more friend (if this makes one) or open request (if it opens one), on both sides."""
    if pair.friends or pair.asked == user.user_id:
        return
    options = user.node.options
    for counts in [await user.node.store.users.counts(someone) for someone in (user.user_id, other)]:
        if counts.friends >= options.friends or (not pair.asked and counts.requests >= options.open_requests):
            raise Refused(ErrorCode.LIMIT_REACHED)


async def _carry_out(user: UserActor, envelope: Envelope, other: int, change: Any) -> Any:
    """Make the change and tell both; if that cannot be finished now, the asker gets the event after the error."""
    node = user.node
    operation = node.next_operation()
    asking = user.asking[operation] = Asking(envelope.origin)
    low, high = sorted((user.user_id, other))
    try:
        done = await node.handoffs.carry_out(
            f"p:{low}:{high}", operation, lambda: change(operation), deadline_s=node.options.request_timeout_s
        )
    except Exception as error:
        del user.asking[operation]
        envelope.answer(error)
        if asking.skipped is not None:
            envelope.origin.deliver(asking.skipped)
        raise
    asking.answered = True
    if asking.skipped is not None or done in ALREADY:
        del user.asking[operation]
    return done
