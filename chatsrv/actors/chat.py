"""`ChatActor`: one chat on this node. It commits what members ask for and feeds them what happens.

Sessions post requests; sends that arrive while a commit is in flight go out together as the next one (group
commit), anything else waits its turn, so mailbox order holds. Events come back by the commit's own answer or
over the bus, and from the log where one is missing. It trusts nothing it remembers: the scripts decide.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterable
from functools import cached_property
from typing import TYPE_CHECKING, Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall
from twisted.python.failure import Failure

from chatsrv.actors.attachment import Reply
from chatsrv.actors.change import change_message
from chatsrv.actors.feed import Feed
from chatsrv.actors.group_commit import send
from chatsrv.actors.log_reader import LogReader
from chatsrv.actors.reading import mark_read, read_details, read_history, show_typing
from chatsrv.actors.rendering import chat_result
from chatsrv.actors.update import update_chat
from chatsrv.kernel import Actor, Envelope, Overdue, Registry, Shut
from chatsrv.redis import Unavailable
from chatsrv.store.chats import Appender, Changed, Head
from chatsrv.store.events import READ, ChatEvent, Signal, chat_news
from chatsrv.wire.codes import CloseCode
from chatsrv.wire.refusal import Refused
from chatsrv.wire.requests import (
    DeleteMessage,
    EditMessage,
    MarkRead,
    ReadDetails,
    ReadHistory,
    SendMessage,
    Typing,
    UpdateChat,
)

if TYPE_CHECKING:
    from chatsrv.actors.node import Node


class ChatActor(Actor):
    """Commands: all `ChatRequest`; answers: `Result`."""

    refusals = (Refused, Unavailable, Overdue)

    def __init__(self, chat_id: int, registry: Registry[Any], node: Node) -> None:
        super().__init__(chat_id, registry)
        self.chat_id = chat_id
        self.node = node
        self.channel = node.channels.chat(chat_id)
        self.committing = ""  # the operation in flight: what the bus says of it, its answer will say
        self.rests_until = 0.0  # before, the next group commit waits a little for more
        self._rest: IDelayedCall | None = None
        self.reader = LogReader(self, node)
        self.feed = Feed(chat_id, self.reader.hole, self.reader.late)

    @cached_property
    def appender(self) -> Appender:
        """Made with the first message that somebody sends here: most chats of a node are only listened to."""
        return self.node.store.chats.appender(self.chat_id, self.channel)

    # Attached sessions

    @property
    def wanted(self) -> bool:
        return len(self.feed) > 0

    def stopped(self) -> None:
        if self._rest is not None and self._rest.active():
            self._rest.cancel()
        for session in self.feed.subscribers():  # a feed that nobody fills would keep silent for ever
            session.close(CloseCode.INTERNAL_ERROR)
            self.feed.detach(session)
        self.reader.stop()
        self.node.bus.unsubscribe(self.channel)

    def rest(self) -> None:
        """Resume at ``rests_until``."""
        clock = self.registry.clock
        self._rest = clock.callLater(self.rests_until - clock.seconds(), self.resume)

    def restart(self) -> None:
        self.committing = ""
        self.repair()

    def listen(self) -> None:
        """Somebody was attached: see that the feed begins, if it has not."""
        if self.feed.position is None:
            self.repair()

    async def store_head(self, user_id: int) -> Head:
        return await self.node.store.chats.head(self.chat_id, user_id)

    def repair(self) -> None:
        """Events may have been missed: read the log from the feed's position on."""
        if self.wanted:
            self.reader.start()

    async def check_head(self) -> None:
        """Compare with the store, in case the last thing published was lost."""
        head = await self.store_head(0)
        if self.feed.position is not None and head.seq != self.feed.position and not self.committing:
            self.repair()

    async def recall_marks(self, within_ms: int) -> None:
        """Tell once more which marks were set lately: they may have been missed."""
        seq, marks = await self.node.store.chats.marks(self.chat_id, within_ms)
        for user, message_id in marks.items():
            self.feed.signals.offer(Signal(READ, seq, user, "", message_id))

    def on_news(self, payload: bytes) -> None:
        """The bus: events of this chat, from this node or another one. A failure here is a crash, and read again."""
        try:
            self._take_news(payload)
        except Exception:
            self.registry.crashed(self, Failure(), self.feed)

    def _take_news(self, payload: bytes) -> None:
        news = chat_news(payload)
        if news.operation != self.committing:
            self.feed.offer(news.events)
        for signal in news.signals:
            self.feed.signals.offer(signal)

    # Requests

    def receive(self, envelope: Envelope) -> Deferred[Any] | Shut | None:
        command = envelope.command
        if isinstance(command, SendMessage):
            return send(self, envelope)
        if type(command) in _SIGNALS:  # in nobody's way: a large group may read a message at the same moment
            Deferred.fromCoroutine(self._signal(envelope)).addErrback(self.failed, envelope)
            return None
        return Deferred.fromCoroutine(_OTHERS[type(command)](self, envelope, command))

    async def _signal(self, envelope: Envelope) -> None:
        await self.node.store.link.room()
        await _SIGNALS[type(envelope.command)](self, envelope, envelope.command)

    # Answers

    def check_continues(self, seqs: Iterable[int], known: int | None) -> None:
        """A commit's events come after what was ``known`` when it began, or the store has lost its tail: then
        `Unavailable`, for all clients start afresh."""
        if known is not None and any(seq <= known for seq in seqs):
            self.node.epoch.lost()
            raise Unavailable("the store has lost its tail", sent=True)

    def finish(self, envelope: Envelope, change: Changed) -> None:
        if change.changed:
            self.answer_with(envelope, change.event)
        else:
            envelope.answer(chat_result(self.chat_id, change.event, dup=True))

    def answer_with(self, envelope: Envelope, event: ChatEvent) -> None:
        """The event that this request caused: its reply stands in its place, the others get it as it is."""
        self.answer_in_place(envelope, event)
        self.deliver([event])

    def deliver(self, events: list[ChatEvent]) -> None:
        """What this node committed; the store need not publish it to us."""
        if self.wanted or self.feed.position is not None:
            self.feed.offer(events)

    def answer_in_place(self, envelope: Envelope, event: ChatEvent) -> None:
        """Answer where the event stands in the order of the chat, or now when that is past."""
        reply = _reply_to(envelope, self.chat_id)
        if self.feed.expect(envelope.origin, event.seq, reply):
            return
        if self.feed.attached(envelope.origin) or envelope.origin.is_closed:
            reply(event)
        else:
            Deferred.fromCoroutine(self._attach_and_answer(envelope.origin, event, reply)).addErrback(
                self.failed, envelope
            )

    async def _attach_and_answer(self, origin: Any, event: ChatEvent, reply: Reply) -> None:
        """He was added so lately that his own log did not attach him yet: the events since then come first."""
        await self.attach(origin)
        if not self.feed.expect(origin, event.seq, reply):
            reply(event)

    async def attach(self, origin: Any) -> None:
        """If he is a member and not attached: from the event on that added him."""
        if self.feed.attached(origin):
            return
        head = await self.store_head(origin.user_id)
        if head.since and not self.feed.attached(origin):
            self.feed.attach(origin, head.since)
            self.listen()


_Command = Callable[[ChatActor, Envelope, Any], Coroutine[Any, Any, None]]
_SIGNALS: dict[type, _Command] = {MarkRead: mark_read, Typing: show_typing}
_OTHERS: dict[type, _Command] = {
    EditMessage: change_message,
    DeleteMessage: change_message,
    UpdateChat: update_chat,
    ReadHistory: read_history,
    ReadDetails: read_details,
}


def _reply_to(envelope: Envelope, chat_id: int) -> Reply:
    def reply(event: ChatEvent | None) -> None:
        if envelope.answered:
            return
        if event is None:
            envelope.answer(Unavailable("the place of the reply could not be reached", sent=True))
        else:
            envelope.answer(chat_result(chat_id, event))

    return reply
