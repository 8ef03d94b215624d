"""The connection layer under the store and the bus, and the embedded server; the only door to txredisapi.

``RedisLink`` is one connection for commands, ``SubscriberLink`` one for pub/sub; both come back by
themselves for as long as they are started. ``EmbeddedRedis`` runs a ``redis-server`` of our own.
Always: replies are bytes, a request answers within its deadline, and nothing waits in a queue while the store
is away. No key and no channel name is known here.
"""

from chatsrv.redis.address import RedisAddress
from chatsrv.redis.commands import RedisLink
from chatsrv.redis.conffile import address_in
from chatsrv.redis.datadir import check_free
from chatsrv.redis.embedded import EmbeddedRedis
from chatsrv.redis.errors import ReplyError, StartError, Unavailable
from chatsrv.redis.link import FIRST_UP_TIMEOUT_S
from chatsrv.redis.script import PreparedScript, Script
from chatsrv.redis.subscriber import SubscriberLink

__all__ = [
    "FIRST_UP_TIMEOUT_S",
    "EmbeddedRedis",
    "PreparedScript",
    "RedisAddress",
    "RedisLink",
    "ReplyError",
    "Script",
    "StartError",
    "SubscriberLink",
    "Unavailable",
    "address_in",
    "check_free",
]
