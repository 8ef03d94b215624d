"""Before section 1: the request and its answer (PROTOCOL section 1), with the examples of RELIABILITY section 3.1."""

from __future__ import annotations

from tests.conformance.case import Handshake
from tests.support.raw import upgrade
from tests.support.tokens import token_for

TOKEN = token_for(1)
AUTHORIZED = {"Authorization": f"Bearer {TOKEN}"}
UPGRADE = {"upgrade": "websocket"}
VERSION = {**UPGRADE, "sec-websocket-version": "13"}
NO_TOKEN = {"www-authenticate": "Bearer"}
TWO_TOKENS = {"www-authenticate": 'Bearer error="invalid_request"'}
BAD_TOKEN = {"www-authenticate": 'Bearer error="invalid_token"'}


def good(path: str = "/ws", **changed: str | None) -> bytes:
    """A request that is accepted, but for what is changed."""
    return upgrade(path, **{**AUTHORIZED, **changed})


def with_line(line: str) -> bytes:
    """A good one with a header line more."""
    return good().replace(b"\r\n\r\n", f"\r\n{line}\r\n\r\n".encode())


def filled(size: int) -> bytes:
    """A good one of so many bytes."""
    return good(X="x" * (size - len(good(X=""))))


def lines(count: int) -> bytes:
    """A good one with so many header lines."""
    start = good()
    more = count - (start.count(b"\r\n") - 2)
    return start.replace(b"\r\n\r\n", b"\r\nA: b" * more + b"\r\n\r\n")


ACCEPTED = {
    "a good request": good(),
    "another order of what Connection names": good(Connection="keep-alive, Upgrade"),
    "an unknown subprotocol": good(Sec_WebSocket_Protocol="other"),
    "an extension while there are none": good(Sec_WebSocket_Extensions="permessage-deflate"),
    "a head of 8 KiB": filled(8192),
    "64 header lines": lines(64),
    "no Origin": good(Origin=None),
    "the own host as Origin": good(Origin="http://127.0.0.1"),
    "a query of 1 KiB": good("/ws?" + "a" * 1024),
}

#: What is refused: status, headers of the answer, request.
REFUSED = {
    "a head of 8 KiB and a byte": (431, {}, filled(8193)),
    "65 header lines": (431, {}, lines(65)),
    "200 header lines": (431, {}, lines(200)),
    "an endless head": (431, {}, b"GET /ws HTTP/1.1\r\nX: " + b"x" * 100_000),
    "an endless request line": (431, {}, b"GET /" + b"w" * 10_000),
    "the hello of TLS": (400, {}, b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"),
    "zeros": (400, {}, b"\0\0"),
    "the banner of SSH": (400, {}, b"SSH-2.0-OpenSSH_9.2\r\n"),
    "only a line feed": (400, {}, good().replace(b"\r\n", b"\n")),
    "a folded line": (400, {}, with_line("A: b\r\n c")),
    "a space before the colon": (400, {}, with_line("A : b")),
    "POST": (405, {"allow": "GET"}, good().replace(b"GET", b"POST", 1)),
    "HEAD": (405, {"allow": "GET"}, good().replace(b"GET", b"HEAD", 1)),
    "a method with an escape": (405, {"allow": "GET"}, good().replace(b"GET", b"FOO\x1b[31m", 1)),
    "HTTP/1.0": (505, {}, good().replace(b"HTTP/1.1", b"HTTP/1.0", 1)),
    "HTTP/2.0": (505, {}, good().replace(b"HTTP/1.1", b"HTTP/2.0", 1)),
    "a plain GET": (426, UPGRADE, b"GET /ws HTTP/1.1\r\nHost: x\r\n\r\n"),
    "a redirect asked for": (
        426,
        UPGRADE,
        b"GET /ws?redirect=https://evil.example HTTP/1.1\r\nHost: x\r\n\r\n",
    ),
    "another upgrade": (426, UPGRADE, good(Upgrade="h2c")),
    "no Connection": (426, UPGRADE, good(Connection=None)),
    "another path": (404, {}, good("/elsewhere")),
    "two slashes": (404, {}, good("//")),
    "dots": (404, {}, good("/../")),
    "a query of more than 1 KiB": (414, {}, good("/ws?" + "a" * 1025)),
    "no Host": (400, {}, good(Host=None)),
    "two Hosts": (400, {}, with_line("Host: 127.0.0.1")),
    "a bad port in Host": (400, {}, good(Host="127.0.0.1:99999")),
    "no version": (426, VERSION, good(Sec_WebSocket_Version=None)),
    "version 12": (426, VERSION, good(Sec_WebSocket_Version="12")),
    "version 8": (426, VERSION, good(Sec_WebSocket_Version="8")),
    "version 1_3": (426, VERSION, good(Sec_WebSocket_Version="1_3")),
    "a key of 23 characters": (400, {}, good(Sec_WebSocket_Key="a" * 21 + "==")),
    "a key that is no base64": (400, {}, good(Sec_WebSocket_Key="!" * 22 + "==")),
    "no key": (400, {}, good(Sec_WebSocket_Key=None)),
    "two keys": (400, {}, with_line("Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==")),
    "50 offers of extensions": (
        400,
        {},
        good(Sec_WebSocket_Extensions=", ".join(["permessage-deflate"] * 50)),
    ),
    "a foreign Origin": (403, {}, good(Origin="https://evil.example")),
    "the Origin null": (403, {}, good(Origin="null")),
    "a file as Origin": (403, {}, good(Origin="file://")),
    "an Origin that looks alike": (403, {}, good(Origin="http://127.0.0.1.evil.example")),
    "two Origins": (403, {}, with_line("Origin: http://127.0.0.1\r\nOrigin: http://127.0.0.1")),
    "no token": (401, NO_TOKEN, upgrade()),
    "an empty token": (401, NO_TOKEN, upgrade(Authorization="Bearer ")),
    "another scheme": (401, NO_TOKEN, upgrade(Authorization="Basic dXNlcjpwYXNz")),
    "a token in the URL": (401, NO_TOKEN, upgrade(f"/ws?token={TOKEN}")),
    "two tokens in one header": (400, TWO_TOKENS, upgrade(Authorization=f"Bearer {TOKEN}, Bearer {TOKEN}")),
    "two headers with a token": (400, TWO_TOKENS, with_line(f"Authorization: Bearer {TOKEN}")),
    "a token in header and subprotocol": (400, TWO_TOKENS, good(Sec_WebSocket_Protocol=f"bearer.{TOKEN}")),
    "a token that is none": (401, BAD_TOKEN, upgrade(Authorization="Bearer x.y.z")),
    "a token of more than 4 KiB": (401, BAD_TOKEN, upgrade(Authorization="Bearer " + "x" * 4097)),
    "a token that expired": (401, BAD_TOKEN, upgrade(Authorization=f"Bearer {token_for(1, ttl_s=-60)}")),
}


def cases() -> list[Handshake]:
    """All of them."""
    accept = {"sec-websocket-accept": "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=", "sec-websocket-extensions": None}
    return [
        *(Handshake("0.1", name, [sent], 101, accept) for name, sent in ACCEPTED.items()),
        *(
            Handshake("0.2", name, [sent], status, headers)
            for name, (status, headers, sent) in REFUSED.items()
        ),
    ]
