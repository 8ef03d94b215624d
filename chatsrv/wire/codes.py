"""The one registry of error codes and close codes, each with what the client should do about it.

The server refuses with them, the client library raises and reconnects by them, and the tables in
``docs/protocol.md`` are printed from them. Source: PROTOCOL sections 4 and 5.
"""

from __future__ import annotations

from enum import Enum
from typing import NamedTuple


class Retry(Enum):
    """Whether, and how, a refused request may be sent again."""

    NEVER = "no"
    AFTER_DELAY = "after `retry_after_ms`"
    SAME_NONCE = "yes, with the same `nonce`"


class _Error(NamedTuple):
    code: str
    retry: Retry
    text: str


class ErrorCode(_Error, Enum):
    """What a 3/1 frame says in ``code``; ``text`` is its constant ``message``."""

    BAD_JSON = _Error("bad_json", Retry.NEVER, "the frame is not a JSON text")
    BAD_FRAME = _Error(
        "bad_frame", Retry.NEVER, "the frame is not an object with op, t, d and id of the right types"
    )
    UNKNOWN_OP = _Error("unknown_op", Retry.NEVER, "this op and t are not a request")
    UNSUPPORTED = _Error("unsupported", Retry.NEVER, "this request is reserved and not supported")
    BAD_REQUEST = _Error("bad_request", Retry.NEVER, "a member of d is missing, mistyped or out of range")
    TOO_LARGE = _Error("too_large", Retry.NEVER, "a list is longer than its limit")
    RATE_LIMITED = _Error("rate_limited", Retry.AFTER_DELAY, "too many requests")
    NOT_FOUND = _Error("not_found", Retry.NEVER, "there is no such thing, or it is not yours to see")
    WRONG_CHAT_TYPE = _Error("wrong_chat_type", Retry.NEVER, "the chat is of the other type")
    FORBIDDEN = _Error("forbidden", Retry.NEVER, "you may not do this")
    CONFLICT = _Error("conflict", Retry.NEVER, "the nonce was used for another request")
    LIMIT_REACHED = _Error("limit_reached", Retry.NEVER, "a limit on how many there may be is reached")
    UNAVAILABLE = _Error(
        "unavailable", Retry.SAME_NONCE, "the store is not reachable; the outcome is unknown"
    )
    INTERNAL = _Error("internal", Retry.SAME_NONCE, "the server failed; the outcome is unknown")

    @classmethod
    def by_name(cls, code: str) -> ErrorCode:
        """The member whose ``code`` this is; ``KeyError`` when there is none."""
        return _BY_NAME[code]


_BY_NAME = {member.code: member for member in ErrorCode}


class Reconnect(Enum):
    """What a client does after its connection was closed."""

    STOP = "stop"
    JITTER = "reconnect, with jitter"
    BACK_OFF = "reconnect, with back-off"
    NEW_TOKEN = "get a new token, then reconnect"
    RESUME = "reconnect and resume with 1/2"


class _Close(NamedTuple):
    code: int
    reconnect: Reconnect
    text: str


class CloseCode(_Close, Enum):
    """Why a connection is closed; ``text`` is the constant reason in the close frame."""

    NORMAL = _Close(1000, Reconnect.STOP, "normal")
    GOING_AWAY = _Close(1001, Reconnect.JITTER, "the server is going away")
    PROTOCOL_ERROR = _Close(1002, Reconnect.STOP, "WebSocket protocol error")
    UNSUPPORTED_DATA = _Close(1003, Reconnect.STOP, "binary frames are not accepted")
    INVALID_TEXT = _Close(1007, Reconnect.STOP, "the text is not UTF-8")
    POLICY = _Close(1008, Reconnect.STOP, "too much that breaks the rules")
    TOO_BIG = _Close(1009, Reconnect.STOP, "the frame is too large")
    INTERNAL_ERROR = _Close(1011, Reconnect.BACK_OFF, "internal error")
    OVERLOADED = _Close(1013, Reconnect.BACK_OFF, "overloaded, try again later")
    UNAUTHORIZED = _Close(4401, Reconnect.NEW_TOKEN, "the token expired or was revoked")
    SLOW_CONSUMER = _Close(4408, Reconnect.RESUME, "slow consumer")
    REPLACED = _Close(4409, Reconnect.STOP, "closed by an operator, or one connection too many")

    @classmethod
    def by_number(cls, code: int) -> CloseCode | None:
        """The member with this number, or None for a number this protocol does not use."""
        return _BY_NUMBER.get(code)


_BY_NUMBER = {member.code: member for member in CloseCode}


class Profile(Enum):
    """What a connection negotiated; the value is the subprotocol's name. PROTOCOL section 1."""

    CORE = "chatsrv.core"
    FULL = "chatsrv.v1"
