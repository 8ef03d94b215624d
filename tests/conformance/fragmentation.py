"""Section 5: messages in fragments, control frames between them, and continuations out of place."""

from __future__ import annotations

from tests.conformance.case import (
    BINARY,
    CONTINUATION,
    PING,
    PONG,
    Answer,
    Case,
    answered,
    ask,
    asking,
    client_frame,
    close_frame,
    closed,
    fragments,
    pieces,
    pong,
    text_frame,
)

REQUEST = asking("größe €😀", 120)
HALVES = REQUEST[:50], REQUEST[50:]
ANSWER = answered("größe €😀")


def between(*frames: bytes, parts: tuple[bytes, ...] = HALVES) -> list[bytes]:
    """The message with these frames in front of each continuation."""
    first, *rest = fragments(*parts)
    return [first, *(frame for part in rest for frame in (*frames, part))]


def cases() -> list[Case]:
    """All of them."""
    return [*whole_messages(), *out_of_place()]


def whole_messages() -> list[Case]:
    ping, three = client_frame(PING, b"ping"), tuple(pieces(REQUEST, 40))
    table = [
        Case("5.1", f"a message in pieces of {size} bytes", fragments(*pieces(REQUEST, size)), [ANSWER])
        for size in (2, 3, 7, 39, 60, 119)
    ]
    table += [
        Case(
            "5.1",
            f"{length} bytes in {count} fragments",
            fragments(*pieces(asking("x", length), -(-length // count))),
            [answered("x")],
        )
        for length, count in ((252, 2), (253, 2), (65536, 2), (65536, 16), (65536, 64), (8192, 64))
    ]
    table += [
        Case("5.1", "an empty first frame", fragments(b"", REQUEST), [ANSWER]),
        Case("5.1", "an empty last frame", fragments(REQUEST, b""), [ANSWER]),
        Case(
            "5.1",
            "an empty message in two frames",
            [*fragments(b"", b""), ask()],
            [("error", "bad_json"), answered()],
        ),
        Case("5.1", "two messages in fragments", [*fragments(*HALVES), *fragments(*three)], [ANSWER, ANSWER]),
        Case(
            "5.1",
            "fragments, then a whole one",
            [*fragments(*HALVES), ask("next", 126)],
            [ANSWER, answered("next")],
        ),
        Case(
            "5.1",
            "a whole one, then fragments",
            [ask("first", 60000), *fragments(*HALVES)],
            [answered("first"), ANSWER],
        ),
        Case("5.2", "a ping between", between(ping), [pong(b"ping"), ANSWER]),
        Case("5.2", "an empty ping between", between(client_frame(PING)), [pong(), ANSWER]),
        Case(
            "5.2",
            "a ping of 125 bytes between",
            between(client_frame(PING, b"p" * 125)),
            [pong(b"p" * 125), ANSWER],
        ),
        Case("5.2", "a pong between", between(client_frame(PONG, b"x")), [ANSWER]),
        Case(
            "5.2",
            "two pings between each two of three",
            between(ping, ping, parts=three),
            [*[pong(b"ping")] * 4, ANSWER],
        ),
        Case("5.2", "a close between", between(close_frame(1001)), [closed(1001)]),
    ]
    return table


def out_of_place() -> list[Case]:
    table: list[Case] = []
    first, last = fragments(*HALVES)
    for name, frame in (
        ("a continuation", client_frame(CONTINUATION, b"x")),
        ("one that is not the last", client_frame(CONTINUATION, b"x", fin=False)),
        ("an empty one", client_frame(CONTINUATION)),
    ):
        for where, before, answer in (
            ("at the start", [], []),
            ("behind a request", [ask()], [answered()]),
            ("behind fragments", fragments(*HALVES), [ANSWER]),
            ("behind a ping", [client_frame(PING)], [pong()]),
        ):
            expected: list[Answer] = [*answer, closed(1002)]
            table.append(Case("5.3", f"{name} {where}", [*before, frame, ask("never")], expected))
    table += [
        Case("5.4", "a text inside a message", [first, ask("inside"), last], [closed(1002)]),
        Case("5.4", "a first fragment inside a message", [first, first, last], [closed(1002)]),
        Case(
            "5.4", "a binary message inside a text", [first, client_frame(BINARY, b"x"), last], [closed(1002)]
        ),
        Case(
            "5.4",
            "a text inside, behind a ping",
            [first, client_frame(PING), text_frame("x")],
            [pong(), closed(1002)],
        ),
    ]
    return table
