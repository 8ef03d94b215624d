"""Each chat's events once and in order, whichever way they came: live, replayed, or as a reply. Pure.

Frames go in (``receive``), hellos (``begin``) and the ends of replays (``caught_up``); what comes out are
steps: events to give to the application, chats it has to forget, a hole that needs another connection.
What always holds: the events given of one chat follow each other by ``seq`` without a gap from where it
began or was reset, none twice. Only in the full profile is a gap a loss.
"""

from __future__ import annotations

from typing import NamedTuple

from chatsrv.client.frames import Frame, Hello

NUMBERED = frozenset({(12, 1), (12, 2), (12, 6), (12, 7), (14, 1), (14, 2)})


class Reset(NamedTuple):
    """What is known of these chats is not to be trusted: forget it, and fetch afresh."""

    chat_ids: list[int]


class Hole(NamedTuple):
    """An event of this chat did not come, and this connection will not bring it."""

    chat_id: int


Step = Frame | Reset | Hole


class Beginning(NamedTuple):
    """What a hello means: steps to take now, and which chats to catch up from where."""

    steps: list[Step]
    missed: dict[int, int]


class _Replay:
    """A chat whose replay up to ``head`` is under way, and the later events that wait for its end."""

    __slots__ = ("head", "held")

    def __init__(self, head: int) -> None:
        self.head = head
        self.held: dict[int, Frame] = {}


def is_numbered(frame: Frame) -> bool:
    """Whether it is a chat event with its position, as the timeline takes them."""
    return frame.kind in NUMBERED and all(isinstance(frame.d.get(key), int) for key in ("chat_id", "seq"))


class Timeline:
    """The position of each chat of one user. ``held_most``: events per chat that wait for a replay."""

    def __init__(self, held_most: int = 1000) -> None:
        self.epoch: str | None = None
        self.user_id: int | None = None
        self._begun = False
        self._held_most = held_most
        self._positions: dict[int, int] = {}
        self._replays: dict[int, _Replay] = {}

    def position(self, chat_id: int) -> int | None:
        """The ``seq`` of the last event given; None for a chat the user is not in."""
        return self._positions.get(chat_id)

    def begin(self, hello: Hello) -> Beginning:
        """A connection begins: start at its heads, or say what was missed since the last one."""
        heads = hello.heads
        known = self._positions if self._begun else heads
        lost = self._begun and self.epoch != hello.epoch
        self._begun, self.epoch, self.user_id = True, hello.epoch, hello.user_id
        gone_or_new = sorted(known.keys() | heads.keys() if lost else known.keys() ^ heads.keys())
        self._positions = dict(heads) if lost else {chat: known.get(chat, heads[chat]) for chat in heads}
        missed = {chat: seq for chat, seq in self._positions.items() if seq != heads[chat]}
        self._replays = {chat: _Replay(heads[chat]) for chat in missed}
        return Beginning([Reset(gone_or_new)] if gone_or_new else [], missed)

    def receive(self, frame: Frame) -> list[Step]:
        """One numbered event has come; what can be given now."""
        chat_id, seq = frame.d["chat_id"], frame.d["seq"]
        replay = self._replays.get(chat_id)
        if replay is None:
            return self._in_order(frame)
        if seq > replay.head:
            return self._hold(replay, frame)
        steps = self._in_order(frame)
        if steps == [Hole(chat_id)]:
            return self._reset([chat_id])
        if self._positions.get(chat_id) in (None, replay.head):
            steps += self._release(chat_id)
        return steps

    def caught_up(self, asked: dict[int, int], reset: list[int]) -> tuple[list[Step], dict[int, int]]:
        """The replay of ``asked`` (chat to position) is over. Steps, and what to ask for once more.

        That is a replay that stopped early; one that brought nothing at all cannot be had.
        """
        open_ = [chat for chat in asked if chat in self._replays]
        again = {
            chat: self._positions[chat]
            for chat in open_
            if chat not in reset and self._positions[chat] > asked[chat]
        }
        return self._reset([chat for chat in open_ if chat not in again]), again

    def _in_order(self, frame: Frame) -> list[Step]:
        chat_id, seq = frame.d["chat_id"], frame.d["seq"]
        position = self._positions.get(chat_id)
        if position is None:
            return self._enter(frame)
        if seq > position + 1:
            return [Hole(chat_id)]
        return self._give(frame) if seq > position else []

    def _enter(self, frame: Frame) -> list[Step]:
        """A chat that was not there: it begins with being added; a removal was told already."""
        if self._is_member_after(frame):
            return self._give(frame) if frame.op == 14 else [Hole(frame.d["chat_id"])]
        return []

    def _give(self, frame: Frame) -> list[Step]:
        if self._is_member_after(frame):
            self._positions[frame.d["chat_id"]] = frame.d["seq"]
        else:
            del self._positions[frame.d["chat_id"]]
        return [frame]

    def _is_member_after(self, frame: Frame) -> bool:
        return frame.op != 14 or self.user_id in frame.d.get("users", ())

    def _hold(self, replay: _Replay, frame: Frame) -> list[Step]:
        replay.held[frame.d["seq"]] = frame
        return self._reset([frame.d["chat_id"]]) if len(replay.held) > self._held_most else []

    def _reset(self, chat_ids: list[int]) -> list[Step]:
        """Give the replays of these up: they go on from hello's heads."""
        steps: list[Step] = [Reset(chat_ids)] if chat_ids else []
        for chat_id in chat_ids:
            self._positions[chat_id] = self._replays[chat_id].head
            steps += self._release(chat_id)
        return steps

    def _release(self, chat_id: int) -> list[Step]:
        """The replay is over: what waited for it, as far as it follows."""
        steps: list[Step] = []
        for _, frame in sorted(self._replays.pop(chat_id).held.items()):
            steps += self._in_order(frame)
            if steps[-1:] == [Hole(chat_id)]:
                break
        return steps
