"""How the process ends: the signals that begin a drain, the failure that ends a start, and the exit code.

Called by ``service``; calls the reactor and nothing of ours. ``twistd`` alone re-raises a signal at its end
(status 143 after SIGTERM) and cannot report the failure of an asynchronous start. Here a stop that was asked
for ends with 0 and a failure with 1, both after ``twistd`` took its pid file away and wrote its last log
line. Source: RELIABILITY W4, F36, F37.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import signal
import sys
from collections.abc import Callable
from types import FrameType
from typing import Any, Protocol

from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.error import ReactorNotRunning

from chatsrv.log import Logger

_log = Logger()
_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
_exit_code = 0


class Reactor(Protocol):
    """What is used here of a Twisted reactor."""

    def stop(self) -> None: ...
    def crash(self) -> None: ...
    def callLater(self, delay: float, callable: Callable[..., Any], /) -> Any: ...
    def callWhenRunning(self, callable: Callable[..., Any], /) -> Any: ...
    def callFromThread(self, callable: Callable[..., Any], /, *args: object) -> None: ...


def fail(reactor: Reactor, message: str) -> None:
    """End the process with exit code 1 and the one line ``chatsrv: message``, on stderr and in the log.

    For what goes wrong once the service is started, also before the reactor runs; returns at once, and
    ``stopService`` is called as ever. In a daemon stderr leads nowhere and the log has the line.
    """
    global _exit_code
    line = f"chatsrv: {' '.join(message.split())}"
    _log.critical("{line}", line=line)
    if sys.__stderr__ is not None:  # twistd has put its log into the place of sys.stderr
        print(line, file=sys.__stderr__, flush=True)
    _exit_code = 1
    reactor.callWhenRunning(lambda: stop(reactor))


def stop(reactor: Reactor) -> None:
    """``reactor.stop``, harmless when it is already stopping."""
    with contextlib.suppress(ReactorNotRunning):
        reactor.stop()


def install_signals(
    reactor: Reactor, drain: Callable[[], Deferred[Any]], *, deadline_s: float = 15.0
) -> None:
    """Let SIGTERM, SIGINT and SIGHUP drain first and stop then; to be called in ``startService``.

    The first signal calls ``drain`` once and stops the reactor when its Deferred fires; exit code 0. Further
    ones change nothing. ``deadline_s`` after the first, whatever still waits is
    abandoned, shutdown triggers included (Twisted would wait for them for ever); exit code 1. SIGHUP and
    SIGINT stay ignored where they are (``nohup``, a shell's background job).
    """
    stopper = _Stopper(reactor, drain, deadline_s)

    def install() -> None:
        for number in _SIGNALS:
            if number is signal.SIGTERM or signal.getsignal(number) is not signal.SIG_IGN:
                signal.signal(number, stopper.received)

    install()
    atexit.register(_ignore_signals)  # or a late one would end the interpreter's own end with its number
    reactor.callWhenRunning(install)  # again, because starting the reactor installs Twisted's own


def _ignore_signals() -> None:
    for number in _SIGNALS:
        signal.signal(number, signal.SIG_IGN)


class _Stopper:
    def __init__(self, reactor: Reactor, drain: Callable[[], Deferred[Any]], deadline_s: float) -> None:
        self._reactor = reactor
        self._drain = drain
        self._deadline_s = deadline_s
        self._signals = 0

    def received(self, number: int, _frame: FrameType | None) -> None:
        """In signal context, where little is allowed; goes on in the reactor."""
        self._reactor.callFromThread(self._on_signal, signal.Signals(number).name)

    def _on_signal(self, name: str) -> None:
        self._signals += 1
        if self._signals > 1:
            _log.info("{name} again, stopping already", name=name)
            return
        _log.info("{name}, stopping after the requests in flight", name=name)
        self._reactor.callLater(self._deadline_s, self._abandon)
        drained = maybeDeferred(self._drain)
        drained.addErrback(lambda failure: _log.failure("The drain failed", failure))
        drained.addBoth(lambda _: stop(self._reactor))

    def _abandon(self) -> None:
        global _exit_code
        _log.critical("not stopped within {seconds} s, leaving now", seconds=self._deadline_s)
        _exit_code = 1
        self._reactor.crash()


@atexit.register
def _end() -> None:
    """Give the process its exit code; twistd leaves no other way to do so after its own clean-up."""
    if _exit_code:
        for stream in (sys.stdout, sys.stderr):
            if stream is not None:
                stream.flush()
        os._exit(_exit_code)
