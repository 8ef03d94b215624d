"""``Client``: one stream of events per chat, whatever the connection does; reconnects, tokens, catch-up."""

from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectError

from chatsrv.client import (
    ConnectionClosed,
    HandshakeRefused,
    Limits,
    NoToken,
    Profile,
    State,
    TokenUnavailable,
    Unsuitable,
    verbs,
)
from tests.unit.test_client_kit import CHAT, ME, ClientCase, members_at, message_at

HOUR_MS = 3_600_000


class Starting(ClientCase):
    def test_fires_with_the_first_hello(self):
        line = self.connected({CHAT: 5})
        self.assertIs(self.successResultOf(self.started), line.connection.hello)
        self.assertIs(self.client.hello, line.connection.hello)
        self.assertEqual(self.states, [State.CONNECTING, State.CONNECTED])
        self.assertEqual(self.resets, [])

    def test_there_is_a_connection_while_there_is_one(self):
        self.assertIsNone(self.client.connection)
        line = self.connected()
        self.assertIs(self.client.connection, line.connection)
        line.closes()
        self.assertIsNone(self.client.connection)

    def test_goes_on_trying_while_nobody_is_there(self):
        started = self.client.start()
        for _ in range(5):
            self.server.fails(ConnectError())
            self.clock.advance(60)
        self.assertNoResult(started)
        self.server.accepts()
        self.successResultOf(started)

    def test_fails_when_it_can_never_be(self):
        started = self.client.start()
        self.server.fails(HandshakeRefused(403, {}))
        self.assertEqual(self.failureResultOf(started, HandshakeRefused).value.status, 403)
        self.assertIs(self.client.state, State.STOPPED)

    def test_asks_for_the_url_at_each_try(self):
        urls = iter(("ws://one/ws", "ws://two/ws"))
        self.client = self.a_client(url=lambda: next(urls))
        self.client.start()
        self.server.fails(ConnectError())
        self.clock.advance(60)
        self.assertEqual([url for url, _, _ in self.server.dials], ["ws://one/ws", "ws://two/ws"])

    def test_in_another_profile_it_is_unsuitable(self):
        started = self.client.start()
        line = self.server.accepts(profile=Profile.CORE)
        self.failureResultOf(started, Unsuitable)
        self.assertEqual(line.closed, 1000)

    def test_another_user_on_the_next_connection_is_unsuitable(self):
        line = self.reconnected(self.connected(), user_id=ME + 1)
        self.assertEqual(line.closed, 1000)
        self.assertIsInstance(self.successResultOf(self.client.stopped), Unsuitable)


class Stopping(ClientCase):
    def test_closes_and_tells_everyone(self):
        line = self.connected()
        call, stopped = verbs.edit(self.client, CHAT, 1, "x"), self.client.stop()
        self.assertEqual(line.closed, 1000)
        self.failureResultOf(call, ConnectionClosed)
        self.assertIsNone(self.successResultOf(stopped))
        self.assertEqual(self.states[-1], State.STOPPED)

    def test_before_the_start_is_possible(self):
        self.successResultOf(self.client.stop())

    def test_while_a_token_is_asked_for(self):
        asked = Deferred()
        self.token = lambda: asked
        started = self.client.start()
        self.successResultOf(self.client.stop())
        self.failureResultOf(started, ConnectionClosed)

    def test_during_a_try(self):
        started = self.client.start()
        self.successResultOf(self.client.stop())
        self.failureResultOf(started, ConnectionClosed)
        self.assertFalse(self.server.dialled)

    def test_between_two_tries(self):
        started = self.client.start()
        self.server.fails(ConnectError())
        self.successResultOf(self.client.stop())
        self.failureResultOf(started, ConnectionClosed)
        self.clock.advance(100)
        self.assertEqual(len(self.server.dials), 1)

    def test_from_within_a_callback(self):
        for moment in (State.CONNECTING, State.CONNECTED, State.WAITING):
            self.client = self.a_client(on_state=self.stop_at(moment))
            started = self.client.start()
            if self.server.dialled:
                self.server.accepts()
            if self.client.connection is not None:
                self.server.lines[-1].closes()
            self.assertIsNone(self.successResultOf(self.client.stopped), moment)
            started.addErrback(lambda failure: failure.trap(ConnectionClosed))

    def stop_at(self, moment):
        return lambda state, reason: self.client.stop() if state is moment else None

    def test_at_an_event_of_the_application(self):
        self.client = self.a_client(on_event=lambda event: self.client.stop())
        self.connected().tells(6)
        self.assertIsNone(self.successResultOf(self.client.stopped))


