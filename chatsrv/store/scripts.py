"""The scripts, read from ``lua/``: one file per operation, parts shared by several in files with an underscore.

A script of a chat, user or pair gets the part of its entity put before it; every script gets the prelude.
"""

from __future__ import annotations

from importlib.resources import files

from chatsrv.redis import Script

_FOLDER = files("chatsrv.store") / "lua"
_SHARED = ("chat", "user", "pair")


def _text(name: str) -> str:
    return (_FOLDER / f"{name}.lua").read_text(encoding="utf-8")


def load_script(name: str) -> Script:
    """The script of ``lua/<name>.lua``, whole."""
    shebang, body = _text(name).split("\n", 1)
    entity = name.split("_")[0]
    shared = [_text("_prelude"), *([_text(f"_{entity}")] if entity in _SHARED else [])]
    return Script(name, "\n".join([shebang, *shared, body]))


def all_scripts() -> dict[str, Script]:
    """Every operation's script by name."""
    names = sorted(
        entry.name.removesuffix(".lua") for entry in _FOLDER.iterdir() if entry.name.endswith(".lua")
    )
    return {name: load_script(name) for name in names if not name.startswith("_")}
