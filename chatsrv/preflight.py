"""What can be found out before the process becomes a daemon, while there is a terminal and an exit code.

Called by ``tap``. Nothing is made or kept: a lock is tried, a port is bound and let go, an external Redis is
connected to. Whatever changes between this and the start of the service is found there again, and logged.
"""

from __future__ import annotations

import contextlib
import socket
from pathlib import Path

from chatsrv.config import ConfigError, Listening, Settings, cannot_listen, tcp_address
from chatsrv.redis import RedisAddress, StartError, check_free

CONNECT_TIMEOUT_S = 2.0


def preflight(settings: Settings) -> None:
    """Raise ``ConfigError``, one line, for what will keep the service from starting."""
    for endpoint in settings.listen:
        _check_port(endpoint)
    if settings.redis == "embedded":
        _check_data_dir(settings.data_dir)
    else:
        _check_redis(settings.redis)


def _check_port(endpoint: str) -> None:
    address = tcp_address(Listening(endpoint).inner, ("tcp", "ssl"))
    if address is None or not address[1]:
        return
    family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
    with contextlib.closing(socket.socket(family)) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(address)
        except (OSError, OverflowError) as error:
            raise cannot_listen(endpoint, getattr(error, "strerror", None) or error) from None


def _check_data_dir(data_dir: str) -> None:
    try:
        check_free(Path(data_dir))
    except StartError as error:
        raise ConfigError(f"{error} with --data-dir") from None


def _check_redis(url: str) -> None:
    try:
        address = RedisAddress.from_url(url)
    except ValueError as error:
        raise ConfigError(f"setting redis: {error}") from None
    try:
        if address.path is not None:
            with contextlib.closing(socket.socket(socket.AF_UNIX)) as probe:
                probe.settimeout(CONNECT_TIMEOUT_S)
                probe.connect(address.path)
        else:
            socket.create_connection((address.host, address.port), CONNECT_TIMEOUT_S).close()
    except OSError as error:
        why = error.strerror or str(error)
        raise ConfigError(
            f"Redis at {address} is not reachable: {why}; start it, or correct --redis"
        ) from None
