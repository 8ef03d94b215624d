"""A look at the store from outside, by another client library, for what no frame shows."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec
import redis


def client_of(server: Any) -> redis.Redis:
    """A blocking client of a ``RedisServer``."""
    return redis.Redis.from_url(str(server.address))


def stored_messages(server: Any, prefix: str, chat_id: int) -> dict[int, tuple[int, str]]:
    """All messages of a chat: its id to sender and text. Knows the layout of ``chatsrv.store``."""
    key = f"{prefix}{{c:{chat_id}}}:messages"
    with client_of(server) as client:
        rows = client.hgetall(key)
    records = {int(message_id): msgspec.msgpack.decode(packed) for message_id, packed in rows.items()}
    return {message_id: (int(sender), text) for message_id, (sender, _at, text, *_) in records.items()}


def texts_in_store(server: Any, prefix: str, text: str) -> list[str]:
    """The keys under ``prefix`` whose values contain ``text``, whatever their type."""
    with client_of(server) as client:
        keys = client.scan_iter(f"{prefix}*", count=1000)
        return [key.decode() for key in keys if text in " ".join(_texts(client, key))]


def _texts(client: redis.Redis, key: bytes) -> Iterator[str]:
    kind = client.type(key)
    if kind == b"string":
        values: Any = client.get(key)
    elif kind == b"hash":
        values = client.hgetall(key)
    elif kind == b"list":
        values = client.lrange(key, 0, -1)
    elif kind == b"set":
        values = client.smembers(key)
    elif kind == b"zset":
        values = client.zrange(key, 0, -1)
    else:
        values = client.xrange(key)
    yield repr(values)
