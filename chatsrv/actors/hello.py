"""Greeting a session: 1/1 and, without a gap or an overlap, everything after it.

Order is all: hear of the user's changes, then read his lists; attach the session to each chat, which holds
its events from then on, wait until the chat hears its channel, then read the chat's head. What the head covers
is dropped, what came later follows 1/1. DESIGN section 3.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import UNSET

from chatsrv.actors.waiting import together, within
from chatsrv.kernel import Envelope
from chatsrv.redis import Unavailable
from chatsrv.store.chats import Head
from chatsrv.wire.frames import Hello

if TYPE_CHECKING:
    from chatsrv.actors.chat import ChatActor
    from chatsrv.actors.user import Join, UserActor


async def join(user: UserActor, envelope: Envelope, command: Join) -> None:
    session = envelope.origin
    node = user.node
    if session.is_closed:
        envelope.answer(None)
        return
    user.enter(session)
    await user.log.subscribe()
    if session.is_closed:
        envelope.answer(None)
        return
    await node.sessions.enter(user.user_id, session.id)
    lists = await node.store.users.read(user.user_id)
    user.log.seen(lists)
    user.joining = None
    chats = [node.chats.get(chat_id) for chat_id in sorted(lists.chats.keys() | user.chats.keys())]
    for chat in chats:
        chat.feed.hold(session)
    try:
        reading = together(node.store.link, [_head(chat, user.user_id) for chat in chats])
        heads = await within(node.clock, node.options.request_timeout_s, reading)
    except Unavailable:
        for chat in chats:
            chat.feed.detach(session)
        raise
    entered = []
    for chat, head in zip(chats, heads, strict=True):
        if head.since:
            entered.append((chat, head.seq))
        else:
            chat.feed.detach(session)
            since = user.chats.get(chat.chat_id, 0)
            if since > head.seq:  # he was added again after the head was read
                chat.feed.attach(session, since)
                continue
            channel = node.channels.user(user.user_id)
            await node.store.users.apply_chat(user.user_id, chat.chat_id, False, head.seq, channel)
    session.greet(
        Hello(
            chat_ids=[chat.chat_id for chat, _ in entered],
            friend_ids=sorted(lists.friends),
            user_id=user.user_id,
            session_id=command.session_id,
            server_time=lists.time,
            expires_at=UNSET if command.expires_at is None else command.expires_at,
            heads={str(chat.chat_id): seq for chat, seq in entered},
            incoming=sorted(lists.incoming),
            outgoing=sorted(lists.outgoing),
            limits=node.options.limits,
        )
    )
    for chat, seq in entered:
        chat.feed.release(session, seq)
    envelope.answer(None)
    online = await node.presence.look_at(lists.friends)
    if session in user.sessions:
        user.send_status(session, online)


async def _head(chat: ChatActor, user_id: int) -> Head:
    await chat.reader.ready()
    return await chat.store_head(user_id)
