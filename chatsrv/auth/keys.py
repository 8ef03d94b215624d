"""The key that tokens are verified with, from the settings; a local secret is made when there is none.

``service`` and ``chatsrv token`` call ``load_key``. Sources, in this order: ``jwt_secret``; ``jwt_key_file``
(an HMAC secret, or a PEM public key); ``jwt.secret`` in the data directory. A key always comes with the
algorithms of its own family, and only those it is long enough for (RFC 7518 section 3.2, RFC 8725
section 3.1), so a public key can never be used as an HMAC secret. Every mistake is a ``ConfigError``.
"""

from __future__ import annotations

import contextlib
import os
import secrets
from dataclasses import dataclass, field

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from jwt.algorithms import AllowedPublicKeys, HMACAlgorithm
from jwt.exceptions import InvalidKeyError

from chatsrv.config import ConfigError, Settings

SECRET_FILE = "jwt.secret"
MIN_SECRET_BYTES = 32
MIN_RSA_BITS = 2048
_MAX_FILE_BYTES = 65536
_HMAC = {"HS256": 32, "HS384": 48, "HS512": 64}
_RSA = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512")
_CURVES = {"secp256r1": "ES256", "secp384r1": "ES384", "secp521r1": "ES512", "secp256k1": "ES256K"}


@dataclass(frozen=True, slots=True)
class VerificationKey:
    """A key and the algorithms, all of one family, that it may be used with."""

    algorithms: tuple[str, ...]
    key: AllowedPublicKeys | bytes = field(repr=False)

    @property
    def secret(self) -> bytes | None:
        """The HMAC secret, with which tokens can also be issued; ``None`` for a public key."""
        return self.key if isinstance(self.key, bytes) else None


def load_key(settings: Settings, *, create: bool) -> VerificationKey:
    """The key that ``settings`` name; with ``create``, a needed and missing ``DATA-DIR/jwt.secret`` is made.

    Raises ``ConfigError``. Two processes that create at the same moment end with the same secret.
    """
    if settings.jwt_secret:
        return _secret_key(settings.jwt_secret.encode(), "jwt_secret")
    if path := settings.jwt_key_file:
        data = _read(path)
        if data is None:
            raise ConfigError(f"token key file {path}: there is no such file")
        if b"-----BEGIN" in data:
            return _public_key(data, path)
        return _secret_key(_without_line_end(data), f"token key file {path}")
    return _local_key(settings.data_dir, create=create)


def _local_key(directory: str, *, create: bool) -> VerificationKey:
    path = os.path.join(directory, SECRET_FILE)
    data = _read(path)
    if data is None:
        if not create:
            raise ConfigError(f"there is no token secret {path} yet; the server makes it, or set jwt_secret")
        _make_secret(directory, path)
        data = _read(path) or b""
    return _secret_key(_without_line_end(data), f"token secret {path}")


def _make_secret(directory: str, path: str) -> None:
    """Write it whole under a name of our own and give it the right name only if nobody else has: no reader
    sees half a secret, and of two makers one wins."""
    temporary = f"{path}.{os.getpid()}.{secrets.token_hex(4)}"
    try:
        os.makedirs(directory, mode=0o700, exist_ok=True)
        with open(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(secrets.token_urlsafe(48).encode() + b"\n")
            file.flush()
            os.fsync(file.fileno())
        with contextlib.suppress(FileExistsError):
            os.link(temporary, path)
        _sync_directory(directory)
    except OSError as e:
        raise ConfigError(f"cannot make the token secret {path}: {e.strerror}") from None
    finally:
        with contextlib.suppress(OSError):
            os.unlink(temporary)


def _sync_directory(path: str) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _read(path: str) -> bytes | None:
    try:
        with open(path, "rb") as file:
            data = file.read(_MAX_FILE_BYTES + 1)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as e:
        raise ConfigError(f"token key file {path}: cannot be read: {e.strerror}") from None
    if len(data) > _MAX_FILE_BYTES:
        raise ConfigError(
            f"token key file {path}: is larger than {_MAX_FILE_BYTES} bytes; is it the right one?"
        )
    return data


def _without_line_end(data: bytes) -> bytes:
    """An editor's line end is no part of a secret."""
    return data.removesuffix(b"\n").removesuffix(b"\r")


def _secret_key(secret: bytes, where: str) -> VerificationKey:
    if len(secret) < MIN_SECRET_BYTES:
        raise ConfigError(f"{where}: has {len(secret)} bytes; an HMAC secret needs {MIN_SECRET_BYTES}")
    try:
        HMACAlgorithm(HMACAlgorithm.SHA256).prepare_key(secret)
    except InvalidKeyError:
        raise ConfigError(
            f"{where}: is no HMAC secret; give a public key as a PEM file in jwt_key_file"
        ) from None
    return VerificationKey(tuple(name for name, least in _HMAC.items() if len(secret) >= least), secret)


def _public_key(data: bytes, path: str) -> VerificationKey:
    where = f"token key file {path}"
    if b"PRIVATE KEY-----" in data:
        raise ConfigError(f"{where}: holds a private key; the server needs the public one only")
    try:
        key = load_pem_public_key(data)
    except (ValueError, UnsupportedAlgorithm):
        raise ConfigError(f"{where}: holds no usable PEM public key") from None
    if isinstance(key, rsa.RSAPublicKey):
        if key.key_size < MIN_RSA_BITS:
            raise ConfigError(
                f"{where}: the RSA key has {key.key_size} bits; it needs {MIN_RSA_BITS} or more"
            )
        return VerificationKey(_RSA, key)
    if isinstance(key, ec.EllipticCurvePublicKey) and key.curve.name in _CURVES:
        return VerificationKey((_CURVES[key.curve.name],), key)
    if isinstance(key, ed25519.Ed25519PublicKey | ed448.Ed448PublicKey):
        return VerificationKey(("EdDSA",), key)
    raise ConfigError(f"{where}: must be an RSA, EC (P-256, P-384, P-521, secp256k1) or Ed25519 public key")
