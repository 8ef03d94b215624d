"""What becomes of a request for ``/ws``: a pure decision over its head, nothing is written here.

The shell calls :func:`decide` once per connection, synchronously, so that nothing can change between the
checks and the upgrade (RELIABILITY A2). It calls the admission and the token verifier it is handed. Always:
the checks run in the order of the function's lines, cheap and public ones first; every bad token gets the
same answer; neither a token nor any other input is part of an answer. Sources: PROTOCOL section 1,
RELIABILITY section 3.1, RFC 6455 section 4.2.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl

from chatsrv.auth.keyset import KeysUnavailable
from chatsrv.auth.tokens import Identity, InvalidToken
from chatsrv.session.compression import answer_to
from chatsrv.session.head import Head, HeadRefused, Refusal
from chatsrv.wire.codes import Profile

if TYPE_CHECKING:
    from chatsrv.session.options import ShellOptions

PATH = "/ws"
_BEARER_PROTOCOL = "bearer."
_QUERY_BYTES = 1024
_EXTENSION_OFFERS = 16

_HOST = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._~!$&'()*+;=%-]+)(?::([0-9]{0,5}))?")
_ORIGIN = re.compile(r"(https?)://(\[[0-9a-f:.]+\]|[a-z0-9._~-]+)(?::([0-9]{1,5}))?")
_KEY = re.compile(r"[A-Za-z0-9+/]{22}==")
_DEFAULT_PORTS = {"http": "80", "https": "443"}

_UPGRADE = (("Upgrade", "websocket"),)
_WRONG_VERSION = (*_UPGRADE, ("Sec-WebSocket-Version", "13"))
NO_TOKEN = Refusal(401, (("WWW-Authenticate", "Bearer"),))
TWO_TOKENS = Refusal(400, (("WWW-Authenticate", 'Bearer error="invalid_request"'),))
KEYS_PENDING = Refusal(503, (("Retry-After", "2"),))
BAD_TOKEN = Refusal(401, (("WWW-Authenticate", 'Bearer error="invalid_token"'),))


@dataclass(frozen=True, slots=True)
class Accepted:
    """The request may be upgraded: whose it is, and what the 101 says."""

    key: str
    subprotocol: str | None
    identity: Identity
    extension: str | None = None

    @property
    def profile(self) -> Profile:
        """What the subprotocol selects; the core profile without one."""
        return Profile.CORE if self.subprotocol is None else Profile(self.subprotocol)


def decide(
    head: Head,
    *,
    secure: bool,
    options: ShellOptions,
    admit: Callable[[], Refusal | None],
    verify: Callable[[str], Identity],
    admit_user: Callable[[int], Refusal | None] = lambda user_id: None,
) -> Accepted:
    """Accepts the request or raises :class:`HeadRefused`.

    ``secure``: the connection itself is TLS, or that to a trusted proxy. ``admit``: whether there is room for
    one more; asked only when the request is well formed and its origin allowed. ``verify``: raises
    ``InvalidToken``, or ``KeysUnavailable`` while the keys are being fetched. ``admit_user``: whether there is
    room for one more of the token's user.
    """
    _check_request(head, options)
    key = _check_upgrade(head)
    if not _origin_allowed(head, secure, options.origins):
        raise HeadRefused(Refusal(403))
    if (refusal := admit()) is not None:
        raise HeadRefused(refusal)
    offered = head.items("sec-websocket-protocol")
    identity = _verified(_token(head, offered, options.url_token), options.token_bytes, verify)
    if (refusal := admit_user(identity.user_id)) is not None:
        raise HeadRefused(refusal)
    extension = answer_to(head.items("sec-websocket-extensions")) if options.compression else None
    return Accepted(key, _first_known(offered), identity, extension)


def _check_request(head: Head, options: ShellOptions) -> None:
    """Path, method, version, size, Host, and that nothing but frames can follow the head."""
    longest = _QUERY_BYTES + (options.token_bytes if options.url_token else 0)
    hosts = head.values("host")
    host = _HOST.fullmatch(hosts[0]) if len(hosts) == 1 else None
    for refused, status, headers in (
        (head.path != PATH, 404, ()),
        (head.method != "GET", 405, (("Allow", "GET"),)),
        (head.version != "HTTP/1.1", 505, ()),
        (len(head.query) > longest, 414, ()),
        (host is None or int(host[2] or 0) > 65535, 400, ()),
        ("transfer-encoding" in head.headers, 400, ()),
        (any(length != "0" for length in head.values("content-length")), 400, ()),
    ):
        if refused:
            raise HeadRefused(Refusal(status, headers))


def _check_upgrade(head: Head) -> str:
    """That it is a WebSocket request of version 13; returns its key."""
    if not (_names(head, "upgrade", "websocket") and _names(head, "connection", "upgrade")):
        raise HeadRefused(Refusal(426, _UPGRADE))
    if head.values("sec-websocket-version") != ["13"]:
        raise HeadRefused(Refusal(426, _WRONG_VERSION))
    keys = head.values("sec-websocket-key")
    if len(keys) != 1 or not _KEY.fullmatch(keys[0]):
        raise HeadRefused(Refusal(400))
    if len(head.items("sec-websocket-extensions")) > _EXTENSION_OFFERS:
        raise HeadRefused(Refusal(400))
    return keys[0]


def _names(head: Head, header: str, token: str) -> bool:
    return any(item.lower() == token for item in head.items(header))


def _origin_allowed(head: Head, secure: bool, listed: tuple[str, ...]) -> bool:
    """Whether there is no Origin, or it is the request's own host, or listed.

    A plain connection may come from a proxy that ended TLS, so there both schemes count as the own host; over
    TLS only ``https`` does. The port that Host leaves out is the default one of the Origin's scheme.
    """
    origins = head.values("origin")
    if not origins:
        return True
    if len(origins) > 1:
        return False
    origin = origins[0].lower()
    if origin in (known.lower() for known in listed):
        return True
    parts = _ORIGIN.fullmatch(origin)
    own = _HOST.fullmatch(head.values("host")[0].lower())
    if parts is None or own is None or (secure and parts[1] != "https"):
        return False
    default = _DEFAULT_PORTS[parts[1]]
    return (parts[2], parts[3] or default) == (own[1], own[2] or default)


def _token(head: Head, offered: list[str], url_token: bool) -> str:
    """The request's one token; raises for none and for more than one."""
    authorizations = head.values("authorization")
    schemes = [value.partition(" ") for value in authorizations]
    bearer = [credentials.strip() for scheme, _, credentials in schemes if scheme.lower() == "bearer"]
    tokens = bearer + [
        item.removeprefix(_BEARER_PROTOCOL) for item in offered if item.startswith(_BEARER_PROTOCOL)
    ]
    if url_token:
        tokens += [value for name, value in parse_qsl(head.query) if name == "token"]
    tokens = [token for token in tokens if token]
    if len(tokens) > 1 or len(authorizations) > 1 or any("," in token for token in tokens):
        raise HeadRefused(TWO_TOKENS)
    if not tokens:
        raise HeadRefused(NO_TOKEN)
    return tokens[0]


def _verified(token: str, max_bytes: int, verify: Callable[[str], Identity]) -> Identity:
    if len(token) > max_bytes:
        raise HeadRefused(BAD_TOKEN)
    try:
        return verify(token)
    except InvalidToken as error:
        raise HeadRefused(BAD_TOKEN) from error
    except KeysUnavailable as error:
        raise HeadRefused(KEYS_PENDING) from error


def _first_known(offered: list[str]) -> str | None:
    """The first offered subprotocol that is ours; a client that offers none of them gets none."""
    return next((name for name in offered if name in (Profile.CORE.value, Profile.FULL.value)), None)
