"""The application's callbacks, called one at a time; what they raise is logged and stops nothing."""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from typing import Any

from twisted.logger import Logger

from chatsrv.client.connection import EventSink
from chatsrv.client.frames import Frame


class State(Enum):
    """How a client stands. STOPPED is for good."""

    CONNECTING = "connecting"
    CONNECTED = "connected"
    WAITING = "waiting before the next try"
    STOPPED = "stopped"


ResetSink = Callable[[list[int]], None]
"""Takes chat ids: what is known of these chats is void; fetch afresh what is needed."""
StateSink = Callable[[State, Exception | None], None]
"""Takes how the client stands, and why it is not connected."""


class Sinks:
    """The three of them, by what they are told."""

    log = Logger()

    def __init__(self, on_event: EventSink, on_reset: ResetSink, on_state: StateSink) -> None:
        self._on_event = on_event
        self._on_reset = on_reset
        self._on_state = on_state

    def event(self, frame: Frame) -> None:
        """One event."""
        self._tell(self._on_event, frame)

    def reset(self, chat_ids: list[int]) -> None:
        """These chats are to be forgotten."""
        self._tell(self._on_reset, chat_ids)

    def state(self, state: State, reason: Exception | None) -> None:
        """The client stands otherwise now."""
        self._tell(self._on_state, state, reason)

    def _tell(self, sink: Callable[..., None], *news: Any) -> None:
        try:
            sink(*news)
        except Exception:
            self.log.failure("a callback of the application raised")
