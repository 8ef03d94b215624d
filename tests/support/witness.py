"""What must hold for every frame of every connection, whatever the test is about.

A ``Witness`` sits on each test connection, sees all frames in order and raises ``AssertionError`` at the
first that breaks PROTOCOL sections 1, 2 or 6; so each acceptance test checks all of it on the side. What a
frame says of itself is in ``shapes``, what a catch-up may bring in ``replay``.
"""

from __future__ import annotations

from typing import Any

from chatsrv.client import Frame, Hello, Profile
from tests.support.replay import Replay
from tests.support.shapes import CATCH_UP, CHAT_EVENTS, CORE, KINDS, check, check_hello, check_shape

READ_UP_TO = (12, 8)


class Witness:
    """Checks what one connection is sent: ``saw`` each event, ``replied`` each reply.

    In the full profile a chat's positions come without a hole, except where this connection itself acted
    without ``id``: then nothing tells it.
    """

    def __init__(self, profile: Profile | None, hello: Hello) -> None:
        check_hello(hello)
        self.user_id = hello.user_id
        self.core = profile is not Profile.FULL
        self.heads = dict(hello.heads)
        self.last_seq = dict(hello.heads)
        self.chats = set(hello.chat_ids)
        self.holes: set[int] = set()
        self.marks: dict[tuple[int, int], int] = {}
        self.replays: list[Replay] = []
        self.last_status: list[int] | None = None

    # -- what this connection asks for

    def asked(self, op: int, t: int, d: dict[str, Any], *, by_id: bool) -> Replay | None:
        """A request goes out; of a catch-up, what it may bring."""
        if not by_id and op == 11:
            self.holes.add(d.get("chat_id", 0))
        if (op, t) != CATCH_UP:
            return None
        self.replays.append(Replay(d["chats"], self.heads, gapless=not self.core))
        return self.replays[-1]

    def refused(self, replay: Replay | None) -> None:
        """The catch-up was answered by an error: it brings nothing."""
        if replay is not None:
            self.replays.remove(replay)

    # -- what comes in

    def saw(self, frame: Frame) -> bool:
        """One event, in the order of arrival; whether it is a replayed one."""
        check(frame.kind in (CORE if self.core else KINDS), "not for this profile", frame)
        check_shape(frame)
        if frame.kind in CHAT_EVENTS:
            return self._chat_event(frame)
        if frame.kind == CATCH_UP:
            self._caught_up(self.replays[0], frame)
        elif frame.kind == (2, 1):
            self._status(frame)
        elif frame.op == 12:
            self._signal(frame)
        return False

    def replied(self, frame: Frame, replay: Replay | None = None) -> None:
        """The reply to a call. It stands in the place of its event, unless it is ``dup`` (section 2)."""
        check_shape(frame)
        if replay is not None:
            self._caught_up(replay, frame)
        elif frame.kind in CHAT_EVENTS and not frame.d.get("dup"):
            self._advance(frame)
            self._membership(frame)

    def _chat_event(self, frame: Frame) -> bool:
        if frame.d.get("dup"):
            check(frame.op == 14, "a repeat shown as an event", frame)
            return False  # the answer to a request without ``id`` that changed nothing: the present state
        actor = frame.d.get("by", frame.d.get("sender_id"))
        mine = frame.op == 12 and actor == self.user_id
        check(not (self.core and mine), "caused by the receiver himself", frame)
        if frame.d["seq"] <= self.heads.get(frame.d["chat_id"], 0):
            self._replayed(frame)
            return True
        self._advance(frame)
        check(frame.op == 14 or frame.d["chat_id"] in self.chats, "of a chat of others", frame)
        self._membership(frame)
        return False

    def _replayed(self, frame: Frame) -> None:
        takers = [replay for replay in self.replays if replay.may_bring(frame)]
        check(bool(takers), "an event twice, or out of order", frame)
        takers[0].brought(frame)

    def _caught_up(self, replay: Replay, frame: Frame) -> None:
        self.replays.remove(replay)
        replay.ended(frame)

    def _advance(self, frame: Frame) -> None:
        chat_id, seq = frame.d["chat_id"], frame.d["seq"]
        last = self.last_seq.get(chat_id, 0)
        check(seq > last, "an event twice, or out of order", frame)
        whole = self.core or chat_id in self.holes or chat_id not in self.chats
        check(whole or seq == last + 1, f"the event after {last} is missing", frame)
        self.last_seq[chat_id] = seq

    def _membership(self, frame: Frame) -> None:
        if frame.op != 14:
            return
        chat_id = frame.d["chat_id"]
        if self.user_id in frame.d["users"]:
            self.chats.add(chat_id)
        else:
            check(chat_id in self.chats, "an event after the removal", frame)
            self.chats.remove(chat_id)

    def _signal(self, frame: Frame) -> None:
        check(frame.d["chat_id"] in self.chats, "of a chat of others", frame)
        if frame.kind == READ_UP_TO:
            whose = frame.d["chat_id"], frame.d["user_id"]
            check(frame.d["message_id"] > self.marks.get(whose, 0), "a mark that does not move on", frame)
            self.marks[whose] = frame.d["message_id"]

    def _status(self, frame: Frame) -> None:
        online = sorted(frame.d["user_ids"])
        check(online != self.last_status, "a status like the one before", frame)
        self.last_status = online
