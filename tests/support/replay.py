"""One catch-up (1/2) of a connection: what it may bring, and whether its reply says what it brought."""

from __future__ import annotations

from collections.abc import Mapping

from chatsrv.client import Frame
from tests.support.shapes import check


class Replay:
    """Takes the frames of one 1/2: per chat (the asked position, hello's head], oldest first, each once.

    ``gapless``: none may be missing; not so in the core profile, where one's own are left out.
    """

    def __init__(self, asked: Mapping[int, int], heads: Mapping[int, int], *, gapless: bool) -> None:
        self.reached = dict(asked)
        self._ends = {chat_id: max(seq, heads.get(chat_id, 0)) for chat_id, seq in asked.items()}
        self._gapless = gapless

    def may_bring(self, frame: Frame) -> bool:
        """Whether the frame is one that it has not brought, and has not passed."""
        chat_id, seq = frame.d["chat_id"], frame.d["seq"]
        return chat_id in self.reached and self.reached[chat_id] < seq <= self._ends[chat_id]

    def brought(self, frame: Frame) -> None:
        """One of its frames has come."""
        chat_id, seq = frame.d["chat_id"], frame.d["seq"]
        follows = not self._gapless or seq == self.reached[chat_id] + 1
        check(follows, f"not what follows {self.reached[chat_id]}", frame)
        self.reached[chat_id] = seq

    def ended(self, frame: Frame) -> None:
        """Its reply: each chat was replayed up to hello's head, or is to be fetched afresh."""
        heads = {int(chat_id): seq for chat_id, seq in frame.d["heads"].items()}
        reset = frame.d["reset"]
        check(sorted([*heads, *reset]) == sorted(self.reached), "not the chats that were asked for", frame)
        for chat_id, head in heads.items():
            check(head == self._ends[chat_id], f"chat {chat_id} was not replayed to its end", frame)
            whole = self.reached[chat_id] == head or not self._gapless
            check(whole, f"events after {self.reached[chat_id]} of chat {chat_id} are missing", frame)
