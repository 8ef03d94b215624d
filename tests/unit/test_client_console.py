"""The terminal client: what a person types, and what he sees."""

import contextlib
import io

import msgspec
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.trial.unittest import SynchronousTestCase

from chatsrv.client import __main__ as program
from chatsrv.client.commands import HELP, command
from chatsrv.client.console import QUIT_PATIENCE_S, Console
from chatsrv.wire.requests import REQUESTS
from tests.unit.test_client_kit import CHAT, ME, ClientCase, members_at


class Commands(SynchronousTestCase):
    examples = {
        "private 2": (13, 1, {"user_ids": [2], "type": 1}),
        "group name 2 3": (13, 1, {"user_ids": [2, 3], "type": 2, "chat": "name"}),
        "say 7 a  b": (11, 1, {"chat_id": 7, "message": "a  b"}),
        "say 7 a ": (11, 1, {"chat_id": 7, "message": "a "}),
        "say 8 a": (11, 2, {"chat_id": 8, "message": "a"}),
        "edit 7 4 new text": (11, 6, {"chat_id": 7, "message_id": 4, "message": "new text"}),
        "delete 7 4": (11, 7, {"chat_id": 7, "message_id": 4}),
        "read 7 4": (11, 8, {"chat_id": 7, "message_id": 4}),
        "history 7": (11, 10, {"chat_id": 7}),
        "history 7 4": (11, 10, {"chat_id": 7, "before": 4}),
        "details 7": (13, 3, {"chat_id": 7}),
        "inbox": (13, 4, {}),
        "add 7 2 3": (13, 2, {"chat_id": 7, "add_users": [2, 3]}),
        "remove 7 2": (13, 2, {"chat_id": 7, "remove_users": [2]}),
        "rename 7 a name": (13, 2, {"chat_id": 7, "chat": "a name"}),
        "leave 7": (13, 2, {"chat_id": 7, "remove_users": [1]}),
        "friend 2": (16, 1, {"user_id": 2}),
        "accept 2": (16, 2, {"user_id": 2, "type": 1}),
        "deny 2": (16, 2, {"user_id": 2, "type": 2}),
        "unfriend 2": (16, 3, {"user_id": 2}),
        "block 2": (16, 4, {"user_id": 2}),
        "unblock 2": (16, 5, {"user_id": 2}),
        "friends": (16, 6, {}),
    }

    def test_stand_for_requests_that_are_valid(self):
        for typed, request in self.examples.items():
            self.assertEqual(command(typed, {7: 1}, me=1), request, typed)
            msgspec.convert(request[2], REQUESTS[request[:2]])

    def test_are_all_in_the_help(self):
        for typed in self.examples:
            self.assertIn(typed.split()[0], HELP.replace("|", " ").split(), typed)

    def refusal(self, typed):
        return str(self.assertRaises(ValueError, command, typed, {}, me=1))

    def test_with_something_wrong_are_answered_by_their_form(self):
        for typed in ("say", "say 7", "say x y"):
            self.assertEqual(self.refusal(typed), "use: say CHAT TEXT")
        self.assertEqual(self.refusal("edit 7 4"), "use: edit CHAT MESSAGE TEXT")
        self.assertEqual(self.refusal("deny"), "use: deny USER")
        for typed in self.examples:
            verb = typed.split()[0]
            if verb not in ("group", "inbox", "friends"):
                self.assertTrue(self.refusal(f"{verb} ?").startswith(f"use: {verb} "), typed)

    def test_that_are_none_are_refused(self):
        for typed in ("nonsense 7", "nonsense", "[]", "CHAT 7"):
            self.assertEqual(self.refusal(typed), "that is no command; try help")
        for typed in ("{", '{"op": "1", "t": 2}', '{"d":' * 10_000):
            self.assertIn("that is no request: ", self.refusal(typed))


