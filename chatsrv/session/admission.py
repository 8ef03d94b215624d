"""Whether this node takes one more connection, and from this address and user.

One object per node. The shell asks :meth:`Admission.admit` once per handshake, after the origin and before
the token, and :meth:`Admission.admit_user` after that, and reports :meth:`connected` and :meth:`gone` for those
it upgraded; the drain sets ``draining``. It calls the injected clock and ``ready`` only. Always: memory is bounded
by the connections there are plus a fixed number of remembered addresses and users, and exempt addresses
(loopback, trusted proxies) are still subject to the node's own state.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable
from functools import lru_cache
from ipaddress import IPv6Address, ip_address, ip_network

from chatsrv.session.head import Refusal
from chatsrv.session.limits import Buckets
from chatsrv.session.proxies import UNIX

_REMEMBERED_ADDRESSES = 10_000
_REMEMBERED_USERS = 10_000
_LOOPBACK = ("127.0.0.0/8", "::1/128")
_NODE_RETRY_S = 2
_CONNECTIONS_RETRY_S = 10


class Admission:
    """Counts connections and handshakes.

    ``seconds``: a monotonic clock. ``max_connections``: of the node. ``per_address``: connections of one
    address (one /64 for IPv6); ``handshakes_per_s`` and ``handshakes_burst``: its token bucket;
    ``user_handshakes_per_s`` and ``user_handshakes_burst``: that of one user. ``exempt``: networks (or ``unix``,
    the peers of Unix sockets) without the limits per address. ``ready``: whether the store is reachable.
    """

    def __init__(
        self,
        *,
        seconds: Callable[[], float],
        max_connections: int,
        per_address: int = 1000,
        handshakes_per_s: float = 50,
        handshakes_burst: int = 200,
        user_handshakes_per_s: float = 5,
        user_handshakes_burst: int = 20,
        exempt_loopback: bool = True,
        exempt: Iterable[str] = (),
        ready: Callable[[], bool] = lambda: True,
    ) -> None:
        self.draining = False
        self.ready = ready
        self.connections = 0
        self._max_connections = max_connections
        self._per_address = per_address
        texts = {*exempt, *((UNIX, *_LOOPBACK) if exempt_loopback else ())}
        self._exempt_unix = UNIX in texts  # its peer is on this machine
        self._exempt = [ip_network(text, strict=False) for text in texts - {UNIX}]
        self._counts: Counter[str] = Counter()
        self._buckets = Buckets(handshakes_per_s, handshakes_burst, seconds, _REMEMBERED_ADDRESSES)
        self._users = Buckets(user_handshakes_per_s, user_handshakes_burst, seconds, _REMEMBERED_USERS)
        self._place = lru_cache(_REMEMBERED_ADDRESSES)(self._place_of)  # parsing costs more than all the rest

    def admit(self, address: str) -> Refusal | None:
        """None when one more may come from there now; it costs one of the address's handshakes."""
        if self.draining or self.connections >= self._max_connections or not self.ready():
            return _busy(503, _NODE_RETRY_S)
        key, exempt = self._place(address)
        if exempt:
            return None
        if self._counts[key] >= self._per_address:
            return _busy(429, _CONNECTIONS_RETRY_S)
        return _unless_too_fast(self._buckets.take(key))

    def admit_user(self, user_id: int) -> Refusal | None:
        """None when this user, whose token was good, may have one more; it costs one of his handshakes."""
        return _unless_too_fast(self._users.take(user_id))

    def connected(self, address: str) -> None:
        """An admitted connection was upgraded."""
        self.connections += 1
        self._counts[self._place(address)[0]] += 1

    def gone(self, address: str) -> None:
        """A connection reported by :meth:`connected` has ended."""
        key = self._place(address)[0]
        self.connections -= 1
        self._counts[key] -= 1
        if self._counts[key] <= 0:
            del self._counts[key]

    def _place_of(self, address: str) -> tuple[str, bool]:
        """What its limits are counted under, and whether it is free of them."""
        return _key(address), self._is_exempt(address)

    def _is_exempt(self, address: str) -> bool:
        try:
            ip = ip_address(address)
        except ValueError:
            return self._exempt_unix
        mapped = ip.ipv4_mapped if isinstance(ip, IPv6Address) else None
        return any((mapped or ip) in network for network in self._exempt)


def _key(address: str) -> str:
    """What one owner of addresses cannot multiply at will: an IPv4 address, the /64 of an IPv6 one."""
    if ":" not in address:
        return address
    try:
        ip = IPv6Address(address)
    except ValueError:
        return address
    return str(ip.ipv4_mapped or ip_network((int(ip) >> 64 << 64, 64)))


def _unless_too_fast(wait_ms: int) -> Refusal | None:
    return _busy(429, math.ceil(wait_ms / 1000)) if wait_ms else None


def _busy(status: int, retry_after_s: int) -> Refusal:
    return Refusal(status, (("Retry-After", str(max(1, retry_after_s))),))
