"""What the server sends, on its way to the application: each chat event once and in order, the rest at once.

``Client`` hands in each connection's frames and the replies to requests; the timeline orders them, the
catch-up fills what was missed. What always holds: where order cannot be kept on this connection, it is
dropped, and the next one catches up.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime

from chatsrv.client.catchup import CatchUp
from chatsrv.client.frames import Frame, Hello
from chatsrv.client.request import Request, event_of
from chatsrv.client.sinks import Sinks
from chatsrv.client.timeline import Reset, Step, Timeline, is_numbered


class Incoming:
    """``ask`` sends a 1/2; ``drop`` ends the connection, and is told why."""

    def __init__(
        self,
        clock: IReactorTime,
        sinks: Sinks,
        *,
        ask: Callable[[dict[str, Any]], Deferred[Frame]],
        drop: Callable[[str], None],
    ) -> None:
        self._sinks = sinks
        self._drop = drop
        self._open = False
        self._timeline = Timeline()
        self._catch_up = CatchUp(
            clock, self._timeline, ask=ask, give=self._give, stalled=lambda: drop("a replay does not go on")
        )

    @property
    def user_id(self) -> int | None:
        """Whose events these are; None before the first hello."""
        return self._timeline.user_id

    def begin(self, hello: Hello) -> None:
        """A connection began: tell what is void, and ask for what was missed."""
        self._open = True
        steps, missed = self._timeline.begin(hello)
        self._give(steps)
        self._catch_up.begin(missed)

    def end(self) -> None:
        """It is over, or not to be trusted: what still comes of it does not count. Idempotent."""
        self._open = False
        self._catch_up.end()

    def arrived(self, frame: Frame) -> None:
        """A frame without ``id``."""
        if is_numbered(frame):
            self._take(frame)
        else:
            self._sinks.event(frame)

    def replied(self, request: Request, reply: Frame) -> None:
        """The reply to a request of this connection; the event it stands for is given."""
        event = event_of(request, reply, self.user_id)
        if event is not None and is_numbered(event):
            self._take(event)

    def _take(self, event: Frame) -> None:
        if self._open:
            self._catch_up.progressed()
            self._give(self._timeline.receive(event))

    def _give(self, steps: list[Step]) -> None:
        for step in steps:
            if isinstance(step, Frame):
                self._sinks.event(step)
            elif isinstance(step, Reset):
                self._sinks.reset(step.chat_ids)
            else:
                self._drop(f"an event of chat {step.chat_id} is missing")
