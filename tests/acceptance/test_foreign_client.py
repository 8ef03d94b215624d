"""Every core row, end to end, with a WebSocket library that shares no code with ours: PyPI ``websockets``."""

import json
from contextlib import ExitStack

from twisted.internet.threads import deferToThread
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

from tests.support.chat import ChatCase
from tests.support.tokens import token_for

WAIT_S = 8


class Foreign:
    """A blocking client; for a thread."""

    def __init__(self, url, user_id, protocol=None, in_header=True):
        self.stack = ExitStack()
        token = token_for(user_id)
        protocols = [name for name in (protocol, None if in_header else f"bearer.{token}") if name]
        headers = {"Authorization": f"Bearer {token}"} if in_header else {}
        opening = connect(url, additional_headers=headers, subprotocols=protocols or None)
        self.socket = self.stack.enter_context(opening)
        self.protocol = self.socket.subprotocol
        self.hello = self.read()
        assert (self.hello["op"], self.hello["t"]) == (1, 1), self.hello
        self.first_status = self.read()
        assert (self.first_status["op"], self.first_status["t"]) == (2, 1), self.first_status

    def read(self):
        return json.loads(self.socket.recv(WAIT_S))

    def send(self, op, t, d, **envelope):
        self.socket.send(json.dumps({"op": op, "t": t, "d": d, **envelope}))

    def expect(self, op, t, **members):
        """The next frame but status; its ``d``."""
        frame = self.read()
        while frame["op"] == 2:
            frame = self.read()
        assert (frame["op"], frame["t"]) == (op, t), frame
        for name, value in members.items():
            assert frame["d"][name] == value, (frame, name)
        assert "id" not in frame, frame
        return frame["d"]

    def call(self, op, t, d):
        """A request with ``id``; the ``d`` of the frame that has it, which must come next."""
        self.send(op, t, d, id="q")
        frame = self.read()
        while frame["op"] == 2:
            frame = self.read()
        assert frame.get("id") == "q", frame
        assert (frame["op"], frame["t"]) in ((op + 1, t), (3, 1)), frame
        return frame["d"]


class ForeignClient(ChatCase):
    def in_thread(self, script, *args):
        return deferToThread(script, self.node.url, *args)

    async def test_all_core_rows_in_the_full_profile(self):
        await self.in_thread(all_core_rows, "chatsrv.v1", True)

    async def test_all_core_rows_in_the_core_profile(self):
        await self.in_thread(all_core_rows, "chatsrv.core", True)

    async def test_all_core_rows_without_a_subprotocol(self):
        await self.in_thread(all_core_rows, None, True)

    async def test_all_core_rows_as_a_browser_has_to_connect(self):
        await self.in_thread(all_core_rows, "chatsrv.v1", False)

    async def test_a_refused_handshake(self):
        await self.in_thread(refused)


class ForeignClientThatCompresses(ChatCase):
    """The library offers permessage-deflate, and compresses whatever it sends once that is agreed on."""

    settings = {"compression": True}

    async def test_all_core_rows(self):
        await deferToThread(all_core_rows, self.node.url, "chatsrv.core", True)

    async def test_long_texts_and_pages_come_back_whole(self):
        await deferToThread(long_texts, self.node.url)


def long_texts(url):
    alice, bob = (Foreign(url, user_id, "chatsrv.v1") for user_id in (1, 2))
    assert [extension.name for extension in alice.socket.protocol.extensions] == ["permessage-deflate"]
    chat_id = alice.call(13, 1, {"user_ids": [2], "type": 2})["chat_id"]
    bob.expect(14, 1, chat_id=chat_id)
    texts = [letter * 4000 for letter in ("a", "é", "€", "😀")]
    for text in texts:
        assert "message_id" in alice.call(11, 2, {"chat_id": chat_id, "message": text})
        bob.expect(12, 2, chat_id=chat_id, message=text)
    page = bob.call(11, 10, {"chat_id": chat_id})
    assert [message["message"] for message in page["messages"]] == texts
    for user in (alice, bob):
        user.stack.close()


def all_core_rows(url, protocol, in_header):
    alice, bob = (Foreign(url, user_id, protocol, in_header) for user_id in (1, 2))
    assert alice.protocol == bob.protocol == protocol
    hello = alice.hello["d"]
    assert (hello["chat_ids"], hello["friend_ids"]) == ([], [])
    friends(alice, bob)
    private(alice, bob)
    group(alice, bob)
    alice.send(11, 1, {"chat_id": 999, "message": "x"})
    alice.expect(3, 1, code="not_found")
    again = Foreign(url, 2, protocol, in_header)
    assert len(again.hello["d"]["chat_ids"]) == 1, again.hello
    assert (again.hello["d"]["friend_ids"], again.first_status["d"]["user_ids"]) == ([1], [1])
    alice.socket.send(b"\x00")
    assert close_code_of(alice) == 1003
    for user in (alice, bob, again):
        user.stack.close()


def friends(alice, bob):
    alice.send(16, 1, {"user_id": 2})
    alice.expect(17, 1, user_id=2)
    bob.expect(17, 1, user_id=1)
    bob.send(16, 2, {"user_id": 1, "type": 1})
    bob.expect(17, 2, user_id=1, type=1)
    alice.expect(17, 2, user_id=2, type=1)


def private(alice, bob):
    alice.send(13, 1, {"user_ids": [2], "type": 1})
    chat_id = alice.expect(14, 1)["chat_id"]
    bob.expect(14, 1, chat_id=chat_id)
    alice.send(11, 1, {"chat_id": chat_id, "message": "hallo"})
    bob.expect(12, 1, chat_id=chat_id, message="hallo")
    assert bob.call(11, 1, {"chat_id": chat_id, "message": "zurück"})["message_id"] == 2
    alice.expect(12, 1, chat_id=chat_id, message="zurück")


def group(alice, bob):
    chat_id = alice.call(13, 1, {"user_ids": [2], "type": 2})["chat_id"]
    bob.expect(14, 1, chat_id=chat_id)
    alice.send(11, 2, {"chat_id": chat_id, "message": "eins"})
    message_id = bob.expect(12, 2, chat_id=chat_id, sender_id=1, message="eins")["message_id"]
    alice.send(11, 6, {"chat_id": chat_id, "message_id": message_id, "message": "zwei"})
    bob.expect(12, 6, chat_id=chat_id, message_id=message_id, message="zwei")
    alice.send(11, 7, {"chat_id": chat_id, "message_id": message_id})
    bob.expect(12, 7, chat_id=chat_id, message_id=message_id)
    bob.send(13, 2, {"chat_id": chat_id, "chat": "Wir"})
    for user in (alice, bob):
        assert sorted(user.expect(14, 2, chat_id=chat_id, chat="Wir")["users"]) == [1, 2]
    alice.send(13, 2, {"chat_id": chat_id, "chat": "Ich", "add_users": [], "remove_users": [2]})
    for user in (alice, bob):
        assert user.expect(14, 2, chat_id=chat_id, chat="Ich")["users"] == [1]


def close_code_of(user):
    """Read to the end; the code in the server's close frame."""
    try:
        while True:
            user.read()
    except ConnectionClosed as closed:
        return closed.rcvd.code


def refusal_of(url, headers):
    """The answer to a handshake that must be refused."""
    try:
        with connect(url, additional_headers=headers):
            raise AssertionError("not refused")
    except InvalidStatus as error:
        return error.response


def refused(url):
    for headers in ({}, {"Authorization": "Bearer x"}):
        response = refusal_of(url, headers)
        assert response.status_code == 401, response
        assert response.headers["WWW-Authenticate"].startswith("Bearer")
