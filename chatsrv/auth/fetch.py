"""One document over HTTP, by treq: bounded in size and time, not redirected, not unpacked.

``jwks`` fetches a key set with it. Each fetch has a connection of its own, which is aborted at its end, however
that comes about. The only exception is ``FetchFailed``, one line without anything that the server sent.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from treq import collect
from treq.client import HTTPClient
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectError, DNSLookupError
from twisted.internet.interfaces import IStreamClientEndpoint
from twisted.python.failure import Failure
from twisted.web.client import Agent, BrowserLikePolicyForHTTPS, HTTPConnectionPool, ResponseNeverReceived
from twisted.web.http_headers import Headers
from twisted.web.iweb import IAgent, IPolicyForHTTPS
from zope.interface import implementer

from chatsrv._version import __version__

_HEADERS = Headers({"User-Agent": [f"chatsrv/{__version__}"], "Accept": ["application/json"]})


class FetchFailed(Exception):
    """There is no document. The text ends a sentence that begins with its URL."""


def fetcher(
    reactor: Any,
    url: str,
    *,
    timeout_s: float,
    max_bytes: int,
    clock: Any = None,
    tls: IPolicyForHTTPS | None = None,
) -> Callable[[], Deferred[bytes]]:
    """A function that fetches ``url``, within ``timeout_s`` in all, up to ``max_bytes``.

    ``clock`` measures the time, by default the reactor; ``tls`` says whom to trust, by default whom the machine does.
    """

    trust = _Trust(tls or BrowserLikePolicyForHTTPS())

    def fetch() -> Deferred[bytes]:
        connection = _Connection(reactor, timeout_s, trust)
        document = Deferred.fromCoroutine(_document(connection, url, max_bytes))
        late = Failure(FetchFailed(f"did not come within {timeout_s:g} s"))
        document.addTimeout(timeout_s, clock or reactor, lambda *_: late)
        return document.addBoth(connection.ended).addErrback(_failed)

    return fetch


async def _document(connection: _Connection, url: str, max_bytes: int) -> bytes:
    response = await HTTPClient(connection).get(url, headers=_HEADERS, allow_redirects=False, unbuffered=True)
    if response.code != 200:
        redirected = "; redirects are not followed" * (300 <= response.code < 400)
        raise FetchFailed(f"was answered with status {response.code}{redirected}")
    body = bytearray()

    def add(data: bytes) -> None:
        body.extend(data)
        if len(body) > max_bytes:
            raise FetchFailed(f"is larger than {max_bytes} bytes")

    await collect(response, add)
    return bytes(body)


def _failed(failure: Failure) -> Failure:
    error = failure.value
    if isinstance(error, FetchFailed):
        return failure
    if isinstance(error, ResponseNeverReceived) and error.reasons:
        error = error.reasons[0].value
    return Failure(FetchFailed(f"cannot be fetched: {_in_words(error)}"))


def _in_words(error: BaseException | None) -> str:
    """Its kind; what it says only where that is the system's or the TLS library's own words."""
    kind = type(error).__name__
    ours = isinstance(error, ConnectError | DNSLookupError) or type(error).__module__.startswith("OpenSSL")
    return f"{kind}: {re.sub('[^ -~]+', ' ', str(error))[:200].rstrip('.')}" if ours else kind


@implementer(IAgent)
class _Connection:
    """An agent for one request, which can abort its connection: Twisted only closes one, as politely as a server
    lets it. It takes the body as it is: 64 KiB unpacked may be 64 MiB."""

    def __init__(self, reactor: Any, timeout_s: float, tls: IPolicyForHTTPS) -> None:
        pool = _Pool(reactor)
        self._made = pool.made
        self._agent = Agent(reactor, tls, connectTimeout=timeout_s, pool=pool)

    def request(
        self, method: bytes, uri: bytes, headers: Headers | None = None, bodyProducer: Any = None
    ) -> Deferred[Any]:
        headers = Headers() if headers is None else headers.copy()
        headers.removeHeader("Accept-Encoding")
        return self._agent.request(method, uri, headers, bodyProducer).addCallback(_as_it_is)

    def ended(self, result: Any) -> Any:
        for protocol in self._made:
            if protocol.transport is not None:
                protocol.transport.abortConnection()
        return result


def _as_it_is(response: Any) -> Any:
    response.headers.removeHeader("Content-Encoding")
    return response


@implementer(IPolicyForHTTPS)
class _Trust:
    """Reads the certificates that are trusted once, at the first fetch: there are many, and nothing else happens
    meanwhile. Without redirects there is only one place to trust."""

    def __init__(self, policy: IPolicyForHTTPS) -> None:
        self._policy = policy
        self._creator: Any = None

    def creatorForNetloc(self, hostname: bytes, port: int) -> Any:
        if self._creator is None:
            self._creator = self._policy.creatorForNetloc(hostname, port)
        return self._creator


class _Pool(HTTPConnectionPool):
    """Keeps no connection for later, but remembers those it made."""

    def __init__(self, reactor: Any) -> None:
        super().__init__(reactor, persistent=False)  # type: ignore[no-untyped-call]
        self.made: list[Any] = []

    def getConnection(self, key: Any, endpoint: Any) -> Any:
        return super().getConnection(key, _Remembering(endpoint, self.made))


@implementer(IStreamClientEndpoint)
class _Remembering:
    def __init__(self, endpoint: IStreamClientEndpoint, made: list[Any]) -> None:
        self._endpoint = endpoint
        self._made = made

    def connect(self, protocolFactory: Any) -> Deferred[Any]:
        protocolFactory.noisy = False  # else two lines in the log for each fetch
        return self._endpoint.connect(protocolFactory).addCallback(self._connected)

    def _connected(self, protocol: Any) -> Any:
        self._made.append(protocol)
        return protocol
