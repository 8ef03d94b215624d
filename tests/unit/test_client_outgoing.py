"""``Outgoing`` through ``Client.call``: order, pace, what is sent again, what is not, and until when."""

from twisted.internet.defer import CancelledError

from chatsrv.client import (
    ConnectionClosed,
    ErrorCode,
    Limits,
    QueueFull,
    RequestRefused,
    RequestTimeout,
    State,
)
from tests.unit.test_client_kit import CHAT, ClientCase, message_at

PLENTY = Limits(requests_per_s=1000, burst=1000)


class CallCase(ClientCase):
    def send(self, message="a", chat_id=CHAT, **options):
        return self.client.call(11, 2, {"chat_id": chat_id, "message": message}, **options)

    def edit(self, message="a"):
        return self.client.call(11, 6, {"chat_id": CHAT, "message_id": 1, "message": message})

    def messages(self, line):
        return [d["message"] for d in line.asked(11, 2)]


class ACall(CallCase):
    def test_before_there_is_a_connection_waits_for_it(self):
        call = self.send()
        line = self.connected(limits=PLENTY)
        self.assertEqual(self.messages(line), ["a"])
        line.answers(line.sent[0], message_at(6))
        self.assertEqual(self.successResultOf(call).d["seq"], 6)

    def test_that_is_refused_for_good_fails(self):
        line = self.connected()
        call = self.send()
        line.refuses(line.sent[0], "forbidden")
        self.assertIs(self.failureResultOf(call, RequestRefused).value.code, ErrorCode.FORBIDDEN)
        self.assertEqual(len(line.sent), 1)

    def test_of_the_clients_own_kind_is_a_mistake(self):
        for t in (2, 3):
            self.assertRaises(ValueError, self.client.call, 1, t)

    def test_too_large_for_the_server_is_not_sent(self):
        line = self.connected(limits=Limits(frame_bytes=200))
        call = self.send("x" * 200)
        self.assertIs(self.failureResultOf(call, RequestRefused).value.code, ErrorCode.TOO_LARGE)
        self.send("x" * 50)
        self.assertEqual(self.messages(line), ["x" * 50])

    def test_of_any_content_is_the_servers_to_judge(self):
        line = self.connected(limits=PLENTY)
        for odd in (None, [], {}, "7", 10**30, True):
            call = self.client.call(11, 2, {"chat_id": odd, "message": odd, "type": odd})
            line.refuses(line.sent[-1], "bad_request")
            self.failureResultOf(call, RequestRefused)

    def test_that_is_cancelled_before_it_was_sent_is_not_sent(self):
        call = self.send()
        call.cancel()
        self.failureResultOf(call, CancelledError)
        self.assertEqual(self.connected().sent, [])

    def test_more_than_may_wait_fails_at_once(self):
        self.client = self.a_client(queue=2)
        calls = [self.send(str(n)) for n in range(3)]
        self.failureResultOf(calls[2], QueueFull)
        calls[0].cancel()
        self.failureResultOf(calls[0])
        self.send("3")
        self.assertEqual(self.messages(self.connected(limits=PLENTY)), ["1", "3"])
        self.assertNoResult(calls[1])

    def test_after_the_client_stopped_fails_with_why(self):
        line = self.connected()
        line.closes(4409, "replaced")
        self.assertEqual(self.failureResultOf(self.send(), ConnectionClosed).value.code, 4409)


class TheTime(CallCase):
    def test_of_a_call_counts_from_its_asking(self):
        call = self.send()
        self.clock.advance(59)
        line = self.connected()
        self.assertNoResult(call)
        self.clock.advance(1)
        self.failureResultOf(call, RequestTimeout)
        self.assertEqual(len(line.sent), 1)

    def test_may_be_given(self):
        self.connected()
        call = self.send(timeout_s=3)
        self.clock.advance(3)
        self.failureResultOf(call, RequestTimeout)

    def test_out_it_is_not_sent_any_more(self):
        call = self.send(timeout_s=3)
        self.clock.advance(3)
        self.failureResultOf(call, RequestTimeout)
        self.assertEqual(self.connected().sent, [])

    def test_out_its_late_reply_is_an_event_still(self):
        line = self.connected()
        call = self.send(timeout_s=3)
        self.clock.advance(3)
        self.failureResultOf(call, RequestTimeout)
        line.answers(line.sent[0], {"chat_id": CHAT, "message_id": 1, "seq": 6, "sent_at": 9})
        line.tells(7)
        self.assertEqual(self.seqs(), [6, 7])

    def test_out_it_is_not_sent_again_on_the_next_connection(self):
        line = self.connected()
        call = self.send(timeout_s=3)
        self.clock.advance(3)
        self.failureResultOf(call, RequestTimeout)
        self.assertEqual(self.reconnected(line).sent, [])


