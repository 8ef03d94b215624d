"""JSON Web Tokens: verify one at the handshake, issue one for the local secret.

``session`` calls ``TokenVerifier.verify`` before the upgrade and for a 1/3; ``chatsrv token`` calls
``issue_token``. PyJWT checks shape, signature, issuer and audience; what it leaves open is checked here:
size, duplicate members, dangerous headers, times by our own clock, and the user id. Whatever happens inside,
the only exception that leaves ``verify`` is ``InvalidToken``. Source: RFC 7519, RFC 8725, RELIABILITY W5.
"""

from __future__ import annotations

import contextlib
import json
import math
import re
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import jwt
from jwt.utils import base64url_decode

from chatsrv.auth.keyset import KeySource, KeysUnavailable, is_key_id
from chatsrv.wire.requests import MAX_ID

_USER_ID = re.compile(r"[1-9][0-9]{0,15}")
_REFUSED_HEADERS = frozenset({"crit", "jku", "x5u", "jwk"})
_TYPES = frozenset({"jwt", "at+jwt"})


class InvalidToken(Exception):
    """The token is refused. Its text is a short constant for the log, never a part of the token."""


@dataclass(frozen=True, slots=True)
class Identity:
    """Whom a verified token speaks for.

    ``expires_at`` is the token's own ``exp`` in ms since the epoch (``None``: it has none); the token is
    accepted ``leeway_s`` longer. ``token_id`` is its ``jti``, ``issued_at`` its ``iat`` in ms (``None``: it has
    none).
    """

    user_id: int
    expires_at: int | None
    token_id: str | None
    issued_at: int | None = None


class TokenVerifier:
    """Checks tokens against the keys of a source. Cheap enough for the handshake: it never waits."""

    def __init__(
        self,
        keys: KeySource,
        *,
        clock: Callable[[], float] = time.time,
        user_claim: str = "sub",
        issuer: str | None = None,
        audience: str | None = None,
        require_exp: bool = True,
        leeway_s: float = 30,
        token_bytes: int = 4096,
    ) -> None:
        self._keys = keys
        self._clock = clock
        self._user_claim = user_claim
        self._issuer = issuer
        self._audience = audience
        self._leeway_s = leeway_s
        self._token_bytes = token_bytes
        required = [user_claim] + ["exp"] * require_exp
        # Times are compared below, by our clock; the user claim too, because PyJWT refuses an integer.
        self._jwt = _StrictJWT(
            {
                "require": required,
                "verify_exp": False,
                "verify_nbf": False,
                "verify_iat": False,
                "verify_sub": False,
                "enforce_minimum_key_length": True,
            }
        )

    def verify(self, token: str) -> Identity:
        """The identity ``token`` proves, or ``InvalidToken``; ``KeysUnavailable`` when its key may still come.

        Size is checked before anything is decoded.
        """
        if len(token) > self._token_bytes or not token.isascii():
            raise InvalidToken("size or alphabet")
        try:
            return self._identity(token)
        except (InvalidToken, KeysUnavailable):
            raise
        except Exception as e:  # a parser's surprise is a bad token, not our failure
            raise InvalidToken(type(e).__name__) from None

    def _identity(self, token: str) -> Identity:
        claims = self._claims(token, *_header(token.partition(".")[0]))
        expires_at = self._check_times(claims)
        return Identity(_user_id(claims[self._user_claim]), expires_at, _token_id(claims), _issued_at(claims))

    def _claims(self, token: str, algorithm: str, kid: str | None) -> dict[str, Any]:
        """What the token says, once a key fits its signature; issuer, audience and presence are checked."""
        now = self._clock()
        for key in self._keys.candidates(kid, algorithm):
            if key.accepted_at(now):
                with contextlib.suppress(jwt.InvalidSignatureError):
                    claims: dict[str, Any] = self._jwt.decode_complete(
                        token,
                        key.key,
                        algorithms=key.algorithms,
                        issuer=self._issuer,
                        audience=self._audience,
                    )["payload"]
                    return claims
        raise InvalidToken("no key fits")

    def _check_times(self, claims: dict[str, Any]) -> int | None:
        now = self._clock()
        times = {name: _seconds(claims[name]) for name in ("exp", "nbf", "iat") if name in claims}
        if "nbf" in times and times["nbf"] > now + self._leeway_s:
            raise InvalidToken("not yet valid")
        if "iat" in times and times["iat"] > now + self._leeway_s:
            raise InvalidToken("issued in the future")
        if "exp" not in times:
            return None
        if times["exp"] <= now - self._leeway_s:
            raise InvalidToken("expired")
        return int(times["exp"] * 1000)


