"""``NodeProcess``: a server as ``twistd chatsrv`` starts it, in a process of its own.

``started`` waits until it accepts connections; ``kill`` and ``terminate`` send the signal and wait for the
exit code; ``log`` is everything it printed. Settings go in as ``CHATSRV_*`` variables.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import sys
from pathlib import Path
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import TCP4ClientEndpoint, connectProtocol
from twisted.internet.error import ConnectError
from twisted.internet.protocol import ProcessProtocol, Protocol
from twisted.internet.task import deferLater

from tests.support.tokens import SECRET

ROOT = Path(__file__).resolve().parents[2]
START_S, STOP_S = 15.0, 10.0


def free_port() -> int:
    """A TCP port of the loopback interface that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def child_of(pid: int, name: str) -> int:
    """The process id of the child of ``pid`` that runs ``name``; from ``/proc``."""
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            head, _, rest = stat.read_text().rpartition(")")
            if name in head and int(rest.split()[1]) == pid:
                return int(stat.parent.name)
    raise AssertionError(f"process {pid} has no child {name}")


def processes_with(name: str, folder: str) -> list[int]:
    """The process ids whose command line begins with a ``name`` and names something in ``folder``."""
    found = []
    for line in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            program, *arguments = line.read_bytes().decode(errors="replace").split("\0")
            if name in program and folder in " ".join([program, *arguments]):
                found.append(int(line.parent.name))
    return found


def environment(settings: dict[str, Any]) -> dict[str, str]:
    """The environment of a node with these settings; none of ours come from outside."""
    env = {name: value for name, value in os.environ.items() if not name.startswith("CHATSRV_")}
    env |= {"PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1", "CHATSRV_JWT_SECRET": SECRET}
    return env | {f"CHATSRV_{name.upper()}": str(value) for name, value in settings.items()}


class NodeProcess(ProcessProtocol):
    """One node; ``start`` again after its end keeps port, directory and settings."""

    def __init__(self, data_dir: str, **settings: Any) -> None:
        self.data_dir = data_dir
        self.settings = settings
        self.port = free_port()
        self.log = ""
        self.exited: Deferred[int] | None = None

    @property
    def url(self) -> str:
        """Where to connect."""
        return f"ws://127.0.0.1:{self.port}/ws"

    @property
    def running(self) -> bool:
        """Whether the process is there."""
        return self.exited is not None and not self.exited.called

    async def start(self) -> NodeProcess:
        """Start it and wait until it accepts connections."""
        listen = f"tcp:{self.port}:interface=127.0.0.1"
        options = ["-n", "--pidfile=", "chatsrv", "--data-dir", self.data_dir, "--listen", listen]
        self.exited = Deferred()
        arguments = [sys.executable, str(Path(sys.executable).with_name("twistd")), *options]
        reactor.spawnProcess(self, sys.executable, arguments, env=environment(self.settings), path=str(ROOT))
        deadline = reactor.seconds() + START_S
        while not await self._accepts():
            assert self.running, f"the node ended before it listened:\n{self.log}"
            assert reactor.seconds() < deadline, f"the node does not listen:\n{self.log}"
            await deferLater(reactor, 0.02)
        return self

    async def kill(self) -> int:
        """``kill -9``; the exit code is negative, the signal's number."""
        return await self.end(signal.SIGKILL)

    async def terminate(self) -> int:
        """SIGTERM; the exit code."""
        return await self.end(signal.SIGTERM)

    async def end(self, number: int) -> int:
        """Send a signal and wait for the end; the exit code."""
        assert self.exited is not None
        if self.running:
            self.transport.signalProcess(number)
        return await _copy(self.exited)

    async def remove(self) -> None:
        """End it and its embedded Redis, whatever the test did to them; for ``addCleanup``."""
        if self.running:
            stuck = reactor.callLater(STOP_S, self.transport.signalProcess, signal.SIGKILL)
            await self.terminate()
            if stuck.active():
                stuck.cancel()
        for orphan in processes_with("redis-server", self.data_dir):
            os.kill(orphan, signal.SIGKILL)

    # -- Twisted calls these

    def outReceived(self, data: bytes) -> None:
        self.log += data.decode(errors="replace")

    def errReceived(self, data: bytes) -> None:
        self.log += data.decode(errors="replace")

    def processEnded(self, reason: Any) -> None:
        status = reason.value
        assert self.exited is not None
        self.exited.callback(status.exitCode if status.signal is None else -status.signal)

    async def _accepts(self) -> bool:
        try:
            probe = await connectProtocol(TCP4ClientEndpoint(reactor, "127.0.0.1", self.port), _Probe())
        except ConnectError:
            return False
        probe.transport.abortConnection()
        await probe.lost
        return True


class _Probe(Protocol):
    def __init__(self) -> None:
        self.lost: Deferred[None] = Deferred()

    def connectionLost(self, reason: Any = None) -> None:
        self.lost.callback(None)


def _copy(source: Deferred[int]) -> Deferred[int]:
    copy: Deferred[int] = Deferred()

    def fired(code: int) -> int:
        copy.callback(code)
        return code

    source.addCallback(fired)
    return copy
