"""What the actors of one node share: the clock, the store, the bus, the registries, the limits."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from typing import Any

from twisted.internet.defer import DeferredSemaphore
from twisted.internet.interfaces import IReactorTime

from chatsrv.actors.chat import ChatActor
from chatsrv.actors.epoch import Epoch
from chatsrv.actors.handoff import Handoffs
from chatsrv.actors.head_check import HeadCheck
from chatsrv.actors.hello import GREETINGS_SHARE
from chatsrv.actors.known_revocations import KnownRevocations
from chatsrv.actors.lease import Lease
from chatsrv.actors.mark_recall import MarkRecall
from chatsrv.actors.presence import Presence
from chatsrv.actors.reaper import Reaper
from chatsrv.actors.user import UserActor
from chatsrv.actors.user_sessions import UserSessions
from chatsrv.bus import Bus, Channels
from chatsrv.kernel import Registry
from chatsrv.store import Store
from chatsrv.wire.limits import Limits


@dataclass(frozen=True, kw_only=True)
class NodeOptions:
    """Limits and times of the actors; units are in the names."""

    limits: Limits = field(default_factory=Limits)
    friends: int = 5_000
    chats: int = 5_000
    open_requests: int = 500
    blocked: int = 5_000
    friend_requests_per_h: int = 20
    invites_per_h: int = 60
    chats_per_h: int = 20
    nonce_window_s: float = 86_400.0
    connections_per_user: int = 10
    mailbox_entries: int = 256
    request_timeout_s: float = 5.0
    passivate_after_s: float = 60.0
    presence_grace_s: float = 5.0
    lease_s: float = 15.0
    lease_renew_s: float = 5.0
    status_interval_s: float = 1.0


class Node:
    """One process among those that share a store. ``start`` when the store and the bus are up."""

    def __init__(
        self, clock: IReactorTime, store: Store, bus: Bus, channels: Channels, options: NodeOptions
    ) -> None:
        self.clock = clock
        self.store = store
        self.bus = bus
        self.channels = channels
        self.options = options
        self.id = secrets.token_hex(8)
        self._operations = 0
        kernel: dict[str, Any] = {
            "mailbox_entries": options.mailbox_entries,
            "deadline_s": options.request_timeout_s,
            "idle_s": options.passivate_after_s,
        }
        self.handoffs = Handoffs(clock, store, channels, deadline_s=options.request_timeout_s)
        self.sessions = UserSessions(self)
        self.revocations = KnownRevocations(clock)
        self.lease = Lease(
            self.id,
            clock,
            store,
            channels.presence,
            length_s=options.lease_s,
            renew_s=options.lease_renew_s,
            grace_s=options.presence_grace_s,
            renewed=self._renewed,
        )
        self.epoch = Epoch(self)
        self.presence = Presence(clock, store, bus, channels.presence, interval_s=options.status_interval_s)
        self._reaper = Reaper(
            clock,
            store,
            channels.presence,
            self.lease,
            lease_s=options.lease_s,
            look_s=options.lease_renew_s,
        )
        self.chats: Registry[ChatActor] = Registry(clock, lambda key, r: ChatActor(key, r, self), **kernel)
        self.users: Registry[UserActor] = Registry(clock, lambda key, r: UserActor(key, r, self), **kernel)
        self._head_check = HeadCheck(clock, self)
        self.mark_recall = MarkRecall(self)
        self.greetings = DeferredSemaphore(max(1, store.link.max_in_flight // GREETINGS_SHARE))
        bus.link.ups.append(self.repair)
        store.link.ups.append(self.repair)

    def next_operation(self) -> str:
        """A name for an operation that no other has, on any node."""
        self._operations += 1
        return f"{self.id}-{self._operations}"

    async def start(self) -> None:
        await self.epoch.start()
        self.chats.start()
        self.users.start()
        self.handoffs.start()
        self._head_check.start()
        await self.presence.start()
        await self.lease.start()
        self._reaper.start()

    async def stop(self) -> None:
        """Let the lease end soon, with its users listed, and stop every timer."""
        self._head_check.stop()
        self.handoffs.stop()
        self.users.stop()
        self.chats.stop()
        self.presence.stop()
        self._reaper.stop()
        await self.lease.stop()

    def _renewed(self) -> None:
        """The store takes writes."""
        self.sessions.repair()
        self.mark_recall.repair()
        self.epoch.check()

    def repair(self) -> None:
        """A link came back: whatever was published meanwhile was missed."""
        if not (self.bus.link.connected and self.store.link.connected):
            return
        self.epoch.check()
        for chat in self.chats:
            chat.repair()
        for user in self.users:
            user.repair()
        self.mark_recall.repair()
        self.sessions.repair()
        self.lease.repair()
        self.presence.repair()
