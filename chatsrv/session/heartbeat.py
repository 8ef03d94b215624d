"""One timer for all open connections, instead of one each: pings, dead peers, unfinished messages.

Made by the `ShellFactory`; each `Shell` reads its clock to keep its own budgets.
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
    Time is counted in beats, so a reactor that was held up does not take its peers for dead.
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

    def add(self, shell: Shell) -> None:
        """From now on this connection is looked after."""
        shell.heard = self.tick
        self.shells.add(shell)
        if self._call is None:
            self._call = self._reactor.callLater(self._period_s, self._beat)

    def discard(self, shell: Shell) -> None:
        """The connection is gone; with the last one the timer stops."""
        self.shells.discard(shell)
        if not self.shells and self._call is not None:
            self._call.cancel()
            self._call = None

    def _beats(self, seconds: float) -> int:
        return -int(-seconds // self._period_s)

    def _beat(self) -> None:
        self._call = self._reactor.callLater(self._period_s, self._beat)
        self.tick = tick = self.tick + 1
        self.window = int(tick * self._period_s / WINDOW_S)
        for shell in tuple(self.shells):
            silent = tick - shell.heard
            if silent >= self._ping_after or shell.inside_message:
                try:
                    self._attend(shell, silent)
                except Exception:
                    _log.failure("a heartbeat failed")

    def _attend(self, shell: Shell, silent: int) -> None:
        if shell.inside_message and self.tick - shell.message_since >= self._message_beats:
            shell._fail(CloseCode.POLICY)
        if silent >= self._dead_after:
            shell.abort()
        elif silent == self._ping_after:
            shell.sendPing()
