"""A JSON Web Key Set (RFC 7517): from its bytes to the keys in it that tokens may be verified with.

``jwks`` calls ``read_jwks`` with what it fetched. A key that is not meant for it, or not fit, is skipped with a
reason; a set without any good key is an error. Always: nothing secret is taken over, no other exception leaves,
and reasons hold nothing of the document but key ids that are plain.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import msgspec
from jwt.algorithms import AllowedPublicKeys, ECAlgorithm, OKPAlgorithm, RSAAlgorithm

from chatsrv.auth.keyset import KeySet, UnsuitableKey, VerificationKey, algorithms_of, is_key_id

#: Keys of a set that are looked at.
MAX_KEYS = 64
_READERS: Mapping[str, Any] = {
    "RSA": RSAAlgorithm.from_jwk,
    "EC": ECAlgorithm.from_jwk,
    "OKP": OKPAlgorithm.from_jwk,
}
_PRIVATE = frozenset({"d", "p", "q", "dp", "dq", "qi", "oth", "k"})
_PLAIN = re.compile(r"[A-Za-z0-9._~:/+=-]{1,64}")


class BadKeySet(Exception):
    """It is no key set, or holds no key that can be used. The text ends a sentence that begins with its place."""


def read_jwks(document: bytes) -> tuple[KeySet, tuple[str, ...]]:
    """The usable keys, and for each other one why not. Raises ``BadKeySet``."""
    try:
        members = msgspec.json.decode(document)["keys"]
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, LookupError, TypeError):
        raise BadKeySet("is no JSON Web Key Set") from None
    if not isinstance(members, list):
        raise BadKeySet("is no JSON Web Key Set")
    keys, skipped = [], []
    for number, jwk in enumerate(members[:MAX_KEYS], 1):
        try:
            keys.append(_key(jwk))
        except UnsuitableKey as reason:
            skipped.append(f"{_name(jwk, number)}: {reason}")
    if len(members) > MAX_KEYS:
        skipped.append(f"all after the first {MAX_KEYS}")
    if not keys:
        raise BadKeySet(f"holds no usable key{': ' * bool(skipped)}{'; '.join(skipped[:3])}")
    return KeySet(keys), tuple(skipped)


def _name(jwk: Any, number: int) -> str:
    kid = jwk.get("kid") if isinstance(jwk, dict) else None
    return f"key {kid}" if isinstance(kid, str) and _PLAIN.fullmatch(kid) else f"key number {number}"


def _key(jwk: Any) -> VerificationKey:
    if not isinstance(jwk, dict):
        raise UnsuitableKey("is no object")
    _check_meant_for_signatures(jwk)
    kid = jwk.get("kid")
    if kid is not None and not is_key_id(kid):
        raise UnsuitableKey("has a bad kid")
    key = _public_key(jwk)
    algorithms = algorithms_of(key)
    if (only := jwk.get("alg")) is not None:
        algorithms = tuple(name for name in algorithms if name == only)
        if not algorithms:
            raise UnsuitableKey("has an alg that is not its own")
    return VerificationKey(algorithms, key, kid)


def _check_meant_for_signatures(jwk: dict[str, Any]) -> None:
    """That the key is public, and that ``use`` and ``key_ops``, where present, allow it (RFC 7517 section 4)."""
    if jwk.get("kty") == "oct":
        raise UnsuitableKey("is symmetric")
    if not _PRIVATE.isdisjoint(jwk):
        raise UnsuitableKey("is private and should not be published")
    if jwk.get("use", "sig") != "sig":
        raise UnsuitableKey("is not for signatures")
    operations = jwk.get("key_ops", ["verify"])
    if not isinstance(operations, list) or "verify" not in operations:
        raise UnsuitableKey("is not for verifying")


def _public_key(jwk: dict[str, Any]) -> AllowedPublicKeys:
    kind = jwk.get("kty")
    if not isinstance(kind, str) or kind not in _READERS:
        raise UnsuitableKey("is of another kind than RSA, EC, OKP")
    try:
        key: AllowedPublicKeys = _READERS[kind](jwk)
    except Exception:  # readers raise what they like: wrong types, base64, points that are not on the curve
        raise UnsuitableKey("is damaged") from None
    return key
