"""What is measured: chatsrv nodes and their Redis, started as an operator starts them, on a core of their own.

One node runs with its embedded Redis; two share an external one, started here. Everything is on: authentication,
``appendfsync always``, pings, presence. Only limits are raised, as ``LIMITS`` says.
"""

from __future__ import annotations

import os
import secrets
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bench.accounting import MIB, Reading, children, memory, read
from chatsrv.auth.tokens import issue_token
from chatsrv.redis.binary import find_binary

SERVER_CORE, GENERATOR_CORE = 0, 1
#: Handed on by the environment, so that a process this one starts signs as it does.
SECRET = os.environ.setdefault("BENCH_SECRET", secrets.token_hex(32))
LIMITS: dict[str, object] = {
    "requests_per_s": 1_000_000,
    "burst": 1_000_000,
    "refused_per_10s": 1_000_000_000,
    "friend_requests_per_h": 1_000_000,
    "invites_per_h": 1_000_000,
    "chats_per_h": 1_000_000,
    "handshakes_per_user_per_s": 1_000_000,
    "handshake_burst_per_user": 1_000_000,
    "mailbox_entries": 100_000,
    "outbox_bytes": 64 * MIB,
    "redis_max_in_flight": 65_536,
}
START_S = 20.0


def pin(core: int) -> None:
    """Keep this process on one core, where there is more than one."""
    if (os.cpu_count() or 1) > 1:
        os.sched_setaffinity(0, {core})


def token(user_id: int) -> str:
    return issue_token(SECRET.encode(), user_id, 86_400)


class Deployment:
    """``urls``: where the nodes listen, one WebSocket URL each. Made by `deployed`."""

    def __init__(self, urls: list[str], nodes: list[int], redis: list[int]) -> None:
        self.urls = urls
        self._nodes, self._redis = nodes, redis

    def reading(self) -> Reading:
        return read(self._nodes, self._redis)

    def memory(self, field: str = "VmRSS") -> tuple[int, int]:
        """Bytes of the nodes and of Redis."""
        return sum(memory(pid, field) for pid in self._nodes), sum(memory(pid, field) for pid in self._redis)


@contextmanager
def deployed(nodes: int = 1, settings: Mapping[str, object] = LIMITS) -> Iterator[Deployment]:
    """Run a fresh deployment with an empty data directory; its processes are gone afterwards."""
    running: list[subprocess.Popen[bytes]] = []
    with tempfile.TemporaryDirectory(prefix="chatsrv-bench-") as name:
        directory = Path(name)
        try:
            redis: list[int] = []
            ports = [free_port() for _ in range(nodes)]
            url = ""
            if nodes > 1:
                running.append(_start_redis(directory))
                redis = [running[0].pid]
                url = f"unix://{directory}/redis.sock"
            servers = [_start_node(directory / str(n), port, url, settings) for n, port in enumerate(ports)]
            running += servers
            for port, process in zip(ports, servers, strict=True):
                until_accepted(port, process, directory)
            if nodes == 1:
                redis = children(servers[0].pid)
            yield Deployment(
                [f"ws://127.0.0.1:{port}/ws" for port in ports], [process.pid for process in servers], redis
            )
        finally:
            end(running)


def versions() -> dict[str, str]:
    """Of what the figures depend on."""
    from importlib.metadata import version

    said = subprocess.run([find_binary(), "--version"], capture_output=True, text=True, check=True).stdout
    names = ("twisted", "autobahn", "txredisapi", "hiredis", "msgspec", "picows", "uvloop")
    return {
        "python": sys.version.split()[0],
        "redis": said.split("v=")[1].split()[0],
        **{name: version(name) for name in names},
    }


def free_port() -> int:
    """A port of the loopback interface that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def spawn(command: list[str], **options: Any) -> subprocess.Popen[bytes]:
    """A process on the server's core; to be ended with `end`."""
    return subprocess.Popen(command, preexec_fn=lambda: pin(SERVER_CORE), **options)


def end(processes: Sequence[subprocess.Popen[bytes]]) -> None:
    """Stop them, the last one first; returns when they are gone."""
    for process in reversed(processes):
        process.send_signal(signal.SIGTERM)
    for process in processes:
        try:
            process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _start_redis(directory: Path) -> subprocess.Popen[bytes]:
    command = [find_binary(), "--port", "0", "--unixsocket", str(directory / "redis.sock")]
    command += ["--dir", str(directory), "--save", "", "--appendonly", "yes", "--appendfsync", "always"]
    process = spawn(command, stdout=subprocess.DEVNULL)
    deadline = time.monotonic() + START_S
    while not (directory / "redis.sock").exists():
        if process.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError("redis-server did not start")
        time.sleep(0.01)
    return process


def _start_node(
    directory: Path, port: int, redis: str, settings: Mapping[str, object]
) -> subprocess.Popen[bytes]:
    directory.mkdir()
    own = {"CHATSRV_JWT_SECRET": SECRET}
    own |= {f"CHATSRV_{name.upper()}": str(value) for name, value in settings.items()}
    if redis:
        own["CHATSRV_REDIS"] = redis
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("CHATSRV_")}
    command = [
        str(Path(sys.executable).with_name("twistd")),
        "-n",
        "--pidfile=",
        f"--logfile={directory}.log",
    ]
    command += ["chatsrv", "--data-dir", str(directory), "--listen", f"tcp:{port}:interface=127.0.0.1"]
    return spawn(command, env=inherited | own)


def until_accepted(port: int, process: subprocess.Popen[bytes], directory: Path) -> None:
    """Return with the first connection that ``port`` accepts; a failure shows the logs in the directory."""
    deadline = time.monotonic() + START_S
    while True:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
            return
        except ConnectionRefusedError:
            if process.poll() is not None or time.monotonic() > deadline:
                logs = "".join(log.read_text()[-2000:] for log in directory.glob("*.log"))
                raise RuntimeError(f"the server did not start\n{logs}") from None
            time.sleep(0.01)
