"""The end of the reactor's turn: when what was written in it leaves, and what was put off until then is done.

One object per factory. An :class:`Outbox` puts itself on ``due`` with its first frame of a turn. Always: a timer runs
while anything is due; an outbox or a call that fails is logged and the others are served.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from chatsrv.log import Logger

if TYPE_CHECKING:
    from chatsrv.session.outbox import Outbox

_log = Logger()


class Flusher:
    """Ends the reactor's turn: flushes the outboxes that are ``due``, then makes the calls put off to its end."""

    def __init__(self, reactor: Any) -> None:
        self.due: list[Outbox] = []
        self._reactor = reactor
        self._calls: list[Callable[[], None]] = []

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
        self._reactor.callLater(0, self._run)

    def _run(self) -> None:
        due, self.due = self.due, []
        calls, self._calls = self._calls, []
        for outbox in due:
            try:
                outbox.flush()
            except Exception:
                _log.failure("a flush at the end of the turn failed")
        for call in calls:
            try:
                call()
            except Exception:
                _log.failure("a call at the end of the turn failed")
