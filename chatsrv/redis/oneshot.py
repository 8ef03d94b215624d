"""Ask a Redis something over a connection of its own, once.

The embedded server does it while nobody is connected yet, or any more: is it ready, end an orphan, shut
down. Always: it answers within twice ``timeout_s``, and the connection is closed by then.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred

from chatsrv.redis.address import RedisAddress
from chatsrv.redis.errors import Unavailable
from chatsrv.redis.pipeline import OneConnection, Pipeline
from chatsrv.redis.script import Part


async def ask(reactor: Any, address: RedisAddress, command: Part, *, timeout_s: float = 1.0) -> object:
    """The reply to ``command``, or an exception instance in its place (``ReplyError``, ``Unavailable``)."""
    replies: list[object] = []
    closed: Deferred[None] = Deferred()

    def opened(pipeline: Pipeline) -> None:
        def answered(reply: object) -> None:
            replies.append(reply)
            pipeline.abort("it was asked")

        if address.password is not None:
            pipeline.send(replies.append, ("AUTH", address.password))
        pipeline.send(answered, (command,))

    def lost(pipeline: Pipeline, reason: str) -> None:
        pipeline.fail_all(reason)
        closed.callback(None)

    endpoint = address.endpoint(reactor, connect_timeout_s=timeout_s)
    try:
        await endpoint.connect(OneConnection(lambda: Pipeline(reactor, timeout_s, opened, lost)))
    except Exception as problem:
        return Unavailable(str(problem), sent=False)
    await closed
    return next((reply for reply in replies if isinstance(reply, Exception)), replies[-1])
