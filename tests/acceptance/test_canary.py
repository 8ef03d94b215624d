"""A word in everything that is private is found nowhere else (RELIABILITY 3.3, section 4; PROTOCOL section 4).

A real process at log level debug: the word is in texts, names, nonces, tokens by all three ways, requests' heads, the
token secret and the password of Redis; then everything goes wrong that can. Looked through: what the process
logged, every error frame, close reason and HTTP answer, and the command lines of all processes of the node.
"""

import json
import re
import socket
from pathlib import Path

import psutil
import redis

from tests.support.chat import ProcessCase
from tests.support.raw import BINARY, CLOSE, PING, TEXT, RawClient, frame, upgrade
from tests.support.redis import RedisServer
from tests.support.tokens import token_for

WORD = "c4n4ry"
SECRET = f"{WORD} secret of the tokens, long enough to be one"
PASSWORD = f"{WORD}-of-redis"
LONG = WORD * 2_000


def token(user_id, **claims):
    """A token with the word in what anybody may read of it, once decoded."""
    return token_for(user_id, secret=SECRET, jti=f"{WORD}-{user_id}", **claims)


def command_lines(node):
    """What ``ps`` shows of the processes of a node."""
    process = psutil.Process(node.transport.pid)
    return [" ".join(each.cmdline()).encode() for each in (process, *process.children(recursive=True))]


