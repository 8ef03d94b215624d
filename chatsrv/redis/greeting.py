"""The first words on a connection: who we are, which database, and is the server ready.

``Link`` calls it on each new connection. HELLO (RESP 2) authenticates and tells version and role, SELECT
is sent where a database is asked for, PING is refused while the server is LOADING. Always: exactly one of the
two callables is called, once, also when the connection is lost or the deadline passes meanwhile.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

from chatsrv.redis.address import RedisAddress
from chatsrv.redis.pipeline import Pipeline
from chatsrv.redis.script import Part

Version = tuple[int, int, int]
OLDEST: Final = (6, 2, 0)


def greet(
    pipeline: Pipeline,
    address: RedisAddress,
    welcomed: Callable[[Version], None],
    refused: Callable[[str], None],
) -> None:
    """Send the greeting; ``refused`` gets one line that names the problem, never the password."""
    commands = _commands(address)
    answers: list[object] = []

    def take(answer: object) -> None:
        answers.append(answer)
        if len(answers) < len(commands):
            return
        problem = _problem(answers)
        if problem:
            refused(problem)
        else:
            welcomed(version_of(_facts(answers[0])[b"version"]))

    for command in commands:
        pipeline.send(take, command)


def version_of(text: bytes) -> Version:
    """``b"7.0.15"`` as ``(7, 0, 15)``; what is no number, or missing, counts as 0."""
    numbers = [int(part) for part in re.findall(rb"\d+", text)[:3]] + [0, 0, 0]
    return numbers[0], numbers[1], numbers[2]


def _commands(address: RedisAddress) -> list[tuple[Part, ...]]:
    hello: tuple[Part, ...] = ("HELLO", "2")
    if address.username is not None or address.password is not None:
        hello += ("AUTH", address.username or "default", address.password or "")
    select: list[tuple[Part, ...]] = [("SELECT", address.database)] if address.database else []
    return [hello, *select, ("PING",)]


def _problem(answers: list[object]) -> str:
    for answer in answers:
        if isinstance(answer, Exception):
            return str(answer)
    facts = _facts(answers[0])
    if version_of(facts.get(b"version", b"")) < OLDEST:
        return "this is no Redis of version 6.2 or newer"
    if facts.get(b"role", b"master") != b"master":
        return "this is a read-only replica"
    return ""


def _facts(hello: object) -> dict[bytes, bytes]:
    return dict(zip(hello[::2], hello[1::2], strict=False)) if isinstance(hello, list) else {}
