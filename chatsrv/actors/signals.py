"""What a chat tells beside its events: who has read up to where (12/8), who is typing (12/9).

Owned by a `Feed`. Nothing here is numbered or stored in the log: a read mark that comes before the events it
speaks of waits for them, one for a session that is not in step is kept until it is; typing is dropped then,
and for connections that are busy. There a mark waits apart, until a newer one replaces it (`Outbox`). Always:
only full-profile sessions that are members by the events they have seen are told, and never the one that asked.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from chatsrv.actors.rendering import signal_frame
from chatsrv.actors.subscriber import Subscriber, give_up
from chatsrv.store.events import TYPING, Signal
from chatsrv.wire.codes import Profile
from chatsrv.wire.frames import encode
from chatsrv.wire.framing import frame_text

if TYPE_CHECKING:
    from chatsrv.actors.feed import Feed

#: Read marks that wait for events: of more users than that, later ones are dropped.
EARLY_MARKS = 1_000


class Signals:
    """``early``: by user, the read marks that wait for the events they speak of."""

    def __init__(self, feed: Feed) -> None:
        self._feed = feed
        self.early: dict[int, Signal] = {}

    def offer(self, signal: Signal) -> None:
        """The bus brought it."""
        position = self._feed.position
        if position is not None and signal.seq <= position:
            self._give(signal)
        elif signal.kind != TYPING and (signal.user in self.early or len(self.early) < EARLY_MARKS):
            self.early[signal.user] = signal

    def advanced(self, position: int) -> None:
        """Events were delivered."""
        for signal in [s for s in self.early.values() if s.seq <= position]:
            del self.early[signal.user]
            self._give(signal)

    def _give(self, signal: Signal) -> None:
        frame = frame_text(encode(signal_frame(self._feed.chat_id, signal)))
        for subscriber in self._feed.in_step():
            if not _concerns(subscriber, signal):
                continue
            try:
                if signal.kind == TYPING:
                    subscriber.deliver_unless_busy(frame)
                else:
                    subscriber.deliver_receipt(self._feed.chat_id, signal.user, frame)
            except Exception:
                give_up(subscriber)
        if signal.kind != TYPING:
            for attachment in self._feed.apart():
                if _concerns(attachment.subscriber, signal):
                    attachment.marks[signal.user] = frame


def _concerns(subscriber: Subscriber, signal: Signal) -> bool:
    return subscriber.profile is Profile.FULL and subscriber.id != signal.session
