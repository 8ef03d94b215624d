"""The names of the channels. Pub/sub ignores the database number, so they carry it beside the key prefix."""

from __future__ import annotations

from uuid import uuid4


class Channels:
    """Scripts get these names as arguments; nodes subscribe to them."""

    def __init__(self, prefix: str, database: int) -> None:
        self._prefix = f"{prefix}{database}:"
        self.presence = f"{self._prefix}presence"

    def chat(self, chat_id: int) -> str:
        return f"{self._prefix}c:{chat_id}"

    def user(self, user_id: int) -> str:
        return f"{self._prefix}u:{user_id}"

    def own(self) -> str:
        """A name that no connection had before: what it subscribes to, nobody else does."""
        return f"{self._prefix}own:{uuid4().hex}"
