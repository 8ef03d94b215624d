"""`UserActor`: one user with a connection on this node; his sessions, his lists, and what he asks of others.

His lists are projections in the store, each change numbered by ``rev`` and published to him; here they decide
where his sessions are attached and what they are told of friends. What a change of a chat looks like, the chat
tells (`ChatActor`); a change of the list of chats only attaches the sessions there.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from twisted.internet.defer import Deferred

from chatsrv.actors.creation import create_chat
from chatsrv.actors.friends import Asking, add_friend, answer_friend
from chatsrv.actors.hello import join
from chatsrv.actors.rendering import friend_frame
from chatsrv.actors.subscriber import Subscriber
from chatsrv.actors.user_log import UserLog
from chatsrv.kernel import Actor, Envelope, Overdue, Registry
from chatsrv.redis import Unavailable
from chatsrv.store.events import MEMBERSHIP, UserEvent
from chatsrv.store.users import UserLists
from chatsrv.wire import frames
from chatsrv.wire.codes import CloseCode, Profile
from chatsrv.wire.framing import frame_text
from chatsrv.wire.refusal import Refused
from chatsrv.wire.requests import AddFriend, AnswerFriend, CreateChat

if TYPE_CHECKING:
    from chatsrv.actors.node import Node


@dataclass(frozen=True)
class Join:
    """Command: greet a new session (it is the envelope's origin)."""

    session_id: str
    expires_at: int | None


class UserActor(Actor):
    """Commands: `Join`, `CreateChat`, `AddFriend`, `AnswerFriend`; answers: `Result`, or None to a join."""

    refusals = (Refused, Unavailable, Overdue)

    def __init__(self, user_id: int, registry: Registry[Any], node: Node) -> None:
        super().__init__(user_id, registry)
        self.user_id = user_id
        self.node = node
        self.sessions: dict[Subscriber, set[int] | None] = {}  # value: the 2/1 it was sent last, if any
        self.asking: list[Asking] = []
        self.joining: Subscriber | None = None  # its lists are being read: `join` attaches it
        self.chats: dict[int, int] = {}  # value: a member since this event
        self.friends: set[int] = set()
        self.incoming: set[int] = set()
        self.log = UserLog(self)

    @property
    def wanted(self) -> bool:
        return bool(self.sessions)

    def stopped(self) -> None:
        self.node.presence.unwatch(self, self.friends)
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
        if isinstance(command, Join):
            return Deferred.fromCoroutine(join(self, envelope, command))
        if isinstance(command, CreateChat):
            return Deferred.fromCoroutine(create_chat(self, envelope, command))
        if isinstance(command, AddFriend):
            return Deferred.fromCoroutine(add_friend(self, envelope, command))
        assert isinstance(command, AnswerFriend)
        return Deferred.fromCoroutine(answer_friend(self, envelope, command))

    # Sessions

    def enter(self, session: Subscriber) -> None:
        self.sessions[session] = None
        self.joining = session
        self.node.lease.connected(self.user_id)

    def close_surplus(self, name: str) -> None:
        """The user has too many connections, and this one (``<node>:<session>``) is the oldest of all."""
        for session in list(self.sessions):
            if self.node.sessions.name(session.id) == name:
                session.close(CloseCode.REPLACED)

    def leave(self, session: Subscriber) -> None:
        """The session's connection is gone."""
        if session not in self.sessions:
            return
        del self.sessions[session]
        self.asking = [asking for asking in self.asking if asking.session is not session]
        self.node.sessions.leave(self.user_id, session.id)
        for feed in list(session.feeds):
            feed.detach(session)
        if not self.sessions:
            self.node.lease.disconnected(self.user_id)

    # What the user's log says

    def adopt(self, lists: UserLists, *, show: bool) -> None:
        """Take over whole lists; with ``show``, sessions are told how they differ from what was known."""
        for chat_id in lists.chats.keys() - self.chats if show else ():
            self._attach(chat_id, lists.chats[chat_id])
        self.chats = dict(lists.chats)
        added, ended = lists.friends - self.friends, self.friends - lists.friends
        for friend in added if show else ():
            self._show(frames.FriendAnswered(user_id=friend, type=1, answerer=friend))
        for asker in lists.incoming - self.incoming if show else ():
            self._show(frames.FriendAsked(user_id=asker, asker=asker))
        self.friends, self.incoming = set(lists.friends), set(lists.incoming)
        self.node.presence.unwatch(self, ended)
        self.node.presence.watch(self, added)
        if ended:
            self.show_status()

    def apply(self, event: UserEvent) -> None:
        """One change of the lists, in order."""
        if event.kind == MEMBERSHIP:
            if event.holds:
                self.chats[event.about] = event.version
                self._attach(event.about, event.version)
            else:
                self.chats.pop(event.about, None)
            return
        (self.incoming.add if event.incoming else self.incoming.discard)(event.about)
        if event.holds:
            self.friends.add(event.about)
            self.node.presence.watch(self, {event.about})
        elif event.about in self.friends:
            self.friends.remove(event.about)
            self.node.presence.unwatch(self, {event.about})
            self.show_status()
        frame = friend_frame(event)
        if frame is not None:
            self._show(frame, event)
        self.asking = [asking for asking in self.asking if not asking.ended_by(event)]

    def _attach(self, chat_id: int, since: int) -> None:
        chat = self.node.chats.get(chat_id)
        for session in self.sessions:
            if session is not self.joining:
                chat.feed.attach(session, since)
        chat.listen()

    def _show(self, body: frames.Body, event: UserEvent | None = None) -> None:
        """To all sessions; of a request of his own only to full-profile ones, and to who asked in its place."""
        frame = frame_text(frames.encode(body))
        own_request = isinstance(body, frames.FriendAsked) and body.asker == self.user_id
        for session in self.sessions:
            asking = self._asking(session, event)
            asked_here = any(event and one.operation == event.operation for one in asking)
            if own_request and session.profile is not Profile.FULL and not asked_here:
                continue
            if not any(event and one.takes(event, frame) for one in asking):
                session.deliver(frame)

    def _asking(self, session: Subscriber, event: UserEvent | None) -> list[Asking]:
        """The requests of the session about the other one of the event."""
        return [one for one in self.asking if event and one.session is session and one.other == event.about]

    # Status

    def show_status(self) -> None:
        """2/1 to every greeted session whose last one differs from the friends who are online now."""
        online = {friend for friend in self.friends if self.node.presence.is_online(friend)}
        for session, last in self.sessions.items():
            if last is not None and last != online:
                self.send_status(session, online)

    def send_status(self, session: Subscriber, online: set[int]) -> None:
        self.sessions[session] = online
        session.deliver(frame_text(frames.encode(frames.Status(user_ids=sorted(online)))))
