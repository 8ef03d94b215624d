"""The registry: actors by key, spawned when first asked for; their supervisor; passivation.

A crash is logged once, with who and what, and the actor is restarted from the store. One that crashes
more than three times in ten seconds is stopped instead; the next use spawns a fresh one. An actor nobody
counts on is stopped after it idled for a while. Always: at most one actor per key.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator
from typing import Any, Generic, TypeVar

from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import LoopingCall
from twisted.python.failure import Failure

from chatsrv.kernel.actor import Actor
from chatsrv.kernel.envelope import Overdue
from chatsrv.log import Logger

A = TypeVar("A", bound=Actor)

CRASHES, CRASH_WINDOW_S = 3, 10.0


class Registry(Generic[A]):
    """Actors of one kind.

    ``spawn(key, registry)`` makes one; ``deadline_s`` is how long an envelope may wait, ``idle_s`` how long
    an unwanted actor is kept.
    """

    log = Logger()

    def __init__(
        self,
        clock: IReactorTime,
        spawn: Callable[[Any, Registry[A]], A],
        *,
        mailbox_entries: int = 256,
        deadline_s: float = 5.0,
        idle_s: float = 60.0,
    ) -> None:
        self.clock = clock
        self.mailbox_entries = mailbox_entries
        self.deadline_s = deadline_s
        self._spawn = spawn
        self._idle_s = idle_s
        self._actors: dict[Hashable, A] = {}
        self._idle_since: dict[Hashable, float] = {}
        self._crashes: dict[Hashable, list[float]] = {}
        self._sweep = LoopingCall(self.passivate)
        self._sweep.clock = clock

    def start(self) -> None:
        self._sweep.start(self._idle_s / 4, now=False)

    def stop(self) -> None:
        if self._sweep.running:
            self._sweep.stop()
        self.clear()

    def clear(self) -> None:
        """Let go of all actors: what they know holds no longer. The next use of each spawns a fresh one."""
        for actor in self:
            self._let_go(actor)

    def __len__(self) -> int:
        return len(self._actors)

    def __iter__(self) -> Iterator[A]:
        return iter(list(self._actors.values()))

    def get(self, key: Hashable) -> A:
        """The actor of this key, spawned if there is none."""
        actor = self._actors.get(key)
        if actor is None:
            actor = self._actors[key] = self._spawn(key, self)
        return actor

    def find(self, key: Hashable) -> A | None:
        return self._actors.get(key)

    def passivate(self) -> None:
        """Stop the actors that have been idle since an earlier sweep at least ``idle_s`` ago."""
        now = self.clock.seconds()
        for actor in self:
            if not actor.idle:
                self._idle_since.pop(actor.key, None)
            elif now - self._idle_since.setdefault(actor.key, now) >= self._idle_s:
                self._let_go(actor)

    def crashed(self, actor: Actor, failure: Failure, command: object) -> None:
        """Log the crash; restart the actor, or stop it when it crashes again and again."""
        what = type(command).__name__
        peer = f"{type(actor).__name__}:{actor.key}"
        self.log.failure("{peer} crashed at {what}", failure, peer=peer, what=what)
        now = self.clock.seconds()
        crashes = [at for at in self._crashes.get(actor.key, ()) if now - at < CRASH_WINDOW_S]
        self._crashes[actor.key] = [*crashes, now]
        if len(crashes) < CRASHES:
            actor.restart()
        elif self._actors.get(actor.key) is actor:
            self._let_go(actor)

    def _let_go(self, actor: Actor) -> None:
        del self._actors[actor.key]
        self._idle_since.pop(actor.key, None)
        self._crashes.pop(actor.key, None)
        actor.stopped()
        for envelope in actor.mailbox.take_while(lambda _: True):
            actor.failed(Failure(Overdue()), envelope)
