"""``Rounds``: what a node costs its store, in commands and round trips.

A network so slow that everything is sent in rounds: what a node sends is kept until all that it sent before
was answered, then goes out at once. So the number of rounds is that of the waits one after the other,
whatever the machine does meanwhile. A subscription is a command that its confirmation answers.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred


class Rounds:
    """Sits on a node's command link and bus from now on; ``commands`` counts by name, a script by its own."""

    def __init__(self, node: Any) -> None:
        self.rounds = 0
        self.commands: Counter[str] = Counter()
        self._names = {script.sha: script.name for script in node.store.scripts.values()}
        self._names |= {script.sha_without_header: script.name for script in node.store.scripts.values()}
        self._send, self._subscribe = node.own_link.send, node.bus.subscribe
        self._kept: list[Callable[[], None]] = []
        self._awaited = 0
        self._due = False
        node.own_link.send, node.bus.subscribe = self.send, self.subscribe

    def begin(self) -> None:
        """Count from here."""
        self.rounds = 0
        self.commands.clear()

    @property
    def total(self) -> int:
        """How many commands, without subscriptions."""
        return self.commands.total() - self.commands["SUBSCRIBE"]

    @property
    def busy(self) -> bool:
        return bool(self._kept or self._awaited)

    # -- in place of the link's and the bus's

    def send(self, done: Callable[[Any], None], *command: Any) -> None:
        def answered(reply: Any) -> None:
            self._answered()
            done(reply)

        name = str(command[0])
        self._keep(
            self._names[command[1]] if name == "EVALSHA" else name, lambda: self._send(answered, *command)
        )

    def subscribe(self, channel: str, listener: Any) -> Deferred[None]:
        confirmed: Deferred[None] = Deferred()

        def subscribe() -> None:
            self._subscribe(channel, listener).addBoth(self._confirmed).chainDeferred(confirmed)

        self._keep("SUBSCRIBE", subscribe)
        return confirmed

    # -- inside

    def _keep(self, name: str, send: Callable[[], None]) -> None:
        self.commands[name] += 1
        self._kept.append(send)
        self._look()

    def _confirmed(self, result: Any) -> Any:
        self._answered()
        return result

    def _answered(self) -> None:
        self._awaited -= 1
        self._look()

    def _look(self) -> None:
        if not self._due and not self._awaited:
            self._due = True
            reactor.callLater(0, self._begin_round)

    def _begin_round(self) -> None:
        self._due = False
        kept, self._kept = self._kept, []
        if not kept:
            return
        self.rounds += 1
        self._awaited = len(kept)
        for send in kept:
            send()
