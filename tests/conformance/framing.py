"""Section 1 of the Autobahn Testsuite: texts of all sizes, masks, and binary messages, which are refused here."""

from __future__ import annotations

from tests.conformance.case import (
    BINARY,
    CONTINUATION,
    GARBAGE,
    Case,
    answered,
    ask,
    asking,
    client_frame,
    closed,
    text_frame,
)

EDGES = (124, 125, 126, 127, 128, 129, 131, 132, 133, 134, 255, 256, 257, 1023, 1024, 2047, 2048, 2049, 4096)
LARGE = (16384, 32767, 32768, 65533, 65534, 65535, 65536)
MASKS = {
    "zeros": bytes(4),
    "ones": b"\xff" * 4,
    "mixed": b"\x00\xff\x80\x01",
    "like the text": b"....",
    "no mask": None,
}


def cases() -> list[Case]:
    """All of them."""
    table = [
        Case("1.1", f"a text of {size} bytes that is no JSON", [text_frame("x" * size)], [GARBAGE])
        for size in (0, 1, 2, 3, 4, 5, 6, 7, 8, 125, 126, 65535, 65536)
    ]
    table += [
        Case("1.1", f"a request of {size} bytes", [ask("größe", size)], [answered("größe")])
        for size in (50, 100, *EDGES, *LARGE)
    ]
    table += [
        Case(
            "1.1",
            f"requests of {one} and {two} bytes",
            [ask("1", one), ask("2", two)],
            [answered("1"), answered("2")],
        )
        for one, two in ((60, 60), (125, 126), (126, 125), (65535, 65536), (65536, 60), (60, 65536))
    ]
    table += [
        Case(
            "1.1",
            "ten requests at once",
            [ask(str(n), 40 + n) for n in range(10)],
            [answered(str(n)) for n in range(10)],
        )
    ]
    for name, mask in MASKS.items():
        for size in (60, 126, 5000):
            frame = text_frame(asking("masked", size), mask=mask)
            expected = closed(1002) if mask is None else answered("masked")
            table.append(Case("1.1", f"mask: {name}, {size} bytes", [frame], [expected]))
    table += [
        Case("1.2", f"a binary message of {size} bytes", [client_frame(BINARY, bytes(size))], [closed(1003)])
        for size in (0, 1, 125, 126, 127, 128, 65535, 65536)
    ]
    table += [
        Case(
            "1.2",
            "a binary message in fragments",
            [client_frame(BINARY, b"x", fin=False), client_frame(CONTINUATION, b"y")],
            [closed(1003)],
        ),
        Case(
            "1.2",
            "a binary message behind a text",
            [ask("1"), client_frame(BINARY, b"x")],
            [answered("1"), closed(1003)],
        ),
        Case(
            "1.2",
            "nothing behind it is looked at",
            [client_frame(BINARY, b"x"), ask(), client_frame(3)],
            [closed(1003)],
        ),
    ]
    for size, length_bytes in (
        (0, 2),
        (1, 2),
        (60, 2),
        (125, 2),
        (0, 8),
        (60, 8),
        (125, 8),
        (126, 8),
        (65535, 8),
    ):
        frame = text_frame("x" * size, length_bytes=length_bytes)
        table.append(Case("1.3", f"the length {size} in {length_bytes} bytes", [frame], [closed(1002)]))
    return table
