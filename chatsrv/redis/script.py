"""A Lua script, in the two forms that servers of different age take; and one that is packed but for its end.

The store makes them from its ``lua/*.lua`` files, ``RedisLink`` runs them by their SHA-1. A server below 7.0
does not know the first line ``#!lua …``; there it is left out.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import hiredis

Part = bytes | str | int


@dataclass(frozen=True)
class Script:
    """One script: ``sha`` names ``source``; ``sha_without_header`` names ``source_without_header``."""

    name: str
    source: str = field(repr=False)
    sha: str = field(init=False)
    source_without_header: str = field(init=False, repr=False)
    sha_without_header: str = field(init=False)

    def __post_init__(self) -> None:
        header, newline, rest = self.source.partition("\n")
        bare = newline + rest if header.startswith("#!") else self.source
        object.__setattr__(self, "sha", _sha1(self.source))
        object.__setattr__(self, "source_without_header", bare)
        object.__setattr__(self, "sha_without_header", _sha1(bare))


class PreparedScript:
    """A script with its keys and first arguments, packed once; ``last`` (1 to 9) more come with each run.

    ``failure`` makes an error reply into what the caller gets in its place.
    """

    __slots__ = ("_front", "_sha", "args", "failure", "keys", "last", "script")

    def __init__(
        self,
        script: Script,
        keys: Sequence[str],
        args: Sequence[Part],
        last: int,
        failure: Callable[[object], Exception | None],
    ) -> None:
        self.script = script
        self.keys = keys
        self.args = args
        self.last = last
        self.failure = failure
        self._sha = ""
        self._front = b""

    @property
    def name(self) -> str:
        return self.script.name

    def packed(self, sha: str, last: Sequence[Part]) -> bytes:
        """The EVALSHA with these last arguments, as the bytes to send; raises as ``hiredis.pack_command`` does."""
        if sha is not self._sha:
            self._sha, self._front = sha, self._pack_front(sha)
        packed: bytes = hiredis.pack_command(tuple(last))
        return self._front + packed[len(b"*3\r\n") :]

    def _pack_front(self, sha: str) -> bytes:
        front = ("EVALSHA", sha, len(self.keys), *self.keys, *self.args)
        header, parts = hiredis.pack_command(front).split(b"\r\n", 1)
        return b"*%d\r\n%b" % (int(header[1:]) + self.last, parts)


def _sha1(text: str) -> str:
    return hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()
