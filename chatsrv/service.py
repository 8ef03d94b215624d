"""The composition root: builds the objects of one node from the settings, starts and stops them in order.

Made by ``tap`` for ``twistd``, or by whoever embeds the server. The port opens only when the store answers,
the scripts are loaded and the bus listens; it closes first, and the embedded Redis goes last.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from twisted.application.service import Service
from twisted.internet.defer import CancelledError, Deferred, TimeoutError, succeed
from twisted.internet.interfaces import IListeningPort
from twisted.internet.task import deferLater

from chatsrv import assembly, garbage, monotonic
from chatsrv import exit as process
from chatsrv.actors import Node
from chatsrv.auth.keys import load_keys
from chatsrv.auth.keyset import KeySet, KeySource
from chatsrv.bus import Bus, Channels
from chatsrv.config import ConfigError, Settings
from chatsrv.listeners import Listeners
from chatsrv.log import Logger, PeerLines, limit_peers, set_level
from chatsrv.redis import (
    FIRST_UP_TIMEOUT_S,
    EmbeddedRedis,
    RedisAddress,
    RedisLink,
    ReplyError,
    StartError,
    Unavailable,
)
from chatsrv.session.admission import Admission
from chatsrv.session.factory import ShellFactory
from chatsrv.session.session import Session
from chatsrv.session.shell import Shell
from chatsrv.session.token_terms import TokenTerms
from chatsrv.store import Store
from chatsrv.welcome import welcome
from chatsrv.wire.codes import CloseCode

if TYPE_CHECKING:
    from chatsrv.auth.jwks import JwksKeys

#: How long the stop waits for clients to finish the closing handshake.
PARTING_S = 1.0


class CannotStart(Exception):
    """One line that says why, and what to do."""


def _unusable(address: RedisAddress, why: str) -> CannotStart:
    advice = "start it or correct it, or correct the setting redis"
    return CannotStart(f"Redis at {address} cannot be used: {why.rstrip('.') or 'no answer'}; {advice}")


def make_service(settings: Settings, *, own_process: bool = False) -> ChatService:
    """The service of one node; nothing is opened before `startService`. ``own_process``: see `ChatService`."""
    return ChatService(settings, own_process=own_process)


class ChatService(Service):
    """``ready`` fires when the node listens, on ``ports``; it fails with what `startService` failed with.

    Under ``twistd`` (``own_process``) a failed start ends the process, and signals drain it.
    """

    name = "chatsrv"
    log = Logger()

    def __init__(self, settings: Settings, reactor: Any = None, *, own_process: bool = False) -> None:
        if reactor is None:
            from twisted.internet import reactor
        self.settings = settings
        self.ready: Deferred[None] = Deferred()
        self.sessions: set[Session] = set()
        self._own_process = own_process
        self._reactor = reactor
        self._listeners = Listeners(reactor, settings.listen, settings.outbox_bytes)
        self._starting: Deferred[None] | None = None
        self._redis: EmbeddedRedis | None = None
        self._jwks: JwksKeys | None = None
        self._link: RedisLink | None = None
        self._bus: Bus | None = None
        self._node: Node | None = None
        self._admission: Admission | None = None
        self._terms: TokenTerms | None = None
        self._drained = False

    @property
    def ports(self) -> list[IListeningPort]:
        """Where it listens, in the order of the setting ``listen``."""
        return self._listeners.ports

    # Start

    def startService(self) -> None:
        self.running = 1
        if self._own_process:
            set_level(self.settings.log_level)
            monotonic.use(self._reactor)
            limit_peers(PeerLines(self.settings.log_lines_per_peer_per_min))
            process.install_signals(self._reactor, lambda: Deferred.fromCoroutine(self.drain()))
        self._starting = Deferred.fromCoroutine(self._start())
        self._starting.addCallbacks(self.ready.callback, self._not_started)

    async def _start(self) -> None:
        settings = self.settings
        try:
            jwks = self._jwks = assembly.jwks(settings, self._reactor)
            tried = jwks.start() if jwks else succeed(None)
            keys = jwks or KeySet(load_keys(settings, create=True))
            address = await self._start_redis()
            store, bus = await self._connect(address)
            await self._start_node(store, bus, address)
            await tried
            await self._listeners.listen(self._shell_factory(keys))
        except (CannotStart, ConfigError, StartError) as error:
            raise CannotStart(str(error)) from None
        self._announce(address, keys)
        if self._own_process:
            garbage.tune()

    def _not_started(self, failure: Any) -> None:
        error = failure.value
        if isinstance(error, CancelledError):
            self.log.info("stopped before it was up")
        else:
            if not isinstance(error, CannotStart):
                self.log.failure("the start failed", failure)
            if self._own_process:
                process.fail(self._reactor, str(error))
        self.ready.errback(failure)
        self.ready.addErrback(lambda _: None)

    async def _start_redis(self) -> RedisAddress:
        if self.settings.redis != "embedded":
            try:
                return RedisAddress.from_url(self.settings.redis)
            except ValueError as error:
                raise CannotStart(f"setting redis: {error}") from None
        self._redis = EmbeddedRedis(
            self._reactor, Path(self.settings.data_dir), fsync=self.settings.redis_fsync
        )
        return await self._redis.start()

    async def _connect(self, address: RedisAddress) -> tuple[Store, Bus]:
        settings = self.settings
        link = self._link = RedisLink(
            self._reactor,
            address,
            timeout_s=settings.redis_timeout_s,
            max_in_flight=settings.redis_max_in_flight,
        )
        channels = Channels(settings.redis_key_prefix, address.database)
        bus = self._bus = Bus(self._reactor, address, channels, timeout_s=settings.redis_timeout_s)
        link.start()
        bus.link.start()
        store = Store(link, settings.redis_key_prefix, retention=assembly.retention(settings))
        try:
            await link.when_up().addTimeout(FIRST_UP_TIMEOUT_S, self._reactor)
            await bus.link.when_up().addTimeout(FIRST_UP_TIMEOUT_S, self._reactor)
            await link.load(list(store.scripts.values()))
        except (TimeoutError, Unavailable, ReplyError) as error:
            raise _unusable(address, link.last_error or bus.link.last_error or str(error)) from None
        return store, bus

    async def _start_node(self, store: Store, bus: Bus, address: RedisAddress) -> None:
        self._node = Node(self._reactor, store, bus, bus.channels, assembly.node_options(self.settings))
        try:
            await self._node.start()
        except (Unavailable, ReplyError) as error:
            raise _unusable(address, str(error)) from None

    def _shell_factory(self, keys: KeySource) -> ShellFactory:
        assert self._node is not None
        settings = self.settings
        self._admission = assembly.admission(settings, self._reactor.seconds, self._store_in_reach)
        verifier = assembly.token_verifier(settings, keys)
        self._terms = assembly.token_terms(settings, verifier)
        return ShellFactory(
            reactor=self._reactor,
            verifier=verifier,
            admission=self._admission,
            open_session=self._open_session,
            options=assembly.shell_options(settings),
            revoked=self._node.revocations.refuse,
        )

    def _announce(self, address: RedisAddress, keys: KeySet | JwksKeys) -> None:
        for variable in self.settings.unknown_environment:
            self.log.warn("environment variable {name} is no setting and is ignored", name=variable)
        redis = self._redis
        store = f"Redis at {address}"
        if redis is not None:
            store = f"{self.settings.data_dir} (embedded Redis {redis.version}, {redis.binary})"
        signs = isinstance(keys, KeySet) and keys.signing_secret(time.time()) is not None
        for line in welcome(self.settings, self.ports, store, str(keys), signs=signs):
            self.log.info("{line}", line=line)

    # Sessions

    def _store_in_reach(self) -> bool:
        link, bus = self._link, self._bus
        return link is not None and link.connected and bus is not None and bus.link.connected

    def _open_session(self, shell: Shell) -> Session:
        assert self._node is not None
        assert self._terms is not None
        session = Session(
            shell,
            self._node,
            refused_per_10s=self.settings.refused_per_10s,
            terms=self._terms,
            ended=self.sessions.discard,
        )
        self.sessions.add(session)
        return session

    # Stop

    async def drain(self) -> None:
        """Take nobody in, answer what is in flight, close every connection with 1001. Once.

        At a socket that systemd keeps, whoever comes now is left to the next process; elsewhere he gets 503.
        """
        if self._drained:
            return
        self._drained = True
        if self._admission is not None:
            self._admission.draining = True
        await self._listeners.stop_handed_over()
        for session in list(self.sessions):
            session.drain()
        await self._until(lambda: not self.sessions, self.settings.drain_s)
        for session in list(self.sessions):
            session.close(CloseCode.GOING_AWAY)
        await self._listeners.stop()
        await self._until(lambda: not (self._admission and self._admission.connections), PARTING_S)

    async def _until(self, done: Callable[[], bool], seconds: float) -> None:
        deadline = self._reactor.seconds() + seconds
        while not done() and self._reactor.seconds() < deadline:
            await deferLater(self._reactor, 0.02)

    def stopService(self) -> Deferred[None]:
        self.running = 0
        return Deferred.fromCoroutine(self._stop())

    async def _stop(self) -> None:
        if self._starting is not None and not self._starting.called:
            self._starting.cancel()
        await self.drain()
        if self._jwks is not None:
            self._jwks.stop()
        if self._node is not None:
            await self._node.stop()
        for link in (self._bus.link if self._bus else None, self._link):
            if link is not None:
                await link.stop()
        if self._redis is not None:
            await self._redis.stop()
