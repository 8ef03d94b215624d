"""A mailbox: the bounded queue of envelopes before an actor, first in, first out."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from chatsrv.kernel.envelope import Envelope


class MailboxFull(Exception):
    """As many envelopes wait as may; the one at hand was not taken."""


class Mailbox:
    """Holds at most ``entries`` envelopes."""

    def __init__(self, entries: int) -> None:
        self._entries = entries
        self._queue: deque[Envelope] = deque()

    def __len__(self) -> int:
        return len(self._queue)

    def put(self, envelope: Envelope) -> None:
        """Append the envelope; `MailboxFull` if there is no room."""
        if len(self._queue) >= self._entries:
            raise MailboxFull
        self._queue.append(envelope)

    def take(self) -> Envelope:
        return self._queue.popleft()

    def take_while(self, wanted: Callable[[Envelope], bool]) -> list[Envelope]:
        """Take envelopes from the front for as long as ``wanted`` says yes: for group commit."""
        taken = []
        while self._queue and wanted(self._queue[0]):
            taken.append(self._queue.popleft())
        return taken
