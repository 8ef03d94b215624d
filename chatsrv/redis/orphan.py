"""End a ``redis-server`` that outlived its service (killed with -9), before a new one starts.

Called by ``EmbeddedRedis`` once it holds the lock of the data directory. Two proofs that a process is ours:
it takes the password of our ``redis.conf`` on our socket, or the process of our pid file has our
``redis.conf`` on its command line. Always: a process without such a proof is not touched.
"""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from twisted.internet.task import deferLater

from chatsrv.log import Logger
from chatsrv.redis.conffile import read_address
from chatsrv.redis.datadir import DataDir
from chatsrv.redis.errors import ReplyError, StartError, Unavailable
from chatsrv.redis.oneshot import ask

PATIENCE_S: Final = 10.0
POLL_S: Final = 0.01
log = Logger()


async def end_orphan(reactor: Any, place: DataDir) -> None:
    """Return when no server of an earlier run is left; ``StartError`` when one will not go."""
    address = read_address(place)
    if address is None or address.path is None:
        return
    pid = _our_process(place)
    reply = await ask(reactor, address, "SHUTDOWN")
    if pid is not None and (isinstance(reply, ReplyError) or not _heard(reply)):
        _signal(pid, signal.SIGTERM)  # the same, for one that does not listen (yet, or any more)
    elif isinstance(reply, ReplyError):
        raise StartError(f"what listens on {address.path} is not our Redis ({reply}): stop it")
    if pid is None:
        socket = Path(address.path)
        if not await _becomes_true(
            reactor, lambda: not socket.exists(), PATIENCE_S if _heard(reply) else 0.0
        ):
            reply = await ask(reactor, address, "PING")
            if not (isinstance(reply, Unavailable) and not reply.sent):
                raise StartError(f"a redis-server still listens on {address.path}: stop it, then start again")
        return
    log.warn("ending the Redis of an earlier run, process {pid}", pid=pid)
    if await _becomes_true(reactor, lambda: _our_process(place) is None, PATIENCE_S):
        return
    _signal(pid, signal.SIGKILL)
    if not await _becomes_true(reactor, lambda: _our_process(place) is None, PATIENCE_S):
        raise StartError(
            f"the Redis of an earlier run, process {pid}, does not end: stop it, then start again"
        )


def _heard(reply: object) -> bool:
    return not isinstance(reply, Unavailable) or reply.sent


def _our_process(place: DataDir) -> int | None:
    """The process of the pid file, if it runs and has our configuration on its command line (Linux)."""
    try:
        pid = int(place.pidfile.read_bytes())
        arguments = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except (OSError, ValueError):
        return None
    return pid if os.fsencode(place.config) in arguments else None


def _signal(pid: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)


async def _becomes_true(reactor: Any, condition: Callable[[], bool], within_s: float) -> bool:
    deadline = reactor.seconds() + within_s
    while not condition():
        if reactor.seconds() >= deadline:
            return False
        await deferLater(reactor, POLL_S, lambda: None)
    return True
