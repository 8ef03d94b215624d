"""``Connection``, ``Calls`` and the frames, without a socket and without time."""

import json
import math

import msgspec
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from chatsrv.client import (
    ConnectionClosed,
    ErrorCode,
    Frame,
    RequestRefused,
    RequestTimeout,
    frames,
)
from chatsrv.client.connection import Connection


class FakeLine:
    """Remembers what was written."""

    def __init__(self):
        self.sent, self.closed, self.aborted = [], None, False

    def send_text(self, payload):
        self.sent.append(json.loads(payload))

    def start_close(self, code, reason):
        self.closed = (code, reason)

    def abort(self):
        self.aborted = True


class ConnectionCase(SynchronousTestCase):
    def setUp(self):
        self.clock, self.line, self.events = Clock(), FakeLine(), []
        self.connection = Connection(self.clock, self.line, on_event=self.events.append)

    def arrives(self, op, t, d=None, **envelope):
        self.connection.text_arrived(json.dumps({"op": op, "t": t, "d": d or {}, **envelope}).encode())


class Calls(ConnectionCase):
    def test_a_call_sends_its_request_with_a_fresh_id(self):
        for _ in range(2):
            self.connection.call(13, 1, {"user_ids": [2], "type": 1})
        self.assertEqual(
            self.line.sent,
            [{"op": 13, "t": 1, "d": {"user_ids": [2], "type": 1}, "id": number} for number in (1, 2)],
        )

    def test_a_reply_answers_the_call_with_its_id_only(self):
        first, second = self.connection.call(11, 1), self.connection.call(11, 1)
        self.arrives(12, 1, {"seq": 2}, id=2)
        self.assertEqual(self.successResultOf(second), Frame(12, 1, {"seq": 2}, 2))
        self.assertNoResult(first)
        self.assertEqual(self.events, [])

    def test_an_error_becomes_request_refused(self):
        call = self.connection.call(11, 1)
        self.arrives(3, 1, {"code": "rate_limited", "message": "slow", "retry_after_ms": 50}, id=1)
        error = self.failureResultOf(call, RequestRefused).value
        self.assertEqual(
            (error.code, error.message, error.retry_after_ms), (ErrorCode.RATE_LIMITED, "slow", 50)
        )

    def test_an_unknown_error_code_counts_as_internal(self):
        call = self.connection.call(11, 1)
        self.arrives(3, 1, {"code": "from_the_future", "message": "x"}, id=1)
        self.assertIs(self.failureResultOf(call, RequestRefused).value.code, ErrorCode.INTERNAL)

    def test_a_call_times_out_and_its_late_reply_is_a_stray(self):
        strays = []
        self.connection.on_stray = strays.append
        call = self.connection.call(11, 1, timeout_s=3)
        self.clock.advance(3)
        self.failureResultOf(call, RequestTimeout)
        self.arrives(12, 1, id=1)
        self.assertEqual([stray.kind for stray in strays], [(12, 1)])

    def test_an_answered_call_leaves_no_timer(self):
        self.connection.call(11, 1)
        self.arrives(12, 1, id=1)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_a_call_may_wait_as_long_as_the_connection_lasts(self):
        call = self.connection.call(11, 1, timeout_s=math.inf)
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.clock.advance(10**6)
        self.assertNoResult(call)
        self.connection.line_lost(1001, "")
        self.failureResultOf(call, ConnectionClosed)

    def test_what_is_no_json_is_not_sent_and_leaves_nothing(self):
        self.assertRaises(TypeError, self.connection.call, 11, 1, {"x": object()})
        self.assertEqual((self.line.sent, self.clock.getDelayedCalls()), ([], []))

    def test_a_cancelled_call_leaves_no_timer(self):
        call = self.connection.call(11, 1)
        call.cancel()
        self.failureResultOf(call)
        self.assertEqual(self.clock.getDelayedCalls(), [])


class Events(ConnectionCase):
    def test_frames_without_id_are_events_in_order(self):
        for seq in (1, 2, 3):
            self.arrives(12, 2, {"seq": seq})
        self.assertEqual([event.d["seq"] for event in self.events], [1, 2, 3])

    def test_an_error_without_id_is_an_event(self):
        self.arrives(3, 1, {"code": "bad_json", "message": "x"})
        self.assertEqual([event.kind for event in self.events], [(3, 1)])

    def test_an_event_sink_that_raises_is_logged_and_the_next_event_comes(self):
        seen = []

        def sink(event):
            seen.append(event.t)
            raise ZeroDivisionError

        self.connection.on_event = sink
        self.arrives(12, 1)
        self.arrives(12, 2)
        self.assertEqual(seen, [1, 2])
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 2)

    def test_what_is_not_a_frame_drops_the_line(self):
        for garbage in (b"{", b"[]", b'{"op":"1","t":1}', b"[" * 5000):
            self.line.aborted = False
            self.connection.text_arrived(garbage)
            self.assertTrue(self.line.aborted, garbage[:20])


class Ending(ConnectionCase):
    def test_everyone_who_waits_is_told(self):
        call, closed = self.connection.call(11, 1), self.connection.closed
        self.connection.line_lost(1001, "bye")
        self.assertEqual(self.failureResultOf(call, ConnectionClosed).value.code, 1001)
        self.assertEqual(self.successResultOf(closed), (1001, "bye"))
        self.assertEqual(self.successResultOf(self.connection.closed), (1001, "bye"))
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_without_a_close_frame_the_code_is_1006(self):
        self.connection.line_lost(None, "gone")
        self.assertEqual(self.successResultOf(self.connection.closed).code, 1006)

    def test_after_the_end_calls_fail_and_sends_raise(self):
        self.connection.line_lost(4409, "")
        self.assertEqual(self.failureResultOf(self.connection.call(11, 1), ConnectionClosed).value.code, 4409)
        self.assertRaises(ConnectionClosed, self.connection.send, 11, 1)
        self.assertEqual(self.line.sent, [])

    def test_close_sends_one_close_frame_and_waits_for_the_end(self):
        first, second = self.connection.close(), self.connection.close()
        self.assertEqual(self.line.closed, (1000, ""))
        self.assertNoResult(first)
        self.connection.line_lost(1000, "")
        self.assertEqual([self.successResultOf(first).code, self.successResultOf(second).code], [1000, 1000])
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_it_is_open_until_either_side_begins_to_close(self):
        self.assertTrue(self.connection.is_open)
        self.connection.closing_began()
        self.assertFalse(self.connection.is_open)
        self.connection.line_lost(1000, "")
        self.assertFalse(self.connection.is_open)

    def test_a_peer_that_does_not_finish_closing_is_dropped(self):
        self.connection.close()
        self.clock.advance(5)
        self.assertTrue(self.line.aborted)

    def test_a_cancelled_watcher_is_forgotten(self):
        watcher = self.connection.closed
        watcher.cancel()
        self.failureResultOf(watcher)
        self.connection.line_lost(1000, "")


class Frames(SynchronousTestCase):
    def test_hello_is_typed_and_ignores_what_it_does_not_know(self):
        d = {"chat_ids": [1], "friend_ids": [], "heads": {"1": 5}, "limits": {"burst": 100}, "more": 1}
        hello = frames.hello_of(Frame(1, 1, d))
        self.assertEqual((hello.heads, hello.limits.burst, hello.epoch), ({1: 5}, 100, None))

    def test_another_first_frame_is_no_hello(self):
        self.assertRaises(msgspec.ValidationError, frames.hello_of, Frame(2, 1))

    def test_empty_members_are_left_out(self):
        self.assertEqual(frames.encode(Frame(16, 6)), b'{"op":16,"t":6}')
