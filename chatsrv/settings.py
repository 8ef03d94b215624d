"""The table of all settings: name, type, range, unit, meaning and default, in one place.

Nothing is done here: ``chatsrv.config`` fills a ``Settings`` from option, environment and file, and
``chatsrv.cli.sample`` prints ``etc/chatsrv.toml`` from it. Units are in the names and once more in the
``Meta``. Defaults are safe ones. Source: DESIGN section 6, RELIABILITY section 4.
"""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct

_MANY = 10**9


def _is(text: str, *, least: int | None = None) -> Meta:
    return Meta(description=text, min_length=least, extra={"unit": ""})


def _int(low: int, high: int, unit: str, text: str) -> Meta:
    return Meta(description=text, ge=low, le=high, extra={"unit": unit})


def _sec(low: float, high: float, text: str) -> Meta:
    return Meta(description=text, ge=low, le=high, extra={"unit": "seconds"})


class Settings(Struct, frozen=True, kw_only=True):
    """What one node runs with. Made by ``chatsrv.config.load_settings``, which also checks the ranges."""

    # fmt: off
    # --- where it listens, and where it stores ---
    listen: Annotated[tuple[str, ...], _is(
        "Twisted server endpoints to listen on", least=1)] = ("tcp:8080:interface=127.0.0.1",)
    data_dir: Annotated[str, _is(
        "directory of the embedded Redis and of the token secret that is made once", least=1)] = "./var"
    redis: Annotated[str, _is(
        '"embedded", or the redis://, rediss:// or unix:// URL of an external one', least=1)] = "embedded"
    redis_fsync: Annotated[Literal["always", "everysec"], _is(
        "when the embedded Redis writes to disk; everysec may lose the last second")] = "always"
    redis_key_prefix: Annotated[str, _is(
        "beginning of every key and channel name in Redis")] = "chatsrv:"
    redis_timeout_s: Annotated[float, _sec(0.1, 60,
        "longest wait for one Redis command")] = 2.0
    redis_max_in_flight: Annotated[int, _int(64, 65536, "commands",
        "Redis commands that may await their reply at once")] = 1024

    # --- who may connect ---
    jwt_secret: Annotated[str, _is(
        "HMAC secret of at least 32 bytes for the tokens; best given by the environment")] = ""
    jwt_key_file: Annotated[tuple[str, ...], _is(
        "files with an HMAC secret or a PEM public key (RSA, EC, Ed25519) for the tokens, each with a time "
        'behind it or none: "old.pem until 2027-01-31T00:00:00Z"')] = ()
    jwt_jwks_url: Annotated[str, _is(
        "https:// URL of the JSON Web Key Set with the public keys for the tokens")] = ""
    jwt_jwks_refresh_s: Annotated[float, _sec(1, 7 * 86_400,
        "time between two fetches of the key set")] = 600.0
    jwt_jwks_unknown_kid_s: Annotated[float, _sec(1, 86_400,
        "shortest time between two fetches made because a token names an unknown key")] = 30.0
    jwt_jwks_timeout_s: Annotated[float, _sec(0.1, 60,
        "longest time one fetch of the key set may take")] = 5.0
    jwt_jwks_bytes: Annotated[int, _int(1024, 2**24, "bytes",
        "largest key set")] = 262_144
    jwt_user_claim: Annotated[str, _is(
        "the claim that holds the user id", least=1)] = "sub"
    jwt_issuer: Annotated[str, _is(
        "the iss a token must carry; empty: not checked")] = ""
    jwt_audience: Annotated[str, _is(
        "the aud a token must carry; empty: tokens with an aud are refused")] = ""
    jwt_require_exp: Annotated[bool, _is(
        "whether tokens without an expiry time (exp) are refused")] = True
    jwt_leeway_s: Annotated[float, _sec(0, 600,
        "how far the clock of the token's issuer may be off")] = 30.0
    jwt_connection_s: Annotated[float, _sec(1, 366 * 86_400,
        "longest connection on one token, even if that is valid for longer")] = 86_400.0
    jwt_token_bytes: Annotated[int, _int(256, 65536, "bytes",
        "largest token")] = 4096
    token_in_url: Annotated[bool, _is(
        "whether /ws?token=... is accepted; URLs end up in logs")] = False
    origins: Annotated[tuple[str, ...], _is(
        "web origins that may connect, beside the server's own host")] = ()

    trusted_proxies: Annotated[tuple[str, ...], _is(
        "addresses or networks of proxies (or unix) whose word on where a client comes from is taken")] = ()

    # --- what a client may send and own ---
    frame_bytes: Annotated[int, _int(1024, 2**24, "bytes",
        "largest frame from a client")] = 65536
    compression: Annotated[bool, _is(
        "whether clients may agree to compressed messages (permessage-deflate)")] = False
    message_chars: Annotated[int, _int(1, 2**20, "code points",
        "longest text of a message")] = 4000
    name_chars: Annotated[int, _int(1, 1024, "code points",
        "longest name of a chat")] = 64
    head_bytes: Annotated[int, _int(1024, 2**20, "bytes",
        "largest request head, up to and with its blank line")] = 8192
    head_lines: Annotated[int, _int(8, 1000, "lines",
        "most header lines of a request")] = 64
    fragments: Annotated[int, _int(1, 65536, "frames",
        "most of which one message may consist")] = 64
    history_page: Annotated[int, _int(1, 1000, "messages",
        "largest page of history")] = 100
    members: Annotated[int, _int(2, 100_000, "users",
        "most members of one group")] = 1000
    friends: Annotated[int, _int(1, 100_000, "users",
        "most friends of one user")] = 5000
    chats: Annotated[int, _int(1, 100_000, "chats",
        "most chats of one user")] = 5000
    open_requests: Annotated[int, _int(1, 100_000, "requests",
        "most open friend requests of one user")] = 500
    blocked: Annotated[int, _int(1, 100_000, "users",
        "most users that one user may block")] = 5000

    # --- how fast, and how many ---
    requests_per_s: Annotated[int, _int(1, 10**6, "requests a second",
        "steady rate of one connection")] = 20
    burst: Annotated[int, _int(1, 10**6, "requests",
        "what one connection may send at once")] = 100
    refused_per_10s: Annotated[int, _int(1, _MANY, "requests",
        "refused within 10 s, above which the connection is closed")] = 1000
    friend_requests_per_h: Annotated[int, _int(1, 10**6, "requests an hour",
        "friend requests that one user may make")] = 20
    invites_per_h: Annotated[int, _int(1, 10**6, "users an hour",
        "that one user may put into groups")] = 60
    chats_per_h: Annotated[int, _int(1, 10**6, "chats an hour",
        "that one user may create")] = 20
    frames_per_s: Annotated[int, _int(0, 10**7, "frames a second",
        "over 10 s, of one connection; 0: ten times requests_per_s, or what burst needs")] = 0
    control_frames_per_10s: Annotated[int, _int(1, _MANY, "frames",
        "pings, pongs and closes of one connection within 10 s")] = 50
    connections_per_user: Annotated[int, _int(1, 10**6, "connections",
        "most of one user; one more closes the oldest")] = 10
    connections_per_address: Annotated[int, _int(1, _MANY, "connections",
        "most from one address")] = 1000
    handshakes_per_address_per_s: Annotated[int, _int(1, 10**6, "handshakes a second",
        "steady rate of one address")] = 50
    handshake_burst: Annotated[int, _int(1, 10**6, "handshakes",
        "what one address may begin at once")] = 200
    handshakes_per_user_per_s: Annotated[int, _int(1, 10**6, "handshakes a second",
        "steady rate of one user, on this node")] = 5
    handshake_burst_per_user: Annotated[int, _int(1, 10**6, "handshakes",
        "what one user may begin at once, on this node")] = 20
    exempt_loopback: Annotated[bool, _is(
        "whether loopback addresses are free of the limits per address")] = True
    max_connections: Annotated[int, _int(0, _MANY, "connections",
        "most on this node; 0: 90 % of its file-descriptor limit")] = 0

    # --- what waits, and for how long ---
    outbox_bytes: Annotated[int, _int(4096, 2**30, "bytes",
        "unsent for one connection, above which it is closed as a slow consumer")] = 262144
    mailbox_entries: Annotated[int, _int(1, 10**6, "requests",
        "waiting for one actor, above which more are refused")] = 256
    head_timeout_s: Annotated[float, _sec(0.1, 300,
        "longest wait for a client's request head")] = 5.0
    message_timeout_s: Annotated[float, _sec(0.1, 300,
        "longest wait for the rest of a client's message")] = 10.0
    ping_interval_s: Annotated[float, _sec(1, 3600,
        "silence after which a client is pinged")] = 25.0
    ping_timeout_s: Annotated[float, _sec(0.1, 300,
        "longest wait for a client's pong")] = 8.0
    close_handshake_s: Annotated[float, _sec(0.1, 300,
        "time a client is given to answer a close, within close_timeout_s")] = 1.0
    close_timeout_s: Annotated[float, _sec(0.1, 300,
        "longest wait for a client to finish a close")] = 5.0
    request_timeout_s: Annotated[float, _sec(0.1, 300,
        "time after which a request is answered as unavailable")] = 5.0
    drain_s: Annotated[float, _sec(0, 60,
        "longest wait for requests in flight when the service stops")] = 5.0

    # --- presence and upkeep ---
    presence_grace_s: Annotated[float, _sec(0, 600,
        "time from a user's last close until friends see it")] = 5.0
    lease_s: Annotated[float, _sec(1, 600,
        "silence after which a node counts as dead")] = 15.0
    lease_renew_s: Annotated[float, _sec(0.1, 300,
        "time between two renewals of a node's lease; at most half of lease_s")] = 5.0
    status_interval_s: Annotated[float, _sec(0.01, 60,
        "shortest time between two status frames to one client")] = 1.0
    passivate_after_s: Annotated[float, _sec(1, 86_400,
        "idle time after which an actor leaves memory")] = 60.0
    log_events_per_chat: Annotated[int, _int(100, 10**7, "events",
        "kept for each chat, for catch-up")] = 10_000
    messages_per_chat: Annotated[int, _int(0, _MANY, "messages",
        "kept for each chat; 0: all")] = 0
    message_age_s: Annotated[float, _sec(0, _MANY,
        "age above which a chat's messages are dropped, with its next one; 0: never")] = 0.0
    nonce_window_s: Annotated[float, _sec(1, 366 * 86_400,
        "how long a nonce is remembered, at least")] = 86_400.0
    log_level: Annotated[Literal["debug", "info", "warn", "error", "critical"], _is(
        "least important level that is logged")] = "info"
    log_lines_per_peer_per_min: Annotated[int, _int(1, 10**6, "lines a minute",
        "most that are logged about one client or actor; the others are counted")] = 5
    # fmt: on

    #: Not a setting: the ``CHATSRV_*`` variables that name none. The start log warns of them.
    unknown_environment: tuple[str, ...] = ()

    def __repr__(self) -> str:
        """All but the secrets."""
        names = (n for n in self.__struct_fields__ if n not in {"jwt_secret", "redis"})
        return f"Settings({', '.join(f'{n}={getattr(self, n)!r}' for n in names)})"
