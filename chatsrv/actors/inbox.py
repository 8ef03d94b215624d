"""The inbox (13/4): a user's chats with last message and unread, newest activity first. PROTOCOL section 3.

Nothing is counted up anywhere: the chats' actors know when each was active, the rest is read for one page.
The cursor is the place of the last row, so chats that become active meanwhile are not skipped or shown twice
behind it; their events show that.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from msgspec import UNSET, UnsetType

from chatsrv.actors.reading import fitting
from chatsrv.actors.rendering import stored_message
from chatsrv.actors.subscriber import Result
from chatsrv.actors.waiting import together, within
from chatsrv.kernel import Envelope
from chatsrv.store.chats import Summary
from chatsrv.wire import frames
from chatsrv.wire.refusal import Refused
from chatsrv.wire.requests import PRIVATE, ReadInbox

if TYPE_CHECKING:
    from chatsrv.actors.chat import ChatActor
    from chatsrv.actors.user import UserActor


class Place(NamedTuple):
    """Where a chat stands in the inbox: the greatest first."""

    active_at: int
    chat_id: int


async def read_inbox(user: UserActor, envelope: Envelope, command: ReadInbox) -> None:
    behind = _parse(command.cursor)
    reading = _read(user, behind, command.page)
    inbox = await within(user.node.clock, user.node.options.request_timeout_s, reading)
    envelope.answer(Result(inbox, inbox))


async def _read(user: UserActor, behind: Place | None, limit: int) -> frames.Inbox:
    places = [place for place in await _places(user) if behind is None or place < behind]
    page = places[:limit]
    summaries = await together(user.node.store.link, [_summary(user, place.chat_id) for place in page])
    found = [(place, _row(place, each)) for place, each in zip(page, summaries, strict=True) if each]
    shown = found[: fitting([row for _, row in found])]
    last = None
    if len(shown) < len(found):
        last = shown[-1][0]
    elif len(page) < len(places):
        last = page[-1]
    cursor = UNSET if last is None else f"{last.active_at}-{last.chat_id}"
    return frames.Inbox(chats=[row for _, row in shown], cursor=cursor)


async def _places(user: UserActor) -> list[Place]:
    """The user's chats, the most active first: their actors know, for his session is attached to all of them."""
    chats = [user.node.chats.get(chat_id) for chat_id in user.chats]
    await together(user.node.store.link, [_ready(chat) for chat in chats if chat.feed.position is None])
    return sorted((Place(chat.feed.active_at, chat.chat_id) for chat in chats), reverse=True)


async def _ready(chat: ChatActor) -> None:
    await chat.reader.ready()


async def _summary(user: UserActor, chat_id: int) -> Summary | None:
    """The chat, or None when the user is no member any more: his list will say so, too."""
    try:
        return await user.node.store.chats.summary(chat_id, user.user_id)
    except Refused:
        return None


def _row(place: Place, summary: Summary) -> frames.InboxRow:
    return frames.InboxRow(
        chat_id=place.chat_id,
        type=summary.type,
        chat=summary.name,
        user_id=summary.other if summary.type == PRIVATE else UNSET,
        users_count=summary.count,
        last_message_id=summary.last_id,
        seq=summary.seq,
        read=summary.read,
        unread=summary.unread,
        last=UNSET if summary.last is None else stored_message(summary.last),
    )


def _parse(cursor: str | UnsetType) -> Place | None:
    return None if cursor is UNSET else Place(*map(int, cursor.split("-")))
