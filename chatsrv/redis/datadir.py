"""The data directory: its lock, the files of the embedded Redis in it, and the version that wrote them.

Only ``EmbeddedRedis`` and the clean-up of orphans use it. Layout: ``lock``, and ``redis/`` (0700) with
``redis.conf`` (0600, holds the password), ``redis.pid``, ``redis.log``, ``redis.sock``, ``version`` and
Redis' own append-only files. Always: who does not hold the lock touches nothing.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import stat
import tempfile
from pathlib import Path
from typing import Final

from chatsrv.redis.errors import StartError
from chatsrv.redis.greeting import Version, version_of

LONGEST_SOCKET_PATH: Final = 107  # bytes: sun_path is 108, with its zero byte
_LOG_ROTATED_AT: Final = 1 << 20


class DataDir:
    """The paths under ``root`` and what is done to them."""

    def __init__(self, root: Path) -> None:
        self.root = root.absolute()
        self.folder = self.root / "redis"
        self.config = self.folder / "redis.conf"
        self.log = self.folder / "redis.log"
        self.pidfile = self.folder / "redis.pid"
        self._version = self.folder / "version"
        self._lock: int | None = None

    def lock(self) -> None:
        """Make the folders and hold the lock; ``StartError`` when another service holds it."""
        try:
            self.root.mkdir(mode=0o700, parents=True, exist_ok=True)
            self.folder.mkdir(mode=0o700, exist_ok=True)
            self.folder.chmod(0o700)
            lock = os.open(self.root / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as problem:
            raise StartError(
                f"the data directory {self.root} cannot be used: {problem.strerror}"
            ) from problem
        try:
            _take(lock, self.root)
        except StartError:
            os.close(lock)
            raise
        os.ftruncate(lock, 0)
        os.write(lock, b"%d\n" % os.getpid())
        self._lock = lock

    def unlock(self) -> None:
        """Let another service have the directory; harmless when it is not locked."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def check_version(self, version: Version, binary: str) -> None:
        """``StartError`` when a newer Redis (by its first two numbers) wrote here.

        Seen: 6.2 opens what 7.0 wrote as empty, without an error.
        """
        try:
            written = version_of(self._version.read_bytes())
        except FileNotFoundError:
            written = (7, 0, 0) if (self.folder / "appendonlydir").exists() else (0, 0, 0)
        if written[:2] > version[:2]:
            raise StartError(
                f"the data in {self.folder} was written by Redis {_text(written)}, and {binary} is the older"
                f" {_text(version)}, which cannot read it: install Redis {written[0]}.{written[1]} or newer"
            )

    def write_version(self, version: Version) -> None:
        """Record that from now on ``version`` writes here."""
        write_private(self._version, _text(version).encode() + b"\n")

    def socket(self) -> Path:
        """Where the socket lies: here, or where the path would be too long, in a private folder elsewhere."""
        here = self.folder / "redis.sock"
        if len(os.fsencode(here)) <= LONGEST_SOCKET_PATH:
            return here
        digest = hashlib.sha256(os.fsencode(self.root.resolve())).hexdigest()[:16]
        for base in (os.environ.get("XDG_RUNTIME_DIR"), tempfile.gettempdir()):
            folder = Path(base or "missing") / f"chatsrv-{os.getuid()}-{digest}"
            fits = len(os.fsencode(folder / "redis.sock")) <= LONGEST_SOCKET_PATH
            if base and os.path.isabs(base) and fits and _made_private(folder):
                return folder / "redis.sock"
        raise StartError(
            f"the path {here} is too long for a socket, and there is no private temporary folder:"
            " choose a data directory with a shorter path, or set XDG_RUNTIME_DIR"
        )

    def remove_run_files(self, socket: Path) -> None:
        """Take away what only a running Redis has; the folder of a socket that lies elsewhere too."""
        socket.unlink(missing_ok=True)
        self.pidfile.unlink(missing_ok=True)
        if socket.parent != self.folder:
            with contextlib.suppress(OSError):
                socket.parent.rmdir()

    def rotate_log(self) -> None:
        """Keep at most one older log; Redis opens the file anew for each line."""
        with contextlib.suppress(FileNotFoundError):
            if self.log.stat().st_size > _LOG_ROTATED_AT:
                self.log.replace(self.log.with_suffix(".log.1"))

    def end_of_log(self) -> str:
        """The last line that Redis logged, at most 300 characters; empty when there is none."""
        try:
            with self.log.open("rb") as log:
                log.seek(-min(4096, log.seek(0, os.SEEK_END)), os.SEEK_END)
                lines = log.read().decode(errors="replace").split("\n")
        except FileNotFoundError:
            return ""
        return next((line.strip()[:300] for line in reversed(lines) if line.strip()), "")


def write_private(path: Path, content: bytes) -> None:
    """Replace the file at once; nobody else may read it."""
    draft = path.with_name(path.name + ".new")
    draft.unlink(missing_ok=True)
    fd = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with open(fd, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(fd)
    draft.replace(path)


def _made_private(folder: Path) -> bool:
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        found = folder.lstat()
    except OSError:
        return False
    return stat.S_ISDIR(found.st_mode) and found.st_uid == os.getuid() and not found.st_mode & 0o077


def _text(version: Version) -> str:
    return ".".join(map(str, version))


def check_free(root: Path) -> None:
    """``StartError`` when a service holds the lock of this data directory now; makes and keeps nothing."""
    try:
        lock = os.open(root / "lock", os.O_RDWR | os.O_CLOEXEC)
    except OSError:
        return  # there is none yet; whether one can be made, `DataDir.lock` will tell
    try:
        _take(lock, root)
    finally:
        os.close(lock)


def _take(lock: int, root: Path) -> None:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        owner = os.read(lock, 20).decode(errors="replace").strip()
        raise StartError(
            f"the data directory {root} is in use by the service with process id {owner}:"
            " stop that one, or choose another directory"
        ) from None
