"""The request's head, and the answer that refuses one: HTTP/1.1 without any IO.

The shell feeds a :class:`HeadReader` what arrives until the blank line, once per connection; :mod:`handshake`
judges the :class:`Head`; a :class:`Refusal` renders the whole HTTP answer. Always: no more than the
configured bytes and header lines are kept, nothing of the input is ever put into an answer, and what is not
plainly HTTP/1 (bare line feeds, folded lines, spaces before a colon) is refused rather than guessed at,
because a proxy in front may have guessed otherwise. Sources: RFC 9112 sections 2 to 5, RELIABILITY section
3.1.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_END = b"\r\n\r\n"
_REQUEST_LINE = re.compile(rb"([^\x00-\x20\x7f-\xff][^ \r\n]*) ([\x21-\x7e]+) (HTTP/[\x21-\x7e]+)")
_FIRST_BYTE = re.compile(rb"[A-Za-z]")
_FIELD = re.compile(rb"([!#$%&'*+\-.^_`|~0-9A-Za-z]+):[ \t]*([^\x00-\x08\x0a-\x1f\x7f]*)")

_PHRASES = {
    400: "Bad Request",
    401: "Unauthorized",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
    414: "URI Too Long",
    426: "Upgrade Required",
    429: "Too Many Requests",
    431: "Request Header Fields Too Large",
    500: "Internal Server Error",
    503: "Service Unavailable",
    505: "HTTP Version Not Supported",
}


@dataclass(frozen=True, slots=True)
class Refusal:
    """An HTTP answer instead of the upgrade: a status of the table in PROTOCOL section 1 and its headers."""

    status: int
    headers: tuple[tuple[str, str], ...] = ()

    def render(self) -> bytes:
        """The answer's bytes. Reason and body are constant per status; the connection closes behind it."""
        phrase = _PHRASES[self.status]
        body = f"{phrase}\n"
        fields = (
            *self.headers,
            ("Content-Type", "text/plain; charset=utf-8"),
            ("Content-Length", str(len(body))),
            ("Connection", "close"),
        )
        lines = "".join(f"{name}: {value}\r\n" for name, value in fields)
        return f"HTTP/1.1 {self.status} {phrase}\r\n{lines}\r\n{body}".encode("ascii")


class HeadRefused(Exception):
    """The peer's head cannot be accepted; ``refusal`` is the answer to it."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.status)
        self.refusal = refusal


@dataclass(frozen=True, slots=True)
class Head:
    """A request's head: the target as sent, every value of the headers by lower-case name."""

    method: str
    target: str
    version: str
    headers: dict[str, list[str]]

    @property
    def path(self) -> str:
        """The target up to its query, as sent: nothing is decoded or normalised."""
        return self.target.partition("?")[0]

    @property
    def query(self) -> str:
        """What follows the first ``?``, or the empty string."""
        return self.target.partition("?")[2]

    def values(self, name: str) -> list[str]:
        """Every value of the header, by its lower-case name."""
        return self.headers.get(name, [])

    def items(self, name: str) -> list[str]:
        """The comma-separated elements of all values of the header, without empty ones."""
        return [item for value in self.values(name) for part in value.split(",") if (item := part.strip())]


class HeadReader:
    """Collects one head within its caps.

    ``max_bytes`` counts up to and with the blank line, ``max_lines`` the header lines. ``collected`` is
    everything fed so far, the bytes behind the head included.
    """

    __slots__ = ("_max_bytes", "_max_lines", "collected")

    def __init__(self, max_bytes: int, max_lines: int) -> None:
        self._max_bytes = max_bytes
        self._max_lines = max_lines
        self.collected = bytearray()

    def feed(self, data: bytes) -> tuple[Head, bytes] | None:
        """The head and the bytes behind it as soon as it is whole, None before; raises :class:`HeadRefused`."""
        seen = len(self.collected)
        self.collected += data
        if not seen and not _FIRST_BYTE.match(self.collected):
            raise HeadRefused(Refusal(400))
        self._refuse_bad_request_line(seen)
        end = self.collected.find(_END, max(0, seen - 3))
        if end + len(_END) > self._max_bytes or (end < 0 and len(self.collected) >= self._max_bytes):
            raise HeadRefused(Refusal(431))
        if end < 0:
            return None
        return parse_head(bytes(self.collected[:end]), self._max_lines), bytes(
            self.collected[end + len(_END) :]
        )

    def _refuse_bad_request_line(self, seen: int) -> None:
        """At once, because a peer that speaks something else may never send a blank line."""
        if self.collected.find(b"\n", 0, seen) >= 0:
            return
        end = self.collected.find(b"\n", seen)
        line = self.collected[:end]
        if end >= 0 and not (line.endswith(b"\r") and _REQUEST_LINE.fullmatch(line[:-1])):
            raise HeadRefused(Refusal(400))


def parse_head(head: bytes, max_lines: int) -> Head:
    """Parses a head without its blank line; raises :class:`HeadRefused` (400; 431 for too many lines)."""
    first, *lines = head.split(b"\r\n")
    if len(lines) > max_lines:
        raise HeadRefused(Refusal(431))
    request = _REQUEST_LINE.fullmatch(first)
    if request is None:
        raise HeadRefused(Refusal(400))
    headers: dict[str, list[str]] = {}
    for line in lines:
        field = _FIELD.fullmatch(line)
        if field is None:
            raise HeadRefused(Refusal(400))
        value = field[2].rstrip(b" \t").decode("latin-1")
        headers.setdefault(field[1].decode("ascii").lower(), []).append(value)
    return Head(request[1].decode("latin-1"), request[2].decode("ascii"), request[3].decode("ascii"), headers)
