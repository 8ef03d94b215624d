"""One request on its way, and what may be done with it when its outcome is unknown.

``Client`` prepares them, ``Outgoing`` sends them. A send or a new group gets a nonce, so that the server
carries it out once however often it is sent; a pure read may be repeated as it is; of everything else only
the caller can know whether to try again.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall
from twisted.python.failure import Failure

from chatsrv.client.frames import Frame
from chatsrv.client.pacing import cost_of

SENDS = frozenset({(11, 1), (11, 2)})
READS = frozenset({(11, 10), (13, 3), (13, 4), (16, 6)})
CREATE, GROUP = (13, 1), 2
CATCH_UP, RENEW = (1, 2), (1, 3)


class Again(Enum):
    """Whether a request is sent again when its outcome is unknown."""

    NEVER = "no: its caller is told"
    ALWAYS = "yes, also on another connection"
    HERE = "on the same connection only, and before all others"


class Request:
    """A request and who waits for it. ``number`` is its place in the order of asking."""

    def __init__(self, op: int, t: int, d: dict[str, Any], again: Again) -> None:
        self.op = op
        self.t = t
        self.d = d
        self.again = again
        self.cost = cost_of(op, t, d)
        chat_id = d.get("chat_id")
        self.lane = ("chat", chat_id) if isinstance(chat_id, int) else ("op", op)
        self.number = 0
        self.tries = 0
        self.not_before = 0.0
        self.timer: IDelayedCall | None = None
        self.result: Deferred[Frame] = Deferred(lambda _: self.leave())
        self.over = False

    @property
    def place(self) -> tuple[bool, int]:
        """Sorts what belongs to the connection itself before the rest, each in the order of asking."""
        return self.again is not Again.HERE, self.number

    def leave(self) -> None:
        """Nobody waits any more."""
        self.over = True
        if self.timer is not None and self.timer.active():
            self.timer.cancel()

    def finish(self, result: Frame | Failure | Exception) -> None:
        """Tell who waits, if there still is somebody."""
        if self.over:
            return
        self.leave()
        if isinstance(result, Frame):
            self.result.callback(result)
        else:
            self.result.errback(result)


def prepared(op: int, t: int, d: dict[str, Any], new_nonce: Callable[[], str]) -> Request:
    """The request as it goes out, with a nonce where one makes it repeatable."""
    kind = (op, t)
    if kind in SENDS or (kind == CREATE and d.get("type") == GROUP):
        return Request(op, t, {"nonce": new_nonce(), **d}, Again.ALWAYS)
    return Request(op, t, d, Again.ALWAYS if kind in READS else Again.NEVER)


def event_of(request: Request, reply: Frame, user_id: int | None) -> Frame | None:
    """The event a reply stands for; None for one that changed nothing, or tells of no chat event.

    The reply to a send does not repeat what was sent (PROTOCOL section 3), the event does.
    """
    if reply.d.get("dup"):
        return None
    if (request.op, request.t) not in SENDS:
        return Frame(reply.op, reply.t, reply.d)
    sent: dict[str, Any] = {key: request.d[key] for key in ("message", "reply_to") if key in request.d}
    return Frame(reply.op, reply.t, {**reply.d, **sent, "sender_id": user_id})
