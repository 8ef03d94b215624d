"""What the tests of ``Client`` share: a server without a socket, on a ``task.Clock``, and an application that records.

No tests are in here. ``ClientCase`` replaces only ``connect``: connections, calls and all of the client are real.
Its cleanup asserts that a stopped client has left no timer.
"""

from __future__ import annotations

import json
from functools import partial

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from chatsrv.client import Client, Hello, Limits, Profile
from chatsrv.client import client as client_module
from chatsrv.client.connection import Connection

ME = 1
CHAT = 7


class Line:
    """The server's end of one connection."""

    def __init__(self, clock, token):
        self.token = token
        self.sent, self.pings, self.closed = [], 0, None
        self.connection = Connection(clock, self)

    # -- what the connection writes to

    def send_text(self, payload):
        self.sent.append(json.loads(payload))

    def start_close(self, code, reason):
        self.closes(code, reason)

    def ping(self):
        self.pings += 1

    def abort(self):
        self.closes(None)

    # -- what the server does

    def says(self, op, t, d=None, **envelope):
        """A frame arrives."""
        self.connection.heard()
        self.connection.text_arrived(json.dumps({"op": op, "t": t, "d": d or {}, **envelope}).encode())

    def tells(self, *seqs, chat_id=CHAT, **members):
        """A 12/2 for each ``seq`` arrives."""
        for seq in seqs:
            self.says(12, 2, message_at(seq, chat_id=chat_id, **members))

    def answers(self, request, d=None, op=None, t=None):
        """The reply to a request that was sent arrives."""
        kind = (op or request["op"] + 1, t or request["t"])
        self.says(*kind, {"chat_id": CHAT} if d is None else d, id=request["id"])

    def refuses(self, request, code, **members):
        """An error for a request that was sent arrives."""
        self.says(3, 1, {"code": code, "message": code, **members}, id=request["id"])

    def closes(self, code=None, reason=""):
        """The line ends."""
        if self.closed is None:
            self.closed = code or 1006
            self.connection.line_lost(code, reason)

    def asked(self, op, t):
        """The ``d`` of all requests of a kind, in order."""
        return [sent["d"] for sent in self.sent if (sent["op"], sent["t"]) == (op, t)]


class Server:
    """Stands in for ``connect``: each call is a dial that waits for what the test says."""

    def __init__(self, clock):
        self.clock = clock
        self.dials, self.lines = [], []

    def connect(self, reactor, url, token, **options):
        assert options["profile"] is Profile.FULL
        self.dials.append((url, token, Deferred()))
        return self.dials[-1][2]

    @property
    def dialled(self):
        """Whether a try waits for its outcome."""
        return bool(self.dials) and not self.dials[-1][2].called

    def accepts(self, heads=None, *, profile=Profile.FULL, **hello):
        """The try succeeds with a hello; the new line."""
        _, token, dial = self.dials[-1]
        line = Line(self.clock, token)
        heads = {CHAT: 5} if heads is None else heads
        given = {"user_id": ME, "friend_ids": [], "epoch": "e", "limits": Limits(requests_per_s=10, burst=10)}
        line.connection.hello = Hello(chat_ids=list(heads), heads=heads, **{**given, **hello})
        line.connection.profile = profile
        self.lines.append(line)
        dial.callback(line.connection)
        return line

    def fails(self, error):
        """The try fails."""
        self.dials[-1][2].errback(error)


class ClientCase(SynchronousTestCase):
    """A client whose random numbers are 0.5, whose tokens are t1, t2, …, and whose nonces are n1, n2, …"""

    def setUp(self):
        self.clock = Clock()
        self.server = Server(self.clock)
        self.patch(client_module, "connect", self.server.connect)
        self.asked = []
        self.events, self.resets, self.states, self.reasons = [], [], [], []
        self.tokens_given = self.nonces_given = 0
        self.client = self.a_client()
        self.addCleanup(self.nothing_is_left)

    def a_client(self, **options):
        given = {"on_event": self.events.append, "on_reset": self.resets.append, "on_state": self.heard_state}
        given |= {"random": lambda: 0.5, "new_nonce": self.nonce}
        given |= {"url": "ws://server/ws", "token": lambda: self.token()}
        client = Client(self.clock, **{**given, **options})
        for name in ("start", "call"):
            self.patch(client, name, partial(self.remembered, getattr(client, name)))
        return client

    def remembered(self, method, *request, **options):
        """What no test waits for fails when the client is stopped."""
        self.asked.append(method(*request, **options))
        return self.asked[-1]

    def nothing_is_left(self):
        for answer in (self.client.stop(), self.client.stopped):
            self.successResultOf(answer)
        for answer in self.asked:
            answer.addErrback(lambda _: None)
            self.successResultOf(answer)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def token(self):
        self.tokens_given += 1
        return f"t{self.tokens_given}"

    def nonce(self):
        self.nonces_given += 1
        return f"n{self.nonces_given}"

    def heard_state(self, state, reason):
        self.states.append(state)
        self.reasons.append(reason)

    def connected(self, heads=None, **hello):
        """A started client's first line."""
        self.started = self.client.start()
        return self.server.accepts(heads, **hello)

    def reconnected(self, line, heads=None, *, code=None, **hello):
        """Lose a line, wait, and get the next one."""
        line.closes(code)
        self.clock.advance(2)
        return self.server.accepts(heads, **hello)

    def seqs(self, chat_id=CHAT):
        """The positions of the events given of a chat."""
        return [event.d["seq"] for event in self.events if event.d.get("chat_id") == chat_id]


def message_at(seq, *, chat_id=CHAT, sender_id=2, message="text", **members):
    """The ``d`` of a 12/2."""
    d = {"chat_id": chat_id, "seq": seq, "message_id": seq, "sender_id": sender_id, "message": message}
    return {**d, "sent_at": 1000 + seq, **members}


def members_at(seq, *users, chat_id=CHAT):
    """The ``d`` of a 14/1 or 14/2."""
    return {"chat_id": chat_id, "seq": seq, "type": 2, "chat": "", "users": list(users)}
