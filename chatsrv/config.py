"""Where a setting's value comes from: the option, else the environment, else the file, else the default.

``load_settings`` is called by ``tap`` and ``cli`` and reads the table in ``chatsrv.settings``; everything
else receives a ``Settings`` and never looks at the environment. A setting is a key of the TOML file and a
variable ``CHATSRV_<NAME>`` (lists with commas; an empty variable counts as not set). A mistake is a
``ConfigError`` of one line that names the place and what belongs there, and never repeats the value.
"""

from __future__ import annotations

import difflib
import ipaddress
import json
import os
import re
import resource
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal, get_args, get_origin, get_type_hints

import msgspec

from chatsrv.settings import Settings

__all__ = [
    "BACKLOG",
    "ConfigError",
    "Listening",
    "Settings",
    "cannot_listen",
    "connection_limit",
    "default",
    "load_settings",
    "names",
    "socket_limit",
    "tcp_address",
    "with_backlog",
]

_PREFIX = "CHATSRV_"
_TYPES: Mapping[str, Any] = {
    name: hint
    for name, hint in get_type_hints(Settings, include_extras=True).items()
    if name != "unknown_environment"
}
_DEFAULTS = Settings()
BACKLOG = 4096
#: Lists that may be given as one text.
_ONE_OR_SEVERAL = frozenset({"jwt_key_file"})
_OWN_FILES = 40  # about 20 are open all the time, and the start of an embedded Redis takes some more


class ConfigError(Exception):
    """Something the operator set cannot be used. The text is one line and says what to do."""

    def __init__(self, text: str) -> None:
        super().__init__(" ".join(text.split()))


class Listening:
    """An endpoint string of the setting ``listen``, taken apart.

    ``proxied``: it begins with ``haproxy:``, so the PROXY protocol is spoken there. ``inner`` is what stands behind
    that, or all of it; ``kind`` and ``arguments`` are the parts of ``inner``, quoted as they were.
    """

    def __init__(self, description: str) -> None:
        self.description = description
        self.inner = description.removeprefix("haproxy:")
        self.proxied = self.inner != description
        self.kind, *self.arguments = re.split(r"(?<!\\):", self.inner)

    @property
    def handed_over(self) -> bool:
        """Whether the socket outlives the process."""
        return self.kind == "systemd"


def cannot_listen(description: str, why: object) -> ConfigError:
    """What to raise where ``why`` keeps a port from being opened."""
    return ConfigError(
        f"cannot listen on {description}: {why}; "
        "free the address, or choose another with --listen or CHATSRV_LISTEN"
    )


def load_settings(
    options: Mapping[str, Any] | None = None, environ: Mapping[str, str] = os.environ
) -> Settings:
    """The settings from ``options``, ``environ``, the file and the defaults.

    ``options`` has setting names as keys, and ``config``, the file's path (else ``CHATSRV_CONFIG``); ``None``
    and empty lists are not given. Paths are taken from the working directory and come out absolute, so
    that a later change of directory (``twistd --rundir``) is harmless. Raises ``ConfigError``.
    """
    given = {name: value for name, value in (options or {}).items() if value not in (None, [], ())}
    path = given.pop("config", None) or environ.get(_PREFIX + "CONFIG")
    values = dict(_from_file(path)) if path else {}
    values.update(_from_environment(environ))
    values.update((n, _checked(n, v, f"option --{n.replace('_', '-')}")) for n, v in given.items())
    settings = Settings(**values, unknown_environment=tuple(_unknown(environ)))
    _check_together(settings)
    return msgspec.structs.replace(
        settings,
        data_dir=os.path.abspath(settings.data_dir),
        listen=tuple(map(_with_absolute_files, settings.listen)),
        # What may stand behind a path (" until ...") has no slash, and stays.
        jwt_key_file=tuple(map(os.path.abspath, settings.jwt_key_file)),
    )


def names() -> tuple[str, ...]:
    """The names of all settings, in the table's order."""
    return tuple(_TYPES)


def default(name: str) -> Any:
    """The default of the setting ``name``."""
    return getattr(_DEFAULTS, name)


def meaning(name: str) -> str:
    """One line on what the setting ``name`` means."""
    return str(_TYPES[name].__metadata__[0].description)


def expected(name: str) -> str:
    """What belongs into the setting ``name``, in words: its type, unit and range."""
    kind, meta = get_args(_TYPES[name])[:2]
    if get_origin(kind) is Literal:
        return "one of " + ", ".join(json.dumps(value) for value in get_args(kind))
    if kind in (int, float):
        noun = "a whole number" if kind is int else "a number"
        return f"{noun} of {meta.extra['unit']} from {meta.ge:.12g} to {meta.le:.12g}"
    if kind is bool:
        return "true or false"
    article = "a text" if kind is str else "a list of texts"
    return f"{article}, not empty" if meta.min_length else article


def with_backlog(endpoint: str) -> str:
    """``endpoint`` with a listen backlog of 4096 if it is a plain one that names none (Twisted's own: 50)."""
    it = Listening(endpoint)
    named = all("=" in argument and not argument.startswith("backlog=") for argument in it.arguments[1:])
    plain = it.kind in {"tcp", "tcp6", "ssl", "unix"}
    return f"{endpoint}:backlog={BACKLOG}" if plain and named else endpoint


