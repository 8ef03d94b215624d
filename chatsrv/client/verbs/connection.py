"""Op 1: what a program sends that looks after its connection itself; a ``Client`` does both by itself."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
from twisted.internet.defer import Deferred

from chatsrv.client.connection import Connection
from chatsrv.client.frames import CaughtUp
from chatsrv.client.verbs.base import ask


class Renewed(msgspec.Struct, frozen=True):
    """The reply to 1/3. ``expires_at`` is in ms since the Unix epoch; None: never."""

    expires_at: int | None = None


def catch_up(
    connection: Connection, chats: Mapping[int, int], *, epoch: str | None = None
) -> Deferred[CaughtUp]:
    """1/2: replay the events of these chats after these positions; they come as events before the reply."""
    return ask(connection, 1, 2, {"chats": dict(chats), "epoch": epoch}, CaughtUp)


def renew(connection: Connection, token: str) -> Deferred[Renewed]:
    """1/3: go on with another token of the same user."""
    return ask(connection, 1, 3, {"token": token}, Renewed)
