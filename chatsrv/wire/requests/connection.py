"""Op 1: the connection itself."""

from __future__ import annotations

from typing import Annotated

from msgspec import UNSET, Meta, UnsetType

from chatsrv.wire.limits import Limits
from chatsrv.wire.requests.base import PER_REQUEST, Id, Position, Request, check_list


class CatchUp(Request, frozen=True):
    """1/2: replay the events of some chats since these positions, after a reconnect."""

    op, t = 1, 2
    chats: dict[Id, Position]
    epoch: str | UnsetType = UNSET

    def check(self, limits: Limits, caller: int) -> None:
        check_list("chats", len(self.chats), limits)

    @property
    def cost(self) -> int:
        return 1 + len(self.chats) // PER_REQUEST


class RenewToken(Request, frozen=True, gc=False):
    """1/3: go on with another token of the same user."""

    op, t = 1, 3
    token: Annotated[str, Meta(min_length=1)]
