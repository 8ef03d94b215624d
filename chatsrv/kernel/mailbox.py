"""A mailbox: the bounded queue of envelopes before an actor, first in, first out."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from chatsrv.kernel.envelope import Envelope


class MailboxFull(Exception):
    """As many envelopes wait as may; the one at hand was not taken."""


class Mailbox(deque[Envelope]):
    """Holds at most ``entries`` envelopes; take the first one with ``popleft``."""

    __slots__ = ("_entries",)

    def __init__(self, entries: int) -> None:
        super().__init__()
        self._entries = entries

    def put(self, envelope: Envelope) -> None:
        """Append the envelope; `MailboxFull` if there is no room."""
        if len(self) >= self._entries:
            raise MailboxFull
        self.append(envelope)

    def take_while(self, wanted: Callable[[Envelope], bool]) -> list[Envelope]:
        """Take envelopes from the front for as long as ``wanted`` says yes: for group commit."""
        taken = []
        while self and wanted(self[0]):
            taken.append(self.popleft())
        return taken
