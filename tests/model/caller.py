"""``Caller``: a device's connection, its requests and their answers; what it is sent is checked on the way.

Base of `Device`. Requests with a nonce that were not answered when the connection ended are kept, to be sent again
on the next one. A fault (an event twice, out of order, of another's chat, an answer too many) is kept for the
test to find: nothing raises into the server.
"""

from __future__ import annotations

from typing import Any

import msgspec

from chatsrv.client import CloseCode, Frame, Hello, Profile
from tests.model.book import READ
from tests.model.line import Line
from tests.model.request import Lost, Refused, Request
from tests.support.shapes import check
from tests.support.witness import Witness
from tests.unit.test_store_kit import TestNode

HELLO, ERROR = (1, 1), (3, 1)


class Told(Witness):
    """A mark may be told once more: that is what a node does that was deaf for a while."""

    def _signal(self, frame: Frame) -> None:
        whose = frame.d["chat_id"], frame.d["user_id"]
        if frame.kind == READ and self.marks.get(whose) == frame.d["message_id"]:
            del self.marks[whose]
        super()._signal(frame)


class Caller:
    """``line`` is None while it is not connected; ``code``: how the server closed the last connection."""

    def __init__(self, name: str, user_id: int, profile: Profile) -> None:
        self.name, self.user_id, self.profile = name, user_id, profile
        self.line: Line | None = None
        self.code: CloseCode | None = None
        self.seen: list[Frame] = []  # on this connection
        self.faults: list[Exception] = []
        self.unanswered: list[Request] = []
        self.witness: Witness | None = None
        self._asked: dict[int | str | None, Request] = {}
        self._number = 0

    def __repr__(self) -> str:
        return self.name

    @property
    def core(self) -> bool:
        return self.profile is Profile.CORE

    @property
    def waits(self) -> bool:
        """For hello, or an answer."""
        return self.witness is None or bool(self._asked)

    def connect(self, node: TestNode) -> None:
        self.code, self.seen, self.witness = None, [], None
        self.line = Line(node, self.user_id, self.profile, self)
        self.line.open()

    def ask(self, op: int, t: int, **d: Any) -> Request:
        """Send a request; only while it is connected and was said hello to."""
        request = Request(op, t, d)
        self._send(request)
        return request

    def ask_again(self) -> None:
        """Send what was not answered on an earlier connection."""
        unanswered, self.unanswered = self.unanswered, []
        for request in unanswered:
            request.repeated = True
            self._send(request)

    def _send(self, request: Request) -> None:
        assert self.line is not None
        assert self.witness is not None
        self._number += 1
        self._asked[self._number] = request
        request.replay = self.witness.asked(request.op, request.t, request.d, by_id=True)
        self.line.ask({"op": request.op, "t": request.t, "id": self._number, "d": request.d})

    # The line's side

    def received(self, frame: Frame) -> None:
        self.seen.append(frame)
        try:
            if self.witness is None:
                self._hello(frame)
            elif frame.id is None:
                self.event(frame, replayed=self.witness.saw(frame))
            else:
                self._answer(self.witness, frame)
        except Exception as fault:
            self.faults.append(fault)

    def lost(self, code: CloseCode | None) -> None:
        self.line, self.code, self.witness = None, code, None
        asked, self._asked = self._asked, {}
        for request in asked.values():
            if "nonce" in request.d:
                self.unanswered.append(request)
            else:
                request.failed(Lost())

    def _hello(self, frame: Frame) -> None:
        check(frame.kind == HELLO, "no hello", frame)
        hello = msgspec.convert(frame.d, Hello, str_keys=True)
        self.witness = Told(self.profile, hello)
        self.greeted(hello)

    def _answer(self, witness: Witness, frame: Frame) -> None:
        check(frame.id in self._asked, "an answer to nothing", frame)
        request = self._asked.pop(frame.id)
        if frame.kind == ERROR:
            self._error(witness, request, frame.d["code"])
            return
        check(frame.kind == request.answer, "another answer than was asked for", frame)
        witness.replied(frame, request.replay)
        self.answered(request, frame)
        request.answered(frame.d)

    def _error(self, witness: Witness, request: Request, code: str) -> None:
        witness.refused(request.replay)
        refused = Refused(code)
        if refused.unknown_outcome and "nonce" in request.d:
            self.unanswered.append(request)
        else:
            request.failed(refused)

    # The device's part

    def greeted(self, hello: Hello) -> None:
        raise NotImplementedError

    def event(self, frame: Frame, *, replayed: bool) -> None:
        raise NotImplementedError

    def answered(self, request: Request, frame: Frame) -> None:
        raise NotImplementedError
