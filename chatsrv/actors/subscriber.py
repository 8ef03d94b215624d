"""What the actors see of a session, and what they answer it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

import msgspec

from chatsrv.auth.tokens import Identity
from chatsrv.log import Logger
from chatsrv.wire.codes import CloseCode, Profile
from chatsrv.wire.frames import Body, Hello

if TYPE_CHECKING:
    from chatsrv.actors.feed import Feed

_log = Logger()


class Subscriber(Protocol):
    """One authenticated connection. Nothing here calls back into the actor that calls it."""

    @property
    def id(self) -> str: ...

    @property
    def user_id(self) -> int: ...

    @property
    def identity(self) -> Identity:
        """Of the token that carries it now."""

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

    def deliver_unless_busy(self, frame: bytes) -> None:
        """Send a framed event that nobody misses: it is dropped before 1/1, and while the socket takes no more."""

    def deliver_receipt(self, chat_id: int, user_id: int, frame: bytes) -> None:
        """Send a 12/8. While the socket takes no more only the newest of each chat and user waits."""

    def forget_receipts(self, chat_id: int) -> None:
        """Of that chat, those that wait are not sent any more."""

    @property
    def congested(self) -> bool:
        """The socket takes no more at the moment, or much waits unsent."""

    def when_drained(self, callback: Callable[[], None]) -> None:
        """Call it once when it is not congested any more; never when the connection is closing."""

    def close(self, code: CloseCode) -> None:
        """End the connection; the actors hear of it by a leave, later."""


def give_up(subscriber: Subscriber) -> None:
    """Called while an exception is handled that a session raised: a bug of ours, for which it alone pays.

    Closes it with 1011, so that its client comes again and reads what it missed. Raises nothing.
    """
    peer = f"user {subscriber.user_id}"
    _log.failure("a session of {peer} could not be told", peer=peer)
    try:
        subscriber.close(CloseCode.INTERNAL_ERROR)
    except Exception:
        _log.failure("a session of {peer} could not be closed", peer=peer)


class Result(msgspec.Struct, frozen=True):
    """The answer to a request: ``reply`` if it had an ``id``, else ``event`` (None: nothing is sent).

    An event that is not of the core is not sent to a core-profile session.
    """

    reply: Body
    event: Body | None = None
