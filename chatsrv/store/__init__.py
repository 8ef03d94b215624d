"""The store: the only place that knows Redis keys. One Lua script per state change, over one hash tag.

`Store` holds the repositories: chats, users, pairs, presence (leases) and the pending set. They take and
return plain values and the structs of `chatsrv.store.events`; a refusal of a script is raised as `Refused`,
a store out of reach as `chatsrv.redis.Unavailable`.
"""

from chatsrv.store.chats import Retention
from chatsrv.store.store import Store

__all__ = ["Retention", "Store"]
