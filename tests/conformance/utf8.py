"""Section 6: what is UTF-8 comes back as it was, what is not fails at its first wrong byte (RFC 3629)."""

from __future__ import annotations

from tests.conformance.case import (
    CONTINUATION,
    PING,
    Case,
    answered,
    ask,
    asking,
    client_frame,
    closed,
    fragments,
    pong,
    text_frame,
)

VALID = {
    "Greek": "κόσμε",
    "German": "Hello-µ@ßöäüàá",
    "the end of one byte": "\x7f",
    "two bytes": "\u0080 \u07ff",
    "three bytes": "\u0800 \uffff",
    "four bytes": "\U00010000 \U0010ffff",
    "beside the surrogates": "\ud7ff \ue000",
    "the replacement character": "\ufffd",
    "no characters": "\ufffe \uffff \ufdd0 \U0001ffff \U0010fffe",
    "a zero-width joiner": "👩\u200d👩\u200d👧",
    "a mark of the byte order": "\ufeff",
    "right to left": "שלום",
    "64 of four bytes": "😀" * 64,
}

#: Up to and with the first byte that cannot be right.
WRONG_AT_ONCE = {
    "a continuation byte": b"\x80",
    "the last continuation byte": b"\xbf",
    "C0": b"\xc0",
    "C1": b"\xc1",
    "F5": b"\xf5",
    "FE": b"\xfe",
    "FF": b"\xff",
    "five bytes": b"\xf8",
    "six bytes": b"\xfc",
    "overlong in three": b"\xe0\x9f",
    "overlong in four": b"\xf0\x8f",
    "a high surrogate": b"\xed\xa0",
    "a low surrogate": b"\xed\xbf",
    "above U+10FFFF": b"\xf4\x90",
    "two bytes cut short": b"\xc3(",
    "three bytes cut short": b"\xe2\x82A",
    "four bytes cut short": b"\xf0\x9f\x98A",
    "a start inside three": b"\xe2\xe2",
    "a start inside four": b"\xf0\x9f\xc3",
    "a fifth byte": b"\xf0\x9f\x98\x80\x80",
}
#: What might still become right.
UNFINISHED = {
    "one of two": b"\xc3",
    "one of three": b"\xe2",
    "two of three": b"\xe2\x82",
    "one of four": b"\xf0",
    "three of four": b"\xf0\x9f\x98",
}
BEFORE = "κόσμε ".encode()


def cases() -> list[Case]:
    """All of them."""
    return [*valid(), *invalid(), *unfinished()]


def valid() -> list[Case]:
    table = []
    for name, text in VALID.items():
        request = asking(text)
        start = request.rindex(text.encode())
        table += [
            Case("6.1", name, [ask(text)], [answered(text)]),
            Case(
                "6.1",
                f"{name}, cut inside",
                fragments(request[: start + 1], request[start + 1 :]),
                [answered(text)],
            ),
            Case("6.1", f"{name}, behind 2,048 bytes", [ask(text, 2400)], [answered(text)]),
        ]
    request = asking("κόσμε 😀")
    single = fragments(*(request[at : at + 1] for at in range(len(request))))
    table += [
        Case("6.1", "a frame for each byte", single, [answered("κόσμε 😀")]),
        Case(
            "6.1",
            "a ping inside a character",
            [single[0], *single[1:-6], client_frame(PING, b"\xff"), *single[-6:]],
            [pong(b"\xff"), answered("κόσμε 😀")],
        ),
    ]
    return table


def invalid() -> list[Case]:
    """As a whole message; and failing fast, before the frame or the message has ended."""
    table = []
    for name, wrong in WRONG_AT_ONCE.items():
        text = BEFORE + wrong
        table += [
            Case("6.2", name, [text_frame(text + b" more"), ask()], [closed(1007)]),
            Case(
                "6.2",
                f"{name}, in a long text",
                [text_frame(b"x" * 3000 + text + b"x" * 3000)],
                [closed(1007)],
            ),
            Case(
                "6.3",
                f"{name}, the frame goes on",
                [text_frame(text, length=len(text) + 100)[:]],
                [closed(1007)],
            ),
            Case("6.3", f"{name}, the message goes on", [text_frame(text, fin=False)], [closed(1007)]),
            Case(
                "6.3",
                f"{name}, in the second of three fragments",
                [text_frame(BEFORE, fin=False), client_frame(CONTINUATION, wrong, fin=False)],
                [closed(1007)],
            ),
            Case(
                "6.3",
                f"{name}, in the middle of the second fragment",
                [text_frame(BEFORE, fin=False), client_frame(CONTINUATION, text, length=len(text) + 9)],
                [closed(1007)],
            ),
        ]
        if len(wrong) > 1:
            parts = [
                text_frame(BEFORE + wrong[:-1], fin=False),
                client_frame(CONTINUATION, wrong[-1:], fin=False),
            ]
            table.append(Case("6.3", f"{name}, cut before its last byte", parts, [closed(1007)]))
    return table


def unfinished() -> list[Case]:
    table = []
    for name, start in UNFINISHED.items():
        text = BEFORE + start
        table += [
            Case("6.4", f"{name} at the end", [text_frame(text), ask()], [closed(1007)]),
            Case("6.4", f"{name} at the end of the fragments", fragments(BEFORE, start), [closed(1007)]),
            Case("6.4", f"{name}, then an empty last frame", fragments(text, b""), [closed(1007)]),
            Case(
                "6.4",
                f"{name}, then a ping, then the end",
                [text_frame(text, fin=False), client_frame(PING), client_frame(CONTINUATION)],
                [pong(), closed(1007)],
            ),
        ]
    return table
