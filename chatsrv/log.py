"""`Logger`: Twisted's, with a threshold for all of chatsrv, the setting ``log_level``.

What is below it is not even made into an event, so that a refused handshake at ``debug`` costs a comparison.
"""

from __future__ import annotations

from typing import Any

from twisted.logger import Logger as TwistedLogger
from twisted.logger import LogLevel

_threshold: Any = LogLevel.info


def set_level(name: str) -> None:
    """Log events of level ``name`` (debug, info, warn, error, critical) and above."""
    global _threshold
    _threshold = LogLevel.levelWithName(name)


class Logger(TwistedLogger):
    """A logger of chatsrv."""

    def emit(self, level: Any, format: str | None = None, **kwargs: Any) -> None:
        if level >= _threshold:
            super().emit(level, format, **kwargs)
