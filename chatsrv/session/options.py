"""The limits of one connection, as its shell and its handshake apply them. RELIABILITY section 4."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ShellOptions:
    """The limits of one connection (RELIABILITY section 4); ``ping_interval_s`` 0: no pings.

    ``sockets``: of all connections together, upgraded or not.
    """

    frame_bytes: int = 65536
    outbox_bytes: int = 262144
    compression: bool = False
    fragments: int = 64
    message_timeout_s: float = 10
    frames_per_s: int = 200
    control_frames_per_10s: int = 50
    ping_interval_s: float = 25
    ping_timeout_s: float = 8
    head_bytes: int = 8192
    head_lines: int = 64
    head_timeout_s: float = 5
    sockets: int = 10**9
    close_timeout_s: float = 5
    close_handshake_s: float = 1
    origins: tuple[str, ...] = ()
    trusted_proxies: tuple[str, ...] = ()
    url_token: bool = False
    token_bytes: int = 4096
