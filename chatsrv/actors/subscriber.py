"""What the actors see of a session, and what they answer it."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol

from chatsrv.wire.codes import CloseCode, Profile
from chatsrv.wire.frames import Body, Hello

if TYPE_CHECKING:
    from chatsrv.actors.feed import Feed


class Subscriber(Protocol):
    """One authenticated connection. Nothing here calls back into the actor that calls it."""

    @property
    def id(self) -> str: ...

    @property
    def user_id(self) -> int: ...

    @property
    def profile(self) -> Profile: ...

    @property
    def is_closed(self) -> bool:
        """It is over: nothing attaches it any more."""

    @property
    def feeds(self) -> set[Feed]:
        """Where it is attached; kept by the feeds."""

    def greet(self, hello: Hello) -> None:
        """Send 1/1, then whatever was delivered before it."""

    def deliver(self, frame: bytes) -> None:
        """Send a framed event; before 1/1 was sent it is held."""

    def close(self, code: CloseCode) -> None:
        """End the connection; the actors hear of it by a leave, later."""


class Result(NamedTuple):
    """The answer to a request: ``reply`` if it had an ``id``, else ``event`` (None: nothing is sent)."""

    reply: Body
    event: Body | None = None
