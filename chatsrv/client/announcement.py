"""Something that happens once, and that any number of people may wait for, also afterwards."""

from __future__ import annotations

from typing import Generic, TypeVar

from twisted.internet.defer import Deferred, succeed

T = TypeVar("T")


class Announcement(Generic[T]):
    """``wait`` gives each asker a Deferred of its own; ``make`` fires them, in the order of asking."""

    def __init__(self) -> None:
        self._said: list[T] = []
        self._waiting: list[Deferred[T]] = []

    def wait(self) -> Deferred[T]:
        """Fires when it is made, at once when it has been. May be cancelled."""
        if self._said:
            return succeed(self._said[0])
        watcher: Deferred[T] = Deferred(self._waiting.remove)
        self._waiting.append(watcher)
        return watcher

    def make(self, value: T) -> None:
        """It has happened."""
        self._said.append(value)
        while self._waiting:
            self._waiting.pop(0).callback(value)
