"""What this node knows of revoked tokens before it asks the store: handshakes with these are refused at once.

Told by the user actors, asked at each handshake. It only spares the node work: whatever passes here is checked
against the store in hello. Always: at most ``REMEMBERED_USERS`` are in it, those that were told of or refused last,
and of each at most ``REMEMBERED_TOKENS`` tokens that were revoked alone.
A revoked token stays so; but a block may be lifted unheard once no actor listens, so it counts for a moment only.
"""

from __future__ import annotations

from collections import OrderedDict
from itertools import islice

from twisted.internet.interfaces import IReactorTime

from chatsrv.auth.tokens import Identity
from chatsrv.store.revocations import Revocations
from chatsrv.wire.codes import CloseCode

REMEMBERED_USERS = 1_000
#: Of each, so many that were revoked alone.
REMEMBERED_TOKENS = 100
BLOCK_S = 5.0


def verdict(revoked: Revocations, identity: Identity) -> CloseCode | None:
    """How a connection with this token is closed; None: it may stay. A blocked user needs no other token: he stops."""
    if revoked.blocked:
        return CloseCode.REPLACED
    return CloseCode.UNAUTHORIZED if revoked.revoke(identity.issued_at, identity.token_id) else None


class KnownRevocations:
    def __init__(self, clock: IReactorTime) -> None:
        self._clock = clock
        self._users: OrderedDict[int, tuple[Revocations, float]] = OrderedDict()

    def learn(self, user_id: int, revoked: Revocations) -> None:
        """It was just read, or heard."""
        self._users.pop(user_id, None)
        if len(revoked.tokens) > REMEMBERED_TOKENS:
            revoked = revoked._replace(tokens=frozenset(islice(revoked.tokens, REMEMBERED_TOKENS)))
        if revoked != Revocations():
            self._users[user_id] = (revoked, self._clock.seconds())
            if len(self._users) > REMEMBERED_USERS:
                self._users.popitem(last=False)

    def refuse(self, identity: Identity) -> bool:
        """Whether the token is known to be of no use now."""
        known = self._users.get(identity.user_id)
        if known is None:
            return False
        revoked, at = known
        if self._clock.seconds() - at > BLOCK_S:
            revoked = revoked._replace(blocked=False)
        refused = verdict(revoked, identity) is not None
        if refused:
            self._users.move_to_end(identity.user_id)
        return refused
