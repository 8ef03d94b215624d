"""``python -m chatsrv.client [URL]``: talk to a server from a terminal; the token is in ``CHATSRV_TOKEN``."""

from __future__ import annotations

import os
import sys
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectError
from twisted.internet.stdio import StandardIO
from twisted.internet.task import react

from chatsrv.client.connect import connect
from chatsrv.client.console import Console
from chatsrv.client.errors import ClientError

DEFAULT_URL = "ws://127.0.0.1:8080/ws"


async def talk(reactor: Any, url: str, token: str) -> None:
    console = Console()
    try:
        connection = await connect(reactor, url, token, on_event=console.show_frame)
    except (ClientError, ConnectError, OSError, ValueError) as error:
        raise SystemExit(f"cannot connect to {url}: {error}") from None
    connection.closed.addCallback(lambda _: console.end())
    StandardIO(console, reactor=reactor)
    console.begin(connection)
    await console.ended
    closed = await connection.close()
    print(f"closed: {closed.code} {closed.reason}".rstrip(), file=sys.stderr)


def main() -> None:
    url = sys.argv[1] if len(sys.argv) > 1 else DEFAULT_URL
    token = os.environ.get("CHATSRV_TOKEN", "").strip()
    if not token or url.startswith("-"):
        raise SystemExit(
            "use: CHATSRV_TOKEN=$(chatsrv token USER_ID) python -m chatsrv.client [ws://HOST:PORT/ws]"
        )
    react(lambda reactor: Deferred.fromCoroutine(talk(reactor, url, token)))


if __name__ == "__main__":
    main()
