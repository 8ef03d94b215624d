"""The names of all keys. Everything a script touches together carries one hash tag in braces.

Four kinds of entity own keys: a chat ``{c:<id>}``, a user ``{u:<id>}``, a pair ``{p:<lower>:<higher>}`` and
a node's lease ``{n:<id>}``. A few lists belong to nobody.
"""

from __future__ import annotations


class Keys:
    """Key names under one prefix, so that several servers can share one Redis."""

    def __init__(self, prefix: str) -> None:
        self.prefix = prefix
        self.chat_ids = f"{prefix}chat_ids"
        self.epoch = f"{prefix}{{epoch}}"
        self.pending = f"{prefix}{{pending}}"
        self.leases = f"{prefix}{{nodes}}:leases"
        self.reaping = f"{prefix}{{nodes}}:reaping"

    def chat(self, chat_id: int, *parts: str) -> list[str]:
        return [f"{self.prefix}{{c:{chat_id}}}:{part}" for part in parts]

    def user(self, user_id: int, *parts: str) -> list[str]:
        return [f"{self.prefix}{{u:{user_id}}}:{part}" for part in parts]

    def pair(self, a: int, b: int, *parts: str) -> list[str]:
        return [f"{self.prefix}{{p:{min(a, b)}:{max(a, b)}}}:{part}" for part in parts]

    def lease_users(self, lease: str) -> str:
        return f"{self.prefix}{{n:{lease}}}:users"