class Reconnecting(ClientCase):
    def tried_after(self):
        """Seconds until the next try."""
        before, at = len(self.server.dials), self.clock.seconds()
        while len(self.server.dials) == before:
            self.clock.advance(0.125)
        return self.clock.seconds() - at

    def test_pauses_grow_and_start_over_after_a_useful_connection(self):
        line = self.connected()
        line.closes(1006)
        pauses = [self.tried_after()]
        for _ in range(7):
            self.server.fails(ConnectError())
            pauses.append(self.tried_after())
        self.assertEqual(pauses, [0.25, 0.5, 1, 2, 4, 8, 15, 15])
        line = self.server.accepts()
        self.clock.advance(9)
        line.closes(1006)
        self.assertEqual(self.tried_after(), 15)
        line = self.server.accepts()
        self.clock.advance(10)
        line.closes(1006)
        self.assertEqual(self.tried_after(), 0.25)

    def test_happens_after_the_codes_that_say_so(self):
        line = self.connected()
        for code in (1001, 1006, 1011, 1013, 4401, 4408):
            self.clock.advance(10)
            line.closes(code)
            self.assertIs(self.client.state, State.WAITING)
            self.assertEqual(self.reasons[-1].code, code)
            self.assertEqual(self.tried_after(), 0.25)
            line = self.server.accepts()

    def test_does_not_happen_after_the_others(self):
        for code in (1000, 1002, 1003, 1007, 1008, 1009, 4409):
            self.client = self.a_client()
            self.connected().closes(code)
            self.assertEqual(self.successResultOf(self.client.stopped).code, code)
            self.assertEqual(self.reasons[-1].code, code)
        self.assertEqual(len(self.server.dials), 7)

    def test_waits_as_long_as_a_busy_server_asks_and_then_a_random_part(self):
        self.client.start()
        self.server.fails(HandshakeRefused(503, {"retry-after": "7"}))
        self.assertEqual(self.tried_after(), 7.25)

    def test_waits_as_long_as_a_leaving_server_says(self):
        line = self.connected()
        line.says(1, 4, {"after_ms": 3250, "reason": "drain"})
        self.clock.advance(2)
        line.closes(1001)
        self.assertEqual(self.tried_after(), 3.25)
        self.assertEqual(self.events, [])

    def test_a_wait_that_was_told_once_does_not_count_for_the_next_connection(self):
        line = self.connected()
        line.says(1, 4, {"after_ms": 3250, "reason": "drain"})
        line.closes(1001)
        self.tried_after()
        self.server.accepts().closes(1001)
        self.assertEqual(self.tried_after(), 0.25)

    def test_a_silent_line_is_asked_and_then_dropped(self):
        line = self.connected()
        self.clock.advance(15)
        self.assertEqual((line.pings, line.closed), (1, None))
        self.clock.advance(10)
        self.assertEqual(line.closed, 1006)
        self.assertIs(self.client.state, State.WAITING)

    def test_a_line_that_answers_is_asked_again_when_it_is_silent_again(self):
        line = self.connected()
        for asked in (1, 2, 3):
            self.clock.advance(14)
            self.assertEqual(line.pings, asked - 1)
            self.clock.advance(2)
            self.assertEqual((line.pings, line.closed), (asked, None))
            self.clock.advance(1)
            line.connection.heard()
            self.clock.advance(9)
            line.connection.heard()

    def test_each_line_is_asked_before_it_is_dropped(self):
        line = self.connected()
        self.clock.advance(16)
        line = self.reconnected(line)
        self.clock.advance(16)
        self.assertEqual((line.pings, line.closed), (1, None))

    def test_a_line_that_says_something_is_left_alone(self):
        line = self.connected()
        for _ in range(10):
            self.clock.advance(14)
            line.connection.heard()
        self.clock.advance(15)
        line.connection.heard()
        self.clock.advance(14)
        self.assertEqual((line.pings, line.closed), (1, None))


