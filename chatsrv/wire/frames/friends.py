"""Op 17: friends, requests and blocks. ``user_id`` is always the other one, as seen by the receiver."""

from __future__ import annotations

from msgspec import UNSET, UnsetType, field

from chatsrv.wire.frames.base import Body


class FriendAsked(Body, frozen=True, gc=False, kw_only=True):
    """17/1: somebody asked for friendship."""

    op, t = 17, 1
    user_id: int
    asker: int = field(name="from")
    accepted: bool | UnsetType = UNSET


class FriendAnswered(Body, frozen=True, gc=False, kw_only=True):
    """17/2: a request was accepted (type 1) or denied (type 2)."""

    op, t = 17, 2
    user_id: int
    type: int
    answerer: int = field(name="from")


class FriendRemoved(Body, frozen=True, gc=False, kw_only=True):
    """17/3: a friendship is over, or an open request is withdrawn."""

    op, t, core = 17, 3, False
    user_id: int


class Blocked(Body, frozen=True, gc=False, kw_only=True):
    """17/4: the receiver's own user blocks another one."""

    op, t, core = 17, 4, False
    user_id: int


class Unblocked(Body, frozen=True, gc=False, kw_only=True):
    """17/5: the receiver's own user blocks him no more."""

    op, t, core = 17, 5, False
    user_id: int


class Relations(Body, frozen=True, kw_only=True):
    """17/6, the reply: friends, open requests to and of the receiver, and whom he blocks."""

    op, t, core = 17, 6, False
    friends: list[int]
    incoming: list[int]
    outgoing: list[int]
    blocked: list[int]
