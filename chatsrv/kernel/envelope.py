"""An envelope: a command on its way to an actor, and the way back for its one answer.

Made by whoever asks, opened by the actor. It is answered exactly once; a second answer is a bug of ours
and raises. An `Exception` instance as the answer means the command failed.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import msgspec

Answer = Callable[[Any], None]


class Overdue(Exception):
    """The command waited in the mailbox beyond its deadline and was not carried out."""


class Envelope(msgspec.Struct, eq=False):
    """``command`` for the actor; ``origin`` is who asked (the kernel does not look into it).

    ``way_back`` takes the answer; None: it was given.
    """

    command: Any
    way_back: Answer | None
    origin: Any = None
    deadline: float = math.inf

    @property
    def answered(self) -> bool:
        return self.way_back is None

    def answer(self, result: Any) -> None:
        """Give the one answer: a result, or an `Exception` instance."""
        answer, self.way_back = self.way_back, None
        if answer is None:
            raise RuntimeError(f"{self.command!r} was answered twice")
        answer(result)
