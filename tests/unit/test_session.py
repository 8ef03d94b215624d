"""One connection's session: what it holds, answers, routes, limits and closes."""

from __future__ import annotations

from msgspec import UNSET
from twisted.internet.defer import Deferred

from chatsrv.actors import Join, Result
from chatsrv.kernel import Overdue
from chatsrv.redis import Unavailable
from chatsrv.session.session import GARBAGE
from chatsrv.wire import frames
from chatsrv.wire.codes import CloseCode, ErrorCode, Profile
from chatsrv.wire.framing import frame_text
from chatsrv.wire.limits import Limits
from chatsrv.wire.refusal import Refused
from chatsrv.wire.requests import REQUESTS, CatchUp, ChatRequest, RenewToken
from tests.unit.test_session_kit import LONGEST_S, OpenCase, SessionCase

SENT = frames.GroupSent(chat_id=1, message_id=2, seq=3, sent_at=4)
STATE = frames.ChatChanged(chat_id=1, seq=2, type=2, chat="n", users=[7])
READ = frames.ReadUpTo(chat_id=1, message_id=2, user_id=7)


class BeforeHello(SessionCase):
    def test_it_asks_to_join_and_sends_nothing_of_its_own_accord(self) -> None:
        (envelope,) = self.user.taken
        self.assertEqual(envelope.command, Join(self.session.id, LONGEST_S * 1_000))
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

    def test_no_more_bytes_than_those_of_4_largest_frames_are_held(self) -> None:
        largest = b" " * 65_536
        for payload in (largest, largest, largest, largest[1:], b" "):
            self.session.received(payload)
        self.assertEqual(self.shell.codes, [])
        self.session.received(b" ")
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

    def test_what_nobody_misses_is_dropped_before_1_1(self) -> None:
        self.session.deliver_unless_busy(frame_text(frames.encode(READ)))
        self.hello()
        self.assertEqual([frame["op"] for frame in self.shell.sent], [1])

    def test_receipts_that_come_before_1_1_follow_it(self) -> None:
        self.session.deliver_receipt(1, 7, frame_text(frames.encode(READ)))
        self.hello()
        self.assertEqual([frame["op"] for frame in self.shell.sent], [1, 12])
        self.assertEqual(self.shell.receipts, {})

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

    def test_what_nobody_misses_goes_out_unless_the_socket_is_busy(self) -> None:
        for busy, sent in ((False, 1), (True, 1), (False, 2)):
            self.shell.congested = busy
            self.session.deliver_unless_busy(frame_text(frames.encode(READ)))
            self.assertEqual(len(self.shell.raw), sent)

    def test_receipts_go_their_own_way_and_can_be_taken_back(self) -> None:
        self.session.deliver_receipt(1, 8, b"one")
        self.session.deliver_receipt(2, 8, b"two")
        self.assertEqual((self.shell.raw, len(self.shell.receipts)), ([], 2))
        self.session.forget_receipts(1)
        self.assertEqual(self.shell.receipts, {(2, 8): b"two"})

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


class CoreProfile(OpenCase):
    profile = Profile.CORE

    def test_an_event_beyond_the_core_goes_out_as_a_reply_only(self) -> None:
        self.say("q")
        self.answer(Result(READ, READ))
        self.assertEqual((self.last["op"], self.last["t"], self.last["id"]), (12, 8, "q"))
        self.say(None)
        self.answer(Result(READ, READ))
        self.assertEqual(len(self.shell.raw), 1)

    def test_an_event_of_the_core_goes_out_without_an_id_too(self) -> None:
        self.say(None)
        self.answer(Result(SENT, STATE))
        self.assertEqual((self.last["op"], "id" in self.last), (14, False))

    def test_in_the_full_profile_both_do(self) -> None:
        self.profile = Profile.FULL
        self.setUp()
        for event in (READ, STATE):
            self.say(None)
            self.answer(Result(SENT, event))
        self.assertEqual([frame["op"] for frame in self.shell.sent], [12, 14])


class Routes(OpenCase):
    limits = Limits(burst=1_000)
    mailbox_entries = 100
    WHOLE = {
        **dict.fromkeys(("chat_id", "message_id", "user_id", "type"), 1),
        "message": "x",
        "user_ids": [2],
        "chats": {"9": 2},
        "token": "x",
    }

    def test_requests_about_a_chat_go_to_it_those_about_the_connection_stay_the_others_go_to_the_user(
        self,
    ) -> None:
        for (op, t), request in REQUESTS.items():
            self.say(op=op, t=t, d={k: v for k, v in self.WHOLE.items() if k in request.__struct_fields__})
            for actor in (self.chat, self.user):
                commands = [envelope.command for envelope in actor.taken]
                chats = actor is self.chat
                wanted = issubclass(request, ChatRequest) == chats and request not in (CatchUp, RenewToken)
                self.assertEqual([type(command) for command in commands], [request] * wanted)
                for envelope in actor.taken:
                    self.assertIs(envelope.origin, self.session)
                actor.taken.clear()


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
            self.say(op=11, t=3)
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

    def test_a_request_with_a_long_list_takes_more(self) -> None:
        self.say(op=13, t=1, d={"user_ids": list(range(1, 31)), "type": 2})
        self.say("last")
        self.assertEqual((len(self.user.taken), len(self.chat.taken), self.shell.raw), (1, 1, []))
        self.say("late")
        self.assertEqual(self.error(self.last), ("rate_limited", "late"))

    def test_more_refused_than_allowed_within_10_s_closes_with_1008(self) -> None:
        self.use_up()
        for _ in range(3):
            self.say()
        self.assertEqual(self.shell.codes, [])
        self.say()
        self.assertEqual((self.shell.codes, len(self.shell.raw)), ([CloseCode.POLICY], 4))

    def test_what_an_actor_refuses_for_its_rate_counts_and_says_when_again(self) -> None:
        for number in range(4):
            self.say(number)
            self.answer(Refused(ErrorCode.RATE_LIMITED, retry_after_ms=180_000))
            self.assertEqual(self.error(self.last), ("rate_limited", number))
            self.assertEqual(self.last["d"]["retry_after_ms"], 180_000)
            self.assertEqual(self.shell.codes, [CloseCode.POLICY] * (number == 3))

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

    def test_the_shell_is_told_when_the_token_expires(self) -> None:
        self.assertEqual(self.shell.ends_at, LONGEST_S)

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