class TheToken(ClientCase):
    def refused(self, status=401):
        self.server.fails(HandshakeRefused(status, {}))
        self.clock.advance(60)

    def tokens_tried(self):
        return [token for _, token, _ in self.server.dials]

    def test_is_kept_from_one_connection_to_the_next(self):
        self.reconnected(self.connected())
        self.assertEqual(self.tokens_tried(), ["t1", "t1"])

    def test_that_is_refused_is_replaced_once(self):
        started = self.client.start()
        self.refused()
        self.assertEqual(self.tokens_tried(), ["t1", "t2"])
        self.refused()
        self.failureResultOf(started, HandshakeRefused)
        self.assertEqual(self.tokens_tried(), ["t1", "t2"])

    def test_may_be_refused_again_after_it_was_taken(self):
        self.client.start()
        self.refused()
        line = self.server.accepts()
        line.closes(1001)
        self.clock.advance(60)
        self.refused()
        self.assertEqual(self.tokens_tried(), ["t1", "t2", "t2", "t3"])

    def test_is_a_new_one_after_4401(self):
        self.reconnected(self.connected(), code=4401)
        self.assertEqual(self.tokens_tried(), ["t1", "t2"])

    def test_that_cannot_be_had_is_asked_for_again(self):
        answers = [ConnectError(), "late"]
        self.token = lambda: self.raised_or(answers.pop(0))
        self.client.start()
        self.assertIsInstance(self.reasons[-1], TokenUnavailable)
        self.clock.advance(60)
        self.assertEqual(self.tokens_tried(), ["late"])

    def test_that_will_never_be_had_stops(self):
        self.token = lambda: self.raised_or(NoToken("signed out"))
        self.failureResultOf(self.client.start(), NoToken)

    def raised_or(self, answer):
        if isinstance(answer, Exception):
            raise answer
        return answer

    def alive(self, line, seconds):
        """Time passes on a line where something is said now and then."""
        for _ in range(int(seconds / 10)):
            line.connection.heard()
            self.clock.advance(10)

    def test_is_renewed_a_minute_before_its_end_by_the_servers_clock(self):
        self.clock.advance(10_000)
        line = self.connected(server_time=5 * HOUR_MS, expires_at=6 * HOUR_MS)
        self.alive(line, 3530)
        self.assertEqual(line.asked(1, 3), [])
        self.alive(line, 10)
        self.assertEqual(line.asked(1, 3), [{"token": "t2"}])
        line.answers(line.sent[-1], {"expires_at": 7 * HOUR_MS}, op=1)
        self.alive(line, 3590)
        self.assertEqual(len(line.asked(1, 3)), 1)
        self.alive(line, 10)
        self.assertEqual(line.asked(1, 3), [{"token": "t2"}, {"token": "t3"}])

    def test_once_renewed_serves_the_next_connection(self):
        line = self.connected(server_time=0, expires_at=100_000)
        self.alive(line, 80)
        line.answers(line.sent[-1], {"expires_at": HOUR_MS}, op=1)
        self.reconnected(line)
        self.assertEqual(self.tokens_tried(), ["t1", "t2"])

    def test_due_while_away_is_replaced_before_the_next_connection(self):
        line = self.connected(server_time=0, expires_at=100_000)
        line.closes()
        self.clock.advance(0.3)
        self.server.fails(ConnectError())
        self.clock.advance(30)
        self.assertEqual(self.tokens_tried()[-1], "t1")
        self.server.fails(ConnectError())
        self.clock.advance(60)
        self.assertEqual(self.tokens_tried()[-1], "t2")

    def test_that_cannot_be_renewed_now_is_tried_again_with_another(self):
        line = self.connected(server_time=0, expires_at=100_000)
        answers = [ConnectError(), "good"]
        self.token = lambda: self.raised_or(answers.pop(0))
        self.alive(line, 80)
        self.assertEqual(line.asked(1, 3), [])
        self.alive(line, 10)
        self.assertEqual(line.asked(1, 3), [{"token": "good"}])

    def test_that_cannot_be_renewed_is_asked_for_after_longer_and_longer_pauses(self):
        line, asked_at = self.connected(server_time=0, expires_at=100_000), []
        self.token = lambda: asked_at.append(self.clock.seconds()) or self.raised_or(ConnectError())
        for _ in range(100 * 8):
            line.connection.heard()
            self.clock.advance(0.125)
        self.assertEqual(asked_at, [80, 80.25, 80.75, 81.75, 83.75, 87.75, 95.75])

    def test_that_is_refused_on_the_line_is_left_to_its_end(self):
        line = self.connected(server_time=0, expires_at=100_000)
        self.alive(line, 80)
        line.refuses(line.sent[-1], "bad_request")
        self.alive(line, 500)
        self.assertEqual(len(line.asked(1, 3)), 1)
        self.reconnected(line, code=4401)
        self.assertEqual(self.tokens_tried(), ["t1", "t3"])

    def test_that_does_not_live_longer_is_not_asked_for_in_a_storm(self):
        line = self.connected(server_time=0, expires_at=100_000)
        for _ in range(60):
            self.alive(line, 10)
            if line.sent and line.sent[-1] is not (answered := line.sent[-1]):
                line.answers(answered, {"expires_at": 100_000}, op=1)
        self.assertLess(len(line.asked(1, 3)), 30)

    def test_without_an_end_is_never_renewed(self):
        line = self.connected(server_time=0)
        self.alive(line, 10_000)
        self.assertEqual(line.sent, [])