class TheConsole(ClientCase):
    def setUp(self):
        super().setUp()
        self.console = Console(self.clock)
        self.console.transport = StringTransport()
        self.client = self.a_client(
            on_event=self.console.show_frame,
            on_reset=self.console.show_reset,
            on_state=self.console.show_state,
        )
        self.line = self.connected()
        self.console.begin(self.client)
        self.line.tells(6)  # of which type the chat is
        self.shown()

    def shown(self):
        """The lines shown since the last time."""
        text = self.console.transport.value().decode()
        self.console.transport.clear()
        return text.splitlines()

    def typed(self, text):
        self.console.lineReceived(text.encode())

    def test_shows_a_reply_and_not_its_event_too(self):
        self.typed("say 7 Hello")
        self.line.answers(self.line.sent[0], {"chat_id": CHAT, "message_id": 1, "seq": 7, "sent_at": 9})
        self.assertEqual(self.shown(), ['< 12/2 {"chat_id":7,"message_id":1,"seq":7,"sent_at":9}'])

    def test_shows_events_of_others_and_of_other_devices(self):
        self.typed("say 7 Hello")
        self.line.tells(7, sender_id=ME)
        self.line.tells(8)
        self.line.answers(self.line.sent[0], {"chat_id": CHAT, "message_id": 1, "seq": 9, "sent_at": 9})
        self.assertEqual([line[:6] for line in self.shown()], ["* 12/2", "* 12/2", "< 12/2"])

    def test_shows_the_creation_of_a_chat_once(self):
        self.typed("group g 2")
        self.line.answers(self.line.sent[0], members_at(1, ME, 2, chat_id=9))
        self.assertEqual([line[:6] for line in self.shown()], ["< 14/1"])

    def test_an_own_event_from_elsewhere_is_shown_when_the_answer_is_a_refusal(self):
        self.typed("say 7 Hello")
        self.line.tells(7, sender_id=ME)
        self.line.refuses(self.line.sent[0], "forbidden")
        self.assertEqual([line[:6] for line in self.shown()], ["! forb", "* 12/2"])

    def test_learns_the_type_of_a_chat_and_keeps_the_order_of_lines(self):
        for text in ("say 8 one", "say 7 two", "say 8 three"):
            self.typed(text)
        details, *early = self.line.sent
        self.assertEqual((details["op"], details["t"], details["d"], early), (13, 3, {"chat_id": 8}, []))
        self.line.answers(details, {"chat_id": 8, "type": 1})
        for sent in range(1, 4):
            self.assertEqual(len(self.line.sent), sent + 1)
            self.line.answers(self.line.sent[sent], self.line.sent[sent]["d"])
        said = [(sent["op"], sent["t"], sent["d"]["message"]) for sent in self.line.sent[1:]]
        self.assertEqual(said, [(11, 1, "one"), (11, 2, "two"), (11, 1, "three")])

    def test_a_chat_whose_type_is_not_told_does_not_hold_up_the_next_line(self):
        self.typed("say 9 Hello")
        self.typed("inbox")
        self.line.refuses(self.line.sent[0], "not_found")
        self.assertEqual([line[:11] for line in self.shown()], ["! not_found"])
        self.assertEqual([(sent["op"], sent["t"]) for sent in self.line.sent], [(13, 3), (13, 4)])

    def test_sends_any_request(self):
        self.typed('{"op": 99, "t": 1, "d": {"x": 1}, "id": "mine"}')
        self.assertEqual(self.line.sent, [{"op": 99, "t": 1, "d": {"x": 1}, "id": 1}])
        self.line.refuses(self.line.sent[0], "unknown_op")
        self.assertEqual(self.shown(), ["! unknown_op: unknown_op"])

    def test_says_what_is_wrong_and_sends_nothing(self):
        for typed, said in (
            ("nonsense", "! that is no command; try help"),
            ("say 7", "! use: say CHAT TEXT"),
            ('{"op": 1, "t": 2}', "! the client itself sends 1/2"),
            ('{"op": 1, "t": 3, "d": {"token": "x"}}', "! the client itself sends 1/3"),
        ):
            self.typed(typed)
            self.assertEqual(self.shown(), [said])
        self.console.lineReceived(b"say 7 \xff")
        self.assertEqual(self.shown(), ["! that is not UTF-8; nothing was sent"])
        self.assertEqual(self.line.sent, [])

    def test_shows_the_help(self):
        self.typed("help")
        self.assertEqual(self.shown(), f"{HELP}\n".splitlines())

    def test_survives_a_broken_line_and_says_so(self):
        self.line = self.reconnected(self.line, {CHAT: 6, 8: 1})
        self.assertEqual(
            self.shown(),
            [
                "- waiting before the next try: the connection is closed: 1006",
                "- connected",
                "- missed some of chats [8]; see their history",
            ],
        )
        self.typed("inbox")
        self.line.answers(self.line.sent[0], {"chats": []})
        self.assertEqual(self.shown(), ['< 14/4 {"chats":[]}'])

    def test_sends_a_text_as_it_was_typed_but_for_the_end_of_the_line(self):
        self.console.dataReceived(b"  say 7 a  b \r\n")
        self.assertEqual(self.line.sent[0]["d"]["message"], "a  b ")

    def test_ends_after_the_last_answer_when_the_input_does(self):
        self.console.dataReceived(b"friend 2\nfriend 3")
        self.console.readConnectionLost()
        for sent in range(2):
            self.assertNoResult(self.console.ended)
            self.line.answers(self.line.sent[sent], {"user_id": sent + 2, "from": 1})
        self.assertEqual(self.successResultOf(self.console.ended), [])

    def test_ends_after_the_last_answer_when_told(self):
        for text in ("say 7 one", "say 7 two", "quit", "say 7 three"):
            self.typed(text)
        for sent in range(2):
            self.clock.advance(QUIT_PATIENCE_S - 0.1)
            self.assertNoResult(self.console.ended)
            self.line.answers(self.line.sent[sent])
        self.assertEqual(self.successResultOf(self.console.ended), [])
        self.assertEqual(len(self.line.sent), 2)

    def test_ends_at_once_when_told_and_nothing_waits(self):
        self.typed("quit")
        self.assertEqual(self.successResultOf(self.console.ended), [])

    def test_names_what_was_not_answered_in_time(self):
        for text in ("say 7 one", "say 7 two", "quit"):
            self.typed(text)
        self.line.closes()
        self.clock.advance(QUIT_PATIENCE_S)
        self.assertEqual(self.successResultOf(self.console.ended), ["say 7 one", "say 7 two"])

    def test_names_a_request_whose_outcome_is_unknown(self):
        self.typed("friend 2")
        self.line.closes()
        self.typed("nonsense")
        self.typed("quit")
        self.assertEqual(self.successResultOf(self.console.ended), ["friend 2"])


