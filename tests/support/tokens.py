"""JSON Web Tokens for the tests: good ones, and whatever else a test wants to try."""

from __future__ import annotations

import time
from typing import Any

import jwt

SECRET = "a test secret of more than 32 bytes, of no use elsewhere"


def token_for(user_id: int | str, *, ttl_s: float = 3600, secret: str = SECRET, **claims: Any) -> str:
    """A token of ``user_id``; a claim given as None is left out."""
    payload = {"sub": str(user_id), "exp": int(time.time() + ttl_s), **claims}
    return jwt.encode({k: v for k, v in payload.items() if v is not None}, secret, algorithm="HS256")
