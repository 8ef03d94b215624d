"""``chatsrv connect``: a terminal client as one user of the local server, with a token made on the way.

Called by ``cli.main``; becomes ``python -m chatsrv.client``, with the token in its environment.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from typing import Any, NoReturn

from chatsrv.auth.keys import SECRET_FILE
from chatsrv.cli.token import token
from chatsrv.config import ConfigError, Settings, load_settings, tcp_address


def connect(user_id: str, url: str | None, options: Mapping[str, Any]) -> NoReturn:
    """Replace this process by the client. Raises ``ConfigError``."""
    settings = load_settings(options)
    _check_secret(settings)
    environment = {**os.environ, "CHATSRV_TOKEN": token(user_id, "1d", options)}
    url = url or _url(settings.listen)
    os.execve(sys.executable, [sys.executable, "-m", "chatsrv.client", url], environment)


def _check_secret(settings: Settings) -> None:
    """The server must have been there first: no running one would accept a secret that is made now."""
    given = settings.jwt_secret or settings.jwt_key_file or settings.jwt_jwks_url
    if not given and not os.path.exists(os.path.join(settings.data_dir, SECRET_FILE)):
        raise ConfigError(
            f"no server has used the data directory {settings.data_dir} yet: start one, "
            "or name the directory of the one that runs with --data-dir"
        )


def _url(endpoints: Sequence[str]) -> str:
    """Where the first TCP endpoint of the settings listens."""
    for address in filter(None, map(tcp_address, endpoints)):
        host = address[0] if address[0] not in ("", "0.0.0.0") else "127.0.0.1"
        host = f"[{host}]" if ":" in host else host
        return f"ws://{host}:{address[1]}/ws"
    return "ws://127.0.0.1:8080/ws"
