"""Who listens to which channel on this node. One listener a channel; what it hears it may hear late, or never.

Used by the actors, which read the store's log whenever they cannot be sure. Calls the subscriber link.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred

from chatsrv.bus.channels import Channels
from chatsrv.redis import RedisAddress, SubscriberLink

Listener = Callable[[bytes], None]


class Bus:
    """``link.ups`` is called whenever all channels are subscribed anew: then everybody must look for holes."""

    def __init__(
        self, reactor: Any, address: RedisAddress, channels: Channels, *, timeout_s: float = 2.0
    ) -> None:
        self.channels = channels
        self._listeners: dict[bytes, Listener] = {}
        self.link = SubscriberLink(reactor, address, self._heard, timeout_s=timeout_s, own=channels.own)

    def subscribe(self, channel: str, listener: Listener) -> Deferred[None]:
        """Listen; fires when the store confirmed it. If that fails (`Unavailable`) it is tried again by itself."""
        self._listeners[channel.encode()] = listener
        return self.link.subscribe(channel.encode())

    def unsubscribe(self, channel: str) -> None:
        if self._listeners.pop(channel.encode(), None) is not None:
            self.link.unsubscribe(channel.encode())

    def token(self, channel: str) -> str:
        """For `Appender.append`: what tells the store that this node listens to the channel; empty: it does not."""
        return self.link.token(channel.encode())

    def _heard(self, channel: bytes, payload: bytes) -> None:
        listener = self._listeners.get(channel)
        if listener is not None:
            listener(payload)
