"""``chatsrv config``: the commented sample configuration, printed from the table of settings.

Called by ``cli.main`` and by the test that keeps ``etc/chatsrv.toml`` equal to it; reads ``config``. Every
setting is there with its meaning, unit, range and default, commented out: to change one, take the ``#`` away.
"""

from __future__ import annotations

import json
from typing import Any

from chatsrv.config import default, expected, meaning, names

_HEAD = """\
# chatsrv: every setting, with its default. Printed by `chatsrv config`.
#
# Use: twistd -n chatsrv --config FILE. An option wins over an environment variable (CHATSRV_ and the name in
# capitals, lists with commas), that one over this file, and this file over the default.
"""


def sample() -> str:
    """The text of ``etc/chatsrv.toml``."""
    return "\n".join([_HEAD, *(_entry(name) for name in names())])


def _entry(name: str) -> str:
    return f"# {_sentence(meaning(name))}\n# {_sentence(expected(name))}\n#{name} = {_toml(default(name))}\n"


def _sentence(text: str) -> str:
    return f"{text[0].upper()}{text[1:]}."


def _toml(value: Any) -> str:
    """TOML of a default; its texts, numbers, booleans and lists are written as in JSON."""
    return json.dumps(value)
