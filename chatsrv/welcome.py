"""What the operator reads when a node is up: where it listens, where the data is, how to try it.

Called by ``service``, which logs the lines.
"""

from __future__ import annotations

import os
import shlex
import shutil
import sys
from collections.abc import Iterator, Sequence

from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.interfaces import IListeningPort

from chatsrv.config import Listening, Settings, default


def welcome(
    settings: Settings, ports: Sequence[IListeningPort], store: str, keys: str, *, signs: bool
) -> Iterator[str]:
    """The lines. ``store`` says which Redis it is, ``keys`` what tokens are checked with; ``signs``: tokens can
    be made with a secret among these."""
    urls = [_url(endpoint, port) for endpoint, port in zip(settings.listen, ports, strict=True)]
    for url, port in zip(urls, ports, strict=True):
        yield f"listening on {url or port.getHost()}"
    yield f"everything is stored in {store}"
    yield f"tokens are checked with {keys}"
    if signs:
        command, options = _command(), _options(settings)
        yield f"a token for user 1:       {command} token 1{options}"
        reachable = next(filter(None, urls), "")
        if reachable:
            there = f" --url {reachable}" if settings.listen != default("listen") else ""
            yield f"chat as user 1 from here: {command} connect 1{options}{there}"


def _url(endpoint: str, port: IListeningPort) -> str:
    """Where a client on this machine connects; empty for a Unix socket, and where only a proxy does."""
    it = Listening(endpoint)
    if it.proxied:
        return ""
    address = port.getHost()
    scheme = "wss" if it.kind in {"ssl", "tls"} else "ws"
    if isinstance(address, IPv4Address):
        return f"{scheme}://{'127.0.0.1' if address.host == '0.0.0.0' else address.host}:{address.port}/ws"
    if isinstance(address, IPv6Address):
        return f"{scheme}://[{'::1' if address.host == '::' else address.host}]:{address.port}/ws"
    return ""


def _command() -> str:
    """The ``chatsrv`` command beside the running program, as it can be typed from here."""
    beside = os.path.join(os.path.dirname(os.path.abspath(sys.argv[0])), "chatsrv")
    if not os.path.exists(beside) or shutil.which("chatsrv") == beside:
        return "chatsrv"
    return shlex.quote(min(beside, os.path.relpath(beside), key=len))


def _options(settings: Settings) -> str:
    if settings.jwt_secret:
        return ""
    if settings.jwt_key_file:
        return "  (with the same jwt_key_file)"
    if settings.data_dir == os.path.abspath(default("data_dir")):
        return ""
    return f" --data-dir {shlex.quote(settings.data_dir)}"
