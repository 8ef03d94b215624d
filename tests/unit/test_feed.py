"""The feed against a model: whatever the interleaving, every session sees its events, each once, in order.

``World`` is a store with one chat, a bus that repeats, shuffles and loses, the user logs that attach sessions,
and a log that is read for whoever is late. Hypothesis chooses what happens next; in the end all is repaired and
each session must have seen exactly the events of its memberships after its hello.
"""

from __future__ import annotations

import json
from collections import deque
from typing import Any
from uuid import uuid4

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import TestCase

from chatsrv.actors import attachment as attachment_module
from chatsrv.actors import feed as feed_module
from chatsrv.actors.attachment import Attachment
from chatsrv.actors.feed import Feed
from chatsrv.store.events import CHANGED, CREATED, EDITED, MESSAGE, ChatEvent
from chatsrv.wire.codes import CloseCode, Profile

FOUNDER, USERS = 9, (1, 2, 3)


def message(seq: int, by: int = FOUNDER, kind: int = MESSAGE) -> ChatEvent:
    return ChatEvent(kind, seq, 1_000 + seq, by, 2, message_id=seq, text=f"text {seq}", author=by)


def change(seq: int, by: int = FOUNDER, added: Any = (), removed: Any = ()) -> ChatEvent:
    return ChatEvent(CHANGED, seq, 1_000 + seq, by, 2, users=[by], added=list(added), removed=list(removed))


class Recorder:
    """A session that writes down what it is given: ``e5`` for event 5, ``r5`` for the reply in its place,
    ``m3:7`` for user 3's mark at message 7, ``t3`` when he is typing."""

    def __init__(self, user_id: int, profile: Profile = Profile.FULL) -> None:
        self.id = uuid4().hex
        self.user_id = user_id
        self.profile = profile
        self.is_closed = False
        self.congested = False
        self.feeds: set[Any] = set()
        self.receipts: dict[tuple[int, int], bytes] = {}
        self.seen: list[str] = []
        self.frames: list[dict[str, Any]] = []
        self.codes: list[CloseCode] = []
        self.on_deliver: Any = lambda: None

    def greet(self, hello: Any) -> None:
        raise NotImplementedError

    def deliver(self, frame: bytes) -> None:
        self.frames.append(json.loads(frame[frame.index(b"{") :]))
        self.seen.append(_short(self.frames[-1]))
        self.on_deliver()

    def deliver_unless_busy(self, frame: bytes) -> None:
        if not self.congested:
            self.deliver(frame)

    def deliver_receipt(self, chat_id: int, user_id: int, frame: bytes) -> None:
        if self.congested:
            self.receipts[chat_id, user_id] = frame
        else:
            self.deliver(frame)

    def forget_receipts(self, chat_id: int) -> None:
        self.receipts = {key: frame for key, frame in self.receipts.items() if key[0] != chat_id}

    def close(self, code: CloseCode) -> None:
        self.codes.append(code)
        self.is_closed = True

    def reply(self, event: ChatEvent | None) -> None:
        self.seen.append("r-" if event is None else f"r{event.seq}")


def _short(frame: dict[str, Any]) -> str:
    d, what = frame["d"], (frame["op"], frame["t"])
    if what == (12, 8):
        return f"m{d['user_id']}:{d['message_id']}"
    return f"t{d['user_id']}" if what == (12, 9) else f"e{d['seq']}"


class Guest(Recorder):
    """A session of the world, with what it is owed."""

    greeted_at: int | None = None
    heard: set[int]
    updating: int | None = None
    held: bool

    def begin(self, held: bool, head: int) -> None:
        self.heard, self.answers, self.held = set(), {}, held
        if not held:
            self.greeted_at = head

    def answer_to(self, seq: int) -> Any:
        def reply(event: ChatEvent | None) -> None:
            assert seq not in self.answers, "answered twice"
            self.answers[seq] = event is not None
            if event is not None:
                self.seen.append(f"r{event.seq}")

        return reply


