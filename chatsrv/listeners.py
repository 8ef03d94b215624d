"""The ports of one node: opened in the order of the setting ``listen``, closed in two steps.

Called by ``service``. At a socket that systemd keeps, whoever comes once it is closed here waits there for the next
process; so these are closed first, and the others, which would refuse him, when nobody is connected any more.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from twisted.internet.defer import DeferredList, maybeDeferred
from twisted.internet.interfaces import IListeningPort

from chatsrv.config import ConfigError, Listening, cannot_listen
from chatsrv.endpoints import server_endpoint
from chatsrv.session.factory import ShellFactory
from chatsrv.session.proxies import ProxiesOnly


class Listeners:
    """``ports`` are those that are or were open; a start that was cut off may have opened only the first ones."""

    def __init__(self, reactor: Any, descriptions: Sequence[str], outbox_bytes: int) -> None:
        self.ports: list[IListeningPort] = []
        self._reactor = reactor
        self._outbox_bytes = outbox_bytes
        self._listening = [Listening(description) for description in descriptions]

    async def listen(self, factory: ShellFactory) -> None:
        """Open all of them. Raises ``ConfigError`` for the first that cannot be; those before it stay open."""
        for it in self._listening:
            try:
                endpoint = server_endpoint(self._reactor, it.description, self._outbox_bytes)
                shells = ProxiesOnly(factory, factory.proxies) if it.proxied else factory
                self.ports.append(await endpoint.listen(shells))
            except ConfigError:
                raise
            except Exception as error:  # parsers of endpoints, and the kernel, raise what they like
                raise cannot_listen(it.description, getattr(error, "socketError", error)) from None

    async def stop_handed_over(self) -> None:
        """Take nobody any more from the sockets that are not ours."""
        await _stop(self._ports(handed_over=True))

    async def stop(self) -> None:
        """Close our own."""
        await _stop(self._ports(handed_over=False))

    def _ports(self, *, handed_over: bool) -> list[IListeningPort]:
        opened = zip(self.ports, self._listening, strict=False)
        return [port for port, it in opened if it.handed_over == handed_over]


async def _stop(ports: Iterable[IListeningPort]) -> None:
    await DeferredList([maybeDeferred(port.stopListening) for port in ports])
