"""The one connection for commands; the store sends every script over it.

``send`` and ``run`` are the hot path: a callback, no Deferred. ``call``, ``run_script``, ``load`` and
``room`` have Deferreds, for cold paths and bulk work. Always: commands run in the order in which they
were sent; at most ``max_in_flight`` wait; while it is down nothing is queued, so nothing runs late.
"""

from __future__ import annotations

import random as random_module
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

import hiredis
from twisted.internet.defer import Deferred, fail, gatherResults, succeed

from chatsrv.redis.address import RedisAddress
from chatsrv.redis.errors import ReplyError, Unavailable
from chatsrv.redis.link import Link
from chatsrv.redis.pipeline import Done, Pipeline
from chatsrv.redis.script import Part, PreparedScript, Script

SCRIPT_HEADERS_SINCE = (7, 0, 0)
#: So many may wait for room in each lane.
ROOM_WAITERS = 16_384


class RedisLink(Link):
    """Sends commands and scripts to ``address``; see ``Link`` for start, stop, ups and downs.

    A callback ``done`` gets the reply (bytes, int, list or None) or an exception instance, exactly once:
    ``ReplyError``, or ``Unavailable`` when it is down (``sent`` False), full (``sent`` False), when the reply
    takes longer than ``timeout_s`` or the connection is lost before it (``sent`` True).
    """

    def __init__(
        self,
        reactor: Any,
        address: RedisAddress,
        *,
        timeout_s: float = 2.0,
        max_in_flight: int = 1024,
        random: Callable[[], float] = random_module.random,
    ) -> None:
        super().__init__(reactor, address, timeout_s=timeout_s, random=random)
        self.max_in_flight = max_in_flight
        self._scripts: dict[str, Script] = {}
        self._takes_headers = True
        self._waiters: dict[bool, deque[Deferred[None]]] = {
            True: deque(),
            False: deque(),
        }  # for room; True: hello
        self._hello_was_last = False

    def send(self, done: Done, *command: Part) -> None:
        """Send one command; when it is down or full ``done`` is called before this returns.

        Raises, and sends nothing, for a part that is no bytes, str or int, or a str that is not UTF-8.
        """
        self.write(done, hiredis.pack_command(command))

    def write(self, done: Done, packed: bytes) -> None:
        """``send`` of a command in the bytes of the protocol."""
        pipeline = self._pipeline
        if pipeline is None or not pipeline.usable:
            done(Unavailable(self.last_error or "not connected", sent=False))
        elif len(pipeline.waiting) >= self.max_in_flight:
            done(Unavailable("too many commands wait for the store", sent=False))
        else:
            pipeline.write(done, packed)

    def call(self, *command: Part) -> Deferred[Any]:
        """``send`` as a Deferred, which fails with what ``done`` would get as an exception."""
        waiter: Deferred[Any] = Deferred()
        self.send(_settles(waiter), *command)
        return waiter

    def run(
        self,
        done: Done,
        script: Script | PreparedScript,
        keys: Sequence[bytes | str],
        args: Sequence[Part],
    ) -> None:
        """Run ``script`` by its SHA; a server that lost it is sent the text, with a deadline of its own.

        One that is prepared has its own ``keys``, and ``args`` are but the last of its arguments, as a tuple.
        """
        if isinstance(script, PreparedScript):
            self._run_prepared(done, script, args)
            return

        def retry_if_lost(reply: object) -> None:
            if type(reply) is ReplyError and reply.code == "NOSCRIPT":
                self.send(done, "EVAL", self._text(script), len(keys), *keys, *args)
            else:
                done(reply)

        self.send(retry_if_lost, "EVALSHA", self._sha(script), len(keys), *keys, *args)

    def _run_prepared(self, done: Done, script: PreparedScript, last: Sequence[Part]) -> None:
        def answered(reply: object) -> None:  # must not name itself: each would be a cycle for the collector
            if type(reply) is ReplyError:
                self._failed(done, script, last, reply)
            else:
                done(reply)

        self.write(answered, script.packed(self._sha(script.script), last))

    def _failed(self, done: Done, script: PreparedScript, last: Sequence[Part], error: ReplyError) -> None:
        if error.code != "NOSCRIPT":
            done(script.failure(error) or error)
            return

        def answered(reply: object) -> None:
            done((script.failure(reply) or reply) if type(reply) is ReplyError else reply)

        text, keys = self._text(script.script), script.keys
        self.send(answered, "EVAL", text, len(keys), *keys, *script.args, *last)

    def run_script(self, script: Script, keys: Sequence[bytes | str], args: Sequence[Part]) -> Deferred[Any]:
        """``run`` as a Deferred."""
        waiter: Deferred[Any] = Deferred()
        self.run(_settles(waiter), script, keys, args)
        return waiter

    def load(self, scripts: Sequence[Script]) -> Deferred[None]:
        """Have the server compile ``scripts`` now and at each coming up.

        Fails with the ``ReplyError`` of the first one that does not compile, its name in front, or with
        ``Unavailable``; they stay registered all the same.
        """
        self._scripts.update((script.sha, script) for script in scripts)
        loads = [self.call("SCRIPT", "LOAD", self._text(script)) for script in scripts]
        for script, load in zip(scripts, loads, strict=True):
            load.addErrback(_name_script, script)
        return gatherResults(loads, consumeErrors=True).addCallbacks(
            lambda _: None, lambda failure: failure.value.subFailure
        )

    def room(self, *, hello: bool = False) -> Deferred[None]:
        """Fires when less than half of ``max_in_flight`` waits; fails with ``Unavailable`` when it is down, or too
        many wait.

        Waiters are let in one after the other, each after the commands that the last one sent; those for a
        ``hello`` and all others by turns, so that neither waits behind a crowd of the other kind.
        """
        if not self.connected or self._pipeline is None:
            return fail(Unavailable(self.last_error or "not connected", sent=False))
        if not any(self._waiters.values()) and len(self._pipeline.waiting) < self.max_in_flight / 2:
            return succeed(None)
        if len(self._waiters[hello]) >= ROOM_WAITERS:
            return fail(Unavailable("too many wait for the store", sent=False))
        waiter: Deferred[None] = Deferred()
        self._waiters[hello].append(waiter)
        return waiter

    def _sha(self, script: Script) -> str:
        return script.sha if self._takes_headers else script.sha_without_header

    def _text(self, script: Script) -> str:
        return script.source if self._takes_headers else script.source_without_header

    def _greeted(self, pipeline: Pipeline) -> None:
        self._takes_headers = self.version >= SCRIPT_HEADERS_SINCE
        pipeline.settled = self._let_in
        for script in self._scripts.values():  # answered later, but run before whatever is sent from now on
            pipeline.send(self._reloaded, ("SCRIPT", "LOAD", self._text(script)))
        self._up(pipeline)

    def _reloaded(self, reply: object) -> None:
        if isinstance(reply, ReplyError):
            self.log.error("a script was not loaded again: {problem}", problem=reply.text)

    def _let_in(self) -> None:
        pipeline = self._pipeline
        while pipeline is not None and len(pipeline.waiting) < self.max_in_flight / 2:
            self._hello_was_last = not self._hello_was_last
            waiters = self._waiters[self._hello_was_last] or self._waiters[not self._hello_was_last]
            if not waiters:
                return
            waiters.popleft().callback(None)

    def _dropped(self) -> None:
        waiting = [waiter for waiters in self._waiters.values() for waiter in waiters]
        for waiters in self._waiters.values():
            waiters.clear()
        for waiter in waiting:
            waiter.errback(Unavailable(self.last_error or "not connected", sent=False))


def _settles(waiter: Deferred[Any]) -> Done:
    def settle(reply: object) -> None:
        if isinstance(reply, Exception):
            waiter.errback(reply)
        else:
            waiter.callback(reply)

    return settle


def _name_script(failure: Any, script: Script) -> Any:
    error = failure.value
    if isinstance(error, ReplyError):
        raise ReplyError(f"{error.code} {script.name}: {error.text}")
    return failure
