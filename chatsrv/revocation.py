"""What an operator says of a user, put into the store from outside of any node: his tokens are revoked, he is blocked.

Called by ``cli``; runs the reactor for a moment and the same script as ever, so that the nodes hear of it at once.
Always: it ends within a few seconds, and says by the exit code whether the store has taken it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred, TimeoutError
from twisted.internet.task import react

from chatsrv.bus import Channels
from chatsrv.config import Settings
from chatsrv.redis import (
    FIRST_UP_TIMEOUT_S,
    RedisAddress,
    RedisLink,
    ReplyError,
    Unavailable,
    address_in,
)
from chatsrv.store import Store
from chatsrv.store.users import REVOKED_TOKENS, Verdict
from chatsrv.wire.refusal import Refused


def carry_out(
    settings: Settings, user_id: int, what: Verdict, *, token_id: str = "", expires_at: int = 0
) -> bool:
    """See `UserStore.revoke`. Raises ``SystemExit`` with one line when the store did not take it."""
    changed: list[bool] = []

    async def run(reactor: Any) -> None:
        link = RedisLink(reactor, address := _address(settings), timeout_s=settings.redis_timeout_s)
        store = Store(link, settings.redis_key_prefix)
        channel = Channels(settings.redis_key_prefix, address.database).user(user_id)
        link.start()
        try:
            await link.when_up().addTimeout(FIRST_UP_TIMEOUT_S, reactor)
            await _check_used(store, settings, address)
            revoked = store.users.revoke(user_id, what, channel, token_id=token_id, expires_at=expires_at)
            changed.append(await revoked)
        except Refused:
            raise _failed(
                f"{REVOKED_TOKENS} tokens of user {user_id} are revoked one by one already: revoke all of them,"
                f" with chatsrv revoke {user_id}"
            ) from None
        except (TimeoutError, Unavailable, ReplyError) as error:
            why = (link.last_error or str(error) or "no answer").rstrip(".")
            unknown = isinstance(error, Unavailable) and error.sent
            outcome = "whether it was done is not known: repeat it" if unknown else "nothing was done"
            raise _failed(f"Redis at {address} cannot be used: {why}; {outcome}") from None
        finally:
            await link.stop()

    try:
        react(lambda reactor: Deferred.fromCoroutine(run(reactor)))
    except SystemExit as end:
        if end.code:
            raise
    return changed[0]


def _address(settings: Settings) -> RedisAddress:
    if settings.redis != "embedded":
        try:
            return RedisAddress.from_url(settings.redis)
        except ValueError as error:
            raise _failed(f"setting redis: {error}") from None
    try:
        address = address_in(Path(settings.data_dir))
        runs = address is not None and Path(address.path or "").exists()
    except OSError as error:
        raise _failed(f"the data directory {settings.data_dir} cannot be read: {error.strerror}") from None
    if address is None or not runs:
        raise _failed(
            f"no server runs with the data directory {settings.data_dir}: start it, or name the directory of the"
            " one that runs with --data-dir, or the external Redis with --redis or CHATSRV_REDIS"
        )
    return address


async def _check_used(store: Store, settings: Settings, address: RedisAddress) -> None:
    """Under a wrong prefix it would be done, and have no effect."""
    if not await store.epoch.read():
        raise _failed(
            f"no server has used Redis at {address} with the key prefix {settings.redis_key_prefix} yet:"
            " correct the setting redis or redis_key_prefix"
        )


def _failed(why: str) -> SystemExit:
    return SystemExit(f"chatsrv: {' '.join(why.split())}")
