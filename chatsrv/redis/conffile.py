"""The ``redis.conf`` of the embedded server: written before each start, read again to find an orphan.

Valid for Redis 6.2 and 7: a directive that only one of them knows would keep the other from starting.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Final

from chatsrv.redis.address import RedisAddress
from chatsrv.redis.datadir import DataDir, write_private

FSYNC_POLICIES: Final = ("always", "everysec", "no")


def write_config(place: DataDir, address: RedisAddress, fsync: str) -> None:
    """Write the configuration of a server that listens on the socket of ``address`` and nowhere else."""
    settings: list[tuple[str, str | bytes | Path]] = [
        ("port", "0"),
        ("unixsocket", address.path or ""),
        ("unixsocketperm", "700"),
        ("requirepass", address.password or ""),
        ("dir", place.folder),
        ("logfile", place.log),
        ("pidfile", place.pidfile),
        ("daemonize", "no"),
        ("set-proc-title", "no"),  # the command line, which names this file, proves whose process it is
        ("always-show-logo", "no"),
        ("appendonly", "yes"),
        ("appendfsync", fsync),
        ("aof-use-rdb-preamble", "yes"),
        ("save", ""),
        ("maxmemory-policy", "noeviction"),
        ("maxclients", "128"),
        ("client-query-buffer-limit", "8mb"),
        ("lua-time-limit", "1000"),  # 7.0 knows it as an alias of busy-reply-threshold
    ]
    lines = [name.encode() + b" " + _quoted(os.fsencode(value)) for name, value in settings]
    write_private(place.config, b"\n".join([b"# Written by chatsrv at each start.", *lines, b""]))


def read_address(place: DataDir) -> RedisAddress | None:
    """Where the server of the last start listened, and its password; None when there was no start."""
    try:
        text = place.config.read_bytes()
    except FileNotFoundError:
        return None
    found = dict(re.findall(rb'^(unixsocket|requirepass) "(.*)"$', text, re.MULTILINE))
    if len(found) < 2:
        return None
    path, password = (os.fsdecode(_unquoted(found[name])) for name in (b"unixsocket", b"requirepass"))
    return RedisAddress(path=path, password=password)


def address_in(data_dir: Path) -> RedisAddress | None:
    """`read_address` for whoever wants to connect to the server of a data directory, beside its service."""
    return read_address(DataDir(data_dir))


def _quoted(value: bytes) -> bytes:
    return b'"' + re.sub(rb'[\\"]', rb"\\\g<0>", value).replace(b"\n", b"\\n") + b'"'


def _unquoted(value: bytes) -> bytes:
    return re.sub(rb"\\(.)", lambda found: b"\n" if found[1] == b"n" else found[1], value)
