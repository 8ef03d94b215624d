"""What a peer sends, its token above all, stands in no log, whatever the level, and in no answer of the shell."""

from __future__ import annotations

from twisted.logger import LogEvent, eventAsText, globalLogPublisher

from chatsrv.log import set_level
from chatsrv.session.options import ShellOptions
from tests.unit.test_shell_kit import (
    BINARY,
    CLOSE,
    CONTINUATION,
    PONG,
    TEXT,
    ShellCase,
    Wire,
    client_frame,
    request,
    text,
)


def close_frame(code: int, reason: bytes) -> bytes:
    return client_frame(CLOSE, code.to_bytes(2, "big") + reason)


class Secrets(ShellCase):
    canary = "canary9f3"

    def setUp(self) -> None:
        super().setUp()
        self.logged: list[str] = []
        set_level("debug")
        self.addCleanup(set_level, "info")
        globalLogPublisher.addObserver(self.log)
        self.addCleanup(globalLogPublisher.removeObserver, self.log)

    def log(self, event: LogEvent) -> None:
        self.logged.append(eventAsText(event) + repr(event))

    def assert_kept(self, wires: list[Wire]) -> None:
        self.assertGreater(len(self.logged), 0)
        for line in (*self.logged, *(repr(wire.value()) for wire in wires)):
            self.assertNotIn(self.canary, line)

    def test_a_token_wherever_it_stands(self) -> None:
        self.factory = self.make_factory(options=ShellOptions(url_token=True))
        wires = []
        for verify in (self.factory.verifier.verify, self.break_down):
            self.factory.verifier.verify = verify
            token = self.canary
            for head in (
                request(token=token),
                request(token=f"{token}, {token}"),
                request(Sec_WebSocket_Protocol=f"chatsrv.v1, bearer.{token}", token=None),
                request(Sec_WebSocket_Protocol=f"chatsrv.v1, bearer.{token}"),
                request(target=f"/ws?token={token}", token=None),
                request(target=f"/{token}"),
                request(token=token, Origin=f"http://{token}.example"),
                request(token=token, method=token),
                request(token=token, version=token),
                request(token=token, host=f"{token}:x"),
                request(token=token, Sec_WebSocket_Key=token),
                request(f"{token} : {token}", token=token),
                request(token=token * 1000),
            ):
                wires.append(self.connect())
                self.receive(wires[-1], head)
        self.assertEqual({wire.value()[:9] for wire in wires}, {b"HTTP/1.1 "})
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 3)
        self.assert_kept(wires)

    def break_down(self, token: str) -> None:
        raise RuntimeError("a bug in the verifier")

    def test_what_is_sent_once_open(self) -> None:
        canary = self.canary.encode()
        wires = []
        for data in (
            client_frame(TEXT, canary, rsv=4),
            client_frame(TEXT, canary + b"\xff"),
            client_frame(TEXT, canary, fin=False) + client_frame(TEXT, canary),
            client_frame(BINARY, canary),
            client_frame(PONG, canary) * 51,
            client_frame(11, canary),
            close_frame(1000, canary),
            close_frame(1005, canary),
            close_frame(1000, canary + b"\xff"),
            canary * 100,
        ):
            wires.append(self.open())
            self.receive(wires[-1], data)
        self.fail_in = "received"
        for data in (
            text(canary),
            client_frame(TEXT, canary, fin=False) + client_frame(CONTINUATION, canary),
        ):
            wires.append(self.open())
            self.receive(wires[-1], data)
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 2)
        self.assert_kept(wires)
