"""What all requests share: the base structs, the types of their members, and the checks beyond types."""

from __future__ import annotations

from typing import Annotated, ClassVar

import msgspec
from msgspec import Meta

from chatsrv.wire.codes import ErrorCode
from chatsrv.wire.limits import Limits
from chatsrv.wire.refusal import Refused

MAX_ID = 2**53 - 1
Id = Annotated[int, Meta(ge=1, le=MAX_ID)]
#: An id, or 0 for "before the first one".
Position = Annotated[int, Meta(ge=0, le=MAX_ID)]
Nonce = Annotated[str, Meta(min_length=1, max_length=64)]

#: So many ids, rows or messages in a request count as one request more.
PER_REQUEST = 10


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


class ChatRequest(Request, frozen=True, gc=False):
    """A request about one chat that exists."""

    chat_id: Id


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


def check_list(member: str, count: int, limits: Limits) -> None:
    """A list of ids: at most ``members`` of them."""
    if count > limits.members:
        raise Refused(ErrorCode.TOO_LARGE, member)


def _encodable(text: str) -> bool:
    if text.isascii():
        return True
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
