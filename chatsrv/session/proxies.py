"""Where a connection comes from when proxies stand before the server: by their word, if the operator trusts them.

The shell asks :meth:`Proxies.source` once per request, when its head is whole and so the PROXY header before it was
read. Always: only what the nearest trusted machine says counts. From the socket's peer on, each address that is
trusted may name the one before it: first the peer by the PROXY protocol (a ``haproxy:`` endpoint), then all by
``X-Forwarded-For``, from its right end. The first that is not trusted is the client, and what it says of itself is
not looked at. Sources: RELIABILITY section 4, the PROXY protocol's specification, versions 1 and 2.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache
from ipaddress import IPv6Address, ip_address, ip_network
from typing import Any, NamedTuple

from twisted.internet.interfaces import IProtocolFactory, ISSLTransport
from twisted.internet.protocol import Protocol
from twisted.protocols.policies import ProtocolWrapper, WrappingFactory

from chatsrv.log import Logger
from chatsrv.session.head import Head

#: What a Unix socket's peer is called; trusted when it is among the proxies.
UNIX = "unix"
_HOPS = 16
_REMEMBERED = 1_000
_ELEMENT = re.compile(r"\[([0-9A-Fa-f:.]+)\](?::[0-9]+)?|([0-9.]+)(?::[0-9]+)?|([0-9A-Fa-f:.]+)")


class Source(NamedTuple):
    """``address`` of the client, ``unix`` for a Unix socket; ``secure``: it speaks TLS with us or with a proxy."""

    address: str
    secure: bool


class Proxies:
    """``trusted``: networks or addresses, or ``unix``. Without any, only the socket counts."""

    def __init__(self, trusted: Iterable[str] = ()) -> None:
        texts = set(trusted)
        self._unix = UNIX in texts
        self._networks = [ip_network(text, strict=False) for text in texts - {UNIX}]
        self._remembered = lru_cache(_REMEMBERED)(self._is_trusted)

    def source(self, transport: Any, head: Head) -> Source:
        """Where this request comes from."""
        secure = ISSLTransport.providedBy(transport)
        address = _host(_socket(transport).getPeer())
        if not self.trusts(address):
            return Source(address, secure)
        address = _parsed(_host(transport.getPeer())) or address  # of the PROXY header, or still the socket's
        if not self.trusts(address):
            return Source(address, secure)
        secure = secure or head.items("x-forwarded-proto")[-1:] == ["https"]
        for hop in reversed(head.items("x-forwarded-for")[-_HOPS:]):
            before = _parsed(hop)
            if before is None:
                break
            address = before
            if not self.trusts(address):
                break
        return Source(address, secure)

    def trusts(self, address: str) -> bool:
        """Whether it is a proxy's."""
        return self._remembered(address)

    def _is_trusted(self, address: str) -> bool:
        if address == UNIX:
            return self._unix
        found = _parsed(address)
        return found is not None and any(ip_address(found) in network for network in self._networks)


class ProxiesOnly(WrappingFactory):
    """For an endpoint that speaks the PROXY protocol: whoever is no trusted proxy is dropped there, unread."""

    noisy = False
    log = Logger()

    def __init__(self, factory: IProtocolFactory, proxies: Proxies) -> None:
        super().__init__(factory)  # type: ignore[no-untyped-call]
        self._proxies = proxies

    def buildProtocol(self, addr: Any) -> Any:
        peer = _host(addr)
        if self._proxies.trusts(peer):
            return self.wrappedFactory.buildProtocol(addr)
        self.log.warn("dropped a connection of {peer}, which is not among the trusted_proxies", peer=peer)
        return _Dropped()


class _Dropped(Protocol):
    transport: Any

    def connectionMade(self) -> None:
        self.transport.abortConnection()


def _socket(transport: Any) -> Any:
    """The transport at the bottom, whose peer is the socket's."""
    while isinstance(transport, ProtocolWrapper):
        transport = transport.transport
    return transport


def _host(peer: Any) -> str:
    return getattr(peer, "host", None) or UNIX


def _parsed(text: str) -> str | None:
    """The address, as some proxies write it in brackets or with a port; None where it is none."""
    found = _ELEMENT.fullmatch(text)
    try:
        ip = ip_address(found[1] or found[2] or found[3]) if found else None
    except ValueError:
        return None
    mapped = ip.ipv4_mapped if isinstance(ip, IPv6Address) else None
    return str(mapped or ip) if ip else None
