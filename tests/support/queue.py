"""``Queue``: frames as they arrive on a connection, for the test that waits for the next one."""

from __future__ import annotations

from collections import deque

from twisted.internet import reactor
from twisted.internet.defer import Deferred, TimeoutError

from chatsrv.client import Frame

PATIENCE_S = 8.0


class Queue:
    """Frames in order of arrival; one reader may wait."""

    def __init__(self, owner: str) -> None:
        self.owner = owner
        self.frames: deque[Frame] = deque()
        self._reader: Deferred[None] | None = None
        self._ended: Exception | None = None

    def put(self, frame: Frame) -> None:
        self.frames.append(frame)
        self.wake()

    def end(self, error: Exception) -> None:
        """No more frames will come."""
        self._ended = error
        self.wake()

    def wake(self) -> None:
        """Let the waiting reader look again."""
        reader, self._reader = self._reader, None
        if reader is not None and not reader.called:
            reader.callback(None)

    async def next(self, what: str, patience_s: float = PATIENCE_S) -> Frame:
        """The oldest frame; waits for one."""
        while not self.frames:
            if self._ended is not None:
                raise self._ended
            self._reader = Deferred()
            self._reader.addTimeout(patience_s, reactor)
            try:
                await self._reader
            except TimeoutError:
                raise AssertionError(f"{self.owner} waited in vain for {what}") from None
        return self.frames.popleft()
