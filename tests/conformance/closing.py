"""Section 7: close frames, their codes and reasons, and what comes behind them."""

from __future__ import annotations

from tests.conformance.case import (
    CLOSE,
    CONTINUATION,
    PING,
    Case,
    answered,
    ask,
    client_frame,
    close_frame,
    closed,
    pong,
    text_frame,
)

VALID = (1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 3000, 3001, 3999, 4000, 4401, 4999)
#: 1014 is for gateways; the rest nobody may send, or nobody has defined.
INVALID = (0, 1, 999, 1004, 1005, 1006, 1014, 1015, 1016, 1100, 2000, 2999, 5000, 9999, 65535)


def cases() -> list[Case]:
    """All of them."""
    bye = close_frame(1000, b"bye")
    table = [
        Case("7.1", "a close frame", [close_frame(1000)], [closed(1000)]),
        Case("7.1", "a close frame without a body", [client_frame(CLOSE)], [closed(None)]),
        Case("7.1", "two close frames", [bye, bye], [closed(1000)]),
        Case("7.1", "a ping behind it", [bye, client_frame(PING)], [closed(1000)]),
        Case("7.1", "a request behind it", [bye, ask("never")], [closed(1000)]),
        Case("7.1", "garbage behind it", [bye, b"\xff" * 300], [closed(1000)]),
        Case("7.1", "64 KiB behind it", [bye, text_frame("x" * 65536)], [closed(1000)]),
        Case(
            "7.1",
            "a continuation behind it",
            [text_frame("x", fin=False), bye, client_frame(CONTINUATION, b"y")],
            [closed(1000)],
        ),
        Case(
            "7.1",
            "requests before it",
            [ask("1"), ask("2", 70), bye],
            [answered("1"), answered("2"), closed(1000)],
        ),
        Case("7.1", "a ping before it", [client_frame(PING, b"p"), bye], [pong(b"p"), closed(1000)]),
        Case("7.3", "a body of one byte", [client_frame(CLOSE, b"\x03"), ask()], [closed(1002)]),
        Case("7.3", "a reason of 123 bytes", [close_frame(1000, b"r" * 123)], [closed(1000)]),
        Case("7.3", "a reason of 124 bytes", [close_frame(1000, b"r" * 124)], [closed(1002)]),
        Case("7.3", "a reason in UTF-8", [close_frame(1000, "tschüß 😀".encode())], [closed(1000)]),
        Case(
            "7.5", "a reason that is no UTF-8", [close_frame(1000, b"\xce\xba\xed\xa0\x80")], [closed(1007)]
        ),
        Case(
            "7.5", "a reason that ends inside a character", [close_frame(1000, b"\xe2\x82")], [closed(1007)]
        ),
        Case("7.5", "a bad code and a bad reason", [close_frame(1005, b"\xff")], [closed(1002)]),
    ]
    for reason in (b"", b"a reason"):
        said = " with a reason" if reason else ""
        table += [
            Case("7.7", f"the code {code}{said}", [close_frame(code, reason)], [closed(code)])
            for code in VALID
        ]
        table += [
            Case("7.9", f"the code {code}{said}", [close_frame(code, reason)], [closed(1002)])
            for code in INVALID
        ]
    return table
