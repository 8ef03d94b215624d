"""Asks for what was missed, with 1/2, until each chat is complete or reset.

``Client`` begins it after a reconnect with what the timeline misses; the replayed events go through the
timeline like all others. One request at a time, of at most 100 chats. What always holds: a chat becomes
complete, or is reset, or the connection is dropped, and then it all begins anew on the next one.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import islice
from typing import Any

import msgspec
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.python.failure import Failure

from chatsrv.client.errors import ConnectionClosed
from chatsrv.client.frames import CaughtUp, Frame
from chatsrv.client.timeline import Step, Timeline

CHATS_PER_REQUEST = 100
STALLED_S = 60.0


class CatchUp:
    """``ask`` sends a 1/2, ``give`` takes steps, ``stalled`` is told when a replay does not go on for 60 s."""

    def __init__(
        self,
        clock: IReactorTime,
        timeline: Timeline,
        *,
        ask: Callable[[dict[str, Any]], Deferred[Frame]],
        give: Callable[[list[Step]], None],
        stalled: Callable[[], None],
    ) -> None:
        self._clock = clock
        self._timeline = timeline
        self._ask = ask
        self._give = give
        self._stalled = stalled
        self._todo: dict[int, int] = {}
        self._watch: IDelayedCall | None = None

    def begin(self, missed: dict[int, int]) -> None:
        """Ask for the events of these chats after these positions."""
        self._todo = dict(missed)
        self._ask_next()

    def progressed(self) -> None:
        """An event came."""
        if self._watch is not None and self._watch.active():
            self._watch.reset(STALLED_S)

    def end(self) -> None:
        """The connection is over. Idempotent."""
        self._todo = {}
        self._rest()

    def _ask_next(self) -> None:
        part = dict(islice(self._todo.items(), CHATS_PER_REQUEST))
        if not part:
            return
        for chat_id in part:
            del self._todo[chat_id]
        self._watch = self._clock.callLater(STALLED_S, self._stalled)
        d: dict[str, Any] = {"chats": part}
        if self._timeline.epoch is not None:
            d["epoch"] = self._timeline.epoch
        self._ask(d).addCallbacks(self._replayed, self._refused, callbackArgs=(part,), errbackArgs=(part,))

    def _replayed(self, reply: Frame, part: dict[int, int]) -> None:
        self._done(part, msgspec.convert(reply.d, CaughtUp, str_keys=True).reset)

    def _refused(self, failure: Failure, part: dict[int, int]) -> None:
        """An error that passes was tried again on the way: this one means that there is no replay to be had."""
        if not isinstance(failure.value, ConnectionClosed):
            self._done(part, list(part))

    def _done(self, part: dict[int, int], reset: list[int]) -> None:
        self._rest()
        steps, again = self._timeline.caught_up(part, reset)
        self._todo |= again
        self._give(steps)
        self._ask_next()

    def _rest(self) -> None:
        if self._watch is not None and self._watch.active():
            self._watch.cancel()
