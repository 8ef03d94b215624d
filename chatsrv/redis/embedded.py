"""The embedded Redis: a ``redis-server`` of our own in the data directory, kept running until ``stop``.

The service starts it before anything connects and stops it last. Always: one server per data directory (a
lock, and an end to orphans), reachable only through a Unix socket with a random password; its address
stays the same over its restarts; an older Redis never opens what a newer one wrote.
"""

from __future__ import annotations

import pathlib
import secrets
from typing import Any, Final

from twisted.internet.defer import Deferred, DeferredLock
from twisted.internet.interfaces import IDelayedCall
from twisted.internet.task import deferLater

from chatsrv.log import Logger
from chatsrv.redis.address import RedisAddress
from chatsrv.redis.binary import find_binary, version_of_binary
from chatsrv.redis.child import Child
from chatsrv.redis.conffile import FSYNC_POLICIES, write_config
from chatsrv.redis.datadir import DataDir
from chatsrv.redis.errors import ReplyError, StartError
from chatsrv.redis.oneshot import ask
from chatsrv.redis.orphan import end_orphan

RESTART_S: Final = (0.1, 30.0)  # shortest and longest pause before a restart; it doubles
RESTART_READY_S: Final = 1.0  # the longest after a run that had been ready: a crash, no broken installation
READY_POLL_S: Final = 0.01
SILENT_S: Final = 30.0  # it neither answers nor says LOADING for this long: it will not come up
KILL_AFTER_S: Final = 10.0


class EmbeddedRedis:
    """Runs ``binary`` (found by itself when None) on ``data_dir``; ``start`` and ``stop`` are for once.

    ``fsync`` is Redis' ``appendfsync``: ``always`` (what is acknowledged is on disk), ``everysec`` or ``no``.
    """

    log = Logger()

    def __init__(
        self, reactor: Any, data_dir: pathlib.Path, *, fsync: str = "always", binary: str | None = None
    ) -> None:
        if fsync not in FSYNC_POLICIES:
            raise ValueError(f"fsync is one of {', '.join(FSYNC_POLICIES)}")
        self.binary = binary or ""
        self.version = ""
        self._reactor = reactor
        self._place = DataDir(data_dir)
        self._fsync = fsync
        self._address: RedisAddress | None = None
        self._child: Child | None = None
        self._serving = False  # it was ready once: from now on it is restarted
        self._ready_at: float | None = None
        self._delay = RESTART_S[0]
        self._restart: IDelayedCall | None = None
        self._stopping = False
        self._turn = DeferredLock()  # start and stop never overlap
        self._end_waiters: list[Deferred[None]] = []

    @property
    def pid(self) -> int | None:
        """The process id of the running server; None between two runs."""
        return self._child.pid if self._child is not None else None

    def start(self) -> Deferred[RedisAddress]:
        """Fires with its address when it answers; fails with ``StartError``, then nothing is left running."""
        return self._turn.run(lambda: Deferred.fromCoroutine(self._start()))

    def stop(self) -> Deferred[None]:
        """Shut it down cleanly (SIGKILL after 10 s) and free the directory; may be called at any time."""
        self._stopping = True
        return self._turn.run(lambda: Deferred.fromCoroutine(self._end()))

    async def _start(self) -> RedisAddress:
        self._place.lock()
        try:
            address = self._address = await self._prepare()
            await self._until_ready(self._spawn())
        except OSError as problem:
            await self._end()
            raise StartError(
                f"the embedded Redis cannot start in {self._place.folder}: {problem}"
            ) from problem
        except BaseException:
            await self._end()
            raise
        self._serving = True
        self.log.info("Redis {version} runs: {binary}", version=self.version, binary=self.binary)
        return address

    async def _prepare(self) -> RedisAddress:
        self.binary = self.binary or find_binary()
        version = await version_of_binary(self._reactor, self.binary)
        self.version = ".".join(map(str, version))
        self._place.check_version(version, self.binary)
        await end_orphan(self._reactor, self._place)
        self._place.write_version(version)
        address = RedisAddress(path=str(self._place.socket()), password=secrets.token_hex(32))
        write_config(self._place, address, self._fsync)
        return address

    def _spawn(self) -> Child:
        self._ready_at = None
        self._place.rotate_log()
        self._child = Child(self._reactor, self.binary, self._place, self._ended)
        return self._child

    async def _until_ready(self, child: Child) -> None:
        assert self._address is not None
        heard_at = self._reactor.seconds()
        while child.running and not self._stopping:
            reply = await ask(self._reactor, self._address, "PING")
            if reply == b"PONG" and child.running:
                self._ready_at = self._reactor.seconds()
                return
            if isinstance(reply, ReplyError) and reply.code == "LOADING":
                heard_at = self._reactor.seconds()
            elif self._reactor.seconds() - heard_at > SILENT_S:
                child.signal("KILL")
            await deferLater(self._reactor, READY_POLL_S)
        if self._stopping:
            raise StartError("the embedded Redis was stopped while it started")
        raise StartError(
            f"the embedded Redis ended while it started ({child.exit}): {self._last_words(child)}"
        )

    def _last_words(self, child: Child) -> str:
        return f"{child.last_words() or self._place.end_of_log()} (all of it: {self._place.log})"

    def _ended(self, child: Child) -> None:
        self._child = None
        waiters, self._end_waiters = self._end_waiters, []
        for waiter in waiters:
            waiter.callback(None)
        if self._stopping or not self._serving:
            return
        if self._ready_at is not None:
            settled = self._reactor.seconds() - self._ready_at > RESTART_READY_S
            self._delay = RESTART_S[0] if settled else min(RESTART_READY_S, self._delay)
        self.log.error(
            "the embedded Redis died ({exit}), next start in {delay:g} s; the last it logged: {words}",
            exit=child.exit,
            delay=self._delay,
            words=self._last_words(child),
        )
        self._restart_later()

    def _restart_later(self) -> None:
        self._restart = self._reactor.callLater(self._delay, self._start_again)
        self._delay = min(RESTART_S[1], self._delay * 2)

    def _start_again(self) -> None:
        try:
            child = self._spawn()
        except OSError as problem:
            self.log.error("the embedded Redis cannot be started again: {problem}", problem=problem)
            self._restart_later()
            return
        Deferred.fromCoroutine(self._until_ready(child)).addCallbacks(
            lambda _: self.log.info("the embedded Redis is back"),
            lambda failure: failure.trap(StartError) and None,  # its end was logged, and leads here again
        )

    async def _end(self) -> None:
        if self._restart is not None and self._restart.active():
            self._restart.cancel()
        if self._child is not None and self._address is not None:
            ended: Deferred[None] = Deferred()
            self._end_waiters.append(ended)
            killer = self._reactor.callLater(KILL_AFTER_S, self._child.signal, "KILL")
            await ask(self._reactor, self._address, "SHUTDOWN")
            if self._child is not None:
                self._child.signal("TERM")  # the same, for one that does not listen yet
            await ended
            if killer.active():
                killer.cancel()
        if self._address is not None:
            self._place.remove_run_files(pathlib.Path(self._address.path or ""))
        self._place.unlock()
