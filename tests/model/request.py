"""``Request``: what a device asked for, and how it ended."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from twisted.internet.defer import Deferred

from tests.support.replay import Replay


class Lost(Exception):
    """The connection ended before the request was answered: nobody knows what became of it."""


class Refused(Exception):
    """The request was answered with 3/1."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code
        self.unknown_outcome = code in ("unavailable", "internal")


@dataclass(eq=False)
class Request:
    """``outcome`` is the ``d`` of the answer, `Refused` or `Lost`; ``done`` fires with it, or fails.

    ``repeated``: it was sent more than once, so that a refusal says nothing of the first time.
    """

    op: int
    t: int
    d: dict[str, Any]
    done: Deferred[dict[str, Any]] = field(default_factory=Deferred)
    outcome: dict[str, Any] | Refused | Lost | None = None
    replay: Replay | None = None
    repeated: bool = False

    @property
    def answer(self) -> tuple[int, int]:
        """The ``op`` and ``t`` of its result."""
        return (self.op if self.op == 1 else self.op + 1), self.t

    def answered(self, d: dict[str, Any]) -> None:
        self.outcome = d
        self.done.callback(d)

    def failed(self, error: Refused | Lost) -> None:
        self.outcome = error
        self.done.errback(error)
