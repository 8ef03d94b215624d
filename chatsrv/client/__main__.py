"""``python -m chatsrv.client [URL]``: talk to a server from a terminal; the token is in ``CHATSRV_TOKEN``.

It exits with 1 when something typed was not answered, or the client stopped by itself.
"""

from __future__ import annotations

import os
import sys
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.stdio import StandardIO
from twisted.internet.task import react

from chatsrv.client.client import Client
from chatsrv.client.console import Console
from chatsrv.client.errors import ClientError
from chatsrv.client.sinks import State

DEFAULT_URL = "ws://127.0.0.1:8080/ws"


async def talk(reactor: Any, url: str, token: str) -> None:
    console = Console(reactor)
    why: list[Exception | None] = []

    def show_state(state: State, reason: Exception | None) -> None:
        console.show_state(state, reason)
        if state is State.WAITING and not console.begun:  # nobody would know what there is to wait for
            why.append(reason)
            client.stop()

    client = Client(
        reactor,
        url,
        lambda: token,
        on_event=console.show_frame,
        on_reset=console.show_reset,
        on_state=show_state,
    )

    def interrupted() -> Deferred[Exception | None]:
        console.end()
        return client.stop()

    reactor.addSystemEventTrigger("before", "shutdown", interrupted)
    try:
        await client.start()
    except (ClientError, ValueError) as error:
        raise SystemExit(f"cannot connect to {url}: {(why or [error])[0]}") from None
    client.stopped.addCallback(lambda _: console.end())
    StandardIO(console, reactor=reactor)
    console.begin(client)
    unanswered = await console.ended
    reason = await client.stop()
    for line in unanswered:
        print(f"! not sent or not answered: {line}", file=sys.stderr)
    print(f"closed: {reason}" if reason else "closed", file=sys.stderr)
    if reason or unanswered:
        raise SystemExit(1)


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
