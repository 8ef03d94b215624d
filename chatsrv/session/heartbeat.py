"""One timer for all open connections, instead of several each: pings, dead peers, unfinished messages, tokens that end.

Made by the `ShellFactory`; each `Shell` reads its clock to keep its own budgets. Always: an open connection is on
one beat's list, that at which the earliest of these may be due; it is looked at then, and not before. To hear from
it only notes when, so a connection that talks is put off when its beat comes.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from chatsrv.log import Logger
from chatsrv.session.options import ShellOptions
from chatsrv.wire.codes import CloseCode

if TYPE_CHECKING:
    from chatsrv.session.shell import Shell

WINDOW_S = 10
_log = Logger()


class Heartbeat:
    """One timer for all open connections: pings the silent, ends the dead, is the clock of their budgets.

    ``tick`` counts its beats, ``window`` the stretches of 10 s. It runs only while there are connections.
    Silence is counted in beats, so a reactor that was held up does not take its peers for dead; the time of a
    token is real time, and ends at the beat after it.
    """

    def __init__(self, reactor: Any, options: ShellOptions) -> None:
        self.tick = 0
        self.window = 0
        self.shells: set[Shell] = set()
        self._reactor = reactor
        spans = (options.ping_interval_s / 5, options.ping_timeout_s / 4, options.message_timeout_s / 5)
        self._period_s = min((1.0, *(span for span in spans if span > 0)))
        self._ping_after = self._beats(options.ping_interval_s) or math.inf
        self._dead_after = self._ping_after + self._beats(options.ping_timeout_s)
        self._message_beats = self._beats(options.message_timeout_s)
        self._call: Any = None
        self._at = 0.0  # when the next beat is due
        self._due: dict[float, set[Shell]] = {}  # by the beat at which they are looked at

    def add(self, shell: Shell) -> None:
        """From now on this connection is looked after."""
        shell.heard = self.tick
        self.shells.add(shell)
        self._put(shell, self._next(shell))
        if self._call is None:
            self._at = self._reactor.seconds() + self._period_s
            self._call = self._reactor.callLater(self._period_s, self._beat)

    def discard(self, shell: Shell) -> None:
        """The connection is gone; with the last one the timer stops."""
        self.shells.discard(shell)
        self._due.get(shell.due, set()).discard(shell)
        if not self.shells and self._call is not None:
            self._call.cancel()
            self._call = None
            self._due.clear()

    def expect_message(self, shell: Shell) -> None:
        """One has begun, and is to end in time."""
        shell.message_since = self.tick
        if self.tick + self._message_beats < shell.due:
            self._move(shell)

    def expire(self, shell: Shell, seconds: float) -> None:
        """Its token ends so many seconds from now, and not earlier or later, as an earlier call said."""
        shell.ends_at = self._reactor.seconds() + seconds
        self._move(shell)

    def _beats(self, seconds: float) -> int:
        return -int(-seconds // self._period_s)

    def _beat(self) -> None:
        held_up = self._schedule()
        self.tick = tick = self.tick + 1
        self.window = int(tick * self._period_s / WINDOW_S)
        for shell in self._due.pop(tick, ()):
            if shell not in self.shells:
                continue
            try:
                self._attend(shell, tick - shell.heard)
            except Exception:
                _log.failure("a heartbeat failed", peer=f"user {shell.identity.user_id}")
            if shell in self.shells:
                self._put(shell, self._next(shell))
        for shell in self.shells if held_up else ():
            self._move(shell)  # tokens went on ending meanwhile

    def _schedule(self) -> bool:
        """The next beat, one period after this one was due; True: this one came so late that some are left out."""
        now = self._reactor.seconds()
        held_up = now - self._at >= self._period_s
        self._at = (now if held_up else self._at) + self._period_s
        self._call = self._reactor.callLater(self._at - now, self._beat)
        return bool(held_up)

    def _attend(self, shell: Shell, silent: int) -> None:
        if shell.inside_message and self.tick - shell.message_since >= self._message_beats:
            shell._fail(CloseCode.POLICY)
        if shell.ends_at <= self._reactor.seconds():
            shell.close_with(CloseCode.UNAUTHORIZED)
        if silent >= self._dead_after:
            shell.abort()
        elif silent == self._ping_after:
            shell.sendPing()

    def _next(self, shell: Shell) -> float:
        """The next beat at which something may be due for it."""
        silent = self.tick - shell.heard
        beats = (self._ping_after if silent < self._ping_after else self._dead_after) - silent
        if shell.inside_message:
            beats = min(beats, shell.message_since + self._message_beats - self.tick)
        left_s = shell.ends_at - self._reactor.seconds()
        if left_s < beats * self._period_s:
            beats = left_s // self._period_s + 1
        return self.tick + max(1, beats)

    def _move(self, shell: Shell) -> None:
        self._due.get(shell.due, set()).discard(shell)
        self._put(shell, self._next(shell))

    def _put(self, shell: Shell, beat: float) -> None:
        shell.due = beat
        self._due.setdefault(beat, set()).add(shell)
