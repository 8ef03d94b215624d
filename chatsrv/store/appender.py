"""Messages appended to one chat, on the hot path: a callback, and what is constant packed once.

Made by `ChatStore.appender`, kept by who appends to the chat again and again. Always: each message is judged
alone (``lua/chat_send.lua``), and ``done`` is called exactly once.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import msgspec

from chatsrv.redis import PreparedScript, RedisLink, Script
from chatsrv.store.keys import Keys
from chatsrv.store.repository import failure_of

_PARTS = ("meta", "members", "messages", "marks", "deleted", "nonces:0", "nonces:1")
_OF_PLAIN = 4  # that many of them are enough without nonces and with all messages kept

_pack = msgspec.msgpack.Encoder().encode


class Draft(NamedTuple):
    """A message before it is stored; ``nonce`` empty and ``reply_to`` 0: none."""

    sender: int
    type: int
    text: str
    nonce: str = ""
    reply_to: int = 0


class Retention(NamedTuple):
    """What is kept of each chat: events and ``messages`` (0: all) by count, messages by age (0: of any age).

    A nonce is known for ``nonce_window_ms`` at least, twice that at most.
    """

    log_events: int = 10_000
    messages: int = 0
    message_age_ms: int = 0
    nonce_window_ms: int = 86_400_000


class Appender:
    """Appends to the chat whose ``keys`` these are; events are published on ``channel``."""

    def __init__(
        self, link: RedisLink, script: Script, keys: Keys, chat_id: int, channel: str, retention: Retention
    ) -> None:
        self._link = link
        parts = keys.chat(chat_id, *_PARTS)
        few = parts[:_OF_PLAIN]
        kept = (retention.messages, retention.message_age_ms, retention.nonce_window_ms)
        self._one = PreparedScript(script, few, (channel,), 5, failure_of)
        self._several = PreparedScript(script, few, (channel,), 3, failure_of)
        self._extended = PreparedScript(script, parts, (channel, *kept), 3, failure_of)
        self._trims = retention.messages > 0 or retention.message_age_ms > 0

    def append(
        self, drafts: Sequence[Draft], operation: str, done: Callable[[Any], None], token: str = ""
    ) -> None:
        """Append a batch of messages.

        ``token`` (`Bus.token`) makes the script publish only if others listen to the channel, too. ``done`` gets
        ``[time, result...]``, each result ``[seq, message_id]``, ``[seq, message_id, sent_at]`` of the message that
        came before with this nonce, or the bytes of a refusal's code; or an exception, and then the outcome is
        unknown.
        """
        if len(drafts) == 1 and not self._trims:
            sender, kind, text, nonce, reply_to = drafts[0]
            if not nonce and not reply_to:
                one = self._one
                self._link.run(done, one, one.keys, (operation, token, sender, kind, text))
                return
        script = self._several
        if self._trims or any(draft.nonce for draft in drafts):
            script = self._extended
        self._link.run(done, script, script.keys, (operation, token, _pack(drafts)))
