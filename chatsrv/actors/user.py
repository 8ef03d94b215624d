"""`UserActor`: one user with a connection on this node; his sessions, his lists, and what he asks of others.

His lists are projections in the store, each change numbered by ``rev`` and published to him; here they decide
where his sessions are attached and what they are told of friends. What a change of a chat looks like, the chat
tells (`ChatActor`); a change of the list of chats only attaches the sessions there.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from chatsrv.actors.asking import Asking
from chatsrv.actors.creation import create_chat
from chatsrv.actors.friends import FRIEND_REQUESTS
from chatsrv.actors.hello import join
from chatsrv.actors.inbox import read_inbox
from chatsrv.actors.known_revocations import verdict
from chatsrv.actors.relations import RelationFrame, Relations, is_shown, relation_frame, untold
from chatsrv.actors.subscriber import Subscriber, give_up
from chatsrv.actors.user_log import UserLog
from chatsrv.kernel import Actor, Envelope, Overdue, Registry
from chatsrv.redis import Unavailable
from chatsrv.store.events import MEMBERSHIP, REVOCATION, UserEvent
from chatsrv.store.revocations import Revocations
from chatsrv.store.users import REVOKED_TOKENS, UserLists
from chatsrv.wire import frames
from chatsrv.wire.codes import CloseCode
from chatsrv.wire.framing import frame_text
from chatsrv.wire.refusal import Refused
from chatsrv.wire.requests import CreateChat, ReadInbox

if TYPE_CHECKING:
    from chatsrv.actors.node import Node


@dataclass(frozen=True)
class Join:
    """Command: greet a new session (it is the envelope's origin)."""

    session_id: str
    expires_at: int


class Told(NamedTuple):
    """The 2/1 that a session was sent last, and when, by the node's clock."""

    online: set[int]
    at: float


class UserActor(Actor):
    """Commands: `Join` and all requests that name no chat; answers: `Result`, or None to a join."""

    refusals = (Refused, Unavailable, Overdue)

    def __init__(self, user_id: int, registry: Registry[Any], node: Node) -> None:
        super().__init__(user_id, registry)
        self.user_id = user_id
        self.node = node
        self.sessions: dict[Subscriber, Told | None] = {}
        self.counted: set[Subscriber] = set()  # the sessions that make him online: hello let them stay
        self.asking: list[Asking] = []
        self.joining: Subscriber | None = None  # its lists are being read: `join` attaches it
        self.chats: dict[int, int] = {}  # value: a member since this event
        self.relations = Relations()
        self.revoked = Revocations()
        self.log = UserLog(self)

    @property
    def wanted(self) -> bool:
        return bool(self.sessions)

    def stopped(self) -> None:
        self.node.presence.unwatch(self, self.relations.friends)
        self.log.stop()
        for session in list(self.sessions):
            session.close(CloseCode.INTERNAL_ERROR)

    def restart(self) -> None:
        self.repair()

    def repair(self) -> None:
        """Changes may have been missed: read what came after the last one known."""
        if self.wanted:
            self.log.refill()

    async def check_head(self) -> None:
        """Compare with the store, in case the last thing published was lost."""
        if self.log.rev is not None and await self.node.store.users.rev(self.user_id) != self.log.rev:
            self.repair()

    def receive(self, envelope: Envelope) -> Deferred[Any]:
        command = envelope.command
        return Deferred.fromCoroutine(_COMMANDS[type(command)](self, envelope, command))

    # Sessions

    def enter(self, session: Subscriber) -> None:
        self.sessions[session] = None
        self.joining = session

    def count(self, session: Subscriber) -> None:
        """The session may stay: its user is online."""
        self.counted.add(session)
        self.node.lease.connected(self.user_id)

    def close_surplus(self, name: str) -> None:
        """The user has too many connections, and this one (``<node>:<session>``) is the oldest of all."""
        for session in list(self.sessions):
            if self.node.sessions.name(session.id) == name:
                session.close(CloseCode.REPLACED)

    def bar(self, revoked: Revocations) -> None:
        """Close the sessions whose token is revoked by these, all of them if the user is blocked."""
        self.node.revocations.learn(self.user_id, revoked)
        for session in list(self.sessions):
            code = verdict(revoked, session.identity)
            if code is not None:
                session.close(code)

    def leave(self, session: Subscriber) -> None:
        """The session's connection is gone."""
        if session not in self.sessions:
            return
        del self.sessions[session]
        self.asking = [asking for asking in self.asking if asking.session is not session]
        self.node.sessions.leave(self.user_id, session.id)
        for feed in list(session.feeds):
            feed.detach(session)
        if session in self.counted:
            self.counted.remove(session)
            self._check_counted()

    def _check_counted(self) -> None:
        successor = self.node.users.find(self.user_id)
        if not (self.counted or (successor is not None and successor.counted)):
            self.node.lease.disconnected(self.user_id)

    # What the user's log says

    def adopt(self, lists: UserLists, *, show: bool) -> None:
        """Take over whole lists; with ``show``, sessions are told how they differ from what was known."""
        self.revoked = lists.revoked
        self.bar(self.revoked)
        for chat_id in lists.chats.keys() - self.chats if show else ():
            self._attach(chat_id, lists.chats[chat_id])
        self.chats = dict(lists.chats)
        before, self.relations = self.relations, Relations.of(lists)
        for body in before.differences(self.relations, self.user_id) if show else ():
            self._show(body, None, told=False)
        friends = self.relations.friends
        self._watch(friends - before.friends, before.friends - friends)

    def apply(self, event: UserEvent) -> None:
        """One change of the lists, in order."""
        if event.kind == REVOCATION:
            self.revoked = self.revoked.after(event)
            self.bar(self.revoked)
            if len(self.revoked.tokens) > REVOKED_TOKENS:
                Deferred.fromCoroutine(self._drop_expired()).addErrback(self._not_dropped)
            return
        if event.kind == MEMBERSHIP:
            if event.holds:
                self.chats[event.about] = event.version
                self._attach(event.about, event.version)
            else:
                self.chats.pop(event.about, None)
            return
        before = self.relations.to(event.about)
        self.relations.take(event)
        now = self.relations.to(event.about)
        self._watch(now.friends - before.friends, before.friends - now.friends)
        for body in untold(before, now, event, self.user_id):
            self._show(body, event, told=False)
        frame = relation_frame(event)
        if frame is not None:
            self._show(frame, event, told=True)
        for asking in self.asking:
            if asking.other == event.about:
                asking.heard(event.version)
        self.asking = [asking for asking in self.asking if not asking.ended]

    async def _drop_expired(self) -> None:
        """The store keeps no more of his revoked tokens, so some are over. What is heard later counts beside it."""
        lists = await self.node.store.users.read(self.user_id)
        if lists.rev == self.log.rev:
            self.revoked = lists.revoked

    def _not_dropped(self, failure: Failure) -> None:
        if not failure.check(Unavailable):  # else with the next one
            self.registry.crashed(self, failure, self)

    def _watch(self, added: set[int], ended: set[int]) -> None:
        """Friends were won and lost: the status follows."""
        self.node.presence.unwatch(self, ended)
        self.node.presence.watch(self, added)
        if ended:
            self.show_status(self.node.clock.seconds())

    def _attach(self, chat_id: int, since: int) -> None:
        chat = self.node.chats.get(chat_id)
        for session in self.sessions:
            if session is not self.joining:
                chat.feed.attach(session, since)
        chat.listen()

    def _show(self, body: RelationFrame, event: UserEvent | None, *, told: bool) -> None:
        """To all sessions that are to see it; to who asked, in its place. Not ``told``: no event says it, it was
        found out."""
        frame = frame_text(frames.encode(body))
        for session in self.sessions:
            asking = [each for each in self.asking if each.session is session and each.other == body.user_id]
            asked_here = told and any(event and each.operation == event.operation for each in asking)
            if not is_shown(body, self.user_id, session.profile, asked_here=asked_here):
                continue
            try:
                if told and event:
                    taken = any(each.takes(event, frame) for each in asking)
                else:
                    taken = any(each.covers(body, frame, event) for each in asking)
                if not taken:
                    session.deliver(frame)
            except Exception:
                give_up(session)

    # Status

    def show_status(self, now: float) -> None:
        """2/1 to every greeted session whose last one differs from the friends who are online now; to one that
        was told less than an interval ago, or takes no more at the moment, later: then what is true by then."""
        online = {friend for friend in self.relations.friends if self.node.presence.is_online(friend)}
        for session, told in self.sessions.items():
            if told is None or told.online == online:
                continue
            if session.congested or now - told.at < self.node.options.status_interval_s:
                self.node.presence.tell_later(self)
                continue
            try:
                self.send_status(session, online, now)
            except Exception:
                give_up(session)

    def send_status(self, session: Subscriber, online: set[int], now: float) -> None:
        self.sessions[session] = Told(online, now)
        session.deliver(frame_text(frames.encode(frames.Status(user_ids=sorted(online)))))


_COMMANDS: dict[type, Callable[[UserActor, Envelope, Any], Coroutine[Any, Any, None]]] = {
    Join: join,
    CreateChat: create_chat,
    ReadInbox: read_inbox,
    **FRIEND_REQUESTS,
}
