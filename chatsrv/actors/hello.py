"""Greeting a session: 1/1 and, without a gap or an overlap, everything after it.

Order is all: hear of the user's changes, then read his lists; attach the session to each chat, which holds
its events from then on, wait until the chat hears its channel, then read the chat's head. What the head covers
is dropped, what came later follows 1/1. DESIGN section 3.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from chatsrv.actors.known_revocations import verdict
from chatsrv.actors.subscriber import Subscriber
from chatsrv.actors.waiting import together, within
from chatsrv.kernel import Envelope
from chatsrv.redis import Unavailable
from chatsrv.store.chats import Head
from chatsrv.store.users import UserLists
from chatsrv.wire.frames import Hello

if TYPE_CHECKING:
    from chatsrv.actors.chat import ChatActor
    from chatsrv.actors.user import Join, UserActor


#: A greeting has a few commands in flight at a time. So many of them at once leave room for everybody's requests.
GREETINGS_SHARE = 8


async def join(user: UserActor, envelope: Envelope, command: Join) -> None:
    """Greet a session, in its turn: a crowd that comes at once is greeted a part at a time."""
    async with user.node.greetings:
        await _join(user, envelope, command)


async def _join(user: UserActor, envelope: Envelope, command: Join) -> None:
    session, node = envelope.origin, user.node
    lists = await _enter(user, session)
    if lists is None:
        envelope.answer(None)
        return
    chats = [node.chats.get(chat_id) for chat_id in sorted(lists.chats.keys() | user.chats.keys())]
    for chat in chats:
        chat.feed.hold(session)
    try:
        epoch, heads = await _read_heads(user, chats)
    except Unavailable:
        for chat in chats:
            chat.feed.detach(session)
        raise
    entered = await _sort_out(user, session, dict(zip(chats, heads, strict=True)))
    session.greet(_hello(user, command, lists, epoch, entered))
    for chat, seq in entered.items():
        chat.feed.release(session, seq)
    envelope.answer(None)
    online = await node.presence.look_at(lists.friends)
    if session in user.sessions:
        user.send_status(session, online, node.clock.seconds())


async def _enter(user: UserActor, session: Subscriber) -> UserLists | None:
    """The user's lists, read when his changes are heard; None when the session ended meanwhile, or is closed for its
    token is revoked."""
    if session.is_closed:
        return None
    user.enter(session)
    try:
        return await _admit(user, session)
    finally:
        user.joining = None


async def _admit(user: UserActor, session: Subscriber) -> UserLists | None:
    """Who is not let in does not count: he is not online, and no other connection is closed for being the oldest."""
    await user.log.subscribe()
    if session.is_closed:
        return None
    lists = await user.node.store.users.read(user.user_id)
    user.log.seen(lists)
    if _is_barred(user, session, lists) or session.is_closed:
        return None
    user.count(session)
    await user.node.sessions.enter(user.user_id, session.id)
    return lists


def _is_barred(user: UserActor, session: Subscriber, lists: UserLists) -> bool:
    """Whether the token is revoked, by what is known last: the lists, or a change that was heard meanwhile."""
    rev = user.log.rev or 0
    if lists.rev == rev:
        user.revoked = lists.revoked
    revoked = lists.revoked if lists.rev >= rev else user.revoked
    user.bar(revoked)
    return verdict(revoked, session.identity) is not None


async def _read_heads(user: UserActor, chats: list[ChatActor]) -> tuple[str, list[Head]]:
    """The epoch, confirmed after the head of each chat was read."""
    node = user.node
    reading = together(node.store.link, [_head(chat, user.user_id) for chat in chats], hello=True)
    heads = await within(node.clock, node.options.request_timeout_s, reading)
    return await node.epoch.confirm(), heads


async def _head(chat: ChatActor, user_id: int) -> Head:
    await chat.reader.ready()
    return await chat.store_head(user_id)


async def _sort_out(
    user: UserActor, session: Subscriber, heads: dict[ChatActor, Head]
) -> dict[ChatActor, int]:
    """The chats he is in, each with its head. Of the others the session lets go, and his list, too."""
    entered, node = {}, user.node
    for chat, head in heads.items():
        if head.since:
            entered[chat] = head.seq
            continue
        chat.feed.detach(session)
        since = user.chats.get(chat.chat_id, 0)
        if since > head.seq:  # he was added again after the head was read
            chat.feed.attach(session, since)
        else:
            channel = node.channels.user(user.user_id)
            await node.store.users.apply_chat(user.user_id, chat.chat_id, False, head.seq, channel)
    return entered


def _hello(
    user: UserActor, command: Join, lists: UserLists, epoch: str, entered: dict[ChatActor, int]
) -> Hello:
    return Hello(
        chat_ids=[chat.chat_id for chat in entered],
        friend_ids=sorted(lists.friends),
        user_id=user.user_id,
        session_id=command.session_id,
        server_time=lists.time,
        expires_at=command.expires_at,
        epoch=epoch,
        heads={str(chat.chat_id): seq for chat, seq in entered.items()},
        incoming=sorted(lists.incoming),
        outgoing=sorted(lists.outgoing),
        limits=user.node.options.limits,
    )
