"""`Asking`: a request of a session about another user, whose answer stands in the place of its event.

Made by `friends` for each request that changes something, kept by the `UserActor` until the place of the answer is
behind. What else the session is to be told of the two meanwhile waits, and goes before or after the answer as
its version says. The event comes over another connection than the answer, so it may come after it, or never,
when a later one took its place.
"""

from __future__ import annotations

from chatsrv.actors.subscriber import Result, Subscriber
from chatsrv.kernel import Envelope
from chatsrv.store.events import UserEvent
from chatsrv.wire import frames
from chatsrv.wire.requests import AddFriend, AnswerFriend, BlockUser, RemoveFriend, UnblockUser

#: What the answer to each tells, so that no event has to.
_TOLD: dict[type, tuple[type[frames.Body], ...]] = {
    AddFriend: (frames.FriendAsked, frames.FriendAnswered),
    AnswerFriend: (frames.FriendAnswered,),
    RemoveFriend: (frames.FriendRemoved,),
    BlockUser: (frames.Blocked,),
    UnblockUser: (frames.Unblocked,),
}


class Asking:
    """``other`` is whom it is about; ``operation`` names the request in its event."""

    def __init__(self, envelope: Envelope, other: int, operation: str) -> None:
        self.session: Subscriber = envelope.origin
        self.other = other
        self.operation = operation
        self._envelope = envelope
        self._version: int | None = None  # once it is answered
        self._heard = 0  # the last version of the pair that the user's log brought
        self._waiting: list[tuple[UserEvent, bytes]] = []
        self._covered: list[bytes] = []

    def takes(self, event: UserEvent, frame: bytes) -> bool:
        """Whether the session is not to get this event of the two, for the answer was later, or not yet."""
        if self._version is None:
            self._waiting.append((event, frame))
            return True
        return event.version <= self._version

    def covers(self, body: frames.Body, frame: bytes, event: UserEvent | None) -> bool:
        """The same of ``body``, found to be so with the event (or whole lists) though no event told it. If the
        answer tells it there is no need to; but it follows if the answer is a failure."""
        if isinstance(body, _TOLD[type(self._envelope.command)]):
            self._covered.append(frame)
            return True
        return event is not None and self.takes(event, frame)

    def heard(self, version: int) -> None:
        self._heard = max(self._heard, version)

    @property
    def ended(self) -> bool:
        """Whether the place of the answer is behind us: the event, or a later one, came."""
        return self._version is not None and self._heard >= self._version

    def answer(self, version: int, result: Result) -> None:
        """``version`` is the pair's after the request."""
        self._version = version
        waiting = [(event, frame) for event, frame in self._waiting if event.operation != self.operation]
        for event, frame in waiting:
            if event.version <= version:
                self.session.deliver(frame)
        self._envelope.answer(result)
        for event, frame in waiting:
            if event.version > version:
                self.session.deliver(frame)

    def fail(self, error: Exception) -> None:
        """What took effect all the same follows."""
        self._envelope.answer(error)
        for frame in self._covered + [frame for _, frame in self._waiting]:
            self.session.deliver(frame)
