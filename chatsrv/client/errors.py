"""What can go wrong on the client's side, one type each.

``HandshakeRefused`` and ``ConnectTimeout`` end a ``connect``, ``RequestRefused``, ``RequestTimeout`` and
``QueueFull`` one ``call``; ``ConnectionClosed`` ends either. Whether to try again is said by the registry in
``chatsrv.wire.codes``: ``error.code.retry`` and ``error.close_code.reconnect``. A ``Client`` does as they say;
``NoToken`` and ``Unsuitable`` end it.
"""

from __future__ import annotations

from collections.abc import Mapping

from chatsrv.wire.codes import CloseCode, ErrorCode

ABNORMAL = 1006
"""The code of a connection that ended without a close frame (RFC 6455 section 7.1.5)."""


class ClientError(Exception):
    """The base of everything this library raises about the peer."""


class HandshakeRefused(ClientError):
    """The server answered the upgrade with another HTTP status than 101 (PROTOCOL section 1)."""

    def __init__(self, status: int, headers: Mapping[str, str]) -> None:
        """``headers`` has lower-case names."""
        super().__init__(f"the server refused the handshake: HTTP {status}")
        self.status = status
        self.headers = dict(headers)

    @property
    def www_authenticate(self) -> str | None:
        """The challenge of a 400 or 401."""
        return self.headers.get("www-authenticate")

    @property
    def retry_after_s(self) -> int | None:
        """Seconds to wait before the next try (429, 503); None where the server named none."""
        value = self.headers.get("retry-after", "")
        return int(value) if value.isascii() and value.isdigit() else None


class ConnectTimeout(ClientError):
    """The server was not reached, or did not say hello, in time."""

    def __init__(self, timeout_s: float) -> None:
        super().__init__(f"no hello within {timeout_s:g} s")


class ConnectionClosed(ClientError):
    """The connection is over; what was waiting for a reply may or may not have taken effect."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(f"the connection is closed: {code} {reason}".rstrip())
        self.code = code
        self.reason = reason

    @property
    def close_code(self) -> CloseCode | None:
        """The registry's entry for ``code``; None for a code the protocol does not use."""
        return CloseCode.by_number(self.code)


class RequestRefused(ClientError):
    """The server answered a request with 3/1 (PROTOCOL section 4)."""

    def __init__(self, code: ErrorCode, message: str, retry_after_ms: int | None = None) -> None:
        super().__init__(f"{code.code}: {message}")
        self.code = code
        self.message = message
        self.retry_after_ms = retry_after_ms


class RequestTimeout(ClientError):
    """No reply came in time; the outcome is unknown. A reply that comes later is dropped."""

    def __init__(self, op: int, t: int, timeout_s: float) -> None:
        super().__init__(f"no reply to {op}/{t} within {timeout_s:g} s")


class QueueFull(ClientError):
    """So many requests wait for the connection already; this one was not sent."""

    def __init__(self, most: int) -> None:
        super().__init__(f"{most} requests are waiting to be sent")


class TokenUnavailable(ClientError):
    """The token callback failed; it is asked again. Its own error is the ``__cause__``."""


class NoToken(ClientError):
    """For the token callback to raise: there will be no token any more, so the client stops."""


class Unsuitable(ClientError):
    """The server said hello, but to another user than before, or not in the full profile."""
