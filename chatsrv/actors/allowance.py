"""What one user may do in an hour, on all his connections and nodes together: new chats, putting users into groups,
asking for friendship. RELIABILITY section 4.

Used by `creation`, `update` and `friends` for what they find to be new: what is there already costs nothing.
Whether there is enough is asked before the other refusals that PROTOCOL section 4 puts behind the rate (of a change to
a group: behind membership and type, without which nobody knows what it costs). It is spent only right before the
change, so whatever fails before that costs nothing; what is refused then, certainly not carried out, or turns out to
be there already is given back. The allowance of a group with a nonce is spent with its binding, at once, so once.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import TYPE_CHECKING, TypeVar

from chatsrv.redis import Unavailable
from chatsrv.wire.codes import ErrorCode
from chatsrv.wire.refusal import Refused

if TYPE_CHECKING:
    from chatsrv.actors.node import Node

T = TypeVar("T")


class Allowance:
    """What one request of a user costs: ``friend_requests``, ``invites``, ``chats``."""

    def __init__(self, node: Node, user_id: int, **costs: int) -> None:
        self._users = node.store.users
        self._user_id = user_id
        self.amounts = [
            (what, int(getattr(node.options, f"{what}_per_h")), many) for what, many in costs.items() if many
        ]

    async def check(self) -> None:
        """`Refused` (``rate_limited``, with the time to wait) when there is not enough left; spends nothing."""
        if self.amounts:
            _refuse_for(await self._users.wait_for(self._user_id, self.amounts))

    async def spend_on(
        self, change: Callable[[], Awaitable[T]], unused: Callable[[T], int] = lambda _: 0
    ) -> T:
        """The result of ``change``, for which it is spent; `Refused` as by `check`, and then there is no change.

        ``unused``: how many the result shows not to have been needed, of the one kind that this costs.
        """
        if not self.amounts:
            return await change()
        _refuse_for(await self._users.spend(self._user_id, self.amounts))
        try:
            result = await change()
        except Refused:
            await self._give_back(self.amounts)
            raise
        except Unavailable as error:
            if not error.sent:
                await self._give_back(self.amounts)
            raise
        if many := unused(result):
            ((what, most, _),) = self.amounts
            await self._give_back([(what, most, many)])
        return result

    async def _give_back(self, amounts: list[tuple[str, int, int]]) -> None:
        with suppress(Unavailable):  # then time gives it back
            await self._users.spend(self._user_id, [(what, most, -many) for what, most, many in amounts])


def _refuse_for(wait_ms: int) -> None:
    if wait_ms:
        raise Refused(ErrorCode.RATE_LIMITED, retry_after_ms=wait_ms)
