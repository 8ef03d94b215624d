"""The ``chatsrv`` command as a process of its own, with the settings that a node was started with."""

from __future__ import annotations

import sys
from typing import Any, NamedTuple

from twisted.internet import reactor
from twisted.internet.utils import getProcessOutputAndValue

from tests.support.process import ROOT, environment


class Ran(NamedTuple):
    """Its exit code and what it printed."""

    code: int
    out: str
    err: str


#: The command as it is, but that it gives up on a store that is not there after half a second.
IMPATIENT = """
from chatsrv import revocation
from chatsrv.cli.main import main

assert revocation.FIRST_UP_TIMEOUT_S > 1
revocation.FIRST_UP_TIMEOUT_S = 0.5
raise SystemExit(main())
"""


async def chatsrv(*arguments: str, stdin: str | None = None, impatient: bool = False, **settings: Any) -> Ran:
    """Run ``chatsrv`` with these arguments; ``settings`` become variables of its environment."""
    out, err, code = await getProcessOutputAndValue(
        sys.executable,
        [*(("-c", IMPATIENT) if impatient else ("-m", "chatsrv.cli")), *arguments],
        env=environment(settings),
        path=str(ROOT),
        reactor=reactor,
        stdinBytes=None if stdin is None else stdin.encode(),
    )
    return Ran(code, out.decode(), err.decode())
