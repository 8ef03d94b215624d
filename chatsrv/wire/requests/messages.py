"""Op 11: the messages of a chat."""

from __future__ import annotations

from typing import Annotated

from msgspec import UNSET, Meta, UnsetType

from chatsrv.wire.codes import ErrorCode
from chatsrv.wire.limits import Limits
from chatsrv.wire.refusal import Refused
from chatsrv.wire.requests.base import ChatRequest, Id, Nonce, Position, check_text

PRIVATE, GROUP = 1, 2
HISTORY_PAGE = 50


class SendMessage(ChatRequest, frozen=True, gc=False):
    """11/1 and 11/2: append a message to a chat."""

    op = 11
    message: str
    nonce: Nonce | UnsetType = UNSET
    reply_to: Id | UnsetType = UNSET

    def check(self, limits: Limits, caller: int) -> None:
        check_text(self.message, limits)


class SendPrivate(SendMessage, frozen=True, gc=False):
    t = PRIVATE


class SendGroup(SendMessage, frozen=True, gc=False):
    t = GROUP


class EditMessage(ChatRequest, frozen=True, gc=False):
    """11/6: replace the text of one's own message."""

    op, t = 11, 6
    message_id: Id
    message: str

    def check(self, limits: Limits, caller: int) -> None:
        check_text(self.message, limits)


class DeleteMessage(ChatRequest, frozen=True, gc=False):
    """11/7: erase the text of a message."""

    op, t = 11, 7
    message_id: Id


class MarkRead(ChatRequest, frozen=True, gc=False):
    """11/8: everything up to this message was read."""

    op, t = 11, 8
    message_id: Id


class Typing(ChatRequest, frozen=True, gc=False):
    """11/9: the caller is writing something."""

    op, t = 11, 9


class ReadHistory(ChatRequest, frozen=True, gc=False):
    """11/10: a page of messages before or after one; without either, the newest."""

    op, t = 11, 10
    before: Id | UnsetType = UNSET
    after: Position | UnsetType = UNSET
    limit: Annotated[int, Meta(ge=1)] | UnsetType = UNSET

    def check(self, limits: Limits, caller: int) -> None:
        if self.before is not UNSET and self.after is not UNSET:
            raise Refused(ErrorCode.BAD_REQUEST, "after")
        if self.limit is not UNSET and self.limit > limits.history_page:
            raise Refused(ErrorCode.BAD_REQUEST, "limit")

    @property
    def cost(self) -> int:
        return 1 + self.page // (HISTORY_PAGE + 1)

    @property
    def page(self) -> int:
        """How many messages are wanted, at most."""
        return HISTORY_PAGE if self.limit is UNSET else self.limit
