"""`ChatActor`: one chat on this node. It commits what members ask for and feeds them what happens.

Sessions post requests; sends that arrive while a commit is in flight go out together as the next one (group
commit), anything else waits its turn, so mailbox order holds. Events come back by the commit's own answer or
over the bus, and from the log where one is missing. It trusts nothing it remembers: the scripts decide.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from msgspec import UNSET
from twisted.internet.defer import Deferred

from chatsrv.actors.attachment import Reply
from chatsrv.actors.feed import Feed
from chatsrv.actors.group_commit import fits_behind
from chatsrv.actors.log_reader import LogReader
from chatsrv.actors.rendering import chat_result
from chatsrv.actors.waiting import together
from chatsrv.kernel import Actor, Envelope, Overdue, Registry
from chatsrv.redis import Unavailable
from chatsrv.store.chats import Changed, Draft, Head
from chatsrv.store.events import MESSAGE, ChatEvent, chat_news
from chatsrv.store.repository import REFUSALS
from chatsrv.wire.codes import CloseCode, Profile
from chatsrv.wire.refusal import Refused
from chatsrv.wire.requests import DeleteMessage, EditMessage, SendMessage, UpdateChat

if TYPE_CHECKING:
    from chatsrv.actors.node import Node


class ChatActor(Actor):
    """Commands: `SendMessage`, `EditMessage`, `DeleteMessage`, `UpdateChat`; answers: `Result`."""

    refusals = (Refused, Unavailable, Overdue)

    def __init__(self, chat_id: int, registry: Registry[Any], node: Node) -> None:
        super().__init__(chat_id, registry)
        self.chat_id = chat_id
        self._node = node
        self._channel = node.channels.chat(chat_id)
        self._committing = ""  # the operation in flight: what the bus says of it, its answer will say
        self.reader = LogReader(self, node)
        self.feed = Feed(chat_id, self.reader.hole, self.reader.late)

    # Attached sessions

    @property
    def wanted(self) -> bool:
        return len(self.feed) > 0

    def stopped(self) -> None:
        for session in self.feed.subscribers():  # a feed that nobody fills would keep silent for ever
            session.close(CloseCode.INTERNAL_ERROR)
            self.feed.detach(session)
        self.reader.stop()
        self._node.bus.unsubscribe(self._channel)

    def restart(self) -> None:
        self._committing = ""
        self.repair()

    def listen(self) -> None:
        """Somebody was attached: see that the feed begins, if it has not."""
        if self.feed.position is None:
            self.repair()

    async def store_head(self, user_id: int) -> Head:
        return await self._node.store.chats.head(self.chat_id, user_id)

    def repair(self) -> None:
        """Events may have been missed: read the log from the feed's position on."""
        if self.wanted:
            self.reader.start()

    async def check_head(self) -> None:
        """Compare with the store, in case the last thing published was lost."""
        head = await self.store_head(0)
        if self.feed.position is not None and head.seq != self.feed.position and not self.committing:
            self.repair()

    @property
    def committing(self) -> bool:
        return bool(self._committing)

    def on_news(self, payload: bytes) -> None:
        """The bus: events of this chat, from this node or another one."""
        news = chat_news(payload)
        if news.operation != self._committing:
            self.feed.offer(news.events)

    # Requests

    def receive(self, envelope: Envelope) -> Deferred[Any]:
        command = envelope.command
        if isinstance(command, SendMessage):
            return self._send(envelope)
        if isinstance(command, UpdateChat):
            return Deferred.fromCoroutine(self._update(envelope, command))
        return Deferred.fromCoroutine(self._change(envelope, command))

    def _send(self, first: Envelope) -> Deferred[None]:
        batch = [first, *self.mailbox.take_while(fits_behind(first, self.registry.clock.seconds()))]
        operation = self._committing = self._node.next_operation()
        drafts = [Draft(e.origin.user_id, e.command.t, e.command.message) for e in batch]
        done: Deferred[None] = Deferred()

        def stored(reply: Any) -> None:
            self._committing = ""
            try:
                self._sent(batch, drafts, reply)
            except Exception as error:
                for envelope in batch[1:]:
                    if not envelope.answered:
                        envelope.answer(error)
                done.errback()
            else:
                done.callback(None)

        self._node.store.chats.append(self.chat_id, drafts, self._channel, operation, stored)
        return done

    def _sent(self, batch: list[Envelope], drafts: list[Draft], reply: Any) -> None:
        if isinstance(reply, Exception):
            self.repair()
            raise reply
        at, *results = reply
        events = []
        for envelope, draft, result in zip(batch, drafts, results, strict=True):
            if type(result) is bytes:
                envelope.answer(Refused(REFUSALS[result]))
                continue
            seq, message_id = result
            event = ChatEvent(
                MESSAGE, seq, at, draft.sender, draft.type, message_id, draft.text, draft.sender
            )
            events.append(event)
            self._answer_in_place(envelope, event)
        self._deliver(events)

    async def _change(self, envelope: Envelope, command: EditMessage | DeleteMessage) -> None:
        chats, caller = self._node.store.chats, envelope.origin.user_id
        operation = self._committing = self._node.next_operation()
        where = (self._channel, operation)
        try:
            if isinstance(command, EditMessage):
                change = await chats.edit(self.chat_id, caller, command.message_id, command.message, *where)
            else:
                change = await chats.delete(self.chat_id, caller, command.message_id, *where)
        except Unavailable:
            self._committing = ""
            self.repair()
            raise
        finally:
            self._committing = ""
        self._finish(envelope, change)

    async def _update(self, envelope: Envelope, command: UpdateChat) -> None:
        """The others see the event at once; the asker's later frames of this chat wait behind his reply."""
        origin = envelope.origin
        operation = self._node.next_operation()
        await self._attach(origin)
        feed, attached = self.feed, self.feed.attached(origin)
        if attached:
            feed.hold(origin)
        try:
            change = await self._node.handoffs.carry_out(
                f"c:{self.chat_id}",
                operation,
                lambda: self._commit_update(origin, command, operation),
            )
            self._finish(envelope, change)
        except Unavailable:
            self.repair()
            raise
        finally:
            if attached:
                feed.release(origin)

    async def _commit_update(self, origin: Any, command: UpdateChat, operation: str) -> Changed:
        room = await self._have_room(origin.user_id, command.add_users)
        change = await self._node.store.chats.update(
            self.chat_id,
            origin.user_id,
            name=None if command.chat is UNSET else command.chat,
            keep_name_if_empty=origin.profile is Profile.CORE,
            add=command.add_users,
            remove=command.remove_users,
            members=self._node.options.limits.members if room else 0,
            channel=self._channel,
            operation=operation,
        )
        if change.changed:
            self._deliver([change.event])
        return change

    async def _have_room(self, caller: int, users: list[int]) -> bool:
        """Whether those who would be new may be in one more chat; looked up only if the group can take them."""
        if not users:
            return True
        store, options = self._node.store, self._node.options
        members, outsiders = await store.chats.outsiders(self.chat_id, caller, users)
        if members + len(outsiders) > options.limits.members:
            return True  # the script refuses, in its order
        counts = await together(store.link, [store.users.counts(user) for user in outsiders])
        return all(count.chats < options.chats for count in counts)

    # Answers

    def _finish(self, envelope: Envelope, change: Changed) -> None:
        if change.changed:
            self.answer_with(envelope, change.event)
        else:
            envelope.answer(chat_result(self.chat_id, change.event))

    def answer_with(self, envelope: Envelope, event: ChatEvent) -> None:
        """The event that this request caused: its reply stands in its place, the others get it as it is."""
        self._answer_in_place(envelope, event)
        self._deliver([event])

    def _deliver(self, events: list[ChatEvent]) -> None:
        if self.wanted:
            self.feed.offer(events)

    def _answer_in_place(self, envelope: Envelope, event: ChatEvent) -> None:
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
        await self._attach(origin)
        if not self.feed.expect(origin, event.seq, reply):
            reply(event)

    async def _attach(self, origin: Any) -> None:
        """If he is a member and not attached: from the event on that added him."""
        if self.feed.attached(origin):
            return
        head = await self.store_head(origin.user_id)
        if head.since and not self.feed.attached(origin):
            self.feed.attach(origin, head.since)
            self.listen()


def _reply_to(envelope: Envelope, chat_id: int) -> Reply:
    def reply(event: ChatEvent | None) -> None:
        if envelope.answered:
            return
        if event is None:
            envelope.answer(Unavailable("the place of the reply could not be reached", sent=True))
        else:
            envelope.answer(chat_result(chat_id, event))

    return reply
