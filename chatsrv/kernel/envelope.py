"""An envelope: a command on its way to an actor, and the way back for its one answer.

Made by whoever asks, opened by the actor. It is answered exactly once; a second answer is a bug of ours
and raises. An `Exception` instance as the answer means the command failed.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Answer = Callable[[Any], None]


class Overdue(Exception):
    """The command waited in the mailbox beyond its deadline and was not carried out."""


class Envelope:
    """``command`` for the actor; ``origin`` is who asked (the kernel does not look into it)."""

    __slots__ = ("_answer", "command", "deadline", "origin")

    def __init__(self, command: Any, answer: Answer, origin: Any = None) -> None:
        self.command = command
        self.origin = origin
        self.deadline = float("inf")
        self._answer: Answer | None = answer

    @property
    def answered(self) -> bool:
        return self._answer is None

    def answer(self, result: Any) -> None:
        """Give the one answer: a result, or an `Exception` instance."""
        answer, self._answer = self._answer, None
        if answer is None:
            raise RuntimeError(f"{self.command!r} was answered twice")
        answer(result)
