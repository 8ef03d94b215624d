"""13/2: rename a group, add and remove members. PROTOCOL section 3.

Called by the `ChatActor`. The others see the event at once; the asker's later frames of this chat wait behind
his reply, which is given when every user concerned has been told.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from msgspec import UNSET

from chatsrv.actors.allowance import Allowance
from chatsrv.actors.waiting import together
from chatsrv.kernel import Envelope
from chatsrv.redis import Unavailable
from chatsrv.store.chats import Changed
from chatsrv.wire.codes import ErrorCode, Profile
from chatsrv.wire.refusal import Refused
from chatsrv.wire.requests import UpdateChat

if TYPE_CHECKING:
    from chatsrv.actors.chat import ChatActor


async def update_chat(chat: ChatActor, envelope: Envelope, command: UpdateChat) -> None:
    origin, node = envelope.origin, chat.node
    operation = node.next_operation()
    await chat.attach(origin)
    attached = chat.feed.attached(origin)
    if attached:
        chat.feed.hold(origin)
    try:
        change = await node.handoffs.carry_out(
            f"c:{chat.chat_id}", operation, lambda: _commit(chat, origin, command, operation)
        )
        chat.finish(envelope, change)
    except Unavailable:
        chat.repair()
        raise
    finally:
        if attached:
            chat.feed.release(origin)


async def _commit(chat: ChatActor, origin: Any, command: UpdateChat, operation: str) -> Changed:
    node, caller, users = chat.node, origin.user_id, command.add_users
    members, new = await node.store.chats.outsiders(chat.chat_id, caller, users) if users else (0, [])
    allowance = Allowance(node, caller, invites=len(new))
    await allowance.check()
    room = await _may_join(chat, caller, members, new)
    return await allowance.spend_on(
        lambda: _update(chat, origin, command, operation, room),
        lambda change: max(0, len(new) - len(change.event.added)),
    )


async def _update(chat: ChatActor, origin: Any, command: UpdateChat, operation: str, room: bool) -> Changed:
    """``room``: whether those who would be new may be in one more chat."""
    known = chat.feed.position
    change = await chat.node.store.chats.update(
        chat.chat_id,
        origin.user_id,
        name=None if command.chat is UNSET else command.chat,
        keep_name_if_empty=origin.profile is Profile.CORE,
        add=command.add_users,
        remove=command.remove_users,
        members=chat.node.options.limits.members if room else 0,
        channel=chat.channel,
        operation=operation,
    )
    if change.changed:
        chat.check_continues([change.event.seq], known)
        chat.deliver([change.event])
    return change


async def _may_join(chat: ChatActor, caller: int, members: int, new: list[int]) -> bool:
    """Whether those who would be new may be in one more chat; `Refused` when one of them blocks the caller."""
    store, options = chat.node.store, chat.node.options
    if new and await store.users.blockers_among(caller, new):
        raise Refused(ErrorCode.FORBIDDEN)
    if members + len(new) > options.limits.members:
        return True  # the script refuses, in its order
    counts = await together(store.link, [store.users.counts(user) for user in new])
    return all(count.chats < options.chats for count in counts)
