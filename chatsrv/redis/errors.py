"""What can go wrong between us and Redis: no answer, an error as the answer, no start.

Raised and handed to callbacks by the links and the embedded server; the store and the service tell them
apart. Always: whatever is not a ``ReplyError`` leaves open whether the command ran, unless it says so.
"""

from __future__ import annotations

import re

# Redis 6.2 wraps what a command inside a script answered; 7.0 hands it on with its own code in front.
_WRAPPED_BY_6_2 = re.compile(
    r"ERR Error running script \(call to \w+\): @user_script:\d+: (?:@user_script: \d+: -)?(?=[A-Z]+ )"
)


class Unavailable(Exception):
    """The store is not reachable or too slow; whether the command ran is unknown, unless ``sent`` is False.

    ``sent`` False: the command certainly was not, and will not be, executed.
    """

    def __init__(self, text: str, *, sent: bool) -> None:
        super().__init__(text)
        self.sent = sent


class ReplyError(Exception):
    """Redis answered an error: ``code`` is its first word (``NOSCRIPT``, ``OOM``, …), ``text`` all of it."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.text = text
        self.code = text.partition(" ")[0]

    @classmethod
    def from_wire(cls, line: str) -> ReplyError:
        """The error of an error reply; one out of a script has the same code on every version of Redis."""
        return cls(_WRAPPED_BY_6_2.sub("", line, count=1) if line.startswith("ERR Error running") else line)


class StartError(Exception):
    """The embedded Redis cannot start; one line that says what to do about it."""
