"""The end of the reactor's turn: when what was written in it leaves, and what was put off until then is done.

One object per factory. An :class:`Outbox` puts itself on ``due`` with its first frame of a turn. What one event
gives to a large group leaves in slices, between which the reactor runs, so that everybody else is as fast as
ever (RELIABILITY F45). Always: a timer runs while anything is due; what is for few leaves in its turn; of the rest
a slice sends to some of those that wait longest, so none waits for ever; frames written meanwhile to an outbox that
waits leave with those before them; an outbox or a call that fails is logged and the others are served.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from itertools import groupby
from typing import TYPE_CHECKING, Any

from chatsrv.log import Logger

if TYPE_CHECKING:
    from chatsrv.session.outbox import Outbox

#: Outboxes flushed in one turn, 2 to 3 ms, if not more of them are of events for few; at least so many of those that
#: wait longest.
SLICE, LEAST_WAITING = 250, 50
#: What is for so many or fewer is not put off: who has many such chats busy has as much to read and to store for them.
FEW = 50
#: Whose they are is not known here: what is logged of them is limited together.
_PEER = "the end of the turn"
_log = Logger()


class Flusher:
    """Ends the reactor's turn: flushes the outboxes that are ``due``, then makes the calls put off to its end."""

    def __init__(self, reactor: Any) -> None:
        self.due: list[Outbox] = []
        self._reactor = reactor
        self._calls: list[Callable[[], None]] = []
        self._waiting: deque[Outbox] = deque()  # for a later turn
        self._started = False

    def at_turn_end(self, call: Callable[[], None]) -> None:
        """Calls it before the reactor waits again; what it raises is logged."""
        if not (self.due or self._calls):
            self.start()
        self._calls.append(call)

    def flush_at_turn_end(self, outbox: Outbox) -> None:
        """Flushes it before the reactor waits again. (:meth:`Outbox.write` has these lines in itself.)"""
        if not self.due:
            self.start()
        self.due.append(outbox)

    def start(self) -> None:
        """Whoever puts something on an empty list calls this; to call it twice in a turn is harmless."""
        if not self._started:
            self._started = True
            self._reactor.callLater(0, self._run)

    def _run(self) -> None:
        self._started = False
        due, self.due = self.due, []
        calls, self._calls = self._calls, []
        if self._waiting or len(due) > SLICE:
            due = self._slice(due)
        for outbox in due:
            try:
                outbox.flush()
            except Exception:
                _log.failure("a flush at the end of the turn failed", peer=_PEER)
        for call in calls:
            try:
                call()
            except Exception:
                _log.failure("a call at the end of the turn failed", peer=_PEER)

    def _slice(self, due: list[Outbox]) -> list[Outbox]:
        """What leaves in this turn: what is for few, or for more as far as there is room; then who waits longest."""
        waiting = self._waiting
        now: list[Outbox] = []
        for _, told in groupby(due, _what_it_sends):
            outboxes = list(told)
            at_once = len(outboxes) <= FEW or len(now) + len(outboxes) <= SLICE - LEAST_WAITING
            (now if at_once else waiting).extend(outboxes)
        room = max(SLICE - len(now), LEAST_WAITING)
        now += [waiting.popleft() for _ in range(min(room, len(waiting)))]
        if waiting:
            self.start()
        return now


def _what_it_sends(outbox: Outbox) -> int:
    """The same for all members of a chat who are told of an event: they are given one and the same object."""
    return id(outbox.first)
