"""From settings to the objects of one node: options, verifier, admission. Called by ``service`` alone."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from chatsrv.actors import NodeOptions
from chatsrv.auth.keys import jwks_url
from chatsrv.auth.keyset import KeySource
from chatsrv.auth.tokens import TokenVerifier
from chatsrv.config import Settings, connection_limit, socket_limit
from chatsrv.session.admission import Admission
from chatsrv.session.options import ShellOptions
from chatsrv.session.token_terms import TokenTerms
from chatsrv.store.chats import Retention
from chatsrv.wire.limits import Limits

if TYPE_CHECKING:
    from chatsrv.auth.jwks import JwksKeys


def node_options(settings: Settings) -> NodeOptions:
    return NodeOptions(
        limits=Limits(
            frame_bytes=settings.frame_bytes,
            message_chars=settings.message_chars,
            name_chars=settings.name_chars,
            requests_per_s=settings.requests_per_s,
            burst=settings.burst,
            history_page=settings.history_page,
            members=settings.members,
        ),
        friends=settings.friends,
        chats=settings.chats,
        open_requests=settings.open_requests,
        blocked=settings.blocked,
        friend_requests_per_h=settings.friend_requests_per_h,
        invites_per_h=settings.invites_per_h,
        chats_per_h=settings.chats_per_h,
        nonce_window_s=settings.nonce_window_s,
        connections_per_user=settings.connections_per_user,
        mailbox_entries=settings.mailbox_entries,
        request_timeout_s=settings.request_timeout_s,
        passivate_after_s=settings.passivate_after_s,
        presence_grace_s=settings.presence_grace_s,
        lease_s=settings.lease_s,
        lease_renew_s=settings.lease_renew_s,
        status_interval_s=settings.status_interval_s,
    )


def shell_options(settings: Settings) -> ShellOptions:
    return ShellOptions(
        frame_bytes=settings.frame_bytes,
        outbox_bytes=settings.outbox_bytes,
        compression=settings.compression,
        fragments=settings.fragments,
        message_timeout_s=settings.message_timeout_s,
        frames_per_s=settings.frames_per_s or _frames_per_s(settings),
        control_frames_per_10s=settings.control_frames_per_10s,
        head_bytes=settings.head_bytes,
        head_lines=settings.head_lines,
        head_timeout_s=settings.head_timeout_s,
        sockets=socket_limit(),
        ping_interval_s=settings.ping_interval_s,
        ping_timeout_s=settings.ping_timeout_s,
        close_handshake_s=min(settings.close_handshake_s, settings.close_timeout_s),
        close_timeout_s=settings.close_timeout_s,
        origins=settings.origins,
        trusted_proxies=settings.trusted_proxies,
        url_token=settings.token_in_url,
        token_bytes=settings.jwt_token_bytes,
    )


def _frames_per_s(settings: Settings) -> int:
    """Ten times the requests, and never less than what `burst` and the requests behind it are in 10 s."""
    whole_burst = math.ceil(settings.burst / 10) + settings.requests_per_s
    return max(10 * settings.requests_per_s, whole_burst)


def token_verifier(settings: Settings, keys: KeySource) -> TokenVerifier:
    return TokenVerifier(
        keys,
        user_claim=settings.jwt_user_claim,
        issuer=settings.jwt_issuer or None,
        audience=settings.jwt_audience or None,
        require_exp=settings.jwt_require_exp,
        leeway_s=settings.jwt_leeway_s,
        token_bytes=settings.jwt_token_bytes,
    )


def jwks(settings: Settings, reactor: Any) -> JwksKeys | None:
    """The token keys where they are fetched; only then is there an HTTP client."""
    url = jwks_url(settings)
    if not url:
        return None
    from chatsrv.auth.fetch import fetcher
    from chatsrv.auth.jwks import JwksKeys

    return JwksKeys(
        reactor,
        fetcher(reactor, url, timeout_s=settings.jwt_jwks_timeout_s, max_bytes=settings.jwt_jwks_bytes),
        url.partition("?")[0],
        refresh_s=settings.jwt_jwks_refresh_s,
        unknown_kid_s=settings.jwt_jwks_unknown_kid_s,
    )


def token_terms(settings: Settings, verifier: TokenVerifier) -> TokenTerms:
    return TokenTerms(verifier, longest_s=settings.jwt_connection_s, leeway_s=settings.jwt_leeway_s)


def retention(settings: Settings) -> Retention:
    return Retention(
        log_events=settings.log_events_per_chat,
        messages=settings.messages_per_chat,
        message_age_ms=int(settings.message_age_s * 1000),
        nonce_window_ms=int(settings.nonce_window_s * 1000),
    )


def admission(settings: Settings, seconds: Callable[[], float], ready: Callable[[], bool]) -> Admission:
    """``ready`` says whether the store is in reach; while it is not, handshakes are answered with 503."""
    return Admission(
        seconds=seconds,
        max_connections=connection_limit(settings),
        per_address=settings.connections_per_address,
        handshakes_per_s=settings.handshakes_per_address_per_s,
        handshakes_burst=settings.handshake_burst,
        user_handshakes_per_s=settings.handshakes_per_user_per_s,
        user_handshakes_burst=settings.handshake_burst_per_user,
        exempt_loopback=settings.exempt_loopback,
        exempt=settings.trusted_proxies,
        ready=ready,
    )
