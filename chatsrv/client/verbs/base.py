"""What all verbs share: whom they call, and how a reply becomes a struct."""

from __future__ import annotations

from typing import Any, Protocol, TypeVar

import msgspec
from twisted.internet.defer import Deferred

from chatsrv.client.frames import Frame

Reply = TypeVar("Reply")


class Caller(Protocol):
    """A ``Connection`` or a ``Client``."""

    def call(
        self, op: int, t: int, d: dict[str, Any] | None = None, *, timeout_s: float | None = None
    ) -> Deferred[Frame]:
        """Send a request; fires with its reply."""


class Message(msgspec.Struct, frozen=True, kw_only=True):
    """A message as it is now; of a deleted one there is no text. Times are in ms."""

    message_id: int
    sender_id: int
    sent_at: int
    message: str | None = None
    edited_at: int | None = None
    deleted: bool = False
    reply_to: int | None = None


def ask(caller: Caller, op: int, t: int, d: dict[str, Any], shape: type[Reply]) -> Deferred[Reply]:
    """Call, and read the reply's ``d`` as ``shape``; what is None is left out of the request."""
    given = {key: value for key, value in d.items() if value is not None}
    reply = caller.call(op, t, given)
    return reply.addCallback(lambda frame: msgspec.convert(frame.d, shape, str_keys=True))
