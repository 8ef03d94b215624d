"""All cases, by the settings that the server needs for them."""

from __future__ import annotations

from typing import Any

from tests.conformance import closing, compression, control, fragmentation, framing, handshake, limits, utf8
from tests.conformance.case import Case, Handshake

TITLES = {
    "0": "handshake",
    "1": "framing",
    "2": "ping and pong",
    "3": "reserved bits",
    "4": "opcodes",
    "5": "fragmentation",
    "6": "UTF-8",
    "7": "closing",
    "9": "limits",
    "12": "compression",
    "13": "broken compression",
}

Suite = tuple[dict[str, Any], list[Case | Handshake]]


def suites() -> list[Suite]:
    """Settings, and the cases that are for a server with them."""
    plain = (handshake, framing, control, fragmentation, utf8, closing, limits)
    return [
        ({}, [case for module in plain for case in module.cases()]),
        (compression.SETTINGS, compression.cases()),
    ]


def title(case: Case | Handshake) -> str:
    """The row of the table in which a case is counted."""
    number = case.section.partition(".")[0]
    return f"{number:>2} {TITLES[number]}"
