"""A JSON text by the grammar of RFC 8259, recognised by a table of what may follow, and then its value.

Python's parser, which makes the value, is a little laxer and gives up at a depth of its own; so what is a JSON
text is decided here, without recursion.
"""

from __future__ import annotations

import json
import math
import re
from typing import Any, NamedTuple

#: Depth up to which a server must read a text, and from which it must not (RELIABILITY 3.3).
SHALLOW, DEEP = 200, 3_000
#: Digits up to which every parser reads an integer.
DIGITS = 4_300

_TOKEN = re.compile(
    r'[ \t\n\r]*+(?:(?P<mark>[{}\[\]:,])|(?P<string>"(?:[^"\\\x00-\x1f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*+")'
    r"|(?P<value>-?(?:0|[1-9][0-9]*+)(?:\.[0-9]++)?(?:[eE][+-]?[0-9]++)?|true|false|null))"
)
_SPACE = re.compile(r"[ \t\n\r]*+")
_LONE = re.compile(r"[\ud800-\udfff]")


class NotJson(Exception):
    """The text is no JSON text."""


def depth_of(text: str) -> int:
    """How deep its arrays and objects are nested; `NotJson`."""
    stack: list[str] = []
    deepest, at, wanted = 0, 0, "value"
    while wanted != "end":
        token = _TOKEN.match(text, at)
        if token is None:
            raise NotJson
        at = token.end()
        mark = token["mark"]
        if mark is None:
            wanted = _after_scalar(wanted, token["string"] is not None, stack)
        elif mark in "[{" and wanted in ("value", "value or ]"):
            stack.append("]" if mark == "[" else "}")
            deepest = max(deepest, len(stack))
            wanted = "value or ]" if mark == "[" else "key or }"
        elif mark in "]}" and stack and stack[-1] == mark and wanted in (f", or {mark}", *_empty(mark)):
            stack.pop()
            wanted = _after_value(stack)
        elif mark == "," and wanted.startswith(", or "):
            wanted = "value" if stack[-1] == "]" else "key"
        elif mark == ":" and wanted == ":":
            wanted = "value"
        else:
            raise NotJson
    if _SPACE.fullmatch(text, at) is None:
        raise NotJson
    return deepest


def _empty(mark: str) -> tuple[str]:
    return ("value or ]",) if mark == "]" else ("key or }",)


def _after_scalar(wanted: str, is_string: bool, stack: list[str]) -> str:
    if wanted.startswith("value"):
        return _after_value(stack)
    if wanted.startswith("key") and is_string:
        return ":"
    raise NotJson


def _after_value(stack: list[str]) -> str:
    return f", or {stack[-1]}" if stack else "end"


class Parsed(NamedTuple):
    """A value, and what is odd about its text."""

    value: Any
    lone: bool
    """A string in it holds a lone surrogate."""
    infinite: bool
    """A number in it is beyond every float."""
    repeated: bool
    """A member of an object is there twice; the value has the last one."""


def parsed(text: str) -> Parsed:
    """The value of a JSON text that is not deep.

    An integer with more digits than parsers read becomes an infinity: it is a number, and out of every range.
    """
    odd = {"infinite": False, "repeated": False}

    def number(digits: str) -> float:
        value = float(digits)
        odd["infinite"] |= math.isinf(value)
        return value

    def integer(digits: str) -> float:
        return int(digits) if len(digits.lstrip("-")) <= DIGITS else math.inf

    def members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        value = dict(pairs)
        odd["repeated"] |= len(value) < len(pairs)
        return value

    value = json.loads(text, parse_float=number, parse_int=integer, object_pairs_hook=members)
    lone = "\\u" in text and _LONE.search(json.dumps(value, ensure_ascii=False)) is not None
    return Parsed(value, lone, **odd)
