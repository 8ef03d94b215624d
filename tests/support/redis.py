"""A private, throw-away ``redis-server`` on a Unix socket, for tests that need a real one.

Used by the unit tests of ``chatsrv.redis``, the store and the bus, and by the integration tests. Started
and stopped synchronously (about 10 ms), before and after the reactor has work. Always: ``remove`` ends the
process, however it was left, and deletes its folder.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path

from chatsrv.redis import RedisAddress
from chatsrv.redis.binary import find_binary


def redis_binary() -> str:
    """The ``redis-server`` to test with: ``CHATSRV_TEST_REDIS``, else the one that the service would run."""
    return os.environ.get("CHATSRV_TEST_REDIS") or find_binary()


class RedisServer:
    """One server; ``start`` again after ``kill`` or ``stop`` gives the same address, without the data.

    ``arguments`` are more settings, as on the command line: ``"--maxmemory", "1mb"``.
    """

    def __init__(self, *arguments: str, password: str | None = None, binary: str | None = None) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="chatsrv-redis-"))
        self.address = RedisAddress(path=str(self.folder / "s"), password=password)
        self._binary = binary or redis_binary()
        self.arguments = [*arguments, *(("--requirepass", password) if password else ())]
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """The process id; only while it runs."""
        assert self._process is not None
        return self._process.pid

    def start(self) -> RedisServer:
        """Start it and return when it accepts connections."""
        fixed = ["--port", "0", "--unixsocket", str(self.address.path), "--save", "", "--appendonly", "no"]
        folder = ["--dir", str(self.folder), "--logfile", str(self.folder / "log")]
        self._process = subprocess.Popen([self._binary, *fixed, *folder, *self.arguments])
        deadline = time.monotonic() + 10
        while not self._accepts():
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"redis-server does not start: {(self.folder / 'log').read_text()[-500:]}")
            time.sleep(0.002)
        return self

    def stop(self) -> None:
        """End it in an orderly way; nothing when it does not run."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """``kill -9`` it, as a crash would, and wait until it is gone."""
        self._end(signal.SIGKILL)

    def pause(self) -> None:
        """SIGSTOP it: it accepts connections and bytes, and answers nothing."""
        os.kill(self.pid, signal.SIGSTOP)

    def resume(self) -> None:
        """SIGCONT it."""
        os.kill(self.pid, signal.SIGCONT)

    def remove(self) -> None:
        """``kill`` it and delete its folder; for ``addCleanup``."""
        self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _end(self, number: signal.Signals) -> None:
        if self._process is not None:
            self._process.send_signal(number)
            self._process.wait(10)
            self._process = None

    def _accepts(self) -> bool:
        with socket.socket(socket.AF_UNIX) as probe:
            return probe.connect_ex(str(self.address.path)) == 0
