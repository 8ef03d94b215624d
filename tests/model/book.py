"""``Book``: what a device knows of one chat, from its events, its history and its details.

Events are applied in the order of ``seq``. Details (13/3) may be ahead of them: ``as_of`` says up to which event
name, members, owner and marks are known already, and events up to there change none of these. History may
be ahead, too; what follows then brings each message to the same end.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from chatsrv.client import Frame

CREATED, STATE, READ = (14, 1), (14, 2), (12, 8)
TEXT = {(12, 1), (12, 2)}
EDITED, DELETED = (12, 6), (12, 7)


@dataclass
class Message:
    """As the device shows it; ``text`` None: deleted."""

    sender: int
    text: str | None
    sent_at: int
    edited_at: int | None = None
    reply_to: int | None = None

    @classmethod
    def of(cls, d: dict[str, Any]) -> Message:
        """From a row of history, or the ``d`` of a 12/1 or 12/2."""
        text = None if d.get("deleted") else d["message"]
        return cls(d["sender_id"], text, d["sent_at"], d.get("edited_at"), d.get("reply_to"))


@dataclass
class Book:
    """``position`` is the last event applied. Until it is ``ready``, what comes live waits; ``fetched``: its history
    was read once."""

    position: int
    ready: bool = False
    fetched: bool = False
    as_of: int = 0
    type: int = 0
    name: str = ""
    users: set[int] = field(default_factory=set)
    owner: int | None = None
    last: int = 0
    messages: dict[int, Message] = field(default_factory=dict)
    marks: dict[int, int] = field(default_factory=dict)
    waiting: list[Frame] = field(default_factory=list)

    def take(self, frame: Frame) -> None:
        """An event, the next one, or a read mark."""
        if frame.kind == READ:
            self._mark(frame.d["user_id"], frame.d["message_id"])
            return
        self.position = frame.d["seq"]
        if frame.op == 14:
            self._state(frame)
        elif frame.kind in TEXT:
            self._text(frame.d)
        else:
            self._change(frame)

    def _text(self, d: dict[str, Any]) -> None:
        self.messages[d["message_id"]] = Message.of(d)
        self.last = max(self.last, d["message_id"])
        self._mark(d["sender_id"], d["message_id"])

    def _change(self, frame: Frame) -> None:
        message = self.messages.get(frame.d["message_id"])
        if message is None:
            return  # of the core profile: his own message, sent by another device
        if frame.kind == DELETED or frame.d.get("deleted"):
            message.text, message.edited_at = None, None
        else:
            message.text, message.edited_at = frame.d["message"], frame.d["edited_at"]

    def _state(self, frame: Frame) -> None:
        if frame.d["seq"] <= self.as_of:
            return
        users = set(frame.d["users"])
        joined = users - self.users if frame.kind == STATE else set()
        self.type, self.name, self.owner = frame.d["type"], frame.d["chat"], frame.d.get("owner_id")
        self.users = users
        self.marks = {user: mark for user, mark in self.marks.items() if user in users}
        for user in joined:
            self._mark(user, self.last)

    def _mark(self, user: int, message_id: int) -> None:
        if user in self.users and message_id > self.marks.get(user, 0):
            self.marks[user] = message_id

    def begin(self, d: dict[str, Any]) -> None:
        """The reply to 13/3; then whatever waited for it."""
        self.as_of = d["seq"]
        self.type, self.name, self.owner = d["type"], d["chat"], d.get("owner_id")
        self.users = set(d["users"])
        self.last = d["last_message_id"]
        self.marks = {int(user): mark for user, mark in d["read"].items()}
        self.ready = True
        waiting, self.waiting = self.waiting, []
        for frame in waiting:
            self.take(frame)

    def take_history(self, messages: list[dict[str, Any]]) -> None:
        """A page of the reply to 11/10."""
        for d in messages:
            self.messages[d["message_id"]] = Message.of(d)

    def unread(self, user_id: int) -> int:
        """Messages after the user's mark, but for his own and deleted ones."""
        mark = self.marks.get(user_id, 0)
        later = [message for number, message in self.messages.items() if number > mark]
        return sum(message.sender != user_id and message.text is not None for message in later)
