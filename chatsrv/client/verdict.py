"""What becomes of the client after a failed try or the end of a connection: try again, and how, or stop.

A pure function of the error; ``Lifeline`` does what it says. The rules are those of ``CloseCode.reconnect``
(PROTOCOL section 5) and of the HTTP statuses before the upgrade (section 1). What neither names may pass:
the network, a proxy that has no server at the moment.
"""

from __future__ import annotations

from typing import NamedTuple

from chatsrv.client.errors import ConnectionClosed, HandshakeRefused, NoToken, Unsuitable
from chatsrv.wire.codes import Reconnect


class Verdict(NamedTuple):
    """``stop``: it can never be. Else again, not before ``at_least_s``, perhaps with a new token."""

    stop: bool = False
    new_token: bool = False
    at_least_s: float = 0.0


STOP = Verdict(stop=True)
AGAIN = Verdict()
NEW_TOKEN = Verdict(new_token=True)

_PASSING = frozenset({408, 429})


def judge(error: Exception) -> Verdict:
    """The verdict on why there is no connection."""
    if isinstance(error, HandshakeRefused):
        return _refused(error)
    if isinstance(error, ConnectionClosed):
        return _closed(error)
    return STOP if isinstance(error, (NoToken, Unsuitable, ValueError)) else AGAIN


def _refused(error: HandshakeRefused) -> Verdict:
    if error.status == 401:
        return NEW_TOKEN
    if error.status < 500 and error.status not in _PASSING:
        return STOP
    return Verdict(at_least_s=error.retry_after_s or 0.0)


def _closed(error: ConnectionClosed) -> Verdict:
    code = error.close_code
    if code is None:
        return AGAIN
    return {Reconnect.STOP: STOP, Reconnect.NEW_TOKEN: NEW_TOKEN}.get(code.reconnect, AGAIN)
