"""One session's place in one chat's feed.

In step with the feed it needs no thought. Apart from it, it either *holds* (what comes is kept until
`flush`: before its hello is sent, while a reply of its own is on the way) or is ahead (its hello already
covers events that the feed has yet to deliver, and these are skipped). Always: each event passes at most
once, in ``seq`` order, and the reply to the event's cause passes in the event's place.
"""

from __future__ import annotations

from collections.abc import Callable

from chatsrv.actors.subscriber import Subscriber
from chatsrv.store.events import MESSAGE, ChatEvent
from chatsrv.wire.codes import Profile

#: Given the event, the reply goes out in its place; given None, it is answered as unavailable.
Reply = Callable[[ChatEvent | None], None]

#: Events an attachment holds; beyond, it lets go of them and reads the log later.
HELD_EVENTS = 1_000


class Attachment:
    """``position`` is the last ``seq`` the session has (or need not get); it is kept only while apart."""

    __slots__ = (
        "detached",
        "held",
        "holds",
        "late",
        "marks",
        "position",
        "rejoins",
        "replies",
        "subscriber",
        "withhold",
        "withhold_until",
    )

    def __init__(self, subscriber: Subscriber, position: int) -> None:
        self.subscriber = subscriber
        self.position = position
        self.holds = 0
        self.held: list[tuple[ChatEvent, bytes]] = []
        self.replies: dict[int, Reply] = {}
        self.rejoins: list[int] = []  # he is added again by these, after removals still to be delivered
        self.late = False  # what it lacks is being read from the log
        self.marks: dict[int, bytes] = {}  # 12/8 by the user, to be told when it is in step
        self.detached = False
        self.withhold: Callable[[ChatEvent], bytes] | None = None
        self.withhold_until = 0  # he was no member at this head: before it, he gets no text of a later time

    def take(self, event: ChatEvent, frame: bytes) -> None:
        """Apart: the feed delivers an event."""
        if self.holds or self.late:
            self.held.append((event, frame))
            if len(self.held) > HELD_EVENTS:
                self.held.clear()
        elif event.seq > self.position and not self.detached:
            self.position = event.seq
            self.give(event, frame)

    def give(self, event: ChatEvent, frame: bytes) -> None:
        """Send the event; its own user's as the reply, or as the profile wants it."""
        subscriber = self.subscriber
        reply = self.replies.pop(event.seq, None) if self.replies else None
        if reply is not None:
            reply(event)
        elif event.kind < MESSAGE or event.by != subscriber.user_id or subscriber.profile is Profile.FULL:
            hidden = self.withhold is not None and event.rewritten and event.seq <= self.withhold_until
            subscriber.deliver(self.withhold(event) if self.withhold and hidden else frame)
        if event.removed and subscriber.user_id in event.removed:
            self.part(event.seq)

    def part(self, seq: int) -> None:
        """The member was removed by event ``seq``: go on where it is added again, or be detached."""
        self.rejoins = [since for since in self.rejoins if since > seq]
        if self.rejoins:
            self.position = min(self.rejoins) - 1
        else:
            self.detached = True

    def give_marks(self, chat_id: int) -> None:
        """In step again: tell who has read on meanwhile."""
        marks, self.marks = self.marks, {}
        for user_id, frame in marks.items():
            self.subscriber.deliver_receipt(chat_id, user_id, frame)

    def flush(self) -> None:
        """Give what was held."""
        held, self.held = self.held, []
        for event, frame in held:
            if event.seq > self.position and not self.detached:
                self.position = event.seq
                self.give(event, frame)
