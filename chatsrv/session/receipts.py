"""The receipts (12/8) that wait apart from a congested connection's frames: they give way to everything else.

Made by an `Outbox` for as long as its connection is congested. Always: of each chat and user only the newest
waits, and of ``RECEIPTS`` chats and users at most. A client that missed one sees the mark in 13/3 and 13/4, and
with the user's next 12/8.
"""

from __future__ import annotations

#: Chats and users of which a receipt may wait for one connection; beyond, the oldest is dropped.
RECEIPTS = 1_000


class Receipts:
    """``size``: bytes that wait here."""

    __slots__ = ("_frames", "size")

    def __init__(self) -> None:
        self._frames: dict[tuple[int, int], bytes] = {}
        self.size = 0

    def put(self, chat_id: int, user_id: int, frame: bytes) -> None:
        """In the place of an older one of the same chat and user, and as the newest of all."""
        self.size += len(frame) - len(self._frames.pop((chat_id, user_id), b""))
        self._frames[chat_id, user_id] = frame
        if len(self._frames) > RECEIPTS:
            self._drop_oldest()

    def shrink(self, size: int) -> None:
        """Drops the oldest ones until no more than ``size`` bytes wait."""
        while self.size > max(0, size):
            self._drop_oldest()

    def forget(self, chat_id: int) -> None:
        """The user is no member of that chat any more."""
        for key in [key for key in self._frames if key[0] == chat_id]:
            self.size -= len(self._frames.pop(key))

    def take(self) -> list[bytes]:
        """All, oldest first; none is left."""
        frames, self._frames = list(self._frames.values()), {}
        self.size = 0
        return frames

    def _drop_oldest(self) -> None:
        self.size -= len(self._frames.pop(next(iter(self._frames))))
