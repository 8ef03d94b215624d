"""The scripts, read from ``lua/``: one file per operation, parts shared by several in files with an underscore.

What a script of a chat, user or pair uses of the part of its entity, and any script of the prelude, is put
before it; what it does not use is left out, for each function costs the server on every run.
"""

from __future__ import annotations

import re
from importlib.resources import files

from chatsrv.redis import Script

_FOLDER = files("chatsrv.store") / "lua"
_SHARED = ("chat", "user", "pair")
_DECLARED = re.compile(r"^local (?:function )?(\w+(?:, \w+)*)", re.MULTILINE)


def _text(name: str) -> str:
    return (_FOLDER / f"{name}.lua").read_text(encoding="utf-8")


def load_script(name: str) -> Script:
    """The script of ``lua/<name>.lua``, whole."""
    shebang, body = _text(name).split("\n", 1)
    entity = name.split("_")[0]
    shared = [_text("_prelude"), *([_text(f"_{entity}")] if entity in _SHARED else [])]
    return Script(name, f"{shebang}\n" + _with_what_it_uses(body, "\n".join(shared)))


def _with_what_it_uses(body: str, shared: str) -> str:
    """``body`` behind those parts of ``shared``, divided by empty lines, whose names it uses, or they use."""
    for part in reversed(shared.split("\n\n")):
        names = re.findall(r"\w+", " ".join(_DECLARED.findall(part)))
        if any(re.search(rf"\b{name}\b", body) for name in names):
            body = f"{part}\n\n{body}"
    return body


def all_scripts() -> dict[str, Script]:
    """Every operation's script by name."""
    names = sorted(
        entry.name.removesuffix(".lua") for entry in _FOLDER.iterdir() if entry.name.endswith(".lua")
    )
    return {name: load_script(name) for name in names if not name.startswith("_")}
