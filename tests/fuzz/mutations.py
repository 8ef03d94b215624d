"""What becomes of a document when it is mutated: in the tree, in the text, in the bytes."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from random import Random
from typing import Any

from tests.fuzz.corpus import IDS, LIKELY, ODD, odd, written

PIECES = (
    *'"\\{}[]:,0-+.eE \t\r\n\0',
    "\x01",
    "\x7f",
    "\ufeff",
    "\\u",
    "\\ud800",
    "\\u0000",
    "NaN",
    "-Infinity",
    "//",
    "'",
)
PIECES = (*PIECES, "1e999", "null", "true", "tru", "01", "{}", "[]", ",,", "é", "😀", "/* */", "\u00a0")


def mutated(dice: Random, document: Any) -> bytes:
    """A text like the one of the document, but broken in one place or a few."""
    document = json.loads(json.dumps(document))
    for _ in range(dice.choice((0, 1, 1, 1, 2))):
        document = dice.choice(_TREE)(dice, document)
    text = written(document, escaped=dice.random() < 0.5)
    kind = dice.random()
    if kind < 0.5:
        return text.encode()
    return dice.choice(_TEXT)(dice, text)


def _bad_id(dice: Random, document: Any) -> Any:
    """With an ``id`` that is none."""
    return {**document, "id": dice.choice(IDS)} if isinstance(document, dict) else document


# In the tree


def _places(document: Any) -> list[tuple[Any, Any]]:
    """Each container with one of its keys; of long lists some."""
    found: list[tuple[Any, Any]] = []
    left = [document]
    while left:
        inside = left.pop()
        keys = list(inside)[:20] if isinstance(inside, dict) else range(min(len(inside), 5))
        for key in keys:
            found.append((inside, key))
            if isinstance(inside[key], (dict, list)):
                left.append(inside[key])
    return found


def _replace(dice: Random, document: Any) -> Any:
    places = _places(document) if isinstance(document, (dict, list)) else []
    if not places or dice.random() < 0.02:
        return odd(dice)
    inside, key = dice.choice(places)
    inside[key] = odd(dice)
    return document


def _drop(dice: Random, document: Any) -> Any:
    places = _places(document) if isinstance(document, (dict, list)) else []
    if places:
        inside, key = dice.choice(places)
        del inside[key]
    return document


def _swap(dice: Random, document: Any) -> Any:
    """Two values change places."""
    places = _places(document) if isinstance(document, (dict, list)) else []
    if len(places) > 1:
        (one, key), (other, key2) = dice.sample(places, 2)
        if not (isinstance(one[key], (dict, list)) or isinstance(other[key2], (dict, list))):
            one[key], other[key2] = other[key2], one[key]
    return document


def _retype(dice: Random, document: Any) -> Any:
    """A value becomes its text, a text of digits a number, anything a list of itself."""
    places = _places(document) if isinstance(document, (dict, list)) else []
    if places:
        inside, key = dice.choice(places)
        value = inside[key]
        choices = [[value], {"a": value}]
        if isinstance(value, int):
            choices += [str(value), float(value), f"raw:{value}.0", -value, bool(value)]
        inside[key] = dice.choice(choices)
    return document


def _add(dice: Random, document: Any) -> Any:
    """A member nobody knows, or one of another row, or one that only the server says."""
    if not isinstance(document, dict):
        return document
    d = document.get("d")
    inside = d if isinstance(d, dict) and dice.random() < 0.8 else document
    inside[dice.choice((*LIKELY, "sender_id", "seq", "sent_at", "z", "", "\ud800", "id", "d"))] = odd(dice)
    return document


def _bound(dice: Random, document: Any) -> Any:
    """A number by one off, or at a bound."""
    numbers = [
        (inside, key)
        for inside, key in (_places(document) if isinstance(document, (dict, list)) else ())
        if type(inside[key]) is int
    ]
    if numbers:
        inside, key = dice.choice(numbers)
        inside[key] = dice.choice((inside[key] + 1, inside[key] - 1, *(n for n in ODD if type(n) is int)))
    return document


def _lengthen(dice: Random, document: Any) -> Any:
    """A list becomes one about as long as it may be."""
    places = _places(document) if isinstance(document, (dict, list)) else []
    for inside, key in places:
        if isinstance(inside[key], list):
            inside[key] = list(range(1, 1 + dice.choice((3, 4, 1_000, 1_001))))
    return document


_Mutation = Callable[[Random, Any], Any]
_TREE: tuple[_Mutation, ...] = (
    _replace,
    _replace,
    _replace,
    _drop,
    _swap,
    _retype,
    _add,
    _bound,
    _lengthen,
    _bad_id,
)


# In the text


def _splice(dice: Random, text: str) -> bytes:
    at, cut = dice.randrange(len(text) + 1), dice.choice((0, 0, 1, 1, 2, 5))
    return (text[:at] + dice.choice(PIECES) + text[at + cut :]).encode()


def _cut_off(dice: Random, text: str) -> bytes:
    return text[: dice.randrange(len(text) + 1)].encode()


def _around(dice: Random, text: str) -> bytes:
    """Something before or behind it."""
    before = dice.choice(("", "", "\ufeff", "\0", " \n", "[", "x", "\u00a0"))
    return (before + text + dice.choice(("", "", " \r\n\t", "\0", "x", "{}", "]", "\x0b", "\ufeff"))).encode()


def _repeat(dice: Random, text: str) -> bytes:
    """A member twice: the last one is meant."""
    begin = dice.choice([found.end() for found in re.finditer(r"\{(?!\})", text)] or [0])
    name = dice.choice(("op", "t", "d", "id", *LIKELY))
    return f'{text[:begin]}"{name}":{written(odd(dice))},{text[begin:]}'.encode() if begin else text.encode()


def _repeat_behind(dice: Random, text: str) -> bytes:
    end = dice.choice([found.start() for found in re.finditer(r"(?<!\{)\}", text)] or [0])
    name = dice.choice(("op", "t", "d", "id", *LIKELY))
    return f'{text[:end]},"{name}":{written(odd(dice))}{text[end:]}'.encode() if end else text.encode()


def _other_encoding(dice: Random, text: str) -> bytes:
    return text.encode(dice.choice(("utf-16-le", "utf-16-be", "utf-16", "utf-32-le", "utf-8-sig", "utf-7")))


def _other_bytes(dice: Random, text: str) -> bytes:
    data = bytearray(text.encode())
    for _ in range(dice.randrange(1, 4)):
        data.insert(
            dice.randrange(len(data) + 1), dice.choice((0, 0x80, 0xC0, 0xED, 0xF4, 0xFF, dice.randrange(256)))
        )
    return bytes(data)


def _spaced(dice: Random, text: str) -> bytes:
    """White space between the tokens, which means nothing."""
    return re.sub(r"(?<=[{\[,:])", dice.choice((" ", "\n", "\t", "\r", "\f")), text, count=5).encode()


_TEXT: tuple[Callable[[Random, str], bytes], ...] = (
    *(
        _splice,
        _splice,
        _splice,
        _cut_off,
        _around,
        _repeat,
        _repeat_behind,
        _other_encoding,
        _other_bytes,
        _spaced,
    ),
)
