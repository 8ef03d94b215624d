"""11/6 and 11/7: edit and delete a message. PROTOCOL section 3.

Called by the `ChatActor`, which takes nothing else from its mailbox until the commit is answered.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from chatsrv.kernel import Envelope
from chatsrv.redis import Unavailable
from chatsrv.store.chats import Changed
from chatsrv.wire.requests import DeleteMessage, EditMessage

if TYPE_CHECKING:
    from chatsrv.actors.chat import ChatActor


async def change_message(chat: ChatActor, envelope: Envelope, command: EditMessage | DeleteMessage) -> None:
    known, operation = chat.feed.position, chat.node.next_operation()
    chat.committing = operation
    try:
        change = await _commit(chat, envelope.origin.user_id, command, operation)
    except Unavailable:
        chat.committing = ""
        chat.repair()
        raise
    finally:
        chat.committing = ""
    chat.check_continues([change.event.seq] if change.changed else [], known)
    chat.finish(envelope, change)


async def _commit(
    chat: ChatActor, caller: int, command: EditMessage | DeleteMessage, operation: str
) -> Changed:
    chats, message_id, where = chat.node.store.chats, command.message_id, (chat.channel, operation)
    if isinstance(command, EditMessage):
        return await chats.edit(chat.chat_id, caller, message_id, command.message, *where)
    return await chats.delete(chat.chat_id, caller, message_id, *where)
