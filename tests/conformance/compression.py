"""Sections 12 and 13: permessage-deflate, against a server with the setting ``compression``."""

from __future__ import annotations

import random
import zlib

from tests.conformance.case import (
    BINARY,
    CLOSE,
    CONTINUATION,
    PING,
    TEXT,
    Case,
    Handshake,
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
from tests.support.raw import upgrade
from tests.support.tokens import token_for

SETTINGS = {"compression": True}
OFFER = "permessage-deflate; client_max_window_bits"
BASE = "permessage-deflate; server_no_context_takeover; client_no_context_takeover; server_max_window_bits=12"
RSV1 = 4
SIZES = (60, 125, 126, 127, 1000, 1024, 4096, 32768, 65535, 65536)

#: An offer, and what is answered to it.
OFFERS = {
    "permessage-deflate": BASE,
    "permessage-deflate; client_max_window_bits": f"{BASE}; client_max_window_bits=12",
    "permessage-deflate; client_max_window_bits=15": f"{BASE}; client_max_window_bits=12",
    "permessage-deflate; client_max_window_bits=8": f"{BASE}; client_max_window_bits=8",
    "permessage-deflate; server_max_window_bits=15; server_no_context_takeover": BASE,
    'permessage-deflate; server_max_window_bits="12"': BASE,
    "permessage-deflate; client_no_context_takeover": BASE,
    "permessage-deflate; server_max_window_bits=9, permessage-deflate": BASE,
    "x-unknown; a=b, permessage-deflate": BASE,
    "permessage-deflate; server_max_window_bits=9": None,
    "permessage-deflate; server_max_window_bits=16": None,
    "permessage-deflate; server_max_window_bits": None,
    "permessage-deflate; client_no_context_takeover=1": None,
    "permessage-deflate; nonsense": None,
    "permessage-deflate; client_max_window_bits; client_max_window_bits": None,
    "permessage-bzip2": None,
    "x-webkit-deflate-frame": None,
}


def deflated(payload: bytes, level: int = 6, bits: int = 15, flush: int = zlib.Z_SYNC_FLUSH) -> bytes:
    """RFC 7692 section 7.2.1."""
    deflating = zlib.compressobj(level, wbits=-bits)
    body = deflating.compress(payload) + deflating.flush(flush)
    return body.removesuffix(b"\x00\x00\xff\xff")


def cases() -> list[Case | Handshake]:
    """All of them."""
    return [*offers(), *messages(), *violations()]


def offers() -> list[Case | Handshake]:
    table: list[Case | Handshake] = []
    for offer, answer in OFFERS.items():
        token = {"Authorization": f"Bearer {token_for(1)}"}
        sent = [upgrade(Sec_WebSocket_Extensions=offer, **token)]
        table.append(Handshake("12.1", offer, sent, 101, {"sec-websocket-extensions": answer}))
    return table


def case(section: str, name: str, sent: list[bytes], *expected: tuple[str, object]) -> Case:
    return Case(section, name, sent, expected, OFFER)


def messages() -> list[Case]:
    noise = random.Random(7).randbytes(1500).hex()
    table = []
    for size in SIZES:
        request = asking("größe", size)
        for level, bits in ((0, 15), (1, 9), (6, 12), (9, 15)):
            frame = text_frame(deflated(request, level, bits), rsv=RSV1)
            if len(frame) < 65536:
                table.append(
                    case("12.2", f"{size} bytes, level {level}, {bits} bits", [frame], answered("größe"))
                )
    body = deflated(asking(noise[:64], 4000))
    for size in (1, 2, 5, len(body) - 1):
        if len(body) <= 64 * size:
            name = f"a message in pieces of {size} bytes"
            table.append(case("12.3", name, fragments(*pieces(body, size), rsv=RSV1), answered(noise[:64])))
    first, *rest = fragments(*pieces(body, 40), rsv=RSV1)
    packed = [text_frame(deflated(asking(str(n), 500 * n)), rsv=RSV1) for n in range(1, 6)]
    table += [
        case(
            "12.3",
            "a ping inside",
            [first, client_frame(PING, b"p"), *rest],
            pong(b"p"),
            answered(noise[:64]),
        ),
        case("12.3", "a close inside", [first, close_frame(1000)], closed(1000)),
        case("12.4", "five messages", packed, *(answered(str(n)) for n in range(1, 6))),
        case(
            "12.4",
            "compressed and others in turn",
            [packed[0], ask("x"), packed[1], ask("y", 5000)],
            answered("1"),
            answered("x"),
            answered("2"),
            answered("y"),
        ),
        case("12.4", "uncompressed fragments", fragments(*pieces(asking("f"), 9)), answered("f")),
        case("12.4", "an empty message", [text_frame(b"\x00", rsv=RSV1)], ("error", "bad_json")),
        case("12.4", "no compression at all", [ask("plain", 65536)], answered("plain")),
    ]
    for name, how in (("full", zlib.Z_FULL_FLUSH), ("finish", zlib.Z_FINISH)):
        body = deflated(asking(name, 900), flush=how) + (b"\x00" if how == zlib.Z_FINISH else b"")
        table.append(case("12.5", f"flushed by {name}", [text_frame(body, rsv=RSV1)], answered(name)))
    return table


def violations() -> list[Case]:
    whole = deflated(asking("x", 300))
    broken = {
        "an unknown block": b"\x07",
        "noise": b"\xff" * 50,
        "cut short": whole[:20],
        "going on": whole + b"\xff\xff",
    }
    bad_utf8 = {"a surrogate": b"\xed\xa0\x80", "an unfinished character": b"ok \xe2\x82"}
    table = [
        case("13.1", name, [text_frame(body, rsv=RSV1), ask()], closed(1007)) for name, body in broken.items()
    ]
    table += [
        case("13.1", f"{name}, in fragments", fragments(*pieces(body, 3), rsv=RSV1), closed(1007))
        for name, body in broken.items()
        if len(body) <= 3 * 64
    ]
    table += [
        case("13.2", name, [text_frame(deflated(text), rsv=RSV1)], closed(1007))
        for name, text in bad_utf8.items()
    ]
    for size in (65537, 65538, 65600, 65700, 66000, 100_000, 1_000_000, 50_000_000):
        body = deflated(b" " * size)
        table.append(case("13.3", f"{size} bytes inflated", [text_frame(body, rsv=RSV1)], closed(1009)))
    bomb = fragments(*pieces(deflated(bytes(1_000_000)), 200), rsv=RSV1)
    table += [
        case("13.3", "a bomb in fragments", bomb, closed(1009)),
        case(
            "13.3", "too long before it is inflated", [text_frame(b"", length=65537, rsv=RSV1)], closed(1009)
        ),
        case(
            "13.4",
            "a compressed binary message",
            [client_frame(BINARY, deflated(b"x"), rsv=RSV1)],
            closed(1003),
        ),
        case("13.4", "the bit in a ping", [client_frame(PING, rsv=RSV1)], closed(1002)),
        case("13.4", "the bit in a close frame", [client_frame(CLOSE, b"\x03\xe8", rsv=RSV1)], closed(1002)),
    ]
    table += [
        case("13.4", f"RSV {rsv:03b}", [client_frame(TEXT, deflated(asking()), rsv=rsv)], closed(1002))
        for rsv in (1, 2, 3, 5, 6, 7)
    ]
    for name, rsv in (("a compressed", RSV1), ("an uncompressed", 0)):
        parts = [text_frame(b"x", fin=False, rsv=rsv), client_frame(CONTINUATION, b"x", rsv=RSV1)]
        table.append(case("13.4", f"the bit in a continuation of {name} message", parts, closed(1002)))
    return table
