"""What the tests of the session share: a shell that records, actors that do as told, a log that waits. No tests."""

from __future__ import annotations

import json
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import TestCase

from chatsrv.auth.keys import VerificationKey
from chatsrv.auth.tokens import Identity, TokenVerifier
from chatsrv.kernel import Actor, Envelope, Overdue, Registry
from chatsrv.redis import Unavailable
from chatsrv.session.session import Session
from chatsrv.session.token_terms import TokenTerms
from chatsrv.store.chats import Head, Page
from chatsrv.store.events import ChatEvent
from chatsrv.store.revocations import Revocations
from chatsrv.wire import frames
from chatsrv.wire.codes import CloseCode, Profile
from chatsrv.wire.limits import Limits
from chatsrv.wire.refusal import Refused

LIMITS = Limits(requests_per_s=10, burst=5)
SECRET = b"0123456789abcdef0123456789abcdef"
LONGEST_S, LEEWAY_S = 1_000, 30


class Shell:
    """Records what is sent, and the codes it is closed with; the connection ends when the test says so."""

    def __init__(self) -> None:
        self.identity = Identity(7, None, None)
        self.profile = Profile.FULL
        self.congested = False
        self.raw: list[bytes] = []
        self.receipts: dict[tuple[int, int], bytes] = {}
        self.clock = Clock()
        self.ends_at = 0.0
        self.codes: list[CloseCode] = []
        self.drained: list[Callable[[], None]] = []

    def send(self, frame: bytes) -> None:
        self.raw.append(frame)

    def expire_in(self, seconds: float) -> None:
        self.ends_at = self.clock.seconds() + seconds

    def send_receipt(self, chat_id: int, user_id: int, frame: bytes) -> None:
        self.receipts[chat_id, user_id] = frame

    def forget_receipts(self, chat_id: int) -> None:
        self.receipts = {key: frame for key, frame in self.receipts.items() if key[0] != chat_id}

    def close_with(self, code: CloseCode) -> None:
        self.codes.append(code)

    def when_drained(self, callback: Callable[[], None]) -> None:
        self.drained.append(callback)

    @property
    def sent(self) -> list[dict[str, Any]]:
        return [json.loads(frame[frame.index(b"{") :]) for frame in self.raw]


class Log:
    """The store's part in a replay: each page is a Deferred that the test fires."""

    def __init__(self) -> None:
        self.asked: list[tuple[tuple[int, int, int], Deferred[Page]]] = []

    def events(self, chat_id: int, after: int, limit: int, users: Any, *, present: bool) -> Deferred[Page]:
        self.asked.append(((chat_id, after, limit), Deferred()))
        return self.asked[-1][1]

    def answer(self, *events: ChatEvent) -> tuple[int, int, int]:
        what, answer = self.asked.pop(0)
        answer.callback(Page(Head(2, 0, False), list(events), {7: 1}))
        return what


class Waiting(Actor):
    """Takes envelopes and keeps them for the test to answer."""

    refusals = (Refused, Unavailable, Overdue)

    def __init__(self, key: Any, registry: Registry[Any]) -> None:
        super().__init__(key, registry)
        self.taken: list[Envelope] = []
        self.left: list[Session] = []
        self.shut: Deferred[Any] | None = None
        self.revoked = Revocations()

    def receive(self, envelope: Envelope) -> Deferred[Any] | None:
        self.taken.append(envelope)
        return self.shut

    def leave(self, session: Session) -> None:
        self.left.append(session)


class SessionCase(TestCase):
    limits = LIMITS
    refused_per_10s = 3
    mailbox_entries = 2
    profile = Profile.FULL

    def setUp(self) -> None:
        self.clock, self.shell, self.log, self.over = Clock(), Shell(), Log(), []
        self.shell.profile, self.shell.clock = self.profile, self.clock
        users, chats = (Registry(self.clock, Waiting, mailbox_entries=self.mailbox_entries) for _ in range(2))
        self.user, self.chat = users.get(7), chats.get(1)
        node = SimpleNamespace(
            clock=self.clock,
            users=users,
            chats=chats,
            options=SimpleNamespace(limits=self.limits),
            store=SimpleNamespace(chats=self.log),
        )
        verifier = TokenVerifier(VerificationKey(("HS256",), SECRET), clock=self.clock.seconds)
        seconds = self.clock.seconds
        self.session = Session(
            self.shell,  # type: ignore[arg-type]
            node,  # type: ignore[arg-type]
            refused_per_10s=self.refused_per_10s,
            terms=TokenTerms(verifier, longest_s=LONGEST_S, leeway_s=LEEWAY_S, clock=seconds),
            ended=self.over.append,
        )
        self.session.opened()

    def hello(self) -> None:
        """What the user's actor does at a join."""
        lists: dict[str, Any] = {
            "chat_ids": [1],
            "friend_ids": [],
            "incoming": [],
            "outgoing": [],
            "heads": {"1": 2},
        }
        self.session.greet(
            frames.Hello(**lists, user_id=7, session_id="s", server_time=1, epoch="e", limits=self.limits)
        )
        self.user.taken.pop(0).answer(None)

    def say(self, request_id: Any = "q", **members: Any) -> None:
        request = {"op": 11, "t": 2, "d": {"chat_id": 1, "message": "hi"}, **members}
        self.session.received(
            json.dumps(request if request_id is None else {**request, "id": request_id}).encode()
        )

    def answer(self, result: Any) -> None:
        self.chat.taken.pop(0).answer(result)

    @property
    def last(self) -> dict[str, Any]:
        return self.shell.sent[-1]

    def error(self, frame: dict[str, Any]) -> tuple[str, Any]:
        self.assertEqual((frame["op"], frame["t"]), (3, 1))
        return frame["d"]["code"], frame.get("id")


class OpenCase(SessionCase):
    def setUp(self) -> None:
        super().setUp()
        self.hello()
        self.shell.raw.clear()
