"""The repositories, together."""

from __future__ import annotations

from chatsrv.redis import RedisLink
from chatsrv.store.chats import ChatStore
from chatsrv.store.keys import Keys
from chatsrv.store.leases import LeaseStore
from chatsrv.store.pairs import PairStore
from chatsrv.store.pending import PendingStore
from chatsrv.store.scripts import all_scripts
from chatsrv.store.users import UserStore


class Store:
    """``chats``, ``users``, ``pairs``, ``leases`` and ``pending`` over one link.

    ``log_events`` is how many events of each chat are kept for catch-up and repair, at least.
    """

    def __init__(self, link: RedisLink, prefix: str, *, log_events: int = 10_000) -> None:
        self.link = link
        self.scripts = all_scripts()
        keys = Keys(prefix)
        self.chats = ChatStore(link, keys, self.scripts, log_events=log_events)
        self.users = UserStore(link, keys, self.scripts)
        self.pairs = PairStore(link, keys, self.scripts)
        self.leases = LeaseStore(link, keys, self.scripts)
        self.pending = PendingStore(link, keys, self.scripts)
