"""Waiting for several things at once, and not for ever."""

from __future__ import annotations

from collections.abc import Coroutine, Iterable
from typing import Any, TypeVar

from twisted.internet.defer import Deferred, FirstError, TimeoutError, gatherResults
from twisted.internet.interfaces import IReactorTime
from twisted.python.failure import Failure

from chatsrv.redis import RedisLink, Unavailable

T = TypeVar("T")

#: Commands that bulk work sends before it looks whether there is room for more.
TOGETHER = 200


async def together(
    link: RedisLink, coroutines: Iterable[Coroutine[Any, Any, T]], *, hello: bool = False
) -> list[T]:
    """The results of all, in order. They run at the same time, as far as the link has room for bulk work.

    ``hello``: somebody waits to be greeted, and not behind all other bulk work.

    Raises the first failure as it is; what was not begun by then never is.
    """
    waiting, begun = list(coroutines), list[Deferred[T]]()
    failed = False

    def note(failure: Failure) -> Failure:
        nonlocal failed
        failed = True
        return failure

    try:
        while waiting and not failed:
            await link.room(hello=hello)
            if failed:
                break
            part, waiting = waiting[:TOGETHER], waiting[TOGETHER:]
            begun += [Deferred.fromCoroutine(c).addErrback(note) for c in part]
        return await gatherResults(begun, consumeErrors=True)
    except FirstError as first:
        raise _cause(first) from None
    finally:
        for each in begun:
            each.addErrback(lambda _: None)
        for coroutine in waiting:
            coroutine.close()


def _cause(first: FirstError) -> BaseException:
    failure: Failure = first.subFailure
    return failure.value or first


async def within(clock: IReactorTime, seconds: float, coroutine: Coroutine[Any, Any, T]) -> T:
    """The result; `Unavailable` when it takes longer."""
    try:
        return await Deferred.fromCoroutine(coroutine).addTimeout(seconds, clock)
    except TimeoutError:
        raise Unavailable("the store took too long", sent=True) from None