class Repeats(CallCase):
    def test_carry_the_same_nonce_keep_their_order_and_come_before_newer_ones(self):
        line = self.connected(limits=PLENTY)
        calls = [self.send(str(n)) for n in range(3)]
        line.answers(line.sent[1], message_at(6))
        line.closes()
        calls.append(self.send("newer"))
        self.clock.advance(2)
        line = self.server.accepts({CHAT: 6}, limits=PLENTY)
        self.assertEqual(
            [(d["message"], d["nonce"]) for d in line.asked(11, 2)],
            [("0", "n1"), ("2", "n3"), ("newer", "n4")],
        )
        for request in list(line.sent):
            line.answers(request, message_at(6, dup=True))
        for call in calls:
            self.successResultOf(call)

    def test_carry_the_callers_nonce_if_there_is_one(self):
        line = self.connected()
        self.client.call(11, 1, {"chat_id": CHAT, "message": "a", "nonce": "mine"})
        self.assertEqual(self.reconnected(line).asked(11, 1), line.asked(11, 1))
        self.assertEqual(line.asked(11, 1)[0]["nonce"], "mine")

    def test_are_sends_new_groups_and_reads(self):
        line = self.connected(limits=PLENTY)
        repeated = [
            (11, 1, {"chat_id": CHAT, "message": "a"}),
            (11, 2, {"chat_id": CHAT, "message": "a"}),
            (11, 10, {"chat_id": CHAT}),
            (13, 1, {"user_ids": [2], "type": 2}),
            (13, 3, {"chat_id": CHAT}),
            (13, 4, {}),
            (16, 6, {}),
        ]
        for request in repeated:
            self.client.call(*request)
        line = self.reconnected(line, limits=PLENTY)
        self.assertEqual([(s["op"], s["t"]) for s in line.sent], [(op, t) for op, t, _ in repeated])
        with_nonce = [(s["op"], s["t"]) for s in line.sent if "nonce" in s.get("d", {})]
        self.assertEqual(with_nonce, [(11, 1), (11, 2), (13, 1)])

    def test_are_nothing_else(self):
        line = self.connected(limits=PLENTY)
        others = [
            (11, 6, {"chat_id": CHAT, "message_id": 1, "message": "b"}),
            (11, 7, {"chat_id": CHAT, "message_id": 1}),
            (11, 8, {"chat_id": CHAT, "message_id": 1}),
            (11, 9, {"chat_id": CHAT}),
            (13, 1, {"user_ids": [2], "type": 1}),
            (13, 2, {"chat_id": CHAT, "chat": "n"}),
            *((16, t, {"user_id": 2}) for t in (1, 2, 3, 4, 5)),
        ]
        calls = [self.client.call(*request) for request in others]
        line.closes()
        for call in calls:
            self.failureResultOf(call, ConnectionClosed)
        self.clock.advance(60)
        self.assertEqual(self.server.accepts(limits=PLENTY).sent, [])

    def test_what_was_never_sent_waits_whatever_it_is(self):
        call = self.edit()
        line = self.connected()
        line.answers(line.sent[0], {"chat_id": CHAT, "message_id": 1, "seq": 6, "sender_id": 1})
        self.successResultOf(call)

    def test_come_after_a_pause_when_the_store_is_away(self):
        line = self.connected()
        for code in ("unavailable", "internal"):
            line.sent.clear()
            call = self.send(code)
            line.refuses(line.sent[0], code)
            self.clock.advance(0.24)
            self.assertEqual(len(line.sent), 1)
            self.clock.advance(0.02)
            self.assertEqual(line.sent[0]["d"], line.sent[1]["d"])
            line.answers(line.sent[1], message_at(5, dup=True))
            self.successResultOf(call)

    def test_come_after_longer_and_longer_pauses(self):
        line = self.connected()
        call = self.send()
        for tries, pause_s in enumerate((0.25, 0.5, 1, 2, 4, 8), 1):
            line.refuses(line.sent[-1], "unavailable")
            self.clock.advance(pause_s - 0.01)
            self.assertEqual(len(line.sent), tries)
            self.clock.advance(0.02)
            self.assertEqual(len(line.sent), tries + 1)
        self.clock.advance(60)
        self.failureResultOf(call, RequestTimeout)

    def test_of_what_has_no_nonce_do_not_come_when_the_outcome_is_unknown(self):
        line = self.connected()
        call = self.edit()
        line.refuses(line.sent[0], "unavailable")
        self.failureResultOf(call, RequestRefused)

    def test_are_not_overtaken_by_later_ones_of_their_chat(self):
        line = self.connected({CHAT: 5, 8: 5}, limits=PLENTY)
        self.send("first")
        line.refuses(line.sent[0], "unavailable")
        self.send("second")
        self.send("elsewhere", chat_id=8)
        self.assertEqual(self.messages(line), ["first", "elsewhere"])
        self.clock.advance(1)
        self.assertEqual(self.messages(line), ["first", "elsewhere", "first", "second"])

    def test_wait_for_their_own_pause_only(self):
        line = self.connected({CHAT: 5, 8: 5}, limits=PLENTY)
        self.send("twice")
        line.refuses(line.sent[0], "unavailable")
        self.clock.advance(0.25)
        self.send("once", chat_id=8)
        for request in line.sent[1:]:
            line.refuses(request, "unavailable")
        self.clock.advance(0.25)
        self.assertEqual(self.messages(line), ["twice", "twice", "once", "once"])
        self.clock.advance(0.25)
        self.assertEqual(self.messages(line)[4:], ["twice"])

    def test_of_anything_come_when_it_was_too_much_and_nothing_overtakes(self):
        line = self.connected({CHAT: 5, 8: 5}, limits=PLENTY)
        call = self.edit()
        line.refuses(line.sent[0], "rate_limited", retry_after_ms=1500)
        self.send("later", chat_id=8)
        self.clock.advance(1.4)
        self.assertEqual(len(line.sent), 1)
        self.clock.advance(0.1)
        self.assertEqual([(s["op"], s["t"]) for s in line.sent], [(11, 6), (11, 6), (11, 2)])
        line.answers(line.sent[1], {"chat_id": CHAT, "message_id": 1, "seq": 6, "sender_id": 1})
        self.successResultOf(call)

    def test_of_what_has_to_wait_longer_than_the_rate_makes_it_are_left_to_the_caller(self):
        line = self.connected(limits=Limits(requests_per_s=10, burst=100))
        call = self.edit()
        line.refuses(line.sent[0], "rate_limited", retry_after_ms=10_001)
        error = self.failureResultOf(call, RequestRefused).value
        self.assertEqual((error.code.code, error.retry_after_ms), ("rate_limited", 10_001))
        self.send("at once")
        self.assertEqual(self.messages(line)[-1:], ["at once"])


class ThePace(CallCase):
    def test_is_the_servers_and_the_order_that_of_asking(self):
        line = self.connected(limits=Limits(requests_per_s=10, burst=10))
        for n in range(30):
            self.send(str(n), chat_id=n + 1)
        self.assertEqual(len(line.sent), 8)
        for _ in range(30):
            self.clock.advance(0.1)
        self.assertEqual(self.messages(line), [str(n) for n in range(30)])

    def test_leaves_no_timer_behind(self):
        line = self.connected(limits=Limits(requests_per_s=10, burst=10))
        for n in range(12):
            self.send(str(n))
        for request in list(line.sent):
            line.answers(request, message_at(5, dup=True))
        self.nothing_is_left()

    def test_starts_anew_with_each_connection(self):
        line = self.connected(limits=Limits(requests_per_s=10, burst=10))
        for n in range(20):
            self.send(str(n))
        line = self.reconnected(line, limits=Limits(requests_per_s=1, burst=5))
        self.assertEqual(self.messages(line), ["0", "1", "2", "3"])
        self.assertEqual(self.client.state, State.CONNECTED)
