"""What one user may do in an hour, on all his connections and nodes together: new chats, putting users into groups,
asking for friendship. RELIABILITY section 4.

Used by `creation`, `update` and `friends` for what they find to be new: what is there already costs nothing.
It is spent in the store before anything is checked or changed, so that ``rate_limited`` goes before the refusals
that PROTOCOL section 4 puts behind it, and given back with these: a refused request costs nothing.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, TypeVar

from chatsrv.redis import Unavailable
from chatsrv.wire.codes import ErrorCode
from chatsrv.wire.refusal import Refused

if TYPE_CHECKING:
    from chatsrv.actors.node import Node

T = TypeVar("T")


async def spending(
    node: Node, user_id: int, costs: Mapping[str, int], change: Callable[[], Awaitable[T]]
) -> T:
    """The result of ``change``, for which so much is spent of each: ``friend_requests``, ``invites``, ``chats``.

    `Refused` (``rate_limited``, with the time to wait) when there is not enough left.
    """
    most = node.options
    spent = [(what, getattr(most, f"{what}_per_h"), many) for what, many in costs.items() if many]
    wait_ms = await node.store.users.spend(user_id, spent) if spent else 0
    if wait_ms:
        raise Refused(ErrorCode.RATE_LIMITED, retry_after_ms=wait_ms)
    try:
        return await change()
    except Refused:
        if spent:
            await _give_back(node, user_id, spent)
        raise


async def _give_back(node: Node, user_id: int, spent: list[tuple[str, int, int]]) -> None:
    with suppress(Unavailable):  # then time gives it back
        await node.store.users.spend(user_id, [(what, most, -many) for what, most, many in spent])