class _StrictJWT(jwt.PyJWT):
    """PyJWT with a claims parser that refuses duplicate members (PyJWT's own lets the last one win)."""

    def _decode_payload(self, decoded: dict[str, Any]) -> dict[str, Any]:
        return _parse(decoded["payload"])


def _parse(data: bytes) -> dict[str, Any]:
    parsed = _DECODER.decode(data.decode("utf-8"))
    if not isinstance(parsed, dict):
        raise InvalidToken("not an object")
    return parsed


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise InvalidToken("duplicate member")
    return members


def _refuse_constant(_name: str) -> float:
    raise InvalidToken("not a JSON number")


_DECODER = json.JSONDecoder(object_pairs_hook=_unique, parse_constant=_refuse_constant)


@lru_cache(maxsize=64)  # an issuer's tokens all have the same; one that is refused is not kept
def _header(segment: str) -> tuple[str, str | None]:
    """Algorithm and key id. The segment's spelling is checked by PyJWT later."""
    header = _parse(base64url_decode(segment))
    if not _REFUSED_HEADERS.isdisjoint(header):
        raise InvalidToken("header that is not supported")
    if str(header.get("typ", "JWT")).lower().removeprefix("application/") not in _TYPES:
        raise InvalidToken("another type of token")
    algorithm, kid = header.get("alg"), header.get("kid")
    if type(algorithm) is not str or not (kid is None or is_key_id(kid)):
        raise InvalidToken("bad algorithm or key id")
    return algorithm, kid


def _seconds(value: Any) -> float:
    """A NumericDate; never a text or a boolean, and small enough to be told in ms as a JSON integer."""
    if type(value) not in (int, float) or not math.isfinite(value) or not 0 <= value <= MAX_ID // 1000:
        raise InvalidToken("bad time")
    return float(value)


def _user_id(value: Any) -> int:
    if isinstance(value, str) and _USER_ID.fullmatch(value):
        value = int(value)
    if type(value) is not int or not 1 <= value <= MAX_ID:
        raise InvalidToken("bad user id")
    return value


def _issued_at(claims: dict[str, Any]) -> int | None:
    return int(_seconds(claims["iat"]) * 1000) if "iat" in claims else None


def _token_id(claims: dict[str, Any]) -> str | None:
    token_id: str | None = claims.get("jti")
    if token_id is not None:
        token_id.encode("utf-8")  # a lone surrogate would fail only later, in the store
    return token_id or None


def unverified(token: str, user_claim: str) -> Identity:
    """What a token says of itself, whoever signed it: enough to revoke it. Raises ``InvalidToken``."""
    try:
        claims = _parse(base64url_decode(token.split(".")[1]))
        expires_at = int(_seconds(claims["exp"]) * 1000) if "exp" in claims else None
        return Identity(_user_id(claims[user_claim]), expires_at, _token_id(claims))
    except Exception as e:  # as in `TokenVerifier.verify`
        raise InvalidToken(type(e).__name__) from None


def issue_token(
    secret: bytes,
    user_id: int,
    ttl_s: float,
    clock: Callable[[], float] = time.time,
    *,
    user_claim: str = "sub",
    issuer: str | None = None,
    audience: str | None = None,
) -> str:
    """A token for ``user_id``, valid for ``ttl_s`` seconds, signed with the HMAC ``secret`` (HS256)."""
    now = int(clock())
    claims: dict[str, Any] = {user_claim: str(user_id), "iat": now, "exp": now + int(ttl_s)}
    claims |= {name: value for name, value in (("iss", issuer), ("aud", audience)) if value}
    return jwt.encode(claims | {"jti": secrets.token_urlsafe(12)}, secret, algorithm="HS256")
