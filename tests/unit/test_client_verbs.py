"""The verbs: what each sends, and what becomes of its reply."""

import json

import msgspec
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from chatsrv.client import verbs
from chatsrv.client.connection import Connection
from chatsrv.wire.requests import REQUESTS
from tests.unit.test_client_connection import FakeLine


class VerbCase(SynchronousTestCase):
    def setUp(self):
        self.line = FakeLine()
        self.connection = Connection(Clock(), self.line)

    def replied(self, call, op, t, d):
        """The result of a call whose reply this is."""
        request_id = self.line.sent[-1]["id"]
        self.connection.text_arrived(json.dumps({"op": op, "t": t, "d": d, "id": request_id}).encode())
        return self.successResultOf(call)


class Requests(VerbCase):
    def test_each_verb_sends_its_row(self):
        connection = self.connection
        named = {"chat_id": 5, "message": "a", "reply_to": 3, "nonce": "n"}
        rows = [
            (verbs.send_private(connection, 5, "a"), 11, 1, {"chat_id": 5, "message": "a"}),
            (verbs.send_group(connection, 5, "b"), 11, 2, {"chat_id": 5, "message": "b"}),
            (verbs.send_private(connection, 5, "a", reply_to=3, nonce="n"), 11, 1, named),
            (verbs.send_group(connection, 5, "a", reply_to=3, nonce="n"), 11, 2, named),
            (verbs.edit(connection, 5, 1, "c"), 11, 6, {"chat_id": 5, "message_id": 1, "message": "c"}),
            (verbs.delete(connection, 5, 1), 11, 7, {"chat_id": 5, "message_id": 1}),
            (verbs.mark_read(connection, 5, 1), 11, 8, {"chat_id": 5, "message_id": 1}),
            (verbs.typing(connection, 5), 11, 9, {"chat_id": 5}),
            (verbs.history(connection, 5), 11, 10, {"chat_id": 5}),
            (verbs.history(connection, 5, after=0, limit=9), 11, 10, {"chat_id": 5, "after": 0, "limit": 9}),
            (verbs.history(connection, 5, before=8), 11, 10, {"chat_id": 5, "before": 8}),
            (verbs.create_private(connection, 2), 13, 1, {"user_ids": [2], "type": 1}),
            (verbs.create_group(connection, [2, 3]), 13, 1, {"user_ids": [2, 3], "type": 2}),
            (
                verbs.create_group(connection, [2], "name", nonce="n"),
                *(13, 1, {"user_ids": [2], "type": 2, "chat": "name", "nonce": "n"}),
            ),
            (
                verbs.update_chat(connection, 5, add_users=[4], chat=""),
                *(13, 2, {"chat_id": 5, "add_users": [4], "chat": ""}),
            ),
            (verbs.details(connection, 5), 13, 3, {"chat_id": 5}),
            (verbs.inbox(connection), 13, 4, {}),
            (verbs.inbox(connection, cursor="7-5", limit=9), 13, 4, {"cursor": "7-5", "limit": 9}),
            (verbs.add_friend(connection, 2), 16, 1, {"user_id": 2}),
            (verbs.answer_friend(connection, 2, verbs.Answer.DENY), 16, 2, {"user_id": 2, "type": 2}),
            (verbs.remove_friend(connection, 2), 16, 3, {"user_id": 2}),
            (verbs.block(connection, 2), 16, 4, {"user_id": 2}),
            (verbs.unblock(connection, 2), 16, 5, {"user_id": 2}),
            (verbs.list_friends(connection), 16, 6, {}),
            (verbs.catch_up(connection, {5: 3}, epoch="e"), 1, 2, {"chats": {"5": 3}, "epoch": "e"}),
            (verbs.renew(connection, "tok.en"), 1, 3, {"token": "tok.en"}),
        ]
        sent = [(sent["op"], sent["t"], sent.get("d", {})) for sent in self.line.sent]
        self.assertEqual(sent, [row[1:] for row in rows])
        self.assertEqual({(op, t) for op, t, _ in sent}, set(REQUESTS))
        for op, t, d in sent:
            msgspec.convert(d, REQUESTS[op, t], str_keys=True)


class Replies(VerbCase):
    def test_become_structs(self):
        d = {"chat_id": 5, "message_id": 1, "seq": 2, "sent_at": 9}
        sent = self.replied(verbs.send_group(self.connection, 5, "b"), 12, 2, d)
        self.assertEqual(sent, verbs.Sent(5, 1, 2, 9))
        again = self.replied(verbs.send_group(self.connection, 5, "b"), 12, 2, {**d, "dup": True})
        self.assertTrue(again.dup)

    def test_of_a_page_of_history_hold_messages(self):
        messages = [
            {"message_id": 1, "sender_id": 2, "sent_at": 9, "deleted": True},
            {"message_id": 2, "sender_id": 2, "sent_at": 9, "message": "x", "edited_at": 10, "reply_to": 1},
        ]
        d = {"chat_id": 5, "messages": messages, "more": True}
        page = self.replied(verbs.history(self.connection, 5), 12, 10, d)
        gone, edited = page.messages
        self.assertEqual((gone.message, gone.deleted, page.more), (None, True, True))
        self.assertEqual((edited.message, edited.edited_at, edited.reply_to), ("x", 10, 1))

    def test_keyed_by_id_have_numbers_as_keys(self):
        d = {"chat_id": 5, "type": 2, "chat": "", "users": [1], "created_at": 1, "last_message_id": 3}
        d |= {"seq": 4, "read": {"1": 3}}
        self.assertEqual(self.replied(verbs.details(self.connection, 5), 14, 3, d).read, {1: 3})
        caught = self.replied(
            verbs.catch_up(self.connection, {5: 3}), 1, 2, {"heads": {"5": 4}, "reset": [6]}
        )
        self.assertEqual((caught.heads, caught.reset), ({5: 4}, [6]))

    def test_of_an_inbox_hold_rows_and_the_way_on(self):
        row = {"chat_id": 5, "type": 1, "chat": "", "user_id": 2, "users_count": 2, "last_message_id": 3}
        row |= {"seq": 4, "read": 1, "unread": 2, "last": {"message_id": 3, "sender_id": 2, "sent_at": 9}}
        inbox = self.replied(verbs.inbox(self.connection), 14, 4, {"chats": [row], "cursor": "c"})
        self.assertEqual((inbox.chats[0].unread, inbox.chats[0].last.message_id, inbox.cursor), (2, 3, "c"))

    def test_about_friends_and_tokens(self):
        lists = {"friends": [2], "incoming": [3], "outgoing": [], "blocked": [4]}
        relations = self.replied(verbs.list_friends(self.connection), 17, 6, lists)
        self.assertEqual((relations.friends, relations.blocked), ([2], [4]))
        self.assertEqual(self.replied(verbs.block(self.connection, 4), 17, 4, {"user_id": 4}).user_id, 4)
        renewed = self.replied(verbs.renew(self.connection, "t"), 1, 3, {"expires_at": 9})
        self.assertEqual(renewed.expires_at, 9)
