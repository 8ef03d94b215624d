"""The requests of a client: one struct per row of PROTOCOL section 3, and what makes it valid.

The codec builds them, the actors receive them as commands. A struct that exists has passed its type
checks; ``check`` adds what needs the limits or the caller, so an invalid request never leaves the codec.
"""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from chatsrv.wire.codes import ErrorCode
from chatsrv.wire.limits import Limits
from chatsrv.wire.refusal import Refused

MAX_ID = 2**53 - 1
Id = Annotated[int, Meta(ge=1, le=MAX_ID)]

PRIVATE, GROUP = 1, 2
ACCEPT, DENY = 1, 2

#: So many user ids in a request count as one request more.
IDS_PER_REQUEST = 10


class Request(msgspec.Struct, frozen=True, gc=False):
    """What all requests share: ``op`` and ``t`` of the frame, and the check beyond types."""

    op: ClassVar[int]
    t: ClassVar[int]

    def check(self, limits: Limits, caller: int) -> None:
        """Raise `Refused` (``bad_request`` or ``too_large``) if a member is out of range."""

    @property
    def cost(self) -> int:
        """How many requests it counts for in the rate: long lists make much work."""
        return 1


class SendMessage(Request, frozen=True, gc=False):
    """11/1 and 11/2: append a message to a chat."""

    op = 11
    chat_id: Id
    message: str

    def check(self, limits: Limits, caller: int) -> None:
        check_text(self.message, limits)


class SendPrivate(SendMessage, frozen=True, gc=False):
    t = PRIVATE


class SendGroup(SendMessage, frozen=True, gc=False):
    t = GROUP


class EditMessage(Request, frozen=True, gc=False):
    """11/6: replace the text of one's own message."""

    op, t = 11, 6
    chat_id: Id
    message_id: Id
    message: str

    def check(self, limits: Limits, caller: int) -> None:
        check_text(self.message, limits)


class DeleteMessage(Request, frozen=True, gc=False):
    """11/7: erase the text of a message."""

    op, t = 11, 7
    chat_id: Id
    message_id: Id


class CreateChat(Request, frozen=True):
    """13/1: open the private chat of two users, or create a group."""

    op, t = 13, 1
    user_ids: list[Id]
    type: Literal[1, 2]
    chat: str = ""

    def check(self, limits: Limits, caller: int) -> None:
        check_list("user_ids", self.user_ids, limits)
        check_name(self.chat, limits)
        if self.type == PRIVATE and len(self.others(caller)) != 1:
            raise Refused(ErrorCode.BAD_REQUEST, "user_ids")

    @property
    def cost(self) -> int:
        return 1 + len(self.user_ids) // IDS_PER_REQUEST

    def others(self, caller: int) -> list[int]:
        """The users named beside the caller, each once, in ascending order."""
        return sorted(set(self.user_ids) - {caller})


class UpdateChat(Request, frozen=True):
    """13/2: rename a group, add and remove its members, leave it."""

    op, t = 13, 2
    chat_id: Id
    chat: str | UnsetType = UNSET
    add_users: list[Id] = []
    remove_users: list[Id] = []

    def check(self, limits: Limits, caller: int) -> None:
        check_list("add_users", self.add_users, limits)
        check_list("remove_users", self.remove_users, limits)
        if self.chat is not UNSET:
            check_name(self.chat, limits)
        if not set(self.add_users).isdisjoint(self.remove_users):
            raise Refused(ErrorCode.BAD_REQUEST, "remove_users")

    @property
    def cost(self) -> int:
        return 1 + (len(self.add_users) + len(self.remove_users)) // IDS_PER_REQUEST


class AddFriend(Request, frozen=True, gc=False):
    """16/1: ask another user for friendship, or accept his request."""

    op, t = 16, 1
    user_id: Id

    def check(self, limits: Limits, caller: int) -> None:
        if self.user_id == caller:
            raise Refused(ErrorCode.BAD_REQUEST, "user_id")


class AnswerFriend(Request, frozen=True, gc=False):
    """16/2: accept or deny an open request."""

    op, t = 16, 2
    user_id: Id
    type: Literal[1, 2]


REQUESTS: dict[tuple[int, int], type[Request]] = {
    (request.op, request.t): request
    for request in (
        SendPrivate,
        SendGroup,
        EditMessage,
        DeleteMessage,
        CreateChat,
        UpdateChat,
        AddFriend,
        AnswerFriend,
    )
}

#: Requests that the protocol names and this server does not carry out.
UNSUPPORTED = frozenset(
    {(1, 2), (1, 3), (11, 3), (11, 4), (11, 5), (11, 8), (11, 9), (11, 10), (13, 3), (13, 4)}
    | {(16, 3), (16, 4), (16, 5), (16, 6)}
)


def check_text(text: str, limits: Limits) -> None:
    """A message's text: 1 to ``message_chars`` code points, not only white space, no NUL, no lone surrogate."""
    if len(text) > limits.message_chars or not text or text.isspace() or "\0" in text or not _encodable(text):
        raise Refused(ErrorCode.BAD_REQUEST, "message")


def check_name(name: str, limits: Limits) -> None:
    """A chat's name: up to ``name_chars`` code points, none of them a control character."""
    if (
        len(name) > limits.name_chars
        or any(c < " " or "\x7f" <= c <= "\x9f" for c in name)
        or not _encodable(name)
    ):
        raise Refused(ErrorCode.BAD_REQUEST, "chat")


def check_list(member: str, ids: list[int], limits: Limits) -> None:
    if len(ids) > limits.members:
        raise Refused(ErrorCode.TOO_LARGE, member)


def _encodable(text: str) -> bool:
    if text.isascii():
        return True
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
