"""The arguments of the ``chatsrv`` command.

Called by the console script and by ``python -m chatsrv.cli``; calls ``token``,
``connect``, ``revoke`` and ``sample``. Standard output
holds the answer and nothing else, a mistake is one line on standard error and exit code 2.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from typing import NoReturn

from chatsrv._version import __version__
from chatsrv.config import ConfigError


class _OneLineParser(argparse.ArgumentParser):
    """Says what is wrong in one line, without the usage text."""

    def error(self, message: str) -> NoReturn:
        if message.startswith("unrecognized arguments"):
            message = "unrecognized arguments"  # which may be a token
        self.exit(2, f"chatsrv: {' '.join(message.split())}; see {self.prog} --help\n")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command with ``arguments`` (default: those of the process) and return its exit code."""
    parsed = _parser().parse_args(arguments)
    try:
        print(_answer(parsed))
    except ConfigError as e:
        print(f"chatsrv: {e}", file=sys.stderr)
        return 2
    return 0


def _answer(parsed: argparse.Namespace) -> str:
    if parsed.command == "config":
        from chatsrv.cli.sample import sample

        return sample().rstrip("\n")
    if parsed.command in ("revoke", "block", "unblock"):
        from chatsrv.cli.revoke import revoke

        return revoke(parsed)
    options = {"config": parsed.config, "data_dir": parsed.data_dir}
    if parsed.command == "connect":
        from chatsrv.cli.connect import connect

        connect(parsed.user_id, parsed.url, options)
    from chatsrv.cli.token import token

    return token(parsed.user_id, parsed.ttl, options)


def _parser() -> argparse.ArgumentParser:
    parser = _OneLineParser(prog="chatsrv", description="Tools beside the chat server (twistd chatsrv).")
    parser.add_argument("--version", action="version", version=f"chatsrv {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    token = commands.add_parser("token", help="print a token, signed with the local secret")
    token.add_argument("user_id", metavar="USER_ID", help="whom it is for: 1 to 2^53-1")
    token.add_argument("--ttl", default="1h", help="how long it is valid: 30s, 15m, 1h, 7d (default: 1h)")
    connect = commands.add_parser("connect", help="chat from this terminal as a user of the local server")
    connect.add_argument("user_id", metavar="USER_ID", help="who you are: 1 to 2^53-1")
    connect.add_argument("--url", help="where to connect (default: where the settings listen)")
    revoke = commands.add_parser(
        "revoke", help="make a user's tokens worthless: those issued until now, or one"
    )
    one = revoke.add_mutually_exclusive_group()
    one.add_argument("--jti", metavar="ID", help="only the token with this id (its claim jti)")
    one.add_argument(
        "--token", help="only this token; - reads it from standard input, where no other process sees it"
    )
    block = commands.add_parser("block", help="let a user connect no more, with whatever token")
    unblock = commands.add_parser("unblock", help="let a blocked user connect again")
    for command in (revoke, block, unblock):
        command.add_argument("user_id", metavar="USER_ID", help="whom it concerns: 1 to 2^53-1")
        command.add_argument(
            "--redis", metavar="URL", help="the server's external Redis, or embedded (default)"
        )
    for command in (token, connect, revoke, block, unblock):
        command.add_argument("--data-dir", metavar="DIR", help="the server's data directory (default: ./var)")
        command.add_argument("--config", metavar="FILE", help="the server's configuration file")
    commands.add_parser("config", help="print the commented sample configuration")
    return parser
