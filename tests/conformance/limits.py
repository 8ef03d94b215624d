"""Section 9, where it is about the limits here: the largest message, fragments, frames and control frames in 10 s.

The budgets are those of a stretch of 10 s, and another may begin in the middle of a case: where one is crossed, it is
by more than twice.
"""

from __future__ import annotations

from tests.conformance.case import (
    ANYTHING,
    CONTINUATION,
    GARBAGE,
    PING,
    PONG,
    Case,
    answered,
    ask,
    asking,
    client_frame,
    closed,
    fragments,
    pieces,
    text_frame,
)

LARGEST = 65536
REQUEST = asking("large", LARGEST)


def cases() -> list[Case]:
    """All of them."""
    return [*sizes(), *fragment_rules(), *budgets()]


def sizes() -> list[Case]:
    table = [Case("9.1", "the largest message", [ask("large", LARGEST)], [answered("large")])]
    table += [
        Case("9.1", f"a frame that says {length} bytes", [text_frame(b"", length=length)], [closed(1009)])
        for length in (LARGEST + 1, 100_000, 2**24, 2**31, 2**32, 2**40, 2**63 - 1)
    ]
    table += [
        Case("9.1", f"a frame that says {length} bytes", [text_frame(b"", length=length)], [closed(1002)])
        for length in (2**63, 2**64 - 1)
    ]
    table += [
        Case(
            "9.1", "one byte too many, all of them", [text_frame("x" * (LARGEST + 1)), ask()], [closed(1009)]
        ),
        Case(
            "9.1",
            "too much behind a request",
            [ask(), text_frame("x" * (LARGEST + 1))],
            [answered(), closed(1009)],
        ),
    ]
    for size in (1024, 4096, 32768):
        parts = pieces(REQUEST, size)
        table += [
            Case(
                "9.2",
                f"the largest message in fragments of {size} bytes",
                fragments(*parts),
                [answered("large")],
            ),
            Case(
                "9.2",
                f"one byte more in fragments of {size} bytes",
                fragments(*parts[:-1], parts[-1] + b" "),
                [closed(1009)],
            ),
        ]
    too_long = [text_frame("x" * 40000, fin=False), client_frame(CONTINUATION, b"", length=25537)]
    table.append(Case("9.2", "a fragment that says it will be too much", too_long, [closed(1009)]))
    return table


def fragment_rules() -> list[Case]:
    request = asking("fragments", 640)
    empty = client_frame(CONTINUATION, fin=False)
    return [
        Case("9.3", "64 fragments", fragments(*pieces(request, 10)), [answered("fragments")]),
        Case("9.3", "65 fragments", fragments(*pieces(request + b" ", 10)), [closed(1008)]),
        Case(
            "9.3",
            "64 fragments, three times",
            fragments(*pieces(request, 10)) * 3,
            [answered("fragments")] * 3,
        ),
        Case("9.3", "an empty continuation", [text_frame("x", fin=False), empty], [closed(1008)]),
        Case(
            "9.3",
            "10,000 empty continuations",
            [text_frame("x", fin=False), *[empty] * 10_000],
            [closed(1008)],
        ),
        Case("9.3", "20,000 fragments of a byte", fragments(*[b"x"] * 20_000), [closed(1008)]),
    ]


def budgets() -> list[Case]:
    flood = fragments(*pieces(asking("flood", 640), 10)) * 64
    return [
        Case("9.4", "50 control frames", [client_frame(PONG)] * 50, []),
        Case("9.4", "102 pings", [client_frame(PING)] * 102, [ANYTHING, closed(1008)]),
        Case("9.4", "102 pongs", [client_frame(PONG)] * 102, [closed(1008)]),
        Case("9.4", "20,000 pings", [client_frame(PING)] * 20_000, [ANYTHING, closed(1008)]),
        Case("9.5", "4,096 frames", flood, [ANYTHING, closed(1008)]),
        Case("9.6", "10 texts that are no JSON", [text_frame("{")] * 10, [GARBAGE] * 10),
        Case("9.6", "an 11th one", [text_frame("{")] * 11, [*[GARBAGE] * 11, closed(1008)]),
    ]
