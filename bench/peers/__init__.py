"""Bare servers to hold the figures against, measured in the same run: they do the least that such a server must.

A peer answers any WebSocket handshake. On ``/group`` each text frame goes to all connections there, the sender's
included; on ``/pair/N`` to both connections of pair N. No tokens, no checks, nothing stored.

- ``floor``: C and epoll, one ``send`` per delivery; left out where there is no C compiler
- ``plain``: Autobahn on Twisted, as one writes it by its documentation
- ``ws``: the same with ``ws`` on Node; left out where Node or the package cannot be had

:mod:`measured` has their workloads.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

from bench.accounting import Reading, memory, read
from bench.deployment import end, free_port, spawn, until_accepted

PEERS = ("floor", "plain", "ws")
WS = "ws@8.23.0"
PREPARED_S = 60.0
_HERE = Path(__file__).parent


class Peer:
    """A running peer."""

    def __init__(self, name: str, port: int, pid: int) -> None:
        self.name = name
        self.group_url = f"ws://127.0.0.1:{port}/group"
        self._port, self._pid = port, pid

    def pair_url(self, number: int) -> str:
        return f"ws://127.0.0.1:{self._port}/pair/{number}"

    def reading(self) -> Reading:
        return read([self._pid], [])

    def memory(self, field: str = "VmRSS") -> tuple[int, ...]:
        return (memory(self._pid, field),)


@contextmanager
def running(name: str) -> Iterator[Peer | None]:
    """Run a peer on the server's core; None where it cannot be had here, which is said once."""
    command = _command(name)
    if command is None:
        yield None
        return
    port = free_port()
    process = spawn([*command, str(port)], cwd=_HERE.parent.parent)
    try:
        until_accepted(port, process, _directory())
        yield Peer(name, port, process.pid)
    finally:
        end([process])


@cache
def _command(name: str) -> list[str] | None:
    """What starts a peer, built or installed when it is first asked for; a port is to follow."""
    prepare = {"floor": _floor, "plain": _plain, "ws": _ws}[name]
    try:
        return prepare()
    except (OSError, subprocess.SubprocessError) as error:
        said = " ".join(str(getattr(error, "stderr", None) or "").split())
        print(f"bench: {name} is left out: {error} {said[:300]}".rstrip(), file=sys.stderr, flush=True)
        return None


@cache
def _directory() -> Path:
    """For what is built and installed; gone when this process ends."""
    directory = tempfile.TemporaryDirectory(prefix="chatsrv-bench-peers-")
    _kept.append(directory)
    return Path(directory.name)


_kept: list[tempfile.TemporaryDirectory[str]] = []


def _run(command: list[str]) -> None:
    subprocess.run(command, cwd=_directory(), check=True, capture_output=True, text=True, timeout=PREPARED_S)


def _found(program: str) -> str:
    path = shutil.which(program)
    if path is None:
        raise FileNotFoundError(f"there is no {program} on the PATH")
    return path


def _floor() -> list[str]:
    floor = str(_directory() / "floor")
    _run([_found(os.environ.get("CC", "cc")), "-O2", "-o", floor, str(_HERE / "floor.c")])
    return [floor]


def _plain() -> list[str]:
    return [sys.executable, "-m", "bench.peers.plain"]


def _ws() -> list[str]:
    node = _found("node")
    _run([_found("npm"), "install", "--no-save", "--no-audit", "--no-fund", "--ignore-scripts", WS])
    script = shutil.copy(_HERE / "ws.js", _directory())  # beside node_modules, where it looks for them
    return [node, str(script)]
