"""One connection's session: what it holds, answers, limits and closes. The shell records, the actors do as told."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

from msgspec import UNSET
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import TestCase

from chatsrv.actors import Join, Result
from chatsrv.kernel import Actor, Envelope, Overdue, Registry
from chatsrv.redis import Unavailable
from chatsrv.session.session import GARBAGE, Session
from chatsrv.wire import frames
from chatsrv.wire.codes import CloseCode, ErrorCode, Profile
from chatsrv.wire.framing import frame_text
from chatsrv.wire.limits import Limits
from chatsrv.wire.refusal import Refused

LIMITS = Limits(requests_per_s=10, burst=5)
SENT = frames.GroupSent(chat_id=1, message_id=2, seq=3, sent_at=4)
STATE = frames.ChatChanged(chat_id=1, seq=2, type=2, chat="n", users=[7])


class Shell:
    """Records what is sent, and the codes it is closed with; the connection ends when the test says so."""

    def __init__(self) -> None:
        self.identity = SimpleNamespace(user_id=7, expires_at=None)
        self.profile = Profile.FULL
        self.raw: list[bytes] = []
        self.codes: list[CloseCode] = []

    def send(self, frame: bytes) -> None:
        self.raw.append(frame)

    def close_with(self, code: CloseCode) -> None:
        self.codes.append(code)

    @property
    def sent(self) -> list[dict[str, Any]]:
        return [json.loads(frame[frame.index(b"{") :]) for frame in self.raw]


class Waiting(Actor):
    """Takes envelopes and keeps them for the test to answer."""

    refusals = (Refused, Unavailable, Overdue)

    def __init__(self, key: Any, registry: Registry[Any]) -> None:
        super().__init__(key, registry)
        self.taken: list[Envelope] = []
        self.left: list[Session] = []
        self.shut: Deferred[Any] | None = None

    def receive(self, envelope: Envelope) -> Deferred[Any] | None:
        self.taken.append(envelope)
        return self.shut

    def leave(self, session: Session) -> None:
        self.left.append(session)


class SessionCase(TestCase):
    limits = LIMITS
    refused_per_10s = 3

    def setUp(self) -> None:
        self.clock, self.shell, self.over = Clock(), Shell(), []
        users, chats = (Registry(self.clock, Waiting, mailbox_entries=2) for _ in range(2))
        self.user, self.chat = users.get(7), chats.get(1)
        node = SimpleNamespace(
            clock=self.clock, users=users, chats=chats, options=SimpleNamespace(limits=self.limits)
        )
        self.session = Session(
            self.shell,  # type: ignore[arg-type]
            node,  # type: ignore[arg-type]
            refused_per_10s=self.refused_per_10s,
            expires_in_s=1_000,
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
            frames.Hello(**lists, user_id=7, session_id="s", server_time=1, limits=self.limits)
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


class BeforeHello(SessionCase):
    def test_it_asks_to_join_and_sends_nothing_of_its_own_accord(self) -> None:
        (envelope,) = self.user.taken
        self.assertEqual(envelope.command, Join(self.session.id, None))
        self.assertIs(envelope.origin, self.session)
        self.assertEqual(self.shell.raw, [])

    def test_requests_are_held_until_1_1_is_sent_and_then_carried_out_in_order(self) -> None:
        for number in range(3):
            self.say(number)
        self.assertEqual((self.chat.taken, self.shell.raw), ([], []))
        self.hello()
        self.assertEqual(len(self.chat.taken), 3)
        for _ in range(3):
            self.answer(Result(SENT))
        self.assertEqual(
            [(f["op"], f.get("id")) for f in self.shell.sent], [(1, None), (12, 0), (12, 1), (12, 2)]
        )

    def test_no_more_than_the_burst_is_held(self) -> None:
        for _ in range(5):
            self.say()
        self.assertEqual(self.shell.codes, [])
        self.say()
        self.assertEqual(self.shell.codes, [CloseCode.POLICY])

    def test_garbage_is_not_looked_at_before_1_1(self) -> None:
        self.session.received(b"{")
        self.assertEqual(self.shell.raw, [])
        self.hello()
        self.assertEqual(self.error(self.last), ("bad_json", None))

    def test_events_that_come_before_1_1_follow_it(self) -> None:
        self.session.deliver(frame_text(frames.encode(STATE)))
        self.assertEqual(self.shell.raw, [])
        self.hello()
        self.assertEqual([frame["op"] for frame in self.shell.sent], [1, 14])

    def test_a_join_that_fails_closes_so_that_the_client_comes_again(self) -> None:
        for failure, code in (
            (Unavailable("down", sent=False), CloseCode.OVERLOADED),
            (Overdue(), CloseCode.OVERLOADED),
            (ValueError(), CloseCode.INTERNAL_ERROR),
        ):
            self.setUp()
            self.user.taken.pop().answer(failure)
            self.assertEqual(self.shell.codes, [code])

    def test_where_too_many_wait_to_join_it_closes_as_overloaded(self) -> None:
        self.user.shut = Deferred()
        for _ in range(4):
            self.session.opened()
        self.assertEqual(self.shell.codes, [CloseCode.OVERLOADED])


class OpenCase(SessionCase):
    def setUp(self) -> None:
        super().setUp()
        self.hello()
        self.shell.raw.clear()


class Answers(OpenCase):
    def test_a_result_goes_out_as_the_reply_with_the_id_as_it_was_given(self) -> None:
        for request_id in ("q", 5, -1, "5"):
            self.say(request_id)
            self.answer(Result(SENT, STATE))
            self.assertEqual((self.last["op"], self.last["id"]), (12, request_id))

    def test_without_an_id_the_event_goes_out_or_nothing(self) -> None:
        self.say(None)
        self.answer(Result(SENT))
        self.assertEqual(self.shell.raw, [])
        self.say(None)
        self.answer(Result(STATE, STATE))
        self.assertEqual((self.last["op"], self.last.get("id", UNSET)), (14, UNSET))

    def test_a_failure_goes_out_as_an_error_with_op_t_and_id_if_there_was_one(self) -> None:
        for failure, code in (
            (Refused(ErrorCode.NOT_FOUND), "not_found"),
            (Unavailable("secret", sent=True), "unavailable"),
            (Overdue(), "unavailable"),
            (ValueError("secret"), "internal"),
        ):
            for request_id in ("q", None):
                self.setUp()
                self.say(request_id)
                self.answer(failure)
                self.assertEqual(self.error(self.last), (code, request_id))
                self.assertEqual((self.last["d"]["op"], self.last["d"]["t"]), (11, 2))
                self.assertNotIn(b"secret", self.shell.raw[-1])

    def test_requests_about_a_chat_go_to_it_and_the_others_to_the_user(self) -> None:
        self.say(op=11, t=6, d={"chat_id": 1, "message_id": 1, "message": "x"})
        self.say(op=13, t=2, d={"chat_id": 1})
        self.assertEqual(len(self.chat.taken), 2)
        self.say(op=13, t=1, d={"user_ids": [2], "type": 1})
        self.say(op=16, t=1, d={"user_id": 2})
        self.say(op=16, t=2, d={"user_id": 2, "type": 1})
        self.assertEqual(len(self.user.taken), 3)

    def test_a_full_mailbox_is_rate_limited_and_the_session_goes_on(self) -> None:
        self.chat.shut = Deferred()
        for number in range(4):
            self.say(number)
        self.assertEqual(self.error(self.last), ("rate_limited", 3))
        self.assertGreater(self.last["d"]["retry_after_ms"], 0)
        self.assertEqual(len(self.shell.raw), 1)
        self.session.drain()
        self.assertEqual(self.shell.codes, [])
        shut, self.chat.shut = self.chat.shut, None
        shut.callback(None)
        for _ in range(3):
            self.answer(Result(SENT))
        self.assertEqual(self.shell.codes, [CloseCode.GOING_AWAY])


class Garbage(OpenCase):
    def test_the_eleventh_within_a_minute_is_answered_and_closes_with_1008(self) -> None:
        self.assertEqual(GARBAGE, 10)
        for number in range(10):
            self.session.received((b"{", b"[]")[number % 2])
        self.assertEqual((len(self.shell.raw), self.shell.codes), (10, []))
        self.session.received(b"{")
        self.assertEqual((len(self.shell.raw), self.shell.codes), (11, [CloseCode.POLICY]))

    def test_what_is_a_minute_ago_is_forgiven(self) -> None:
        for _ in range(10):
            self.session.received(b"{")
            self.clock.advance(6.1)
        self.session.received(b"{")
        self.assertEqual(self.shell.codes, [])

    def test_no_other_error_counts_and_none_takes_from_the_rate(self) -> None:
        for _ in range(50):
            self.say(op=99)
            self.say(op=11, t=10)
            self.say(d={"chat_id": 0})
        self.assertEqual((self.shell.codes, self.error(self.last)[0]), ([], "bad_request"))
        self.say("fine")
        self.assertEqual(len(self.chat.taken), 1)


class Rates(OpenCase):
    def use_up(self) -> None:
        for _ in range(5):
            self.say()

    def test_beyond_the_burst_a_request_is_refused_with_the_time_to_wait(self) -> None:
        self.use_up()
        self.say("late")
        self.assertEqual(self.error(self.last), ("rate_limited", "late"))
        self.assertEqual(self.last["d"]["retry_after_ms"], 100)
        self.assertEqual(len(self.chat.taken), 5)
        self.clock.advance(0.1)
        self.say("again")
        self.assertEqual(len(self.chat.taken), 6)

    def test_more_refused_than_allowed_within_10_s_closes_with_1008(self) -> None:
        self.use_up()
        for _ in range(3):
            self.say()
        self.assertEqual(self.shell.codes, [])
        self.say()
        self.assertEqual((self.shell.codes, len(self.shell.raw)), ([CloseCode.POLICY], 4))

    def test_refusals_longer_ago_do_not_count(self) -> None:
        for _ in range(3):
            self.use_up()
            for _ in range(3):
                self.say()
            self.clock.advance(10.1)
        self.assertEqual(self.shell.codes, [])


class TheEnd(OpenCase):
    def test_a_drain_answers_what_is_in_flight_takes_no_more_and_closes_with_1001(self) -> None:
        self.say("one")
        self.say("two")
        self.session.drain()
        self.say("three")
        self.answer(Result(SENT))
        self.assertEqual((len(self.chat.taken), self.shell.codes), (1, []))
        self.answer(Refused(ErrorCode.FORBIDDEN))
        self.assertEqual([frame["id"] for frame in self.shell.sent], ["one", "two"])
        self.assertEqual(self.shell.codes, [CloseCode.GOING_AWAY])

    def test_a_drain_with_nothing_in_flight_closes_at_once(self) -> None:
        self.session.drain()
        self.assertEqual(self.shell.codes, [CloseCode.GOING_AWAY])

    def test_events_still_arrive_while_it_drains(self) -> None:
        self.say()
        self.session.drain()
        self.session.deliver(frame_text(frames.encode(STATE)))
        self.assertEqual(self.last["op"], 14)

    def test_a_drain_after_the_end_does_nothing(self) -> None:
        self.session.closed()
        self.session.drain()
        self.assertEqual((self.shell.codes, self.session.is_closed), ([], True))

    def test_when_the_token_expires_it_closes_with_4401(self) -> None:
        self.clock.advance(999.9)
        self.assertEqual(self.shell.codes, [])
        self.clock.advance(0.1)
        self.assertEqual(self.shell.codes, [CloseCode.UNAUTHORIZED])

    def test_the_end_tells_everyone_once_and_leaves_no_timer(self) -> None:
        self.session.closed()
        self.assertEqual((self.over, self.user.left), ([self.session], [self.session]))
        self.assertEqual((self.clock.getDelayedCalls(), self.session.is_closed), ([], True))

    def test_an_answer_after_the_end_is_harmless_and_frames_are_not_looked_at(self) -> None:
        self.say("one")
        self.say("two")
        self.session.closed()
        self.say("three")
        self.answer(Result(SENT))
        self.answer(ValueError())
        self.assertEqual((self.chat.taken, self.shell.codes, self.flushLoggedErrors()), ([], [], []))

    def test_a_hello_after_the_end_or_while_it_drains_is_not_sent(self) -> None:
        for end in ("closed", "drain"):
            SessionCase.setUp(self)
            self.say()
            getattr(self.session, end)()
            self.hello()
            self.assertEqual((self.shell.raw, self.chat.taken), ([], []))
