"""Creating chats: the one private chat of two users, and groups. PROTOCOL section 3, 13/1.

The asking session is attached to the new chat before it exists and holds its events, so that the reply stands
in the place of the event of creation.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from chatsrv.actors.rendering import chat_result
from chatsrv.actors.waiting import together, within
from chatsrv.kernel import Envelope
from chatsrv.store.chats import Changed
from chatsrv.store.events import CREATED, ChatEvent
from chatsrv.wire.codes import ErrorCode
from chatsrv.wire.refusal import Refused
from chatsrv.wire.requests import PRIVATE, CreateChat

if TYPE_CHECKING:
    from chatsrv.actors.user import UserActor


async def create_chat(user: UserActor, envelope: Envelope, command: CreateChat) -> None:
    others = command.others(user.user_id)
    if command.type == PRIVATE:
        await _open_private(user, envelope, others[0])
    else:
        await _create_group(user, envelope, others, command.chat)


async def _create_group(user: UserActor, envelope: Envelope, others: list[int], name: str) -> None:
    node = user.node
    if len(others) + 1 > node.options.limits.members:
        raise Refused(ErrorCode.LIMIT_REACHED, "user_ids")
    await _check_room(user, others)
    chat_id = await node.store.chats.next_id()
    operation = node.next_operation()
    chat, session = node.chats.get(chat_id), envelope.origin
    chat.feed.hold(session)

    async def create() -> Changed:
        change = await node.store.chats.create_group(
            chat_id, name, user.user_id, others, node.channels.chat(chat_id), operation
        )
        chat.listen()
        return change

    try:
        change = await node.handoffs.carry_out(f"c:{chat_id}", operation, create)
        chat.answer_with(envelope, change.event)
    finally:
        chat.feed.release(session)


async def _open_private(user: UserActor, envelope: Envelope, other: int) -> None:
    node, caller, session = user.node, user.user_id, envelope.origin
    low, high = sorted((caller, other))
    chat_id = (await node.store.pairs.read(caller, other)).chat
    candidate = 0
    if not chat_id:
        await _check_room(user, [other])
        candidate = await node.store.chats.next_id()
        node.chats.get(candidate).feed.hold(session)
    operation = node.next_operation()

    async def open_chat() -> int:
        return chat_id or await node.store.pairs.open_chat(caller, other, candidate, operation)

    try:
        chat_id = await node.handoffs.carry_out(f"p:{low}:{high}", operation, open_chat)
        await node.handoffs.deliver(f"c:{chat_id}")
        if chat_id == candidate:
            chat = node.chats.get(chat_id)
            chat.listen()
            chat.answer_with(envelope, ChatEvent(CREATED, 1, 0, caller, PRIVATE, users=[low, high]))
        else:
            await _answer_with_state(user, envelope, chat_id)
    finally:
        if candidate and chat_id in (0, candidate):
            node.chats.get(candidate).feed.release(session)
        elif candidate:
            node.chats.get(candidate).feed.detach(session)


async def _answer_with_state(user: UserActor, envelope: Envelope, chat_id: int) -> None:
    """The chat exists: the answer covers its events so far, for a session that is not attached yet."""
    chat, session = user.node.chats.get(chat_id), envelope.origin
    attached = chat.feed.attached(session)
    if not attached:
        chat.feed.hold(session)
    try:
        state = await user.node.store.chats.state(chat_id, user.user_id)
        envelope.answer(chat_result(chat_id, state))
        if not attached:
            chat.feed.release(session, state.seq)
            chat.listen()
    except Exception:
        if not attached:
            chat.feed.detach(session)
        raise


async def _check_room(user: UserActor, others: list[int]) -> None:
    """Everybody concerned may be in one more chat."""
    users = user.node.store.users
    counting = together(user.node.store.link, [users.counts(someone) for someone in (user.user_id, *others)])
    counts = await within(user.node.clock, user.node.options.request_timeout_s, counting)
    if any(count.chats >= user.node.options.chats for count in counts):
        raise Refused(ErrorCode.LIMIT_REACHED, "user_ids")