class ACanary(ProcessCase):
    settings = {
        "jwt_secret": SECRET,
        "log_level": "debug",
        "message_chars": 20_000,
        "outbox_bytes": 65_536,
        "close_timeout_s": 3,
        "redis_timeout_s": 1,
        "request_timeout_s": 2,
    }

    async def setUp(self):
        self.redis = RedisServer(password=PASSWORD).start()
        self.addCleanup(self.redis.remove)
        url = f"unix://:{PASSWORD}@{self.redis.address.path}"
        self.node = await self.started_process(redis=url, token_in_url=True, redis_key_prefix="canary:")
        self.tokens = [token(n) for n in (1, 2, 3)]
        self.seen = []

    def store(self):
        return redis.Redis(unix_socket_path=self.redis.address.path, password=PASSWORD)

    # What is sent, and what comes back

    async def connected(self, user_id, **headers):
        """A connection of bytes after hello; by default the token is in the header."""
        client = await RawClient.connected(self.node.port)
        self.addCleanup(client.close)
        path = headers.pop("path", "/ws")
        if path == "/ws" and not headers:
            headers = {"Authorization": f"Bearer {self.tokens[user_id - 1]}"}
        client.send(upgrade(path, **{"Sec_WebSocket_Protocol": "chatsrv.v1", **headers}))
        response = await client.response()
        self.assertEqual(response.status, 101, response)
        self.seen.append(repr(response).encode())
        await client.next_text()
        return client

    async def ask(self, client, op, t, **d):
        """The frame that answers; if it is an error, what it says is looked through in the end."""
        client.say({"op": op, "t": t, "d": d, "id": "q"})
        while (answer := json.loads(text := await client.next_text())).get("id") != "q":
            self.note(text)
        self.note(text)
        return answer

    def note(self, text):
        if json.loads(text)["op"] == 3:
            self.seen.append(text)

    async def ended(self, client, *sent):
        """Send what ends a connection; the close frame (with its reason) is looked through, too."""
        for data in sent:
            client.send(data)
        opcode, payload = await client.next_frame()
        while opcode != CLOSE:
            if opcode == TEXT:
                self.note(payload)
            opcode, payload = await client.next_frame()
        self.seen.append(payload)
        return int.from_bytes(payload[:2], "big")

    async def refused(self, request):
        """The HTTP answer to a request head."""
        client = await RawClient.connected(self.node.port)
        self.addCleanup(client.close)
        client.send(request)
        response = await client.response()
        self.assertGreaterEqual(response.status, 400, request)
        self.seen.append(repr(response).encode())

    # The scenario

    async def handshakes(self):
        good = self.tokens[0]
        for headers in (
            {"Sec_WebSocket_Protocol": f"chatsrv.v1, bearer.{good}"},
            {"path": f"/ws?token={good}"},
        ):
            await (await self.connected(1, **headers)).close()
        bad = (
            WORD,
            f"{WORD}.{WORD}.{WORD}",
            token(1, ttl_s=-900),
            token_for(1, jti=WORD),
            token(WORD),
            good + "x",
        )
        for text in bad:
            await self.refused(upgrade(Authorization=f"Bearer {text}"))
            await self.refused(upgrade(Sec_WebSocket_Protocol=f"chatsrv.v1, bearer.{text}"))
            await self.refused(upgrade(f"/ws?token={text}"))
        await self.refused(upgrade(Authorization=f"Basic {WORD}"))
        await self.refused(upgrade(f"/{WORD}", Authorization=f"Bearer {good}"))
        await self.refused(upgrade(Authorization=f"Bearer {good}", Origin=f"https://{WORD}.example"))
        await self.refused(upgrade(f"/ws?token={good}", Authorization=f"Bearer {good}"))
        for headers in ({"Host": f"{WORD}:x"}, {"Upgrade": WORD}, {"Sec_WebSocket_Version": WORD}):
            await self.refused(upgrade(Authorization=f"Bearer {good}", **headers))
        await self.refused(f"{WORD} /ws HTTP/1.1\r\nHost: {WORD}\r\n\r\n".encode())
        await self.refused(upgrade(X_Word=WORD * 3_000))

    async def requests(self, alice, bob):
        """Good ones, and every kind of refusal."""
        group = (await self.ask(alice, 13, 1, user_ids=[2], type=2, chat=WORD, nonce=WORD))["d"]["chat_id"]
        for text in (WORD, f"{WORD} 2", LONG):
            await self.ask(alice, 11, 2, chat_id=group, message=text)
        await self.ask(alice, 11, 2, chat_id=group, message=WORD, nonce=WORD)
        await self.ask(alice, 11, 6, chat_id=group, message_id=1, message=f"{WORD}!")
        await self.ask(alice, 11, 7, chat_id=group, message_id=2)
        wrong = (
            *((11, 2, {"chat_id": group, "message": f"{WORD}?", "nonce": WORD}), (11, 2, {"message": WORD})),
            *((11, 1, {"chat_id": group, "message": WORD}), (11, 2, {"chat_id": 99, "message": WORD})),
            *(
                (11, 2, {"chat_id": WORD, "message": 1}),
                (11, 2, {"chat_id": group, "message": WORD, WORD: WORD}),
            ),
            *((11, 6, {"chat_id": group, "message_id": 4, "message": LONG * 2}), (13, 4, {"cursor": WORD})),
            *((13, 2, {"chat_id": group, "chat": LONG}), (13, 1, {"user_ids": [WORD], "type": WORD})),
            *(
                (1, 2, {"chats": {WORD: 1}}),
                (1, 2, {"chats": {str(group): 0}, "epoch": WORD}),
                (1, 3, {"token": WORD}),
            ),
            *(
                (1, 3, {"token": self.tokens[1]}),
                (1, 3, {"token": token(1, ttl_s=-900)}),
                (16, 1, {"user_id": WORD}),
            ),
            *((98, 1, {WORD: WORD}), (11, 3, {"message": WORD})),
        )
        for op, t, d in wrong:
            await self.ask(bob if op == 1 else alice, op, t, **d)
        for text in (WORD, f'{{"{WORD}":', f'{{"op":"{WORD}","t":1}}', f'{{"op":11,"t":2,"d":"{WORD}"}}'):
            bob.say(text)
        bob.say(f'{{"op":11,"t":2,"d":{{"chat_id":1,"message":"{WORD}\\ud800"}}}}')
        await self.ask(bob, 98, 1)
        return group

    async def broken_frames(self):
        for codes, data in (
            ((1003,), frame(BINARY, WORD.encode())),
            ((1007,), frame(TEXT, WORD.encode() + b"\xff")),
            ((1002,), frame(3, WORD.encode())),
            ((1002,), frame(TEXT, WORD.encode(), masked=False)),
            ((1009,), frame(TEXT, LONG.encode() * 6)),
            ((1000,), frame(PING, WORD.encode()) + frame(CLOSE, b"\x03\xe8" + WORD.encode())),
            ((1002,), frame(CLOSE, b"\x00\x01" + WORD.encode())),
            ((1008,), frame(TEXT, WORD.encode()) * 11),
        ):
            client = await self.connected(3)
            self.assertIn(await self.ended(client, data), codes, data[:20])

    async def slow_consumer(self, alice, chat_id):
        """One who reads nothing while much is sent, and then to the end of his connection."""
        slow = await self.connected(2)
        slow.transport.getHandle().setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        slow.transport.pauseProducing()
        for _ in range(500):
            alice.say({"op": 11, "t": 2, "d": {"chat_id": chat_id, "message": LONG}})
        await self.ask(alice, 13, 3, chat_id=chat_id)
        slow.transport.resumeProducing()
        await slow.lost
        while (found := slow._take_frame()) is not None:
            if found[0] == CLOSE:
                self.seen.append(found[1])

    async def planted_faults(self, chat_id):
        """Actors crash at what is in the store, until one is stopped and its listeners are closed with 1011."""
        key = f"canary:{{c:{chat_id}}}"
        requests = (
            *(
                (11, 10, {}),
                (11, 6, {"message_id": 1, "message": WORD}),
                (11, 7, {"message_id": 1}),
                (13, 3, {}),
            ),
            *((11, 2, {"message": WORD, "nonce": WORD}), (11, 2, {"message": WORD}), (13, 2, {"chat": WORD})),
            *((11, 8, {"message_id": 1}), (13, 4, {}), (11, 9, {}), (1, 2, {"chats": {str(chat_id): 1}})),
        )
        clients = [await self.connected(1 + n % 2) for n in range(len(requests))]
        with self.store() as store:
            store.publish(f"canary:0:c:{chat_id}", f"\xc1{WORD}")
            store.publish(f"canary:0:c:{chat_id}", WORD)
            store.hset(f"{key}:messages", "1", f"\xc1{WORD}")
            store.xadd(f"{key}:log", {"e": WORD}, id="5000000")
            store.hset(f"{key}:meta", "seq", WORD)
        for client, (op, t, d) in zip(clients, requests, strict=True):
            self.note_any(
                *await self.up_to_answer(
                    client, {"op": op, "t": t, "d": {"chat_id": chat_id, **d}, "id": "q"}
                )
            )

    async def up_to_answer(self, client, request):
        """The answer, or the close frame in its place."""
        if not client._gone:
            client.say(request)
        while True:
            opcode, payload = await client.next_frame()
            if opcode == CLOSE or (opcode == TEXT and json.loads(payload).get("id") == "q"):
                return opcode, payload

    def note_any(self, opcode, payload):
        if opcode == CLOSE:
            self.seen.append(payload)
        else:
            self.note(payload)

    async def store_away(self, client, chat_id):
        for begin, end in ((self.redis.pause, self.redis.resume), (self.redis.kill, self.redis.start)):
            begin()
            await self.ask(client, 11, 2, chat_id=chat_id, message=WORD, nonce=f"{WORD}1")
            await self.ask(client, 13, 1, user_ids=[2], type=2, chat=WORD)
            await self.refused(upgrade(f"/ws?token={self.tokens[0]}x"))
            end()

    async def test_no_private_word_is_found_outside_of_what_is_private(self):
        alice, bob = await self.connected(1), await self.connected(2)
        await self.handshakes()
        chat_id = await self.requests(alice, bob)
        await self.broken_frames()
        await self.slow_consumer(await self.connected(1), chat_id)
        await self.planted_faults(chat_id)
        await self.store_away(await self.connected(3), chat_id)
        lines = command_lines(self.node)
        self.assertEqual(await self.node.terminate(), 0)
        self.check_clean("the log", self.node.log.encode())
        for text in (*self.seen, *lines):
            self.check_clean("an answer", text)
        self.assertIn("crashed", self.node.log, "nothing was made to fail")
        self.assertIn("refused the upgrade", self.node.log, "it did not log at debug")

    def check_clean(self, what, text):
        self.assertNotIn(WORD.encode(), text, what)
        for each in self.tokens:
            for part in each.split(".")[1:]:
                self.assertNotIn(part.encode(), text, what)


class TheEmbeddedRedis(ProcessCase):
    settings = {"log_level": "debug"}

    async def test_its_password_is_in_no_log_and_no_command_line(self):
        self.node = await self.started_process()
        await (await self.user(1)).close()
        (file,) = [
            path for path in Path(self.node.data_dir).rglob("*.conf") if "requirepass" in path.read_text()
        ]
        password = re.search(r'requirepass "?(\w+)', file.read_text())[1]
        lines = command_lines(self.node)
        self.assertEqual(len(lines), 2, lines)
        logs = [path.read_bytes() for path in Path(self.node.data_dir).rglob("*log*") if path.is_file()]
        self.assertEqual(await self.node.terminate(), 0)
        for text in (*lines, *logs, self.node.log.encode()):
            self.assertNotIn(password.encode(), text)
