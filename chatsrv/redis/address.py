"""Where a Redis is and who we are there: the one reader of ``redis://``, ``rediss://`` and ``unix://``.

The configuration makes it from a setting, ``EmbeddedRedis`` for its own child; the links connect by it.
Always: neither ``str`` nor ``repr`` nor an error text contains the password.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

from twisted.internet.endpoints import HostnameEndpoint, UNIXClientEndpoint, wrapClientTLS
from twisted.internet.interfaces import IStreamClientEndpoint
from twisted.internet.ssl import optionsForClientTLS


@dataclass(frozen=True)
class RedisAddress:
    """A server (``path`` of a Unix socket, else ``host`` and ``port``), an ACL user, a database number."""

    host: str = "localhost"
    port: int = 6379
    path: str | None = None
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    database: int = 0
    tls: bool = False

    @classmethod
    def from_url(cls, url: str) -> RedisAddress:
        """Read ``redis[s]://[user:pass@]host[:port][/db]`` or ``unix://[user:pass@]/path[?db=N]``.

        User, password and path are percent-decoded. Raises ``ValueError`` with one line that does not
        repeat the URL, since that holds the password.
        """
        try:
            parts = urlsplit(url)
            host, port, username, password = parts.hostname, parts.port, parts.username, parts.password
        except ValueError:
            raise ValueError("the Redis URL has a malformed host or port") from None
        if parts.fragment:
            raise ValueError("the Redis URL contains '#': write it as %23 in a password")
        username = unquote(username) if username else None
        password = unquote(password) if password else None
        if parts.scheme == "unix":
            path, database = _path_of(parts), _database(_query(parts).get("db", "0"))
            return cls(path=path, username=username, password=password, database=database)
        if parts.scheme not in ("redis", "rediss"):
            raise ValueError("a Redis URL begins with redis://, rediss:// or unix://")
        if parts.query:
            raise ValueError(
                "a redis:// URL takes no '?': the database number is its path, redis://host:port/0"
            )
        if not host:
            raise ValueError("the Redis URL names no host: redis://host:port/0")
        database = _database(parts.path.strip("/") or "0")
        return cls(
            host=host,
            port=port or 6379,
            username=username,
            password=password,
            database=database,
            tls=parts.scheme == "rediss",
        )

    def __str__(self) -> str:
        user = f"{self.username}@" if self.username else ""
        if self.path is not None:
            return f"unix://{user}{self.path}?db={self.database}"
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"redis{'s' if self.tls else ''}://{user}{host}:{self.port}/{self.database}"

    def endpoint(self, reactor: Any, *, connect_timeout_s: float) -> IStreamClientEndpoint:
        """Where to connect; TLS verifies certificate and host name (``SSL_CERT_FILE`` is honoured)."""
        if self.path is not None:
            return UNIXClientEndpoint(reactor, self.path, timeout=connect_timeout_s)
        plain = HostnameEndpoint(reactor, self.host, self.port, timeout=connect_timeout_s)
        return wrapClientTLS(optionsForClientTLS(self.host), plain) if self.tls else plain


def _path_of(parts: SplitResult) -> str:
    if parts.hostname or not parts.path.strip("/"):
        raise ValueError("a unix:// URL names an absolute path: unix:///run/redis/redis.sock?db=0")
    return unquote(parts.path)


def _query(parts: SplitResult) -> dict[str, str]:
    query = dict(parse_qsl(parts.query, keep_blank_values=True))
    if query.keys() - {"db"}:
        raise ValueError("a unix:// URL takes no other parameter than db")
    return query


def _database(text: str) -> int:
    if not (text.isascii() and text.isdigit()):
        raise ValueError("the database number in the Redis URL is not a number of 0 or above")
    return int(text)
