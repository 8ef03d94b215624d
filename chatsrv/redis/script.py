"""A Lua script, in the two forms that servers of different age take.

The store makes them from its ``lua/*.lua`` files, ``RedisLink`` runs them by their SHA-1. A server below 7.0
does not know the first line ``#!lua …``; there it is left out (the line stays, empty, so that line
numbers in errors are those of the file).
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field


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


def _sha1(text: str) -> str:
    return hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()