class Reactor(Clock):
    """A clock that can be interrupted."""

    def addSystemEventTrigger(self, phase, event, trigger):
        assert (phase, event) == ("before", "shutdown")
        self.interrupt = trigger


class TheProgram(ClientCase):
    def setUp(self):
        super().setUp()
        self.patch(program, "StandardIO", lambda console, reactor: self.at_a_terminal(console))
        self.terminal = StringTransport()
        self.reactor = Reactor()
        self.errors = io.StringIO()
        redirected = contextlib.ExitStack()
        redirected.enter_context(contextlib.redirect_stderr(self.errors))
        self.addCleanup(redirected.close)
        self.talk = Deferred.fromCoroutine(program.talk(self.reactor, "ws://server/ws", "token"))

    def at_a_terminal(self, console):
        self.console = console
        console.makeConnection(self.terminal)

    def left(self):
        """What was said at the end."""
        self.assertEqual(self.reactor.getDelayedCalls(), [])
        return self.errors.getvalue().splitlines()

    def test_closes_when_interrupted(self):
        line = self.server.accepts()
        self.terminal.clear()
        self.reactor.interrupt()
        self.successResultOf(self.talk)
        self.assertEqual((line.closed, self.left(), self.terminal.value()), (1000, ["closed"], b""))

    def test_closes_when_interrupted_before_there_is_a_connection(self):
        self.server.dials[-1][2].addErrback(lambda failure: failure)
        self.reactor.interrupt()
        self.failureResultOf(self.talk, SystemExit)
        self.assertEqual(self.left(), [])

    def test_fails_when_something_was_not_answered(self):
        self.server.accepts()
        self.console.dataReceived(b"inbox\nfriends\nquit\n")
        self.reactor.advance(QUIT_PATIENCE_S)
        self.assertEqual(self.failureResultOf(self.talk, SystemExit).value.code, 1)
        said = "! not sent or not answered: "
        self.assertEqual(self.left(), [f"{said}inbox", f"{said}friends", "closed"])

    def test_fails_when_the_client_stops_by_itself(self):
        self.server.accepts().closes(1008, "not you")
        self.assertEqual(self.failureResultOf(self.talk, SystemExit).value.code, 1)
        self.assertEqual(self.left(), ["closed: the connection is closed: 1008 not you"])