class World:
    def __init__(self) -> None:
        self.events = [ChatEvent(CREATED, 1, 1, FOUNDER, 2, users=[FOUNDER, 1], added=[FOUNDER, 1])]
        self.members = {FOUNDER, 1}
        self.stays: dict[int, list[list[int]]] = {FOUNDER: [[1, 10**9]], 1: [[1, 10**9]], 2: [], 3: []}
        self.news: dict[int, deque[int]] = {user: deque() for user in self.stays}
        self.bus: list[ChatEvent] = []
        self.late: list[Attachment] = []
        self.reading: list[tuple[Attachment, list[ChatEvent]]] = []
        self.guests: list[Guest] = []
        self.feed = Feed(1, lambda behind: None, self.late.append)

    @property
    def head(self) -> int:
        return len(self.events)

    def some(self, r: int, items: Any) -> Any:
        chosen = list(items)
        return chosen[r % len(chosen)] if chosen else None

    def append(self, event: ChatEvent) -> ChatEvent:
        self.events.append(event)
        for user in event.removed:
            self.members.discard(user)
            self.stays[user][-1][1] = event.seq
        for user in event.added:
            self.members.add(user)
            self.stays[user].append([event.seq, 10**9])
            self.news[user].append(event.seq)
        return event

    # What may happen

    def others_write(self, r: int) -> None:
        kind = EDITED if r % 3 else MESSAGE
        self.bus.append(self.append(message(self.head + 1, self.some(r, sorted(self.members)), kind)))

    def membership(self, r: int) -> None:
        user = USERS[r % 3]
        inside = user in self.members
        by = user if inside and r % 2 else FOUNDER
        added, removed = ((), (user,)) if inside else ((user,), ())
        self.bus.append(self.append(change(self.head + 1, by, added, removed)))

    def hear(self, r: int) -> None:
        if self.bus:
            self.feed.offer([self.bus.pop(r % len(self.bus))])

    def hear_in_order(self, r: int) -> None:
        self.feed.offer(self.bus[: 1 + r % 4])
        del self.bus[: 1 + r % 4]

    def hear_again(self, r: int) -> None:
        self.feed.offer(self.events[r % self.head : r % self.head + 2])

    def lose(self, r: int) -> None:
        if self.bus:
            self.bus.pop(r % len(self.bus))

    def start(self, r: int) -> None:
        if self.feed.position is None:
            self.feed.start(self.head)

    def repair(self, r: int) -> None:
        if self.feed.position is not None:
            self.feed.offer(self.events[self.feed.position :][: 1 + r % 5])

    def notify(self, r: int) -> None:
        self.tell(self.some(r, sorted(user for user, news in self.news.items() if news)), 1)

    def tell(self, user: int | None, most: int) -> None:
        while user is not None and self.news[user] and most:
            since, most = self.news[user].popleft(), most - 1
            for guest in [g for g in self.guests if g.user_id == user]:
                if not guest.held:
                    guest.heard.add(since)
                self.feed.attach(guest, since)

    def join(self, r: int) -> None:
        user = self.some(r, self.stays)
        self.tell(user, -1)
        guest = Guest(user, Profile.FULL if r % 2 else Profile.CORE)
        self.guests.append(guest)
        guest.begin(user in self.members, self.head)
        if guest.held:
            self.feed.hold(guest)

    def greet(self, r: int) -> None:
        guest = self.some(r, (g for g in self.guests if g.held))
        if guest is not None and not guest.is_closed:
            self.start(r)
            self.tell(guest.user_id, -1)
            guest.held, guest.greeted_at = False, self.head
            if guest.user_id in self.members:
                self.feed.release(guest, self.head)
            else:
                self.feed.detach(guest)

    def able(self) -> list[Guest]:
        present = (g for g in self.guests if not (g.held or g.is_closed or g.updating))
        return [g for g in present if g.user_id in self.members]

    def send(self, r: int) -> None:
        guest = self.some(r, self.able())
        if guest is not None:
            event = self.append(message(self.head + 1, guest.user_id))
            reply = guest.answer_to(event.seq)
            if not self.feed.expect(guest, event.seq, reply):
                guest.answers[event.seq] = False
            self.feed.offer([event])

    def update(self, r: int) -> None:
        guest = self.some(r, self.able())
        if guest is not None:
            attached = self.feed.attached(guest)
            if attached:
                self.feed.hold(guest)
            leave = r % 3 == 0 and guest.user_id != FOUNDER
            event = self.append(change(self.head + 1, guest.user_id, (), (guest.user_id,) if leave else ()))
            self.feed.offer([event])
            guest.updating = event.seq if attached else None

    def updated(self, r: int) -> None:
        guest = self.some(r, (g for g in self.guests if g.updating))
        if guest is not None:
            seq, guest.updating = guest.updating, None
            if not self.feed.expect(guest, seq, guest.answer_to(seq)):
                guest.answers[seq] = False
            self.feed.release(guest)

    def ask_log(self, r: int) -> None:
        if self.late:
            attachment = self.late.pop(r % len(self.late))
            if not attachment.detached:
                self.reading.append((attachment, self.events[attachment.position :][: 1 + r % 4]))

    def log_answers(self, r: int) -> None:
        if self.reading:
            attachment, events = self.reading.pop(r % len(self.reading))
            if not attachment.detached:
                assert events[0].seq <= attachment.position + 1, "the reader would close it"
                self.feed.caught_up(attachment, events)

    def leave(self, r: int) -> None:
        guest = self.some(r, self.guests)
        if guest is not None and r % 4 == 0:
            guest.is_closed = True
            self.feed.detach(guest)

    # How it must end

    def settle(self) -> None:
        while any(g.held and not g.is_closed for g in self.guests):
            for number in range(len(self.guests)):
                self.greet(number)
        while any(g.updating for g in self.guests):
            self.updated(0)
        for user in self.news:
            self.tell(user, -1)
        self.start(0)
        while self.feed.position != self.head or self.late or self.reading:
            self.repair(0)
            self.ask_log(0)
            self.log_answers(0)

    def owed(self, guest: Guest) -> list[str]:
        owed = []
        for first, last in self.stays[guest.user_id]:
            begin = guest.greeted_at or 0
            if first > begin and first not in guest.heard:
                continue
            for event in self.events[max(first, begin + 1) - 1 : last]:
                own = event.by == guest.user_id
                if guest.answers.get(event.seq):
                    owed.append(f"r{event.seq}")
                elif event.kind < MESSAGE or not own or guest.profile is Profile.FULL:
                    owed.append(f"e{event.seq}")
        return owed


