"""What a session does for the connection itself: catch-up (1/2) and the renewal of its token (1/3)."""

from __future__ import annotations

from typing import Any

from chatsrv.actors.replay import REPEAT_S, WAITING
from chatsrv.auth.tokens import issue_token
from chatsrv.session.session import MAILBOX_RETRY_MS
from chatsrv.store.events import MESSAGE, ChatEvent
from chatsrv.store.revocations import Revocations
from chatsrv.wire.codes import CloseCode, Profile
from chatsrv.wire.limits import Limits
from tests.unit.test_session_kit import LEEWAY_S, LONGEST_S, SECRET, OpenCase


class CatchingUp(OpenCase):
    limits = Limits(burst=1_000)

    def ask(self, request_id: Any = "q", after: int = 0) -> None:
        self.say(request_id, op=1, t=2, d={"chats": {"1": after}})

    def event(self, seq: int) -> ChatEvent:
        return ChatEvent(MESSAGE, seq, 1, 9, 2, message_id=seq, text="x", author=9)

    def test_it_replays_up_to_the_head_that_hello_named_and_answers(self) -> None:
        self.ask()
        self.assertEqual(self.log.answer(self.event(1), self.event(2)), (1, 0, 2))
        self.assertEqual([frame.get("id") for frame in self.shell.sent], [None, None, "q"])
        self.assertEqual([frame["d"]["seq"] for frame in self.shell.sent[:2]], [1, 2])
        self.assertEqual((self.last["op"], self.last["t"]), (1, 2))
        self.assertEqual(self.last["d"], {"heads": {"1": 2}, "reset": []})

    def test_another_epoch_than_that_of_hello_is_reset(self) -> None:
        for epoch, asked in (("another", 0), ("e", 1)):
            self.say(op=1, t=2, d={"chats": {"1": 0}, "epoch": epoch})
            self.assertEqual(len(self.log.asked), asked)
        self.assertEqual((len(self.shell.raw), self.last["d"]), (1, {"heads": {}, "reset": [1]}))

    def test_one_is_carried_out_after_the_other(self) -> None:
        self.ask("one")
        self.ask("two", 1)
        self.assertEqual(len(self.log.asked), 1)
        self.log.answer(self.event(1), self.event(2))
        self.clock.advance(REPEAT_S)
        self.assertEqual(self.log.answer(self.event(2)), (1, 1, 1))
        replies = [frame["id"] for frame in self.shell.sent if "id" in frame]
        self.assertEqual(replies, ["one", "two"])

    def test_too_many_that_wait_are_rate_limited(self) -> None:
        for number in range(1 + WAITING):
            self.ask(number)
        self.assertEqual(self.shell.raw, [])
        self.ask("late")
        self.assertEqual(self.error(self.last), ("rate_limited", "late"))
        self.assertEqual(self.last["d"]["retry_after_ms"], MAILBOX_RETRY_MS)

    def test_it_waits_for_a_busy_socket(self) -> None:
        self.shell.congested = True
        self.ask()
        self.assertEqual(self.log.asked, [])
        self.shell.drained.pop()()
        self.log.answer(self.event(1), self.event(2))
        self.assertEqual((len(self.shell.raw), len(self.shell.drained)), (1, 1))

    def test_it_is_awaited_by_a_drain(self) -> None:
        self.ask()
        self.session.drain()
        self.assertEqual(self.shell.codes, [])
        self.log.answer(self.event(1), self.event(2))
        self.assertEqual((len(self.shell.raw), self.shell.codes), (3, [CloseCode.GOING_AWAY]))

    def test_the_end_of_the_connection_ends_it_while_the_log_is_read(self) -> None:
        self.ask("one")
        self.ask("two")
        self.session.closed()
        self.log.answer(self.event(1), self.event(2))
        self.check_it_is_over()

    def test_so_it_does_while_it_waits_for_a_busy_socket(self) -> None:
        self.shell.congested = True
        self.ask("one")
        self.ask("two")
        self.session.closed()
        self.shell.drained.pop()()
        self.check_it_is_over()

    def test_and_while_it_lets_a_repeat_wait(self) -> None:
        self.ask("one")
        self.ask("two")
        self.log.answer(self.event(1), self.event(2))
        self.shell.raw.clear()
        self.session.closed()
        self.check_it_is_over()

    def check_it_is_over(self) -> None:
        self.assertEqual((self.shell.raw, self.shell.drained, self.log.asked), ([], [], []))
        self.assertEqual(self.clock.getDelayedCalls(), [])


