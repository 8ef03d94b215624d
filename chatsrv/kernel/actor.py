"""An actor: state behind a mailbox, drained one envelope at a time.

`receive` does a command at once, or keeps the mailbox shut: until the `Deferred` that it returns fires, or, where
a Deferred per command costs too much, until `resume` is called. The drain is a loop, never recursion, and yields to
the reactor after a slice. A command that raises is answered with that exception; what the subclass calls a refusal
is an answer, anything else is a crash, which the registry sees (it logs it and restarts the actor).
"""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, Any, Final

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from chatsrv.kernel.envelope import Answer, Envelope, Overdue
from chatsrv.kernel.mailbox import Mailbox

if TYPE_CHECKING:
    from chatsrv.kernel.registry import Registry

SLICE = 64


class Shut(Enum):
    """What `receive` returns in place of a Deferred: the mailbox stays shut until `resume` is called."""

    UNTIL_RESUMED = "until resumed"


UNTIL_RESUMED: Final = Shut.UNTIL_RESUMED


class Actor:
    """Base of all actors. ``key`` names it in its ``registry``."""

    #: Exceptions that are answers to the asker and no crash.
    refusals: tuple[type[Exception], ...] = (Overdue,)

    def __init__(self, key: Any, registry: Registry[Any]) -> None:
        self.key = key
        self.registry = registry
        self.mailbox = Mailbox(registry.mailbox_entries)
        self._busy = False
        self._draining = False

    # For subclasses

    def receive(self, envelope: Envelope) -> Deferred[Any] | Shut | None:
        """Carry the command out and answer the envelope, now or, the mailbox shut meanwhile, later."""
        raise NotImplementedError

    def resume(self, _: object = None) -> None:
        """What `receive` left unfinished is done: the mailbox opens again."""
        self._busy = False
        if self.mailbox and not self._draining:
            self._drain()

    def restart(self) -> None:
        """Forget what may be wrong after a crash and take it from the store again."""

    def stopped(self) -> None:
        """The registry let go of this actor; release what it holds."""

    @property
    def wanted(self) -> bool:
        """Whether somebody still counts on this actor; if nobody does for a while, it is passivated."""
        return False

    # For everybody else

    @property
    def idle(self) -> bool:
        return not (self._busy or self.mailbox or self.wanted)

    def post(self, envelope: Envelope) -> None:
        """Put an envelope into the mailbox; raises `MailboxFull`, and then the envelope is not answered."""
        envelope.deadline = self.registry.clock.seconds() + self.registry.deadline_s
        self.mailbox.put(envelope)
        if not (self._busy or self._draining):
            self._drain()

    def ask(self, command: Any, origin: Any = None) -> Deferred[Any]:
        """`post` with a Deferred as the way back; for whoever is above this actor, never below it."""
        answer: Deferred[Any] = Deferred()
        self.post(Envelope(command, _firing(answer), origin))
        return answer

    def _drain(self) -> None:
        self._draining = True
        clock, mailbox = self.registry.clock, self.mailbox
        room = SLICE
        while mailbox and not self._busy:
            if not room:
                clock.callLater(0, self._drain)
                return
            room -= 1
            envelope = mailbox.popleft()
            self._busy = True
            try:
                if clock.seconds() > envelope.deadline:
                    raise Overdue
                pending = self.receive(envelope)
            except Exception:
                self.failed(Failure(), envelope)
                self._busy = False
                continue
            if pending is None:
                self._busy = False
            elif pending is not UNTIL_RESUMED:
                pending.addErrback(self.failed, envelope)
                pending.addBoth(self.resume)
        self._draining = False

    def failed(self, failure: Failure, envelope: Envelope) -> None:
        """Answer with what went wrong, unless there was an answer; whatever is no refusal is a crash."""
        error = failure.value
        if not isinstance(error, self.refusals):
            self.registry.crashed(self, failure, envelope.command)
        self.refuse(envelope, error)

    def refuse(self, envelope: Envelope, error: BaseException | None) -> None:
        """Answer with the error, unless there was an answer; raises nothing."""
        try:
            if not envelope.answered:
                envelope.answer(error)
        except Exception:
            self.registry.log.failure("{origin} did not take its answer", origin=envelope.origin)


def _firing(answer: Deferred[Any]) -> Answer:
    def fire(result: Any) -> None:
        if isinstance(result, Exception):
            answer.errback(result)
        else:
            answer.callback(result)

    return fire
