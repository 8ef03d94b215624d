"""The terminal client: what a person types, and what he sees."""

import msgspec
from twisted.internet.testing import StringTransport
from twisted.trial.unittest import SynchronousTestCase

from chatsrv.client.commands import HELP, command
from chatsrv.client.console import Console
from chatsrv.wire.requests import REQUESTS
from tests.unit.test_client_kit import CHAT, ME, ClientCase, members_at, message_at


class Commands(SynchronousTestCase):
    examples = {
        "private 2": (13, 1, {"user_ids": [2], "type": 1}),
        "group name 2 3": (13, 1, {"user_ids": [2, 3], "type": 2, "chat": "name"}),
        "say 7 a  b": (11, 1, {"chat_id": 7, "message": "a  b"}),
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

    def test_that_are_none_are_refused(self):
        for typed in ("nonsense 7", "say", "say 7", "say x y", "edit 7 4", "friend", "private", "nonsense"):
            with self.assertRaises((ValueError, IndexError)):
                command(typed, {}, me=1)


class TheConsole(ClientCase):
    def setUp(self):
        super().setUp()
        self.console = Console()
        self.console.transport = StringTransport()
        self.client = self.a_client(
            on_event=self.console.show_frame,
            on_reset=self.console.show_reset,
            on_state=self.console.show_state,
        )
        self.line = self.connected()
        self.console.begin(self.client)
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
        self.line.answers(self.line.sent[0], {"chat_id": CHAT, "message_id": 1, "seq": 6, "sent_at": 9})
        self.assertEqual(self.shown(), ['< 12/2 {"chat_id":7,"message_id":1,"seq":6,"sent_at":9}'])

    def test_shows_events_of_others_and_of_other_devices(self):
        self.typed("say 7 Hello")
        self.line.tells(6, sender_id=ME)
        self.line.tells(7)
        self.line.answers(self.line.sent[0], {"chat_id": CHAT, "message_id": 1, "seq": 8, "sent_at": 9})
        self.assertEqual([line[:6] for line in self.shown()], ["* 12/2", "* 12/2", "< 12/2"])

    def test_shows_the_creation_of_a_chat_once(self):
        self.typed("group g 2")
        self.line.answers(self.line.sent[0], members_at(1, ME, 2, chat_id=9))
        self.assertEqual([line[:6] for line in self.shown()], ["< 14/1"])

    def test_an_own_event_from_elsewhere_is_shown_when_the_answer_is_a_refusal(self):
        self.typed("say 7 Hello")
        self.line.tells(6, sender_id=ME)
        self.line.refuses(self.line.sent[0], "forbidden")
        self.assertEqual([line[:6] for line in self.shown()], ["! forb", "* 12/2"])

    def test_tries_the_other_type_of_chat_once(self):
        self.typed("say 7 Hello")
        self.line.refuses(self.line.sent[0], "wrong_chat_type")
        self.line.answers(self.line.sent[1], message_at(6))
        self.assertEqual([(s["op"], s["t"]) for s in self.line.sent], [(11, 2), (11, 1)])
        self.typed("say 7 Again")
        self.assertEqual(self.line.sent[2]["t"], 1)
        self.line.refuses(self.line.sent[2], "wrong_chat_type")
        self.assertEqual(len(self.line.sent), 3)

    def test_sends_any_request(self):
        self.typed('{"op": 99, "t": 1, "d": {"x": 1}, "id": "mine"}')
        self.assertEqual(self.line.sent, [{"op": 99, "t": 1, "d": {"x": 1}, "id": 1}])
        self.line.refuses(self.line.sent[0], "unknown_op")
        self.assertEqual(self.shown(), ["! unknown_op: unknown_op"])

    def test_says_what_is_no_command(self):
        for text in ("nonsense", "{", "[]", '{"op": 1, "t": 2}', '{"op": "1", "t": 2}'):
            self.typed(text)
            self.assertEqual(self.shown(), ["! that is no command; try help"], text)
        self.typed("help")
        self.assertEqual(self.shown(), f"{HELP}\n".splitlines())

    def test_survives_a_broken_line_and_says_so(self):
        self.line = self.reconnected(self.line, {CHAT: 5, 8: 1})
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

    def test_ends_after_the_last_answer_when_the_input_does(self):
        self.typed("inbox")
        self.console.readConnectionLost()
        self.assertNoResult(self.console.ended)
        self.line.answers(self.line.sent[0], {"chats": []})
        self.successResultOf(self.console.ended)

    def test_ends_when_told(self):
        self.typed("quit")
        self.successResultOf(self.console.ended)
