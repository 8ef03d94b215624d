"""What members of a chat read of it: history (11/10), details (13/3); and how far they have read (11/8).

Called by the `ChatActor`, in mailbox order; typing (11/9) is here too, for it changes nothing either.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import msgspec
from msgspec import UNSET

from chatsrv.actors.rendering import stored_message
from chatsrv.actors.subscriber import Result
from chatsrv.kernel import Envelope
from chatsrv.redis import Unavailable
from chatsrv.store.reading import PAGE_BYTES
from chatsrv.wire import frames
from chatsrv.wire.requests import MarkRead, ReadDetails, ReadHistory, Typing

if TYPE_CHECKING:
    from chatsrv.actors.chat import ChatActor


async def read_history(chat: ChatActor, envelope: Envelope, command: ReadHistory) -> None:
    page = await chat.node.store.chats.history(
        chat.chat_id,
        envelope.origin.user_id,
        before=None if command.before is UNSET else command.before,
        after=None if command.after is UNSET else command.after,
        limit=min(command.page, chat.node.options.limits.history_page),
    )
    messages = [stored_message(message) for message in page.messages]
    onwards = command.after is not UNSET
    count = fitting(messages if onwards else messages[::-1])
    kept = messages[:count] if onwards else messages[len(messages) - count :]
    more = page.more or count < len(messages)
    history = frames.History(chat_id=chat.chat_id, messages=kept, more=more)
    envelope.answer(Result(history, history))


def fitting(parts: Sequence[msgspec.Struct]) -> int:
    """How many of the first parts make a page; one at least, if there is one."""
    size = 0
    for count, part in enumerate(parts):
        size += frames.size_of(part)
        if count and size > PAGE_BYTES:
            return count
    return len(parts)


async def read_details(chat: ChatActor, envelope: Envelope, command: ReadDetails) -> None:
    found = await chat.node.store.chats.details(chat.chat_id, envelope.origin.user_id)
    details = frames.Details(
        chat_id=chat.chat_id,
        type=found.type,
        chat=found.name,
        users=found.users,
        owner_id=found.owner or UNSET,
        created_at=found.created_at,
        last_message_id=found.last,
        seq=found.seq,
        read={str(user): message_id for user, message_id in found.read.items()},
    )
    envelope.answer(Result(details, details))


async def mark_read(chat: ChatActor, envelope: Envelope, command: MarkRead) -> None:
    """If the outcome is unknown, the mark as it is follows: the signal itself leaves out who asked."""
    origin, node = envelope.origin, chat.node
    where = (origin.id, chat.channel, node.next_operation())
    try:
        mark = await node.store.chats.mark_read(chat.chat_id, origin.user_id, command.message_id, *where)
    except Unavailable as error:
        if error.sent:
            node.mark_recall.missed()
        raise
    envelope.answer(Result(frames.ReadUpTo(chat_id=chat.chat_id, message_id=mark, user_id=origin.user_id)))


async def show_typing(chat: ChatActor, envelope: Envelope, command: Typing) -> None:
    origin = envelope.origin
    operation = chat.node.next_operation()
    await chat.node.store.chats.typing(chat.chat_id, origin.user_id, origin.id, chat.channel, operation)
    envelope.answer(Result(frames.IsTyping(chat_id=chat.chat_id, user_id=origin.user_id)))