class Events(ClientCase):
    def test_of_others_are_given_as_they_come(self):
        line = self.connected()
        line.tells(6, 7)
        line.says(14, 2, members_at(8, ME, 2))
        self.assertEqual(self.seqs(), [6, 7, 8])

    def test_of_ones_own_are_made_of_request_and_reply(self):
        line = self.connected()
        call = verbs.send_group(self.client, CHAT, "mine", reply_to=3)
        line.answers(line.sent[0], {"chat_id": CHAT, "message_id": 6, "seq": 6, "sent_at": 99})
        self.assertEqual(self.successResultOf(call).seq, 6)
        (event,) = self.events
        self.assertEqual((event.kind, event.id), ((12, 2), None))
        expected = message_at(6, sender_id=ME, message="mine", sent_at=99, reply_to=3)
        self.assertEqual(event.d, expected)

    def test_of_ones_own_stand_in_their_place(self):
        line = self.connected()
        verbs.send_group(self.client, CHAT, "mine")
        verbs.edit(self.client, CHAT, 1, "other")
        verbs.delete(self.client, CHAT, 1)
        verbs.update_chat(self.client, CHAT, chat="name")
        line.tells(6)
        for seq, request in enumerate(list(line.sent), 7):
            line.answers(request, {**members_at(seq, ME, 2), "message_id": 1, "sent_at": 9})
        line.tells(11)
        self.assertEqual(self.seqs(), [6, 7, 8, 9, 10, 11])

    def test_come_before_the_reply_they_were_made_of(self):
        line = self.connected()
        order = self.events
        verbs.create_group(self.client, [2]).addCallback(lambda chat: order.append("reply"))
        line.answers(line.sent[0], members_at(1, ME, 2, chat_id=9))
        self.assertEqual([str(what)[:5] for what in order], ["Frame", "reply"])

    def test_are_not_made_of_what_changed_nothing(self):
        line = self.connected()
        verbs.send_group(self.client, CHAT, "again")
        line.answers(line.sent[0], message_at(6, dup=True))
        line.tells(6)
        self.assertEqual([event.d["sender_id"] for event in self.events], [2])

    def test_are_not_made_of_what_was_only_read(self):
        line = self.connected(limits=Limits(requests_per_s=99, burst=99))
        for op, t in ((13, 3), (13, 4), (11, 10)):
            self.client.call(op, t, {"chat_id": CHAT})
            line.answers(line.sent[-1], members_at(6, ME, 2))
        self.assertEqual(self.events, [])

    def test_without_a_position_pass_at_once(self):
        line = self.connected()
        others = [(2, 1), (3, 1), (12, 8), (12, 9), (17, 1), (17, 2), (17, 3), (17, 4), (17, 5)]
        for op, t in others:
            line.says(op, t, {"chat_id": CHAT, "user_id": 2})
        self.assertEqual([event.kind for event in self.events], others)

    def test_a_missing_one_is_fetched_through_another_connection(self):
        line = self.connected()
        line.tells(6, 8)
        self.assertEqual((line.closed, self.seqs()), (1006, [6]))
        self.clock.advance(60)
        line = self.server.accepts({CHAT: 8})
        self.assertEqual(line.asked(1, 2), [{"chats": {str(CHAT): 6}, "epoch": "e"}])
        line.tells(7, 8)
        self.assertEqual(self.seqs(), [6, 7, 8])

    def test_after_a_missing_one_nothing_of_the_old_line_counts(self):
        line = self.connected()
        call = verbs.send_group(self.client, CHAT, "mine")
        line.abort = lambda: None
        line.tells(7, 6)
        line.answers(line.sent[0], message_at(6))
        line.says(2, 1)
        self.assertEqual(self.events, [])
        self.successResultOf(call)
        verbs.send_group(self.client, CHAT, "later")
        self.assertEqual((len(line.asked(11, 2)), self.client.connection), (1, None))
        line.closes()

    def test_a_callback_that_raises_is_logged_and_the_next_event_comes(self):
        def sink(event):
            self.events.append(event)
            raise ZeroDivisionError

        self.client = self.a_client(on_event=sink)
        self.connected().tells(6, 7)
        self.assertEqual(self.seqs(), [6, 7])
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 2)


