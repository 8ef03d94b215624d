"""The keys that tokens are verified with, from the settings; a local secret is made when there is none.

``service`` and ``chatsrv token`` call ``load_keys``. Sources, in this order: ``jwt_secret``; ``jwt_key_file``
(files with an HMAC secret, or a PEM public key, each perhaps with an end); ``jwt.secret`` in the data directory.
What a key may be used with is decided in ``keyset``. Every mistake is a ``ConfigError``.
"""

from __future__ import annotations

import contextlib
import os
import re
import secrets
from dataclasses import replace
from datetime import datetime
from ipaddress import ip_address
from urllib.parse import urlsplit

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from jwt.algorithms import HMACAlgorithm
from jwt.exceptions import InvalidKeyError

from chatsrv.auth.keyset import MAX_CANDIDATES, UnsuitableKey, VerificationKey, algorithms_of
from chatsrv.config import ConfigError, Settings

__all__ = ["MIN_SECRET_BYTES", "SECRET_FILE", "VerificationKey", "jwks_url", "load_keys"]

SECRET_FILE = "jwt.secret"
MIN_SECRET_BYTES = 32
_MAX_FILE_BYTES = 65536
_HMAC = {"HS256": 32, "HS384": 48, "HS512": 64}
_UNTIL = re.compile(r"(.+)\s+until\s+(.*)")


def load_keys(settings: Settings, *, create: bool) -> tuple[VerificationKey, ...]:
    """The keys that ``settings`` name; with ``create``, a needed and missing ``DATA-DIR/jwt.secret`` is made.

    Raises ``ConfigError``. Two processes that create at the same moment end with the same secret.
    """
    if settings.jwt_jwks_url:
        raise ConfigError("the token keys are those of jwt_jwks_url, which holds none to sign with")
    if settings.jwt_secret:
        return (_secret_key(settings.jwt_secret.encode(), "jwt_secret"),)
    if settings.jwt_key_file:
        if len(settings.jwt_key_file) > MAX_CANDIDATES:
            raise ConfigError(f"jwt_key_file: names more than {MAX_CANDIDATES} files; take old ones away")
        return tuple(map(_key_of_entry, settings.jwt_key_file))
    return (_local_key(settings.data_dir, create=create),)


def jwks_url(settings: Settings) -> str:
    """The checked ``jwt_jwks_url``; empty when the keys are not to be fetched. Raises ``ConfigError``.

    Whoever can change what is fetched can make tokens, so it is https, or does not leave the machine.
    """
    url = settings.jwt_jwks_url
    with contextlib.suppress(ValueError):
        parts = urlsplit(url)
        secure = parts.scheme == "https" or (parts.scheme == "http" and _is_loopback(parts.hostname))
        plain = url.isascii() and not re.search(r"[\s#@\\]", url) and parts.port != 0
        if not url or (secure and plain and parts.hostname):
            return url
    raise ConfigError(
        "jwt_jwks_url: must be an https:// URL, or an http:// one of this machine, without a password"
    )


def _is_loopback(host: str | None) -> bool:
    with contextlib.suppress(ValueError):
        return host == "localhost" or ip_address(host or "").is_loopback
    return False


def _key_of_entry(entry: str) -> VerificationKey:
    """The key of ``FILE``, or of ``FILE until TIME``."""
    match = _UNTIL.fullmatch(entry)
    if match is None:
        return _file_key(entry)
    return replace(_file_key(match[1]), not_after=_time(match[2], match[1]))


def _time(text: str, path: str) -> float:
    with contextlib.suppress(ValueError, OverflowError):
        time = datetime.fromisoformat(text)
        if time.tzinfo is not None:
            return time.timestamp()
    raise ConfigError(
        f"token key file {path}: behind until stands a time with its zone, such as 2027-01-31T00:00:00Z"
    )


def _file_key(path: str) -> VerificationKey:
    data = _read(path)
    if data is None:
        raise ConfigError(f"token key file {path}: there is no such file")
    if b"-----BEGIN" in data:
        return _public_key(data, path)
    return replace(_secret_key(_without_line_end(data), f"token key file {path}"), origin=path)


def _local_key(directory: str, *, create: bool) -> VerificationKey:
    path = os.path.join(directory, SECRET_FILE)
    data = _read(path)
    if data is None:
        if not create:
            raise ConfigError(f"there is no token secret {path} yet; the server makes it, or set jwt_secret")
        _make_secret(directory, path)
        data = _read(path) or b""
    return replace(_secret_key(_without_line_end(data), f"token secret {path}"), origin=path)


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
    algorithms = tuple(name for name, least in _HMAC.items() if len(secret) >= least)
    return VerificationKey(algorithms, secret, origin=where)


def _public_key(data: bytes, path: str) -> VerificationKey:
    where = f"token key file {path}"
    if b"PRIVATE KEY-----" in data:
        raise ConfigError(f"{where}: holds a private key; the server needs the public one only")
    if data.count(b"-----BEGIN") > 1:
        raise ConfigError(f"{where}: holds more than one key; put each into a file of its own")
    try:
        key = load_pem_public_key(data)
        return VerificationKey(algorithms_of(key), key, origin=path)  # type: ignore[arg-type]
    except UnsuitableKey as error:
        raise ConfigError(f"{where}: {error}") from None
    except (ValueError, UnsupportedAlgorithm):
        raise ConfigError(f"{where}: holds no usable PEM public key") from None
