"""Events of the store as the frames of PROTOCOL section 3: for everybody, and as the reply to who caused them."""

from __future__ import annotations

from typing import Any

from msgspec import UNSET

from chatsrv.actors.subscriber import Result
from chatsrv.store.events import CHANGED, CREATED, EDITED, MEMBERSHIP, MESSAGE, ChatEvent, UserEvent
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
            deleted=event.deleted or UNSET,
        )
    if event.kind == EDITED:
        return frames.Edited(
            chat_id=chat_id,
            message_id=event.message_id,
            message=event.text,
            seq=event.seq,
            sender_id=event.author,
            edited_at=event.at or UNSET,
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


def chat_result(chat_id: int, event: ChatEvent) -> Result:
    """The answer to the request that caused ``event`` (or would have, had it changed something)."""
    if event.kind == MESSAGE:
        sent = frames.PrivateSent if event.type == PRIVATE else frames.GroupSent
        return Result(sent(chat_id=chat_id, message_id=event.message_id, seq=event.seq, sent_at=event.at))
    frame = chat_frame(chat_id, event)
    return Result(frame, frame if frame.op == 14 else None)


def friend_frame(event: UserEvent) -> frames.Body | None:
    """The 17/1 or 17/2 that tells of a change of a pair, as its receiver sees it; None: there is none to tell."""
    if event.kind == MEMBERSHIP or not event.t:
        return None
    if event.t == 1:
        return frames.FriendAsked(user_id=event.about, asker=event.by)
    return frames.FriendAnswered(user_id=event.about, type=event.type, answerer=event.by)
