"""Friends, requests and blocks: what two users have between them, told to both. PROTOCOL section 3, op 16."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine
from functools import partial
from typing import TYPE_CHECKING, Any

from chatsrv.actors.allowance import Allowance
from chatsrv.actors.asking import Asking
from chatsrv.actors.subscriber import Result
from chatsrv.kernel import Envelope
from chatsrv.store.pairs import Done, PairState
from chatsrv.wire import frames
from chatsrv.wire.codes import ErrorCode
from chatsrv.wire.refusal import Refused
from chatsrv.wire.requests import (
    ACCEPT,
    AddFriend,
    AnswerFriend,
    BlockUser,
    ListFriends,
    RemoveFriend,
    UnblockUser,
)

if TYPE_CHECKING:
    from chatsrv.actors.user import UserActor


async def add_friend(user: UserActor, envelope: Envelope, command: AddFriend) -> None:
    caller, other = user.user_id, command.user_id
    pairs = user.node.store.pairs
    pair = await pairs.read(caller, other)
    is_new = not (pair.friends or pair.asked)
    allowance = Allowance(user.node, caller, friend_requests=int(is_new))
    await allowance.check()
    await _check_add(user, other, pair)
    asked = frames.FriendAsked(user_id=other, asker=caller)
    accepted = frames.FriendAsked(user_id=other, asker=caller, accepted=True)
    befriended = frames.FriendAnswered(user_id=other, type=ACCEPT, answerer=caller)

    def result(done: Done) -> Result:
        return Result(accepted, befriended) if done.friends else Result(asked, asked)

    def add(operation: str) -> Awaitable[Done]:
        return allowance.spend_on(
            partial(pairs.add, caller, other, operation), lambda done: int(done.friends or not done.changed)
        )

    await _carry_out(user, envelope, other, add, result)


async def answer_friend(user: UserActor, envelope: Envelope, command: AnswerFriend) -> None:
    caller, other = user.user_id, command.user_id
    pairs = user.node.store.pairs
    pair = await pairs.read(caller, other)
    if pair.asked != other:
        raise Refused(ErrorCode.NOT_FOUND)
    if command.type == ACCEPT:
        await _check_limits(user, other, pair)
    answered = frames.FriendAnswered(user_id=other, type=command.type, answerer=caller)
    change = partial(pairs.answer, caller, other, command.type)
    await _carry_out(user, envelope, other, change, _always(answered))


async def remove_friend(user: UserActor, envelope: Envelope, command: RemoveFriend) -> None:
    other = command.user_id
    change = partial(user.node.store.pairs.remove, user.user_id, other)
    await _carry_out(user, envelope, other, change, _always(frames.FriendRemoved(user_id=other)))


async def block_user(user: UserActor, envelope: Envelope, command: BlockUser) -> None:
    """The answer waits until their private chat knows it, too."""
    caller, other, store = user.user_id, command.user_id, user.node.store
    is_new = caller not in (await store.pairs.read(caller, other)).blockers
    if is_new and (await store.users.counts(caller)).blocked >= user.node.options.blocked:
        raise Refused(ErrorCode.LIMIT_REACHED)
    change = partial(store.pairs.block, caller, other)
    await _carry_out(user, envelope, other, change, _always(frames.Blocked(user_id=other)))


async def unblock_user(user: UserActor, envelope: Envelope, command: UnblockUser) -> None:
    other = command.user_id
    change = partial(user.node.store.pairs.unblock, user.user_id, other)
    await _carry_out(user, envelope, other, change, _always(frames.Unblocked(user_id=other)))


async def list_friends(user: UserActor, envelope: Envelope, command: ListFriends) -> None:
    lists = await user.node.store.users.read(user.user_id)
    relations = frames.Relations(
        friends=sorted(lists.friends),
        incoming=sorted(lists.incoming),
        outgoing=sorted(lists.outgoing),
        blocked=sorted(lists.blocked),
    )
    envelope.answer(Result(relations, relations))


FRIEND_REQUESTS: dict[type, Callable[[UserActor, Envelope, Any], Coroutine[Any, Any, None]]] = {
    AddFriend: add_friend,
    AnswerFriend: answer_friend,
    RemoveFriend: remove_friend,
    BlockUser: block_user,
    UnblockUser: unblock_user,
    ListFriends: list_friends,
}


def _always(body: frames.Body) -> Callable[[Done], Result]:
    return lambda _: Result(body, body)


async def _check_add(user: UserActor, other: int, pair: PairState) -> None:
    if pair.blockers:
        raise Refused(ErrorCode.FORBIDDEN)
    await _check_limits(user, other, pair)


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
    result: Callable[[Done], Result],
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
    asking.answer(done.version, result(done))
    if asking.ended or not done.changed:
        user.asking = [each for each in user.asking if each is not asking]
