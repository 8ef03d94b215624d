"""A chat's events to the sessions attached here, strictly by ``seq``, each encoded once for all.

The `ChatActor` offers what it committed and what the bus brought; a hole is kept open (`hole` tells the
actor, who reads the log) and nothing behind it is delivered first. Always: ``position`` is the last event
delivered, and every attachment in step has exactly the events up to it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable

import msgspec

from chatsrv.actors.attachment import Attachment, Reply
from chatsrv.actors.rendering import chat_frame, chat_gone
from chatsrv.actors.signals import Signals
from chatsrv.actors.subscriber import Subscriber, give_up
from chatsrv.store.events import MESSAGE, ChatEvent
from chatsrv.wire.frames import encode
from chatsrv.wire.framing import frame_text

#: Events kept behind a hole; what is beyond is read from the log.
AHEAD_EVENTS = 1_000


#: Of each who is in step: the user, how to deliver to the session, its place.
_Audience = list[tuple[int, Callable[[bytes], None], Attachment]]


class Feed:
    """``late(attachment)`` is called for one that needs events older than the feed's position."""

    def __init__(self, chat_id: int, hole: Callable[[int], None], late: Callable[[Attachment], None]) -> None:
        self.chat_id = chat_id
        self.position: int | None = None
        self.active_at = 0  # the time of the last event that is no edit and no deletion
        self.signals = Signals(self)
        self._hole = hole
        self._late = late
        self._ahead: dict[int, ChatEvent] = {}
        self._attached: dict[Subscriber, Attachment] = {}
        self._in_step: dict[Subscriber, Attachment] = {}
        self._audience: _Audience | None = None
        self._apart: dict[Subscriber, Attachment] = {}

    def __len__(self) -> int:
        return len(self._attached)

    def start(self, position: int, active_at: int = 0) -> None:
        """The chat's head was read: what is after it will come by `offer`, or is here already."""
        self.position, self.active_at = position, active_at
        for attachment in list(self._apart.values()):
            self._settle(attachment)
        self.offer(())

    # Who listens

    def attached(self, subscriber: Subscriber) -> bool:
        return subscriber in self._attached

    def attach(self, subscriber: Subscriber, since: int) -> None:
        """From the event ``since`` on; of one attached already, only the re-entry is noted."""
        attachment = self._attached.get(subscriber)
        if attachment is not None:
            attachment.rejoins.append(since)
        elif not subscriber.is_closed:
            self._settle(self._admit(subscriber, since - 1))

    def detach(self, subscriber: Subscriber) -> None:
        attachment = self._attached.pop(subscriber, None)
        if attachment is not None:
            attachment.detached = True
            subscriber.feeds.discard(self)
            subscriber.forget_receipts(self.chat_id)
            self._step_out(subscriber)
            self._apart.pop(subscriber, None)
            self._abandon([attachment])

    def hold(self, subscriber: Subscriber) -> None:
        """Keep what comes for this session until `release`; if it is not attached, attach it so."""
        if subscriber.is_closed:
            return
        attachment = self._attached.get(subscriber) or self._admit(subscriber, 0)
        if self._step_out(subscriber) is not None:
            attachment.position = self.position or 0
            self._apart[subscriber] = attachment
        attachment.holds += 1

    def _admit(self, subscriber: Subscriber, position: int) -> Attachment:
        attachment = Attachment(subscriber, position)
        self._attached[subscriber] = self._apart[subscriber] = attachment
        subscriber.feeds.add(self)
        return attachment

    def release(self, subscriber: Subscriber, position: int | None = None) -> None:
        """Give what was held, but for the events up to ``position``, which the session has by other means."""
        attachment = self._attached.get(subscriber)
        if attachment is None or not attachment.holds:
            return
        attachment.holds -= 1
        if position is not None:
            attachment.position = max(attachment.position, position)
        if not attachment.holds:
            self._settle(attachment)

    def expect(self, subscriber: Subscriber, seq: int, reply: Reply) -> bool:
        """Let ``reply`` stand in the place of event ``seq`` for this session; False: too late, or not attached."""
        attachment = self._attached.get(subscriber)
        if attachment is None:
            return False
        if subscriber in self._in_step:
            if self.position is not None and seq <= self.position:
                return False
        elif seq <= attachment.position:
            return False
        attachment.replies[seq] = reply
        return True

    def estrange(self, users: Collection[int], head: int) -> None:
        """At ``head`` they are members no more, though the event that says so may be yet to be delivered: no
        text that was written after it may reach them, and what the log gives may be one."""
        for subscriber, attachment in list(self._attached.items()) if users else ():
            if subscriber.user_id in users:
                if self._step_out(subscriber) is not None:
                    attachment.position = self.position or 0
                    self._apart[subscriber] = attachment
                attachment.withhold, attachment.withhold_until = self._withheld, head

    def _withheld(self, event: ChatEvent) -> bytes:
        hidden = msgspec.structs.replace(event, text="", deleted=True)
        return frame_text(encode(chat_frame(self.chat_id, hidden)))

    # What is delivered

    def offer(self, events: Iterable[ChatEvent]) -> None:
        """Deliver events in order; known ones are dropped, those behind a hole wait."""
        ahead = self._ahead
        for event in events:
            if self.position is None or event.seq > self.position + 1:
                if len(ahead) < AHEAD_EVENTS:
                    ahead[event.seq] = event
            elif event.seq > self.position:
                self._deliver(event)
        if self.position is None:
            return
        if ahead:
            self._close_up(ahead, self.position)
        if self.signals.early:
            self.signals.advanced(self.position)

    def _close_up(self, ahead: dict[int, ChatEvent], position: int) -> None:
        """Deliver what waited and follows now; what is still behind a hole is called for."""
        while (following := ahead.pop(position + 1, None)) is not None:
            self._deliver(following)
            position += 1
        for seq in [seq for seq in ahead if seq <= position]:
            del ahead[seq]
        if ahead:
            self._hole(len(ahead))

    def _deliver(self, event: ChatEvent) -> None:
        frame = frame_text(encode(chat_frame(self.chat_id, event)))
        self.position = event.seq
        if event.kind <= MESSAGE:
            self.active_at = event.at
        by = event.by
        for user_id, deliver, attachment in self._audience or self._gathered():
            try:
                if user_id == by:
                    attachment.give(event, frame)
                else:
                    deliver(frame)
            except Exception:
                self._lose(attachment)
        if event.removed:
            for subscriber in [s for s in self._in_step if s.user_id in event.removed]:
                attachment = self._apart[subscriber] = self._in_step[subscriber]
                self._step_out(subscriber)
                attachment.part(event.seq)
        for attachment in list(self._apart.values()):
            try:
                attachment.take(event, frame)
            except Exception:
                self._lose(attachment)
            self._settle(attachment)

    def _lose(self, attachment: Attachment) -> None:
        """Called while an exception is handled: its session cannot take what is due, so nothing later either."""
        give_up(attachment.subscriber)
        attachment.replies.clear()
        self.detach(attachment.subscriber)

    def _settle(self, attachment: Attachment) -> None:
        """Move an attachment on, as far as it goes."""
        try:
            self._move_on(attachment)
        except Exception:
            self._lose(attachment)

    def _move_on(self, attachment: Attachment) -> None:
        """Give what it held, call for what it lacks, or take it into step."""
        if self._attached.get(attachment.subscriber) is not attachment:
            return
        if attachment.holds or attachment.late or self.position is None:
            return
        if attachment.detached:
            self.detach(attachment.subscriber)
            return
        if attachment.position + 1 < self._first_at_hand(attachment, self.position):
            attachment.late = True
            self._late(attachment)
            return
        attachment.flush()
        if attachment.detached:
            self.detach(attachment.subscriber)
        elif attachment.position == self.position >= attachment.withhold_until:
            del self._apart[attachment.subscriber]
            self._in_step[attachment.subscriber] = attachment
            self._audience = None
            attachment.give_marks(self.chat_id)

    def _step_out(self, subscriber: Subscriber) -> Attachment | None:
        self._audience = None
        return self._in_step.pop(subscriber, None)

    def _gathered(self) -> _Audience:
        """What the fan-out needs of each who is in step, looked up once for many events."""
        self._audience = [(s.user_id, s.deliver, attachment) for s, attachment in self._in_step.items()]
        return self._audience

    @staticmethod
    def _first_at_hand(attachment: Attachment, position: int) -> int:
        return attachment.held[0][0].seq if attachment.held else position + 1

    def caught_up(self, attachment: Attachment, events: Iterable[ChatEvent]) -> None:
        """What a late attachment lacked came from the log; one that holds now will call for it again."""
        attachment.late = False
        for event in events:
            if attachment.detached or attachment.holds:
                break
            if event.seq == attachment.position + 1:
                attachment.position = event.seq
                attachment.give(event, frame_text(encode(chat_frame(self.chat_id, event))))
        self._settle(attachment)

    # The end

    def reset(self) -> None:
        """What is known of the chat's order holds no longer; `start` begins it anew."""
        self.position = None
        self._ahead.clear()

    def abandon_replies(self) -> None:
        """The log cannot be read: answer who waits for a place in it; the event follows without ``id``."""
        self._abandon(list(self._attached.values()))

    def gone(self) -> None:
        """The chat is no more: tell who is attached, and let go of them."""
        frame = frame_text(encode(chat_gone(self.chat_id, (self.position or 0) + 1)))
        for subscriber, attachment in list(self._attached.items()):
            try:
                if not attachment.holds:
                    subscriber.deliver(frame)
            except Exception:
                give_up(subscriber)
            self.detach(subscriber)

    def subscribers(self) -> list[Subscriber]:
        return list(self._attached)

    def in_step(self) -> list[Subscriber]:
        """Those who have exactly the events up to ``position``."""
        return list(self._in_step)

    def apart(self) -> list[Attachment]:
        """The places of all others."""
        return list(self._apart.values())

    def _abandon(self, attachments: Iterable[Attachment]) -> None:
        for attachment in attachments:
            replies, attachment.replies = attachment.replies, {}
            for reply in replies.values():
                reply(None)
