"""The process ``redis-server`` itself: started in a session of its own, heard until it ends.

``EmbeddedRedis`` makes one per (re)start. Always: a Ctrl-C in our terminal does not reach it, so it
outlives the drain of the service; it inherits no file and no secret of ours.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable
from typing import Any, Final

from twisted.internet.error import ProcessExitedAlready
from twisted.internet.protocol import ProcessProtocol
from twisted.python.failure import Failure

from chatsrv.redis.binary import child_environment
from chatsrv.redis.datadir import DataDir, write_private

_OWN_SESSION: Final = "import os, sys; os.setsid(); os.execv(sys.argv[1], sys.argv[1:])"


class Child(ProcessProtocol):
    """One run of the server; ``ended`` is called once, with this child, when the process is gone."""

    def __init__(self, reactor: Any, binary: str, place: DataDir, ended: Callable[[Child], None]) -> None:
        self.running = True
        self.exit = ""  # how it ended, once it did
        self._output = b""
        self._ended = ended
        arguments = [sys.executable, "-I", "-S", "-c", _OWN_SESSION, binary, str(place.config)]
        self._process = reactor.spawnProcess(
            self, sys.executable, arguments, env=child_environment(), path=str(place.folder)
        )
        with contextlib.suppress(OSError):  # the disk may be full
            write_private(place.pidfile, b"%d\n" % self.pid)  # Redis writes the same, but later

    @property
    def pid(self) -> int:
        """Its process id."""
        return int(self._process.pid)

    def signal(self, name: str) -> None:
        """Send ``TERM`` or ``KILL``; nothing when it is gone."""
        with contextlib.suppress(ProcessExitedAlready):
            self._process.signalProcess(name)

    def last_words(self) -> str:
        """The last line it printed: what keeps it from even opening its log."""
        lines = [line for line in self._output.decode(errors="replace").splitlines() if line.strip()]
        return " ".join(lines[-2:])[:300]

    def childDataReceived(self, childFD: int, data: bytes) -> None:
        self._output = (self._output + data)[-2048:]

    def processEnded(self, reason: Failure) -> None:
        self.running = False
        ending: Any = reason.value
        self.exit = f"signal {ending.signal}" if ending.signal else f"exit code {ending.exitCode}"
        self._ended(self)
