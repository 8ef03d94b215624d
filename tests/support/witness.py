"""What must hold for every frame of every connection, whatever the test is about.

A ``Witness`` sits on each test connection, sees all frames in order and raises ``AssertionError`` at the
first that breaks PROTOCOL sections 1, 2 or 6; so each acceptance test checks all of it on the side.
"""

from __future__ import annotations

from typing import Any

from chatsrv.client import Frame, Profile

CORE = {(1, 1), (2, 1), (3, 1), (12, 1), (12, 2), (12, 6), (12, 7), (14, 1), (14, 2), (17, 1), (17, 2)}
MAX_ID = 2**53 - 1
IDS = (
    "chat_id",
    "message_id",
    "sender_id",
    "user_id",
    "owner_id",
    "by",
    "seq",
    "sent_at",
    "edited_at",
    "from",
)
ID_LISTS = ("users", "user_ids", "chat_ids", "friend_ids")


def check(holds: bool, what: str, frame: Frame) -> None:
    """Raise when it does not."""
    if not holds:
        raise AssertionError(f"{what}: {frame}")


class Witness:
    """Checks the events of one connection; replies are handed to ``replied``."""

    def __init__(self, user_id: int, profile: Profile | None, heads: dict[int, int]) -> None:
        self.user_id = user_id
        self.core = profile is not Profile.FULL
        self.last_seq = dict(heads)
        self.left: set[int] = set()
        self.last_status: list[int] | None = None

    def saw(self, frame: Frame) -> None:
        """One event, in the order of arrival."""
        check(not self.core or frame.kind in CORE, "not for the core profile", frame)
        self._numbers(frame.d, frame)
        if frame.kind == (2, 1):
            self._status(frame)
        elif frame.op in (12, 14):
            self._chat_event(frame)

    def replied(self, frame: Frame) -> None:
        """The reply to a call. Only that to a new message surely names its own ``seq`` (section 2)."""
        self._numbers(frame.d, frame)
        if frame.kind in ((12, 1), (12, 2)) and not frame.d.get("dup"):
            check(frame.d["seq"] > self.last_seq.get(frame.d["chat_id"], 0), "a reply out of order", frame)
            self.last_seq[frame.d["chat_id"]] = frame.d["seq"]
        if frame.kind == (14, 2):
            self._membership(frame)

    def _chat_event(self, frame: Frame) -> None:
        chat_id, seq = frame.d["chat_id"], frame.d["seq"]
        if frame.kind == (14, 1) and frame.d["type"] == 1 and seq == self.last_seq.get(chat_id):
            return  # the answer to re-opening a private chat without ``id`` names the present head
        check(seq > self.last_seq.get(chat_id, 0), "an event twice, or out of order", frame)
        self.last_seq[chat_id] = seq
        if frame.op == 12:
            check(chat_id not in self.left, "an event after the removal", frame)
            actor = frame.d.get("by", frame.d.get("sender_id"))
            check(not self.core or actor != self.user_id, "caused by the receiver himself", frame)
        else:
            self._membership(frame)

    def _membership(self, frame: Frame) -> None:
        chat_id, users = frame.d["chat_id"], frame.d.get("users")
        check(users is None or len(users) == len(set(users)), "a user listed twice", frame)
        if users is not None and self.user_id in users:
            self.left.discard(chat_id)
        elif users is not None:
            self.left.add(chat_id)

    def _status(self, frame: Frame) -> None:
        online = sorted(frame.d["user_ids"])
        check(online != self.last_status, "a status like the one before", frame)
        self.last_status = online

    def _numbers(self, d: dict[str, Any], frame: Frame) -> None:
        for name in IDS:
            value = d.get(name, 1)
            check(type(value) is int and 1 <= value <= MAX_ID, f"{name} is no id", frame)
        for name in ID_LISTS:
            for value in d.get(name, ()):
                check(type(value) is int and 1 <= value <= MAX_ID, f"{name} holds no id", frame)
