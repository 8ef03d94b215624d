"""The one connection for pub/sub; the bus hears all its channels over it.

Each channel has a SUBSCRIBE of its own, paired with its confirmation by position and remembered by identity,
so a late confirmation can never stand for a later subscription. A PING (allowed while subscribed) finds a
black hole. Always: what is wanted is subscribed and confirmed before ``ups`` are called; after any loss the
caller must read what it may have missed, since pub/sub does not repeat.
"""

from __future__ import annotations

import random as random_module
from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.interfaces import IDelayedCall

from chatsrv.redis.address import RedisAddress
from chatsrv.redis.errors import Unavailable
from chatsrv.redis.link import Link
from chatsrv.redis.pipeline import Pipeline

Waiters = list[Deferred[None]]


class SubscriberLink(Link):
    """Hands every message of the wanted channels to ``on_message(channel, body)``; see ``Link`` for the rest.

    The database number of ``address`` is of no effect on pub/sub. No answer to a PING, sent each ``ping_s``,
    or to a SUBSCRIBE within ``timeout_s`` drops the connection, and it connects anew. ``own`` makes names of
    channels that nobody else subscribes to, another one for each connection and after each UNSUBSCRIBE: see ``token``.
    """

    def __init__(
        self,
        reactor: Any,
        address: RedisAddress,
        on_message: Callable[[bytes, bytes], None],
        *,
        ping_s: float = 5.0,
        timeout_s: float = 2.0,
        random: Callable[[], float] = random_module.random,
        own: Callable[[], str] | None = None,
    ) -> None:
        super().__init__(reactor, address, timeout_s=timeout_s, random=random)
        self._on_message = on_message
        self._name_own = own
        self._own = ""  # the channel that this connection alone is subscribed to, once it is confirmed
        self._ping_s = ping_s
        self._ping: IDelayedCall | None = None
        self._wanted: set[bytes] = set()
        self._confirmed: set[bytes] = set()
        self._unconfirmed: dict[bytes, Waiters] = {}  # subscribed on this connection, not yet confirmed
        self._restoring: Pipeline | None = None  # greeted, but not up until nothing is unconfirmed

    def subscribe(self, channel: bytes) -> Deferred[None]:
        """Want ``channel``; fires when Redis has confirmed it on the present connection.

        Fails with ``Unavailable`` when the link is down or drops first (the channel stays wanted), or is
        unsubscribed first; with ``ReplyError`` when an ACL refuses it (then it is not wanted any more).
        """
        self._wanted.add(channel)
        if channel in self._confirmed:
            return succeed(None)
        pipeline = self._restoring or (self._pipeline if self.connected else None)
        if pipeline is None:
            return fail(Unavailable(self.last_error or "not connected", sent=False))
        if channel not in self._unconfirmed:
            self._write(pipeline, channel)
        waiter: Deferred[None] = Deferred()
        self._unconfirmed[channel].append(waiter)
        return waiter

    def unsubscribe(self, channel: bytes) -> None:
        """Want ``channel`` no more; from now on no message of it is handed over."""
        self._wanted.discard(channel)
        waiters = self._unconfirmed.pop(channel, None)
        pipeline = self._pipeline
        if pipeline is not None and (waiters is not None or channel in self._confirmed):
            self._renounce(pipeline, channel)
        self._confirmed.discard(channel)
        for waiter in waiters or ():
            waiter.errback(Unavailable("unsubscribed before it was confirmed", sent=True))
        self._restored()

    def token(self, channel: bytes) -> str:
        """The own channel of the present connection if ``channel`` is confirmed on it, else nothing.

        Who counts the subscribers of both (PUBSUB NUMSUB) knows: as long as the own one has one, this
        connection lives, and is one of those of ``channel``, whatever happened to it meanwhile.
        """
        return self._own if channel in self._confirmed else ""

    def _renounce(self, pipeline: Pipeline, channel: bytes) -> None:
        """Unsubscribe; the own channel first, for somebody may yet be counting with it and take us for a subscriber."""
        own, self._own = self._own, ""
        if own:
            pipeline.send(self._must_answer(pipeline), ("UNSUBSCRIBE", own))
        pipeline.send(self._must_answer(pipeline), ("UNSUBSCRIBE", channel))
        if own and self._name_own is not None:
            self._subscribe_own(pipeline, self._name_own())

    def _greeted(self, pipeline: Pipeline) -> None:
        self._restoring = pipeline
        if self._name_own is not None:
            self._subscribe_own(pipeline, self._name_own())
        for channel in self._wanted:
            self._write(pipeline, channel)
        self._ping = self._reactor.callLater(self._ping_s, self._send_ping, pipeline)
        self._restored()

    def _write(self, pipeline: Pipeline, channel: bytes) -> None:
        waiters: Waiters = []

        def answered(reply: object) -> None:
            if self._unconfirmed.get(channel) is not waiters:
                return  # unsubscribed meanwhile, perhaps subscribed again: a later answer counts
            if isinstance(reply, Exception):
                self._refused(pipeline, channel, reply)
                return
            del self._unconfirmed[channel]
            self._confirmed.add(channel)
            for waiter in waiters:
                waiter.callback(None)
            self._restored()

        self._unconfirmed[channel] = waiters
        pipeline.send(answered, ("SUBSCRIBE", channel))

    def _subscribe_own(self, pipeline: Pipeline, name: str) -> None:
        def answered(reply: object) -> None:
            if not isinstance(reply, Exception):  # an access control list may refuse it: then there is none
                self._own = name

        pipeline.send(answered, ("SUBSCRIBE", name))

    def _refused(self, pipeline: Pipeline, channel: bytes, problem: Exception) -> None:
        if isinstance(problem, Unavailable):
            pipeline.abort(str(problem))  # and _dropped fails the waiters
            return
        waiters = self._unconfirmed.pop(channel)
        if not waiters:  # one that was to be restored: without it the link is not what it was
            pipeline.abort(str(problem))
            return
        self._wanted.discard(channel)
        for waiter in waiters:
            waiter.errback(problem)
        self._restored()

    def _restored(self) -> None:
        if self._restoring is not None and not self._unconfirmed:
            pipeline, self._restoring = self._restoring, None
            self._up(pipeline)

    def _must_answer(self, pipeline: Pipeline) -> Callable[[object], None]:
        def answered(reply: object) -> None:
            if isinstance(reply, Exception):
                pipeline.abort(str(reply))

        return answered

    def _send_ping(self, pipeline: Pipeline) -> None:
        pipeline.send(self._must_answer(pipeline), ("PING",))
        self._ping = self._reactor.callLater(self._ping_s, self._send_ping, pipeline)

    def _make_pipeline(self) -> Pipeline:
        return Pipeline(self._reactor, self._timeout_s, self._opened, self._closed, self._push)

    def _push(self, reply: object) -> bool:
        if type(reply) is not list or len(reply) != 3 or reply[0] != b"message":
            return False
        if reply[1] in self._wanted:
            try:
                self._on_message(reply[1], reply[2])
            except Exception:
                self.log.failure("a published message was not handled")
        return True

    def _dropped(self) -> None:
        if self._ping is not None and self._ping.active():
            self._ping.cancel()
        self._restoring = None
        self._own = ""
        self._confirmed.clear()
        lost, self._unconfirmed = self._unconfirmed, {}
        for waiters in lost.values():
            for waiter in waiters:
                waiter.errback(Unavailable("the connection was lost before it was confirmed", sent=True))
