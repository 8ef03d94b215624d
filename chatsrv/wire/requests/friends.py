"""Op 16: what the caller has with another user."""

from __future__ import annotations

from typing import Literal

from chatsrv.wire.codes import ErrorCode
from chatsrv.wire.limits import Limits
from chatsrv.wire.refusal import Refused
from chatsrv.wire.requests.base import Id, Request

ACCEPT, DENY = 1, 2
#: All lists of a user at once are as much work as some other requests.
LISTS_COST = 5


class UserRequest(Request, frozen=True, gc=False):
    """A request about another user."""

    user_id: Id

    def check(self, limits: Limits, caller: int) -> None:
        if self.user_id == caller:
            raise Refused(ErrorCode.BAD_REQUEST, "user_id")


class AddFriend(UserRequest, frozen=True, gc=False):
    """16/1: ask another user for friendship, or accept his request."""

    op, t = 16, 1


class AnswerFriend(UserRequest, frozen=True, gc=False):
    """16/2: accept or deny an open request."""

    op, t = 16, 2
    type: Literal[1, 2]

    def check(self, limits: Limits, caller: int) -> None:
        """One's own id is no mistake here: there is no open request of oneself."""


class RemoveFriend(UserRequest, frozen=True, gc=False):
    """16/3: end a friendship, or withdraw one's own request."""

    op, t = 16, 3


class BlockUser(UserRequest, frozen=True, gc=False):
    """16/4: have nothing to do with another user."""

    op, t = 16, 4


class UnblockUser(UserRequest, frozen=True, gc=False):
    """16/5: take a block back."""

    op, t = 16, 5


class ListFriends(Request, frozen=True, gc=False):
    """16/6: friends, open requests both ways, and whom the caller blocks."""

    op, t = 16, 6

    @property
    def cost(self) -> int:
        return LISTS_COST