class CatchingUp(ClientCase):
    def test_asks_for_the_chats_that_went_on_only(self):
        line = self.connected({7: 5, 8: 3})
        line.tells(6)
        line = self.reconnected(line, {7: 9, 8: 3})
        self.assertEqual(line.sent, [{"op": 1, "t": 2, "d": {"chats": {"7": 6}, "epoch": "e"}, "id": 1}])

    def test_gives_the_replay_and_then_what_came_meanwhile(self):
        line = self.reconnected(self.connected(), {CHAT: 7})
        line.tells(8)
        line.tells(6, 7, sender_id=3)
        line.answers(line.sent[0], {"heads": {"7": 7}, "reset": []}, op=1)
        line.tells(9)
        self.assertEqual(self.seqs(), [6, 7, 8, 9])
        self.assertEqual(self.resets, [])

    def test_tells_what_is_void(self):
        line = self.reconnected(self.connected({7: 5, 8: 3, 9: 1}), {7: 9, 9: 1, 10: 4})
        self.assertEqual(self.resets, [[8, 10]])
        line.tells(10)
        line.answers(line.sent[0], {"heads": {}, "reset": [7]}, op=1)
        self.assertEqual((self.resets, self.seqs()), ([[8, 10], [7]], [10]))

    def test_comes_before_what_is_sent_again(self):
        line = self.connected()
        verbs.send_group(self.client, CHAT, "mine")
        line = self.reconnected(line, {CHAT: 6})
        self.assertEqual([(sent["op"], sent["t"]) for sent in line.sent], [(1, 2), (11, 2)])
        line.tells(6, sender_id=ME)
        line.answers(line.sent[0], {"heads": {"7": 6}, "reset": []}, op=1)
        line.answers(line.sent[1], message_at(6, dup=True))
        self.assertEqual(self.seqs(), [6])

    def test_of_many_chats_takes_several_requests_one_at_a_time(self):
        many = Limits(requests_per_s=100, burst=100)
        chats = range(1, 251)
        line = self.connected(dict.fromkeys(chats, 1), limits=many)
        line = self.reconnected(line, dict.fromkeys(chats, 2), limits=many)
        for asked in (100, 200, 250):
            self.assertEqual(sum(len(d["chats"]) for d in line.asked(1, 2)), asked)
            for chat_id in line.asked(1, 2)[-1]["chats"]:
                line.tells(2, chat_id=int(chat_id))
            line.answers(line.sent[-1], {"heads": {}, "reset": []}, op=1)
        self.assertEqual(len(line.sent), 3)
        self.assertEqual(sorted(event.d["chat_id"] for event in self.events), list(chats))

    def test_that_is_refused_in_passing_is_tried_again(self):
        line = self.reconnected(self.connected(), {CHAT: 6})
        for code in ("unavailable", "internal", "rate_limited"):
            line.refuses(line.sent[-1], code)
            self.clock.advance(2)
        self.assertEqual([s["d"] for s in line.sent], [line.sent[0]["d"]] * 4)
        line.tells(6)
        self.assertEqual((self.seqs(), self.resets), ([6], []))

    def test_that_is_refused_for_good_is_a_reset(self):
        line = self.reconnected(self.connected(), {CHAT: 6})
        line.refuses(line.sent[0], "unknown_op")
        line.tells(7)
        self.assertEqual((self.resets, self.seqs()), ([[CHAT]], [7]))

    def test_that_is_cut_off_begins_anew_from_where_it_came(self):
        line = self.reconnected(self.connected(), {CHAT: 9})
        line.tells(6, 7)
        line = self.reconnected(line, {CHAT: 11})
        self.assertEqual(line.asked(1, 2), [{"chats": {"7": 7}, "epoch": "e"}])
        line.tells(8, 9, 10, 11)
        self.assertEqual(self.seqs(), [6, 7, 8, 9, 10, 11])

    def test_that_waits_for_its_turn_when_the_line_breaks_is_asked_anew(self):
        line = self.reconnected(self.connected(), {CHAT: 9})
        line.tells(6)
        line.refuses(line.sent[0], "unavailable")
        line = self.reconnected(line, {CHAT: 9})
        self.assertEqual(line.asked(1, 2), [{"chats": {"7": 6}, "epoch": "e"}])

    def test_that_does_not_go_on_drops_the_line(self):
        line = self.reconnected(self.connected(), {CHAT: 9})
        for _ in range(5):
            self.clock.advance(14)
            line.connection.heard()
        self.assertEqual(line.closed, 1006)

    def test_that_goes_on_slowly_is_left_alone(self):
        line = self.reconnected(self.connected(), {CHAT: 20})
        for seq in range(6, 16):
            self.clock.advance(14)
            line.tells(seq)
        self.assertIsNone(line.closed)

    def test_in_another_epoch_everything_is_void(self):
        line = self.reconnected(self.connected({7: 5, 8: 3}), {7: 5, 9: 1}, epoch="f")
        self.assertEqual((self.resets, line.sent), ([[7, 8, 9]], []))
        line.tells(6)
        self.assertEqual(self.seqs(), [6])
