"""Op 16: what the caller has with another user."""

from __future__ import annotations

from enum import IntEnum

import msgspec
from twisted.internet.defer import Deferred

from chatsrv.client.verbs.base import Caller, ask


class Answer(IntEnum):
    """The ``type`` of 16/2 and 17/2."""

    ACCEPT = 1
    DENY = 2


class Friend(msgspec.Struct, frozen=True):
    """The reply to 16/1 to 16/5; ``accepted`` when asking accepted the other's own request."""

    user_id: int
    type: int | None = None
    accepted: bool = False


class Relations(msgspec.Struct, frozen=True):
    """The reply to 16/6: friends, open requests to and of the caller, and whom he blocks."""

    friends: list[int]
    incoming: list[int]
    outgoing: list[int]
    blocked: list[int]


def add_friend(caller: Caller, user_id: int) -> Deferred[Friend]:
    """16/1: ask ``user_id``, or accept if they asked first."""
    return ask(caller, 16, 1, {"user_id": user_id}, Friend)


def answer_friend(caller: Caller, user_id: int, answer: Answer) -> Deferred[Friend]:
    """16/2: answer the open request of ``user_id``."""
    return ask(caller, 16, 2, {"user_id": user_id, "type": int(answer)}, Friend)


def remove_friend(caller: Caller, user_id: int) -> Deferred[Friend]:
    """16/3: end a friendship, or withdraw one's own request."""
    return ask(caller, 16, 3, {"user_id": user_id}, Friend)


def block(caller: Caller, user_id: int) -> Deferred[Friend]:
    """16/4: have nothing to do with ``user_id``."""
    return ask(caller, 16, 4, {"user_id": user_id}, Friend)


def unblock(caller: Caller, user_id: int) -> Deferred[Friend]:
    """16/5: take a block back."""
    return ask(caller, 16, 5, {"user_id": user_id}, Friend)


def list_friends(caller: Caller) -> Deferred[Relations]:
    """16/6: friends, open requests both ways, and whom the caller blocks."""
    return ask(caller, 16, 6, {}, Relations)