def tcp_address(endpoint: str, kinds: Sequence[str] = ("tcp",)) -> tuple[str, int] | None:
    """Interface (empty: all of IPv4) and port of a ``tcp:`` endpoint string; None for what is not of these kinds."""
    kind, *arguments = re.split(r"(?<!\\):", endpoint)
    named = dict(argument.split("=", 1) for argument in arguments if "=" in argument)
    port = named.get("port") or next((argument for argument in arguments if "=" not in argument), "")
    if kind not in kinds or not port.isdigit():
        return None
    return named.get("interface", "").replace("\\:", ":"), int(port)


def _with_absolute_files(endpoint: str) -> str:
    """``endpoint`` with the files that an ``ssl:`` one names as absolute paths, behind ``haproxy:`` too."""
    if Listening(endpoint).kind != "ssl":
        return endpoint
    named = r"(?<!\\):(privateKey|certKey|extraCertChain)=((?:[^\\:]|\\.)+)"
    return re.sub(named, lambda found: f":{found[1]}={_absolute(found[2])}", endpoint)


def _absolute(quoted: str) -> str:
    """An endpoint's argument, a path, made absolute."""
    here = re.sub(r"([\\:=])", r"\\\1", os.getcwd())
    return quoted if quoted.startswith("/") else f"{here}/{quoted}"


def connection_limit(settings: Settings) -> int:
    """How many connections this node takes: the setting, but at most 90 % of its file-descriptor limit."""
    room = _of_files(90, _OWN_FILES + 8)
    return min(settings.max_connections or room, room)


def socket_limit() -> int:
    """How many sockets clients may hold, upgraded or not: 95 % of the file-descriptor limit; Redis needs some, too."""
    return _of_files(95, _OWN_FILES)


def _of_files(percent: int, spared: int) -> int:
    files, _hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if files == resource.RLIM_INFINITY:
        return 10**9
    return max(1, min(files * percent // 100, files - spared))


def _from_file(path: str) -> Iterator[tuple[str, Any]]:
    where = f"configuration file {path}"
    try:
        with open(path, "rb") as file:
            content = tomllib.load(file)
    except OSError as e:
        raise ConfigError(f"{where}: cannot be read: {e.strerror}") from None
    except UnicodeDecodeError:
        raise ConfigError(f"{where}: is not UTF-8 text") from None
    except (ValueError, RecursionError) as e:
        raise ConfigError(f"{where}: is not TOML: {e}") from None
    for name, value in content.items():
        if name not in _TYPES:
            raise ConfigError(f"{where}: unknown key {json.dumps(name)}; {_advice(name)}")
        yield name, _checked(name, value, f"{where}: {name}")


def _from_environment(environ: Mapping[str, str]) -> Iterator[tuple[str, Any]]:
    for name in _TYPES:
        variable = _PREFIX + name.upper()
        if text := environ.get(variable, "").strip():
            value: str | Sequence[str] = text
            if isinstance(default(name), tuple):
                value = [item for part in text.split(",") if (item := part.strip())]
            yield name, _checked(name, value, f"environment variable {variable}", strict=False)


def _unknown(environ: Mapping[str, str]) -> Iterator[str]:
    known = {_PREFIX + name.upper() for name in (*_TYPES, "config")}
    return (name for name in sorted(environ) if name.startswith(_PREFIX) and name not in known)


def _checked(name: str, value: Any, where: str, *, strict: bool = True) -> Any:
    if name in _ONE_OR_SEVERAL and isinstance(value, str):
        value = [value]
    try:
        checked = msgspec.convert(value, _TYPES[name], strict=strict)
    except msgspec.ValidationError:
        raise ConfigError(f"{where}: must be {expected(name)} ({meaning(name)})") from None
    texts = checked if isinstance(checked, tuple) else (checked,)
    if any(isinstance(text, str) and not text.isprintable() for text in texts) or checked != checked:
        raise ConfigError(f"{where}: must be {expected(name)}, without control characters")
    return checked


def _advice(name: str) -> str:
    close = difflib.get_close_matches(name, _TYPES, n=1)
    return f"did you mean {close[0]}?" if close else "`chatsrv config` prints all of them"


def _check_together(settings: Settings) -> None:
    if settings.redis != "embedded" and not settings.redis.startswith(("redis://", "rediss://", "unix://")):
        raise ConfigError('redis: must be "embedded" or begin with redis://, rediss:// or unix://')
    sources = [n for n in ("jwt_secret", "jwt_key_file", "jwt_jwks_url") if getattr(settings, n)]
    if len(sources) > 1:
        raise ConfigError(f"{' and '.join(sources)} are both set: take one of the two away")
    if not all(map(_is_proxy, settings.trusted_proxies)):
        raise ConfigError("trusted_proxies: must be addresses or networks, such as 10.0.0.0/8, or unix")
    if not settings.trusted_proxies and any(Listening(e).proxied for e in settings.listen):
        raise ConfigError("listen: a haproxy: endpoint needs the proxy's address in trusted_proxies")
    if settings.lease_renew_s * 2 > settings.lease_s:
        raise ConfigError("lease_renew_s: must be at most half of lease_s")


def _is_proxy(text: str) -> bool:
    try:
        return text == "unix" or bool(ipaddress.ip_network(text, strict=False))
    except ValueError:
        return False
