"""The keys that tokens are verified with: from a token's header to the keys that may have signed it.

``keys`` and ``jwks`` make them, ``tokens`` asks them. A key always comes with the algorithms of its own family,
and only those it is long enough for (RFC 7518 section 3.2, RFC 8725 section 3.1), so a public key can never be
used as an HMAC secret. Whatever a token names, the number of keys that are tried with it is bounded.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Protocol

from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa
from jwt.algorithms import AllowedPublicKeys

MIN_RSA_BITS = 2048
#: What OpenSSL verifies with.
MAX_RSA_BITS = 16384
#: Of the keys that fit a token, so many are tried.
MAX_CANDIDATES = 8
#: The longest key id, in characters; a token with a longer one is refused.
MAX_KID = 256
_RSA = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512")
_CURVES = {"secp256r1": "ES256", "secp384r1": "ES384", "secp521r1": "ES512", "secp256k1": "ES256K"}
_SURROGATES = re.compile(r"[\ud800-\udfff]")
#: All that a public key can be used with.
PUBLIC_ALGORITHMS = frozenset((*_RSA, *_CURVES.values(), "EdDSA"))


class KeysUnavailable(Exception):
    """Whether a key fits cannot be said now, because the keys are being fetched. It can soon."""


class UnsuitableKey(ValueError):
    """A key that tokens must not be verified with. The text ends a sentence that begins with what it is."""


class KeySource(Protocol):
    """Where a verifier gets its keys from."""

    def candidates(self, kid: str | None, algorithm: str) -> tuple[VerificationKey, ...]:
        """The keys that may have signed a token with this header. ``KeysUnavailable``: ask again soon."""


@dataclass(frozen=True, slots=True)
class VerificationKey:
    """A key and the algorithms, all of one family, that it may be used with.

    ``kid`` is its id; a key without one fits any. From ``not_after`` on (seconds since the epoch) it is not
    accepted any more. ``origin`` says where it comes from, for the log. By itself it is a set of one.
    """

    algorithms: tuple[str, ...]
    key: AllowedPublicKeys | bytes = field(repr=False)
    kid: str | None = None
    not_after: float | None = None
    origin: str = ""

    @property
    def secret(self) -> bytes | None:
        """The HMAC secret, with which tokens can also be issued; ``None`` for a public key."""
        return self.key if isinstance(self.key, bytes) else None

    def __str__(self) -> str:
        text = f"{self.origin} ({', '.join(self.algorithms)})"
        return text if self.not_after is None else f"{text} until {_utc(self.not_after)}"

    def accepted_at(self, now: float) -> bool:
        return self.not_after is None or now < self.not_after

    def candidates(self, kid: str | None, algorithm: str) -> tuple[VerificationKey, ...]:
        fits = algorithm in self.algorithms and (kid is None or self.kid is None or kid == self.kid)
        return (self,) if fits else ()


class KeySet:
    """Several keys; those with the token's ``kid`` are tried before those that have none."""

    def __init__(self, keys: Iterable[VerificationKey]) -> None:
        self.keys = tuple(sorted(keys, key=lambda key: key.kid is None))
        self.kids = frozenset(key.kid for key in self.keys if key.kid is not None)

    def candidates(self, kid: str | None, algorithm: str) -> tuple[VerificationKey, ...]:
        fitting = [key for key in self.keys if key.candidates(kid, algorithm)]
        return tuple(fitting[:MAX_CANDIDATES])

    def signing_secret(self, now: float) -> bytes | None:
        """The first secret among them that is accepted still; tokens can be issued with it."""
        return next((key.secret for key in self.keys if key.secret and key.accepted_at(now)), None)

    def __str__(self) -> str:
        return "; ".join(map(str, self.keys))


def _utc(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat().replace("+00:00", "Z")


def is_key_id(value: object) -> bool:
    """Whether it can be one: a text of at most 256 characters, without lone surrogates."""
    return isinstance(value, str) and len(value) <= MAX_KID and not _SURROGATES.search(value)


def algorithms_of(key: object) -> tuple[str, ...]:
    """The algorithms that a public key may be used with. Raises ``UnsuitableKey``."""
    if isinstance(key, rsa.RSAPublicKey):
        if key.key_size < MIN_RSA_BITS:
            raise UnsuitableKey(f"the RSA key has {key.key_size} bits; it needs {MIN_RSA_BITS} or more")
        if key.key_size > MAX_RSA_BITS:
            raise UnsuitableKey(
                f"the RSA key has {key.key_size} bits; no more than {MAX_RSA_BITS} can be used"
            )
        return _RSA
    if isinstance(key, ec.EllipticCurvePublicKey) and key.curve.name in _CURVES:
        return (_CURVES[key.curve.name],)
    if isinstance(key, ed25519.Ed25519PublicKey | ed448.Ed448PublicKey):
        return ("EdDSA",)
    raise UnsuitableKey("must be an RSA, EC (P-256, P-384, P-521, secp256k1) or Ed25519 public key")
