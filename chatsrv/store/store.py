"""The repositories, together."""

from __future__ import annotations

from chatsrv.redis import RedisLink
from chatsrv.store.chats import ChatStore, Retention
from chatsrv.store.epoch import EpochStore
from chatsrv.store.keys import Keys
from chatsrv.store.leases import LeaseStore
from chatsrv.store.pairs import PairStore
from chatsrv.store.pending import PendingStore
from chatsrv.store.scripts import all_scripts
from chatsrv.store.users import UserStore

_DEFAULT = Retention()


class Store:
    """``chats``, ``users``, ``pairs``, ``leases`` and ``pending`` over one link.

    ``retention`` is what is kept of each chat, and for how long.
    """

    def __init__(self, link: RedisLink, prefix: str, *, retention: Retention = _DEFAULT) -> None:
        self.link = link
        self.scripts = all_scripts()
        keys = Keys(prefix)
        self.chats = ChatStore(link, keys, self.scripts, retention=retention)
        self.users = UserStore(link, keys, self.scripts)
        self.pairs = PairStore(link, keys, self.scripts)
        self.leases = LeaseStore(link, keys, self.scripts)
        self.pending = PendingStore(link, keys, self.scripts)
        self.epoch = EpochStore(link, keys, self.scripts)
