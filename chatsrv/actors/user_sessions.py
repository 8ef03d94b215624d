"""How many connections a user has, on all nodes: one too many closes the oldest. PROTOCOL section 1.

The store keeps the sessions of each user, by time, as ``<node>:<session>``; those of nodes that died are
dropped when somebody counts. The node of the one to be closed hears it on the user's channel.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from twisted.internet.defer import Deferred

from chatsrv.actors.subscriber import Subscriber
from chatsrv.redis import Unavailable

if TYPE_CHECKING:
    from chatsrv.actors.user import UserActor


async def enter(user: UserActor, session: Subscriber) -> None:
    """Count the session in; whoever is the oldest of too many is told to close."""
    node, store = user.node, user.node.store
    limit = node.options.connections_per_user
    present = await store.users.enter(user.user_id, _name(user, session), limit)
    if not present:
        return
    live = {lease.partition(".")[0] for lease in await store.leases.live()}
    dead = [name for name in present if name.partition(":")[0] not in live]
    surplus = [name for name in present if name not in dead][:-limit]
    await store.users.leave(user.user_id, [*dead, *surplus])
    for name in surplus:
        await store.users.tell_to_close(user.user_id, name, node.channels.user(user.user_id))


def leave(user: UserActor, session: Subscriber) -> None:
    """Count it out; if the store is away now, the name goes when it is the oldest of too many."""
    leaving = Deferred.fromCoroutine(user.node.store.users.leave(user.user_id, [_name(user, session)]))
    leaving.addErrback(lambda failure: failure.trap(Unavailable))


def _name(user: UserActor, session: Subscriber) -> str:
    return f"{user.node.id}:{session.id}"
