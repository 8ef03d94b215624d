"""Op 13: chats and who is in them."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import UNSET, Meta, UnsetType

from chatsrv.wire.codes import ErrorCode
from chatsrv.wire.limits import Limits
from chatsrv.wire.refusal import Refused
from chatsrv.wire.requests.base import (
    PER_REQUEST,
    ChatRequest,
    Id,
    Nonce,
    Request,
    check_list,
    check_name,
)
from chatsrv.wire.requests.messages import PRIVATE

INBOX_PAGE = 50
INBOX_PAGE_MOST = 100


class CreateChat(Request, frozen=True):
    """13/1: open the private chat of two users, or create a group."""

    op, t = 13, 1
    user_ids: list[Id]
    type: Literal[1, 2]
    chat: str = ""
    nonce: Nonce | UnsetType = UNSET

    def check(self, limits: Limits, caller: int) -> None:
        check_list("user_ids", len(self.user_ids), limits)
        check_name(self.chat, limits)
        if self.type == PRIVATE and len(self.others(caller)) != 1:
            raise Refused(ErrorCode.BAD_REQUEST, "user_ids")

    @property
    def cost(self) -> int:
        return 1 + len(self.user_ids) // PER_REQUEST

    def others(self, caller: int) -> list[int]:
        """The users named beside the caller, each once, in ascending order."""
        return sorted(set(self.user_ids) - {caller})


class UpdateChat(ChatRequest, frozen=True, gc=True):
    """13/2: rename a group, add and remove its members, leave it."""

    op, t = 13, 2
    chat: str | UnsetType = UNSET
    add_users: list[Id] = []
    remove_users: list[Id] = []

    def check(self, limits: Limits, caller: int) -> None:
        check_list("add_users", len(self.add_users), limits)
        check_list("remove_users", len(self.remove_users), limits)
        if self.chat is not UNSET:
            check_name(self.chat, limits)
        if not set(self.add_users).isdisjoint(self.remove_users):
            raise Refused(ErrorCode.BAD_REQUEST, "remove_users")

    @property
    def cost(self) -> int:
        return 1 + (len(self.add_users) + len(self.remove_users)) // PER_REQUEST


class ReadDetails(ChatRequest, frozen=True, gc=False):
    """13/3: everything about a chat but its messages."""

    op, t = 13, 3


class ReadInbox(Request, frozen=True, gc=False):
    """13/4: the caller's chats with last message and unread, newest activity first."""

    op, t = 13, 4
    cursor: Annotated[str, Meta(pattern=r"^[0-9]{1,16}-[0-9]{1,16}\Z")] | UnsetType = UNSET
    limit: Annotated[int, Meta(ge=1, le=INBOX_PAGE_MOST)] | UnsetType = UNSET

    @property
    def cost(self) -> int:
        return 1 + self.page // PER_REQUEST

    @property
    def page(self) -> int:
        """How many chats are wanted, at most."""
        return INBOX_PAGE if self.limit is UNSET else self.limit