HAPPENINGS = (
    *(
        "others_write",
        "membership",
        "membership",
        "hear",
        "hear_in_order",
        "hear_again",
        "lose",
        "start",
        "repair",
    ),
    *("notify", "join", "greet", "send", "update", "updated", "ask_log", "log_answers", "leave"),
)
HAPPENING = st.tuples(st.sampled_from(HAPPENINGS), st.integers(0, 11))


class AnyInterleaving(TestCase):
    def setUp(self) -> None:
        self.patch(attachment_module, "HELD_EVENTS", 3)
        self.patch(feed_module, "AHEAD_EVENTS", 3)

    @settings(print_blob=True, max_examples=1_200, deadline=None)
    @given(st.lists(st.integers(0, 11), max_size=4), st.lists(HAPPENING, max_size=60))
    def test_every_session_sees_the_events_of_its_memberships_each_once_and_in_order(
        self, early: list[int], happenings: list[tuple[str, int]]
    ) -> None:
        world = World()
        for r in early:
            world.join(r)
            world.greet(r)
        for happening, r in happenings:
            getattr(world, happening)(r)
        world.settle()
        for guest in world.guests:
            owed = world.owed(guest)
            if guest.is_closed:
                owed = owed[: len(guest.seen)]
            self.assertEqual(guest.seen, owed)
            self.assertEqual(
                world.feed.attached(guest), guest.user_id in world.members and not guest.is_closed, guest.seen
            )
            self.assertEqual(bool(guest.feeds), world.feed.attached(guest))
        self.assertEqual(len(world.feed), sum(world.feed.attached(guest) for guest in world.guests))