class Renewing(OpenCase):
    def renew(self, ttl_s: float, request_id: Any = "q", user_id: int = 7) -> None:
        token = issue_token(SECRET, user_id, ttl_s, self.clock.seconds)
        self.say(request_id, op=1, t=3, d={"token": token})

    def closes_in(self, seconds: float) -> None:
        self.assertAlmostEqual(self.shell.ends_at, self.clock.seconds() + seconds, places=3)

    def test_from_then_on_the_new_tokens_time_counts(self) -> None:
        self.clock.advance(900)
        self.renew(500)
        self.assertEqual(self.shell.sent, [{"op": 1, "t": 3, "id": "q", "d": {"expires_at": 1_400_000}}])
        self.closes_in(500 + LEEWAY_S)

    def test_also_when_it_is_shorter(self) -> None:
        self.renew(10)
        self.closes_in(10 + LEEWAY_S)

    def test_one_that_is_valid_for_very_long_is_capped(self) -> None:
        self.clock.advance(500)
        self.renew(10**9)
        self.assertEqual(self.last["d"], {"expires_at": (500 + LONGEST_S) * 1_000})
        self.closes_in(LONGEST_S)

    def test_any_number_may_follow_each_other(self) -> None:
        for _ in range(20):
            self.clock.advance(LONGEST_S - 1)
            self.renew(LONGEST_S)
        self.closes_in(LONGEST_S)

    def test_the_same_one_again_gives_no_more_time(self) -> None:
        token = issue_token(SECRET, 7, 10**9, self.clock.seconds)
        for _ in range(3):
            self.say(op=1, t=3, d={"token": token})
            self.assertEqual(self.last["d"], {"expires_at": LONGEST_S * 1_000})
            self.closes_in(LONGEST_S - self.clock.seconds())
            self.clock.advance(LONGEST_S / 4)
        self.renew(10**9)
        self.closes_in(LONGEST_S)

    def test_another_users_token_is_forbidden_and_the_old_one_stays_in_force(self) -> None:
        self.clock.advance(900)
        self.renew(900, user_id=8)
        self.assertEqual(self.error(self.last), ("forbidden", "q"))
        self.closes_in(LONGEST_S - 900)

    def test_a_bad_one_is_a_bad_request_and_the_old_one_stays_in_force(self) -> None:
        self.clock.advance(900)
        self.say(op=1, t=3, d={"token": "nonsense"})
        self.assertEqual(self.error(self.last), ("bad_request", "q"))
        self.assertTrue(self.last["d"]["message"].startswith("token: "))
        self.renew(-2 * LEEWAY_S, "late")
        self.assertEqual(self.error(self.last), ("bad_request", "late"))
        self.closes_in(LONGEST_S - 900)

    def test_a_revoked_one_and_any_of_a_blocked_user_is_a_bad_request_and_the_old_one_stays(self) -> None:
        self.clock.advance(900)
        old = self.session.identity
        for revoked in (Revocations(900_000), Revocations(blocked=True)):
            self.user.revoked = revoked
            self.renew(900)
            self.assertEqual(self.error(self.last), ("bad_request", "q"))
            self.assertTrue(self.last["d"]["message"].startswith("token: "))
            self.assertIs(self.session.identity, old)
        self.closes_in(LONGEST_S - 900)

    def test_from_then_on_it_is_the_new_one_that_may_be_revoked(self) -> None:
        self.clock.advance(900)
        self.user.revoked = Revocations(899_999)
        self.renew(900)
        self.assertEqual((self.last["op"], self.session.identity.issued_at), (1, 900_000))

    def test_without_an_id_the_answer_goes_to_the_full_profile_only(self) -> None:
        for profile, sent in ((Profile.FULL, 1), (Profile.CORE, 0)):
            self.profile = profile
            self.setUp()
            self.renew(100, None)
            self.assertEqual(len(self.shell.raw), sent)
            self.closes_in(100 + LEEWAY_S)

    def test_it_is_answered_though_it_is_the_last_before_a_drain(self) -> None:
        self.renew(100)
        self.session.drain()
        self.assertEqual((len(self.shell.raw), self.shell.codes), (1, [CloseCode.GOING_AWAY]))

    def test_the_end_leaves_no_timer(self) -> None:
        self.renew(100)
        self.session.closed()
        self.assertEqual(self.clock.getDelayedCalls(), [])
