"""What a user has with others, as his node knows it, and the frames that tell of it. PROTOCOL section 3, op 17.

Kept by the `UserActor` in the order of his log; calls nobody. Who blocks him is not in here: nobody is told.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from chatsrv.store.events import UserEvent
from chatsrv.store.users import UserLists
from chatsrv.wire import frames
from chatsrv.wire.codes import Profile
from chatsrv.wire.requests import ACCEPT

RelationFrame = (
    frames.FriendAsked | frames.FriendAnswered | frames.FriendRemoved | frames.Blocked | frames.Unblocked
)

_PLAIN: dict[int, type[frames.FriendRemoved | frames.Blocked | frames.Unblocked]] = {
    frames.FriendRemoved.t: frames.FriendRemoved,
    frames.Blocked.t: frames.Blocked,
    frames.Unblocked.t: frames.Unblocked,
}


@dataclass
class Relations:
    """``incoming`` and ``outgoing`` are open requests; ``blocked``: whom the user blocks."""

    friends: set[int] = field(default_factory=set)
    incoming: set[int] = field(default_factory=set)
    outgoing: set[int] = field(default_factory=set)
    blocked: set[int] = field(default_factory=set)

    @classmethod
    def of(cls, lists: UserLists) -> Relations:
        return cls(*map(set, (lists.friends, lists.incoming, lists.outgoing, lists.blocked)))

    def to(self, other: int) -> Relations:
        """What the user has with one other."""
        lists = (self.friends, self.incoming, self.outgoing, self.blocked)
        return Relations(*({other} & others for others in lists))

    def take(self, event: UserEvent) -> None:
        """One change, in order: it says all that holds with the other one."""
        for others, holds in (
            (self.friends, event.holds),
            (self.incoming, event.incoming),
            (self.outgoing, event.outgoing),
            (self.blocked, event.blocked),
        ):
            (others.add if holds else others.discard)(event.about)

    def differences(self, now: Relations, user_id: int) -> Iterator[RelationFrame]:
        """What leads from here to ``now``, for sessions of ``user_id`` that missed how it came about."""
        newly_blocked = now.blocked - self.blocked
        requests = (self.incoming - now.incoming) | (self.outgoing - now.outgoing)
        ended = (self.friends | requests) - now.friends - newly_blocked
        yield from (frames.Unblocked(user_id=other) for other in sorted(self.blocked - now.blocked))
        yield from (frames.FriendRemoved(user_id=other) for other in sorted(ended))
        yield from (frames.Blocked(user_id=other) for other in sorted(newly_blocked))
        for friend in sorted(now.friends - self.friends):
            yield frames.FriendAnswered(user_id=friend, type=ACCEPT, answerer=friend)
        for asker in sorted(now.incoming - self.incoming):
            yield frames.FriendAsked(user_id=asker, asker=asker)
        for asked in sorted(now.outgoing - self.outgoing):
            yield frames.FriendAsked(user_id=asked, asker=user_id)


def relation_frame(event: UserEvent) -> RelationFrame | None:
    """The frame of op 17 that tells of a change of a pair, as its receiver sees it; None: there is none."""
    if event.t == frames.FriendAsked.t:
        return frames.FriendAsked(user_id=event.about, asker=event.by)
    if event.t == frames.FriendAnswered.t:
        return frames.FriendAnswered(user_id=event.about, type=event.type, answerer=event.by)
    return _PLAIN[event.t](user_id=event.about) if event.t in _PLAIN else None


def untold(before: Relations, now: Relations, event: UserEvent, user_id: int) -> list[RelationFrame]:
    """What changed by the event and its own frame does not tell: it took the place of one that was never delivered."""
    told = type(relation_frame(event))
    covered = {told, frames.FriendRemoved if told is frames.FriendAnswered else told}
    return [body for body in before.differences(now, user_id) if type(body) not in covered]


def is_shown(body: frames.Body, user_id: int, profile: Profile, *, asked_here: bool) -> bool:
    """Whether a session of ``user_id`` is told; ``asked_here``: it is what the session itself asked for.

    The core profile knows neither removals and blocks, nor what its user's other devices asked for.
    """
    if profile is Profile.FULL:
        return True
    own_request = isinstance(body, frames.FriendAsked) and body.asker == user_id
    return body.core and (asked_here or not own_request)
