"""What texts are made of: requests of every row that mostly make sense, values that do not, and how they are written.

Everything comes from the ``random.Random`` that is handed in, so that a seed makes the same texts again.
"""

from __future__ import annotations

import json
import re
from copy import deepcopy
from random import Random
from typing import Any

from tests.support.tokens import token_for

#: What may be left out is marked; the rest is there nearly always.
ROWS = {
    (1, 2): ("chats", "epoch?"),
    (1, 3): ("token",),
    (11, 1): ("chat_id", "message", "nonce?", "reply_to?"),
    (11, 2): ("chat_id", "message", "nonce?", "reply_to?"),
    (11, 6): ("chat_id", "message_id", "message"),
    (11, 7): ("chat_id", "message_id"),
    (11, 8): ("chat_id", "message_id"),
    (11, 9): ("chat_id",),
    (11, 10): ("chat_id", "before?", "after?", "limit?"),
    (13, 1): ("user_ids", "type", "chat", "nonce?"),
    (13, 2): ("chat_id", "chat", "add_users", "remove_users"),
    (13, 3): ("chat_id",),
    (13, 4): ("cursor?", "limit?"),
    (16, 1): ("user_id",),
    (16, 2): ("user_id", "type"),
    (16, 3): ("user_id",),
    (16, 4): ("user_id",),
    (16, 5): ("user_id",),
    (16, 6): (),
}
OTHERS = (
    (11, 3),
    (11, 4),
    (11, 5),
    (0, 0),
    (1, 1),
    (2, 1),
    (3, 1),
    (11, 99),
    (12, 1),
    (14, 2),
    (17, 1),
    (99, 1),
)
USERS = (1, 2, 3, 4)
LIKELY: dict[str, Any] = {
    **dict.fromkeys(("chat_id", "message_id", "reply_to", "before", "after"), tuple(range(1, 9))),
    **dict.fromkeys(("user_ids", "add_users", "remove_users"), ([], [1], [2], [3], [2, 3], [4])),
    "message": ("x", "y", "😀", 'a"b\\c\n'),
    "chat": ("", "n"),
    "type": (1, 2),
    "user_id": USERS,
    "nonce": ("a", "b", "c"),
    "limit": (1, 2, 100),
    "cursor": ("1-1", f"{10**14}-9"),
    "epoch": ("x",),
    "chats": ({}, {"1": 2**53 - 1}, {"2": 1, "3": 2}),
    "token": tuple(token_for(n) for n in USERS),
}

#: The rows are likelier than what is none.
_KEYS = (*ROWS, *ROWS, *ROWS, *OTHERS)
_RAW = re.compile(r'"raw:([^"]*)"')
_DEEP = ("[", "]"), ('{"a":', "}")
DIGITS = (
    "1e999",
    "-1e999",
    "1.0",
    "1e2",
    "-0",
    "0.5",
    "9" * 400,
    "-" + "9" * 400,
    "9" * 4_301,
    "1E400",
    "1e-999",
)
ODD: tuple[Any, ...] = (
    *(None, True, False, 0, -1, 1, 2**31, 2**31 + 1, 2**53 - 1, 2**53, 2**63, 2**64, -(2**63), 10**30, 1.5),
    *(
        "",
        "1",
        " ",
        "x",
        "\0",
        "a\0b",
        "\ud800",
        "a\udfffb",
        "\ufeff",
        "\u2028",
        "\x7f",
        "\x85",
        "x" * 64,
        "x" * 65,
    ),
    *(
        "x" * 4_000,
        "x" * 4_001,
        "😀" * 4_000,
        "é" * 65,
        "__proto__",
        "{}",
        [],
        {},
        [[]],
        [None],
        [1, 1],
        ["1"],
    ),
    *(
        [[1]],
        [True],
        [2**53],
        [0],
        list(range(1, 1_001)),
        list(range(1, 1_002)),
        {"": 1},
        {"1": 0},
        {"01": 0},
    ),
    *({"1": -1}, {"1": None}, {"x" * 300: 1}, {"\ud800": 1}, {str(2**53): 1}, {"1\n": 1}, {"\u0661": 1}),
    {str(n): 0 for n in range(1, 1_002)},
    *(f"raw:{digits}" for digits in DIGITS),
)
#: Rare, for they are long: breadth, depth, a key of many bytes.
HUGE: tuple[Any, ...] = (
    [1] * 10_000,
    {str(n): 1 for n in range(1, 6_000)},
    {f"k{n}": None for n in range(5_000)},
    {"k" * 50_000: 1},
    "x" * 60_000,
    *(f"deep:{kind}:{depth}" for kind in (0, 1) for depth in (50, 150, 3_000, 10_000)),
)
IDS: tuple[Any, ...] = (
    "",
    "x" * 65,
    1.5,
    True,
    None,
    {},
    [],
    "\ud800",
    "raw:1.0",
    "raw:1e999",
    f"raw:{'9' * 4_301}",
)


def request(dice: Random) -> dict[str, Any]:
    """A frame without ``id`` that mostly may succeed."""
    op, t = dice.choice(_KEYS)
    names = ROWS.get((op, t), ("chat_id", "user_id"))
    if (op, t) == (1, 2) and dice.random() < 0.02:
        return {"op": op, "t": t, "d": {"chats": {str(dice.randrange(1, 9)): 0}}}
    chosen = (name.rstrip("?") for name in names if dice.random() < (0.3 if "?" in name else 0.97))
    return {"op": op, "t": t, "d": {name: dice.choice(LIKELY[name]) for name in chosen}}


def written(document: Any, *, escaped: bool = True) -> str:
    """The JSON text; ``raw:`` and ``deep:`` stand for what Python would not write so."""
    text = json.dumps(document, ensure_ascii=escaped or not _is_text(document))
    if "deep:" in text:
        text = re.sub(r'"deep:([01]):(\d+)"', _nested, text)
    return _RAW.sub(lambda raw: raw[1], text) if "raw:" in text else text


def odd(dice: Random) -> Any:
    """A value that is wrong nearly everywhere."""
    return deepcopy(dice.choice(HUGE if dice.random() < 0.01 else ODD))


def _is_text(document: Any) -> bool:
    try:
        json.dumps(document, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return False
    return True


def _nested(found: re.Match[str]) -> str:
    (opening, closing), depth = _DEEP[int(found[1])], int(found[2])
    return opening * depth + "1" + closing * depth
