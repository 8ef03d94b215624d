"""What all repositories share: running a script and reading its answer.

Base of `chats`, `users`, `pairs`, `leases` and `pending`; calls the Redis link. Always: what comes out is a plain value
or a struct, `Refused` (the script found the request wrong, nothing changed), `Unavailable` (outcome unknown),
or a bug.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from chatsrv.redis import RedisLink, ReplyError, Script, Unavailable
from chatsrv.store.keys import Keys
from chatsrv.wire.codes import ErrorCode
from chatsrv.wire.refusal import Refused

#: What a script says instead of an answer when it refuses.
REFUSALS: dict[object, ErrorCode] = {
    code.code.encode(): code
    for code in (
        ErrorCode.NOT_FOUND,
        ErrorCode.WRONG_CHAT_TYPE,
        ErrorCode.FORBIDDEN,
        ErrorCode.CONFLICT,
        ErrorCode.LIMIT_REACHED,
    )
}

#: Errors of a Redis that cannot serve now, which are no fault of the command.
_OUT_OF_SERVICE = frozenset(
    {"BUSY", "CLUSTERDOWN", "LOADING", "MASTERDOWN", "MISCONF", "NOREPLICAS", "OOM", "READONLY", "TRYAGAIN"}
)


def failure_of(reply: object) -> Exception | None:
    """The exception that a reply stands for, or None when it is an answer."""
    if isinstance(reply, ReplyError) and reply.code in _OUT_OF_SERVICE:
        return Unavailable(reply.text, sent=True)
    if isinstance(reply, Exception):
        return reply
    if type(reply) is bytes and reply in REFUSALS:
        return Refused(REFUSALS[reply])
    return None


class Repository:
    """One kind of entity in the store."""

    def __init__(self, link: RedisLink, keys: Keys, scripts: dict[str, Script]) -> None:
        self._link = link
        self._keys = keys
        self._scripts = scripts

    async def _run(self, script: str, keys: Sequence[str], *args: bytes | str | int) -> Any:
        try:
            reply = await self._link.run_script(self._scripts[script], keys, args)
        except ReplyError as error:
            raise failure_of(error) or error from None
        failure = failure_of(reply)
        if failure is not None:
            raise failure
        return reply

    async def _call(self, *command: bytes | str | int) -> Any:
        try:
            return await self._link.call(*command)
        except ReplyError as error:
            raise failure_of(error) or error from None
