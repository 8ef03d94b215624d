"""On what terms a token carries a connection: whose it is, until when, and which other one may follow it (1/3)."""

from __future__ import annotations

import time
from collections.abc import Callable

from chatsrv.auth.keyset import KeysUnavailable
from chatsrv.auth.tokens import Identity, InvalidToken, TokenVerifier
from chatsrv.wire.codes import ErrorCode
from chatsrv.wire.refusal import Refused


class TokenTerms:
    """``longest_s``: longest connection on one token, even if that is valid for longer."""

    def __init__(
        self,
        verifier: TokenVerifier,
        *,
        longest_s: float,
        leeway_s: float,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._verifier = verifier
        self._longest_s = longest_s
        self._leeway_s = leeway_s
        self._clock = clock

    def seconds_left(self, identity: Identity) -> float:
        """How long from now on the connection may last."""
        if identity.expires_at is None:
            return self._longest_s
        return min(self._longest_s, identity.expires_at / 1000 + self._leeway_s - self._clock())

    def expires_at(self, identity: Identity) -> int:
        """When the client should have renewed it, in ms since the epoch."""
        capped = int((self._clock() + self._longest_s) * 1000)
        return capped if identity.expires_at is None else min(capped, identity.expires_at)

    def successor(self, token: str, user_id: int) -> Identity:
        """Who ``token`` speaks for; `Refused` when it is bad (``bad_request``) or another user's (``forbidden``), or
        its key is being fetched (``unavailable``)."""
        try:
            identity = self._verifier.verify(token)
        except InvalidToken:
            raise Refused(ErrorCode.BAD_REQUEST, "token") from None
        except KeysUnavailable:
            raise Refused(ErrorCode.UNAVAILABLE) from None
        if identity.user_id != user_id:
            raise Refused(ErrorCode.FORBIDDEN)
        return identity
