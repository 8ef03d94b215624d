"""`Refused`: a request is answered with an error, and nothing changed.

It is an answer, not a failure of ours: whoever raises it goes on living (STYLE: three kinds of failure).
"""

from __future__ import annotations

from chatsrv.wire.codes import ErrorCode


class Refused(Exception):
    """``code`` says why, ``member`` which member of ``d``, ``retry_after_ms`` when to try again."""

    def __init__(self, code: ErrorCode, member: str | None = None, retry_after_ms: int | None = None) -> None:
        super().__init__(code.code, member)
        self.code = code
        self.member = member
        self.retry_after_ms = retry_after_ms
