"""``chatsrv token``: a token for the server that runs with the same settings.

Called by ``cli.main``; calls ``config`` and ``auth``. The secret is found, and made if it is missing, exactly
as the server does it, so it does not matter which of the two comes first.
"""

from __future__ import annotations

import os
import re
import sys
import time
from collections.abc import Mapping
from typing import Any

from chatsrv.auth.keys import load_keys
from chatsrv.auth.keyset import KeySet
from chatsrv.auth.tokens import issue_token
from chatsrv.config import ConfigError, load_settings
from chatsrv.wire.requests import MAX_ID

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
_MAX_TTL_S = 3650 * 86_400


def token(user_id: str, ttl: str, options: Mapping[str, Any]) -> str:
    """The token, as text; ``options`` as for ``load_settings``. Raises ``ConfigError``."""
    user = whole_user_id(user_id)
    ttl_s = seconds(ttl)
    settings = load_settings(options)
    named = settings.jwt_secret or settings.jwt_key_file or settings.jwt_jwks_url
    if not (named or os.path.isdir(settings.data_dir)):
        print(f"chatsrv: makes {settings.data_dir}, with a secret for a server to come", file=sys.stderr)
    keys = KeySet(load_keys(settings, create=True))
    secret = keys.signing_secret(time.time())
    if secret is None:
        raise ConfigError(
            f"no secret to sign with, only {keys}; a public key can check tokens, not sign them: "
            "get a token from whoever has the private key"
        )
    return issue_token(
        secret,
        user,
        ttl_s,
        user_claim=settings.jwt_user_claim,
        issuer=settings.jwt_issuer or None,
        audience=settings.jwt_audience or None,
    )


def seconds(ttl: str) -> int:
    """``ttl`` (a whole number with s, m, h or d) in seconds."""
    match = re.fullmatch(r"([1-9][0-9]{0,9})([smhd])", ttl, re.ASCII)
    result = int(match[1]) * _UNITS[match[2]] if match else 0
    if not 0 < result <= _MAX_TTL_S:
        raise ConfigError("--ttl: must be a whole number with s, m, h or d, such as 15m, and at most 3650d")
    return result


def whole_user_id(text: str) -> int:
    """The argument USER_ID as a number. Raises ``ConfigError``."""
    if not re.fullmatch(r"[1-9][0-9]{0,15}", text) or int(text) > MAX_ID:
        raise ConfigError(f"USER_ID: must be a whole number from 1 to {MAX_ID}")
    return int(text)
