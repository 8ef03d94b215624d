"""Sections 2 to 4: ping and pong, reserved bits, opcodes that are not defined."""

from __future__ import annotations

from tests.conformance.case import (
    BINARY,
    CLOSE,
    CONTINUATION,
    PING,
    PONG,
    TEXT,
    Case,
    answered,
    ask,
    asking,
    client_frame,
    close_frame,
    closed,
    pong,
    text_frame,
)

ALL_BYTES = bytes(range(256))


def cases() -> list[Case]:
    """All of them."""
    return [*pings(), *reserved_bits(), *opcodes()]


def pings() -> list[Case]:
    table = [
        Case(
            "2.1", f"a ping of {size} bytes", [client_frame(PING, ALL_BYTES[:size])], [pong(ALL_BYTES[:size])]
        )
        for size in (0, 1, 2, 4, 5, 63, 64, 124, 125)
    ]
    table += [
        Case(
            "2.1",
            "a ping of bytes that are no UTF-8",
            [client_frame(PING, b"\xfe\xff\xed\xa0")],
            [pong(b"\xfe\xff\xed\xa0")],
        ),
        Case(
            "2.1",
            "ten pings",
            [client_frame(PING, b"%d" % n) for n in range(10)],
            [pong(b"%d" % n) for n in range(10)],
        ),
        Case("2.1", "50 pings", [client_frame(PING)] * 50, [pong()] * 50),
        Case(
            "2.1",
            "a ping between requests",
            [ask("1"), client_frame(PING, b"p"), ask("2")],
            [answered("1"), pong(b"p"), answered("2")],
        ),
        Case(
            "2.1",
            "a ping, then a close",
            [client_frame(PING, b"p"), close_frame(1000)],
            [pong(b"p"), closed(1000)],
        ),
    ]
    for opcode, name in ((PING, "ping"), (PONG, "pong"), (CLOSE, "close frame")):
        table += [
            Case("2.2", f"a {name} of {size} bytes", [client_frame(opcode, bytes(size))], [closed(1002)])
            for size in (126, 127, 65536)
        ]
        table += [
            Case(
                "2.2",
                f"a {name} in fragments",
                [client_frame(opcode, b"\x03\xe8", fin=False)],
                [closed(1002)],
            ),
            Case(
                "2.2",
                f"a {name} without a mask",
                [client_frame(opcode, b"\x03\xe8", mask=None)],
                [closed(1002)],
            ),
            Case(
                "2.2",
                f"the length of a {name} in 2 bytes",
                [client_frame(opcode, b"\x03\xe8", length_bytes=2)],
                [closed(1002)],
            ),
        ]
    table += [
        Case("2.3", "a pong that nobody asked for", [client_frame(PONG)], []),
        Case("2.3", "one with a payload", [client_frame(PONG, b"unsolicited")], []),
        Case(
            "2.3", "a pong, then a ping", [client_frame(PONG, b"x"), client_frame(PING, b"y")], [pong(b"y")]
        ),
        Case(
            "2.3",
            "a pong between requests",
            [ask("1"), client_frame(PONG), ask("2")],
            [answered("1"), answered("2")],
        ),
    ]
    return table


def reserved_bits() -> list[Case]:
    table = []
    for rsv in range(1, 8):
        for name, opcode, payload in (
            ("a request", TEXT, asking()),
            ("an empty text", TEXT, b""),
            ("a binary message", BINARY, b"x"),
            ("a ping", PING, b"p"),
            ("a pong", PONG, b""),
            ("a close frame", CLOSE, b"\x03\xe8"),
        ):
            frame = client_frame(opcode, payload, rsv=rsv)
            table.append(Case("3", f"RSV {rsv:03b} in {name}", [frame, ask()], [closed(1002)]))
        frame = text_frame(asking(), rsv=rsv)
        table += [
            Case("3", f"RSV {rsv:03b} behind a request", [ask("1"), frame], [answered("1"), closed(1002)]),
            Case("3", f"RSV {rsv:03b} behind a ping", [client_frame(PING), frame], [pong(), closed(1002)]),
            Case(
                "3",
                f"RSV {rsv:03b} in a continuation",
                [text_frame("x", fin=False), client_frame(CONTINUATION, b"y", rsv=rsv)],
                [closed(1002)],
            ),
        ]
    return table


def opcodes() -> list[Case]:
    table = []
    for opcode in (*range(3, 8), *range(11, 16)):
        section = "4.1" if opcode < 8 else "4.2"
        for name, payload in (("", b""), (" with a payload", b"payload"), (" of 125 bytes", b"x" * 125)):
            frame = client_frame(opcode, payload)
            table.append(Case(section, f"opcode {opcode}{name}", [frame, client_frame(PING)], [closed(1002)]))
        frame = client_frame(opcode, b"x")
        table += [
            Case(
                section,
                f"opcode {opcode} behind a request",
                [ask("1"), frame, ask("2")],
                [answered("1"), closed(1002)],
            ),
            Case(
                section, f"opcode {opcode} not final", [client_frame(opcode, b"x", fin=False)], [closed(1002)]
            ),
            Case(
                section,
                f"opcode {opcode} inside a message",
                [text_frame("x", fin=False), frame],
                [closed(1002)],
            ),
        ]
    return table
