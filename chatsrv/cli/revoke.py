"""``chatsrv revoke``, ``block`` and ``unblock``: end what a user's tokens are good for, on the server that runs.

Called by ``cli.main``; calls ``chatsrv.revocation``, which alone of what the command uses imports Twisted, and so is
imported only when it is needed. No token, and no part of one, is in what they print.
"""

from __future__ import annotations

import sys
from argparse import Namespace
from typing import Literal

from chatsrv.auth.tokens import Identity, InvalidToken, unverified
from chatsrv.cli.token import whole_user_id
from chatsrv.config import ConfigError, Settings, load_settings

What = Literal["all", "token", "block", "unblock"]

#: An expired token is good for the leeway (at most 600 s) longer, and the clocks of issuer and store may differ.
KEPT_AFTER_EXPIRY_MS = 86_400_000
_LONGEST_TOKEN = 65_536


def revoke(parsed: Namespace) -> str:
    """Do what was asked; one line that says it is done. Raises ``ConfigError``, or ``SystemExit`` with one line."""
    user_id = whole_user_id(parsed.user_id)
    settings = load_settings({"config": parsed.config, "data_dir": parsed.data_dir, "redis": parsed.redis})
    if parsed.command != "revoke":
        return _say(settings, user_id, parsed.command)
    if parsed.token is not None:
        identity = _read(parsed.token, settings, user_id)
        expires_at = identity.expires_at + KEPT_AFTER_EXPIRY_MS if identity.expires_at is not None else 0
        return _say(settings, user_id, "token", identity.token_id or "", expires_at)
    if parsed.jti is not None:
        return _say(settings, user_id, "token", _checked(parsed.jti))
    return _say(settings, user_id, "all")


def _say(settings: Settings, user_id: int, what: What, token_id: str = "", expires_at: int = 0) -> str:
    from chatsrv.revocation import carry_out

    changed = carry_out(settings, user_id, what, token_id=token_id, expires_at=expires_at)
    done, was_so = {
        "all": (f"revoked: all tokens of user {user_id} issued until now",) * 2,
        "token": (f"revoked: one token of user {user_id}", f"one token of user {user_id} was revoked before"),
        "block": (f"blocked: user {user_id}", f"user {user_id} was blocked before"),
        "unblock": (f"unblocked: user {user_id}", f"user {user_id} was not blocked"),
    }[what]
    return done if changed else was_so


def _read(token: str, settings: Settings, user_id: int) -> Identity:
    """What the token says of itself; ``-``: the one on standard input."""
    text = sys.stdin.readline(_LONGEST_TOKEN) if token == "-" else token
    try:
        identity = unverified(text.strip(), settings.jwt_user_claim)
    except InvalidToken:
        raise ConfigError("--token: this is no token") from None
    if identity.user_id != user_id:
        raise ConfigError(f"--token: this is no token of user {user_id}")
    if identity.token_id is None:
        raise ConfigError("--token: it has no id (jti), so only all of the user's tokens can be revoked")
    return identity


def _checked(jti: str) -> str:
    if not jti or not jti.isprintable():
        raise ConfigError("--jti: must be the id of a token (its claim jti), not empty")
    return jti
