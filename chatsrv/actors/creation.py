"""Creating chats: the one private chat of two users, and groups. PROTOCOL section 3, 13/1.

The asking session is attached to the new chat before it exists and holds its events, so that the reply stands
in the place of the event of creation. A nonce is bound to the id of its group before that is created, so a repeat
finds the same group, or finishes it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Iterator
from contextlib import contextmanager
from functools import partial
from hashlib import sha1
from typing import TYPE_CHECKING

from msgspec import UNSET

from chatsrv.actors.allowance import Allowance
from chatsrv.actors.subscriber import Subscriber
from chatsrv.actors.waiting import together, within
from chatsrv.kernel import Envelope
from chatsrv.store.chats import Changed
from chatsrv.store.events import CREATED, ChatEvent
from chatsrv.store.pairs import PairState
from chatsrv.wire.codes import ErrorCode
from chatsrv.wire.refusal import Refused
from chatsrv.wire.requests import PRIVATE, CreateChat

if TYPE_CHECKING:
    from chatsrv.actors.user import UserActor


async def create_chat(user: UserActor, envelope: Envelope, command: CreateChat) -> None:
    if command.type == PRIVATE:
        await _open_private(user, envelope, command.others(user.user_id)[0])
    else:
        await _create_group(user, envelope, command)


# Groups


async def _create_group(user: UserActor, envelope: Envelope, command: CreateChat) -> None:
    node, session, others = user.node, envelope.origin, command.others(user.user_id)
    allowance = Allowance(node, user.user_id, chats=1, invites=len(others))
    chat_id, is_new = await _id_of_group(user, command, others, allowance)
    operation = node.next_operation()
    chat = node.chats.get(chat_id)

    async def create() -> Changed:
        change = await node.store.chats.create_group(
            chat_id, command.chat, user.user_id, others, chat.channel, operation
        )
        chat.listen()
        return change

    change = create if command.nonce is not UNSET else partial(allowance.spend_on, create)
    with _held(user, chat_id if is_new else 0, session):
        chat.finish(envelope, await node.handoffs.carry_out(f"c:{chat_id}", operation, change))


async def _id_of_group(
    user: UserActor, command: CreateChat, others: list[int], allowance: Allowance
) -> tuple[int, bool]:
    """The group's id, and whether it is yet to be created: a nonce that is bound may say which it is, and that it
    was paid for. One that is bound now is paid for with that."""
    bound = await _bind(user, command, others, 0)
    if await _exists(user, bound):
        return bound, False
    try:
        if not bound:
            await allowance.check()
        await _check_group(user, others)
        candidate = await user.node.store.chats.next_id()
        return await _bind(user, command, others, candidate, allowance), True
    except Refused:
        bound = await _bind(user, command, others, 0)
        if await _exists(user, bound):
            return bound, False  # the same request, from elsewhere at this moment, was not refused
        raise


async def _exists(user: UserActor, chat_id: int) -> bool:
    return bool(chat_id and (await user.node.store.chats.head(chat_id)).seq)


async def _bind(
    user: UserActor,
    command: CreateChat,
    others: list[int],
    candidate: int,
    allowance: Allowance | None = None,
) -> int:
    """The id that the nonce stands for: ``candidate`` if none yet, or if there is no nonce."""
    if command.nonce is UNSET:
        return candidate
    request = f"{command.type}\0{command.chat}\0{others}".encode()
    digest = sha1(request, usedforsecurity=False).hexdigest()[:16]
    window_ms = int(user.node.options.nonce_window_s * 1000)
    amounts = allowance.amounts if allowance else ()
    return await user.node.store.users.bind_nonce(
        user.user_id, command.nonce, digest, candidate, window_ms, amounts
    )


async def _check_group(user: UserActor, others: list[int]) -> None:
    """Nobody is put into a group by somebody whom he blocks; whom that is about is not said."""
    if await user.node.store.users.blockers_among(user.user_id, others):
        raise Refused(ErrorCode.FORBIDDEN)
    if len(others) + 1 > user.node.options.limits.members:
        raise Refused(ErrorCode.LIMIT_REACHED, "user_ids")
    await _check_room(user, others)


# Private chats


async def _open_private(user: UserActor, envelope: Envelope, other: int) -> None:
    node, caller, session = user.node, user.user_id, envelope.origin
    low, high = sorted((caller, other))
    pair = await node.store.pairs.read(caller, other)
    allowance = Allowance(node, caller, chats=int(not pair.chat))
    candidate = 0 if pair.chat else await _new_private(user, other, pair, allowance)
    operation = node.next_operation()

    def open_chat() -> Awaitable[int]:
        change = partial(node.store.pairs.open_chat, caller, other, candidate, operation)
        return allowance.spend_on(change, lambda chat_id: int(chat_id != candidate))

    with _held(user, candidate, session):
        chat_id = await node.handoffs.carry_out(f"p:{low}:{high}", operation, open_chat)
        chat = node.chats.get(chat_id)
        if chat_id == candidate:
            chat.listen()
            event = ChatEvent(CREATED, 1, 0, caller, PRIVATE, users=[low, high])
            chat.answer_with(envelope, event)
        elif candidate:
            node.chats.get(candidate).feed.detach(session)
    if chat_id != candidate:
        await node.handoffs.deliver(f"c:{chat_id}")
        state = await node.store.chats.state(chat_id, caller)
        chat.finish(envelope, Changed(state, False))


async def _new_private(user: UserActor, other: int, pair: PairState, allowance: Allowance) -> int:
    """The id of the chat if it is this request that opens it."""
    await allowance.check()
    if pair.blockers:
        raise Refused(ErrorCode.FORBIDDEN)
    await _check_room(user, [other])
    return await user.node.store.chats.next_id()


async def _check_room(user: UserActor, others: list[int]) -> None:
    """Everybody concerned may be in one more chat."""
    users = user.node.store.users
    counting = together(user.node.store.link, [users.counts(someone) for someone in (user.user_id, *others)])
    counts = await within(user.node.clock, user.node.options.request_timeout_s, counting)
    if any(count.chats >= user.node.options.chats for count in counts):
        raise Refused(ErrorCode.LIMIT_REACHED, "user_ids")


@contextmanager
def _held(user: UserActor, chat_id: int, session: Subscriber) -> Iterator[None]:
    """The session holds the events of a chat about to be created (0: of none); unless that exists in the end, it
    is let go of. What took effect without an answer, the user's log tells."""
    if not chat_id:
        yield
        return
    feed = user.node.chats.get(chat_id).feed
    feed.hold(session)
    try:
        yield
    except Exception:
        if chat_id not in user.chats:
            feed.detach(session)
        raise
    finally:
        feed.release(session)
