"""Events of the store as the frames of PROTOCOL section 3: for everybody, and as the reply to who caused them."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import UNSET

from chatsrv.actors.subscriber import Result
from chatsrv.store.chats import StoredMessage
from chatsrv.store.events import (
    CHANGED,
    CREATED,
    EDITED,
    MESSAGE,
    TYPING,
    ChatEvent,
    Signal,
)
from chatsrv.wire import frames
from chatsrv.wire.requests import PRIVATE


def chat_frame(chat_id: int, event: ChatEvent) -> frames.Body:
    """The frame that tells of an event: 12/1, 12/2, 12/6, 12/7, 14/1 or 14/2."""
    if event.kind == MESSAGE:
        message = frames.PrivateMessage if event.type == PRIVATE else frames.GroupMessage
        return message(
            chat_id=chat_id,
            message=event.text,
            message_id=event.message_id,
            seq=event.seq,
            sender_id=event.author,
            sent_at=event.at,
            reply_to=event.reply_to or UNSET,
            deleted=event.deleted or UNSET,
        )
    if event.kind == EDITED:
        return frames.Edited(
            chat_id=chat_id,
            message_id=event.message_id,
            message=event.text,
            seq=event.seq,
            sender_id=event.author,
            edited_at=UNSET if event.deleted else event.at or UNSET,
            deleted=event.deleted or UNSET,
        )
    if event.kind in (CREATED, CHANGED):
        return chat_state(chat_id, event)
    return frames.Deleted(
        chat_id=chat_id, message_id=event.message_id, seq=event.seq, sender_id=event.author, by=event.by
    )


def chat_state(chat_id: int, event: ChatEvent) -> frames.ChatCreated:
    state: dict[str, Any] = {
        "chat_id": chat_id,
        "seq": event.seq,
        "type": event.type,
        "chat": event.name,
        "users": event.users,
        "owner_id": event.owner or UNSET,
    }
    return frames.ChatCreated(**state) if event.kind == CREATED else frames.ChatChanged(**state, by=event.by)


def chat_gone(chat_id: int, seq: int) -> frames.ChatChanged:
    """What members see of a chat that is no more: 14/2 with nobody in it."""
    return frames.ChatChanged(chat_id=chat_id, seq=seq, type=2, chat="", users=[])


def chat_result(chat_id: int, event: ChatEvent, *, dup: bool = False) -> Result:
    """The answer to the request that caused ``event``; ``dup``: nothing changed, and it is the present state."""
    frame: frames.Body
    if event.kind == MESSAGE:
        sent = frames.PrivateSent if event.type == PRIVATE else frames.GroupSent
        frame = sent(
            chat_id=chat_id,
            message_id=event.message_id,
            seq=event.seq,
            sent_at=event.at,
            dup=dup or UNSET,
        )
        return Result(frame)
    frame = chat_frame(chat_id, event)
    if dup:
        frame = msgspec.structs.replace(frame, dup=True)
    return Result(frame, frame if frame.op == 14 else None)


def signal_frame(chat_id: int, signal: Signal) -> frames.Body:
    """12/8 or 12/9."""
    if signal.kind == TYPING:
        return frames.IsTyping(chat_id=chat_id, user_id=signal.user)
    return frames.ReadUpTo(chat_id=chat_id, message_id=signal.message_id, user_id=signal.user)


def stored_message(message: StoredMessage) -> frames.Message:
    """A message as it is now, for pages and rows."""
    deleted = message.text is None
    return frames.Message(
        message_id=message.message_id,
        sender_id=message.sender,
        message=UNSET if message.text is None else message.text,
        sent_at=message.sent_at,
        edited_at=UNSET if deleted else message.edited_at or UNSET,
        deleted=deleted or UNSET,
        reply_to=message.reply_to or UNSET,
    )
