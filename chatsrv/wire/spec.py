"""The reference tables of ``docs/protocol.md``, printed from the structs and registries that define the format.

``python -m chatsrv.wire.spec docs/protocol.md`` rewrites, in place, what stands between the markers
``<!-- generated: NAME -->`` and ``<!-- end: NAME -->``; a test fails while that would change the file. Reads
``requests``, ``frames`` and ``codes``. Always: what is not between two markers stays as it is, and a block
that is missing, named twice or unknown is an error.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from msgspec import inspect

from chatsrv.wire.codes import CloseCode, ErrorCode
from chatsrv.wire.frames import EVENTS, REPLIES
from chatsrv.wire.requests import MAX_ID, REQUESTS, UNSUPPORTED, check_name, check_text

Row = tuple[str, ...]

_BLOCK = re.compile(r"(<!-- generated: ([a-z-]+) -->\n)(.*?)(<!-- end: \2 -->)", re.DOTALL)
_RULES = {"message": check_text, "chat": check_name}
_LIST_BOUND = "at most `limits.members` ids, else `too_large`"


def requests() -> str:
    """What a client may send: a row per member of ``d``."""
    rows: list[Row] = []
    for (op, t), struct in REQUESTS.items():
        fields = inspect.type_info(struct).fields  # type: ignore[attr-defined]
        members: list[Row] = [
            (f"`{f.encode_name}`", _type(f.type), "yes" if f.required else "no", _bounds(f)) for f in fields
        ]
        rows += _under_one_head(f"→ {op}/{t}", members or [("none", "", "", "")])
    return _table(("request", "member of `d`", "type", "required", "bounds"), rows)


def frames() -> str:
    """What the server sends: a row per member of ``d``."""
    rows: list[Row] = []
    for struct in sorted(EVENTS + REPLIES, key=lambda frame: (frame.op, frame.t, frame in REPLIES)):
        reply = " reply" if struct in REPLIES else ""
        rows += _under_one_head(f"← {struct.op}/{struct.t}{reply}", list(_members(struct)))
    return _table(("frame", "member of `d`", "type", "present"), rows)


def reserved() -> str:
    """Requests that the protocol names and this server refuses."""
    names = [f"{op}/{t}" for op, t in sorted(UNSUPPORTED)]
    return "Refused with `unsupported`: " + ", ".join(names) + ".\n"


def errors() -> str:
    """The error codes of 3/1."""
    rows = [(f"`{error.code}`", error.retry.value, error.text) for error in ErrorCode]
    return _table(("`code`", "try again?", "`message`"), rows)


def closes() -> str:
    """The close codes."""
    rows = [(str(close.code), close.text, close.reconnect.value) for close in CloseCode]
    return _table(("code", "reason", "the client should"), rows)


BLOCKS: dict[str, Callable[[], str]] = {
    "requests": requests,
    "frames": frames,
    "reserved": reserved,
    "errors": errors,
    "closes": closes,
}


def rewritten(document: str) -> str:
    """``document`` with every generated block as it has to be; ``ValueError`` if a block is not there once."""
    found = [match[2] for match in _BLOCK.finditer(document)]
    if sorted(found) != sorted(BLOCKS):
        raise ValueError(f"the generated blocks must be {sorted(BLOCKS)}, each once; found {sorted(found)}")
    return _BLOCK.sub(lambda match: f"{match[1]}\n{BLOCKS[match[2]]()}\n{match[4]}", document)


def main(arguments: list[str]) -> int:
    """Rewrite the files named, in place; the exit code."""
    if not arguments:
        print("usage: python -m chatsrv.wire.spec FILE...", file=sys.stderr)
        return 2
    for name in arguments:
        path = Path(name)
        path.write_text(rewritten(path.read_text(encoding="utf-8")), encoding="utf-8")
    return 0


def _members(struct: type[Any], prefix: str = "") -> Iterable[Row]:
    for field in inspect.type_info(struct).fields:  # type: ignore[attr-defined]
        name = f"{prefix}{field.encode_name}"
        present = "always" if field.required or prefix == "limits." else "where it applies"
        yield f"`{name}`", _type(field.type), present
        kind = field.type
        if isinstance(kind, inspect.ListType):
            kind, name = kind.item_type, f"{name}[]"
        if isinstance(kind, inspect.StructType):
            yield from _members(kind.cls, f"{name}.")


def _type(kind: inspect.Type) -> str:
    """The type in JSON's words."""
    if isinstance(kind, inspect.ListType):
        return f"array of {_type(kind.item_type)}s"
    if isinstance(kind, inspect.DictType):
        return f"object, id to {_type(kind.value_type)}"
    if isinstance(kind, inspect.StructType):
        return "object"
    if isinstance(kind, inspect.LiteralType):
        return " or ".join(f"`{value}`" for value in kind.values)
    if isinstance(kind, inspect.IntType):
        return "integer"
    if isinstance(kind, inspect.FloatType):
        return "number"
    if isinstance(kind, inspect.StrType):
        return "string"
    if isinstance(kind, inspect.BoolType):
        return "boolean"
    raise TypeError(f"the table has no words for {kind}")


def _bounds(field: inspect.Field) -> str:
    kind = field.type
    if isinstance(kind, inspect.ListType) and isinstance(kind.item_type, inspect.IntType):
        return f"each {_range(kind.item_type)}; {_LIST_BOUND}"
    if isinstance(kind, inspect.DictType) and isinstance(kind.value_type, inspect.IntType):
        return f"each {_range(kind.value_type)}; {_LIST_BOUND}"
    if isinstance(kind, inspect.IntType):
        return _range(kind)
    if isinstance(kind, inspect.StrType) and kind.max_length:
        return f"{kind.min_length} to {kind.max_length} characters"
    rule = _RULES.get(field.encode_name)
    if rule is None:
        return ""
    text = (rule.__doc__ or "").partition(": ")[2]
    return text.rstrip(".").replace("``", "`")


def _range(kind: inspect.IntType) -> str:
    most = {MAX_ID: "2^53-1", None: "`limits.history_page`"}.get(kind.le, str(kind.le))
    return f"{kind.ge} to {most}"


def _under_one_head(head: str, rows: list[Row]) -> list[Row]:
    """The rows with ``head`` before the first one and nothing before the others."""
    return [(head if index == 0 else "", *row) for index, row in enumerate(rows)]


def _table(heads: Row, rows: Iterable[Row]) -> str:
    lines = [heads, tuple("---" for _ in heads), *rows]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in lines)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
