"""Which of a user's tokens are revoked, and whether an operator has blocked him. PROTOCOL sections 1 and 5.

Written by ``lua/user_revoke.lua``, read with the user's lists, changed by his events; the actors keep them in memory.
What is revoked stays revoked: ``before`` only rises. A single token is known by a digest of its ``jti``.
"""

from __future__ import annotations

from hashlib import sha256
from typing import NamedTuple

from chatsrv.store.events import UserEvent

_TOKEN = b"token:"


class Revocations(NamedTuple):
    """Tokens issued up to ``before`` (ms since the epoch, store time; 0: none) are revoked, and those whose digest
    is in ``tokens``; ``blocked``: the user, with any token."""

    before: int = 0
    blocked: bool = False
    tokens: frozenset[str] = frozenset()

    def revoke(self, issued_at: int | None, token_id: str | None) -> bool:
        """Whether a token is revoked. ``issued_at`` in ms; of one that does not say it, nobody knows that it is new.

        Most issuers cut ``iat`` to whole seconds: a token of the very second of a revocation counts as older.
        """
        if self.before and (issued_at or 0) <= self.before:
            return True
        return bool(self.tokens) and token_id is not None and digest(token_id) in self.tokens

    def after(self, event: UserEvent) -> Revocations:
        """These, and what a REVOCATION says."""
        tokens = self.tokens | {event.operation} if event.operation else self.tokens
        return Revocations(event.version, event.holds, tokens)


def digest(token_id: str) -> str:
    """What the store keeps of a ``jti``."""
    return sha256(token_id.encode()).hexdigest()[:32]


def revocations(fields: list[bytes]) -> Revocations:
    """From the hash as Redis answers it: names and values in turn."""
    found = dict(zip(fields[::2], fields[1::2], strict=True))
    tokens = frozenset(name.removeprefix(_TOKEN).decode() for name in found if name.startswith(_TOKEN))
    return Revocations(int(found.get(b"before", 0)), b"blocked" in found, tokens)
