"""A person at a terminal as a client: short commands in, frames out. For trying a server by hand.

Run by ``python -m chatsrv.client``. A line that is JSON goes out as it is, so that any frame can be tried; a
reply is shown after ``<``, an event after ``*``, a refusal after ``!``.
"""

from __future__ import annotations

from typing import Any

import msgspec
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IHalfCloseableProtocol
from twisted.internet.protocol import connectionDone
from twisted.protocols.basic import LineOnlyReceiver
from twisted.python.failure import Failure
from zope.interface import implementer

from chatsrv.client.connection import Connection
from chatsrv.client.errors import ClientError, RequestRefused
from chatsrv.client.frames import Frame
from chatsrv.wire.codes import ErrorCode

HELP = """\
private USER              open the private chat with USER
group NAME USER ...       create a group
say CHAT TEXT             send a message
edit CHAT MESSAGE TEXT    replace the text of your message
delete CHAT MESSAGE       delete a message
add CHAT USER ...         add users to a group
remove CHAT USER ...      remove users from your group
rename CHAT NAME          name a group
leave CHAT                leave a group
friend USER               ask for friendship, or accept
accept USER | deny USER   answer a friend request
{"op":…,"t":…,"d":…}      send this frame
help, quit
"""

Call = tuple[int, int, dict[str, Any]]


@implementer(IHalfCloseableProtocol)
class Console(LineOnlyReceiver):
    """Reads commands from the terminal for one connection; ``ended`` fires when the person wants to go."""

    delimiter = b"\n"
    MAX_LENGTH = 2**20

    def __init__(self) -> None:
        self.ended: Deferred[None] = Deferred()
        self._connection: Connection | None = None
        self._types: dict[int, int] = {}
        self._unanswered = 0
        self._input_ended = False

    def show_frame(self, frame: Frame) -> None:
        """An event of the connection."""
        self._remember(frame)
        self._print("*", frame)

    def begin(self, connection: Connection) -> None:
        """The connection said hello: from now on commands are carried out."""
        self._connection = connection
        connection.on_stray = lambda frame: self._print("<", frame)
        hello = connection.hello
        self._say(f"user {hello.user_id}: chats {hello.chat_ids}, friends {hello.friend_ids}\n\n{HELP}")

    def lineReceived(self, line: bytes) -> None:
        text = line.decode(errors="replace").strip()
        if text == "quit":
            self.end()
        elif text == "help":
            self._say(HELP)
        elif text and self._connection is not None:
            self._carry_out(self._connection, text)

    def readConnectionLost(self) -> None:
        self._input_ended = True
        if not self._unanswered:
            self.end()

    def writeConnectionLost(self) -> None:
        self.end()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self.end()

    def _carry_out(self, connection: Connection, text: str) -> None:
        try:
            if text.startswith("{"):
                connection.send_text(text.encode())
                return
            op, t, d = command(text, self._types, connection.hello.user_id or 0)
        except (ValueError, IndexError):
            self._say("! that is no command; try help")
        except ClientError as error:
            self._say(f"! {error}")
        else:
            self._unanswered += 1
            reply = connection.call(op, t, d)
            if op == 11 and t in (1, 2) and d["chat_id"] not in self._types:
                reply.addErrback(self._other_type, connection, t, d)
            reply.addCallbacks(self._show_reply, self._show_refusal).addBoth(self._answered)

    def _other_type(
        self, failure: Failure, connection: Connection, t: int, d: dict[str, Any]
    ) -> Deferred[Frame]:
        """1/1 does not say what type a chat is: try the other one, and remember it."""
        error = failure.value
        if not isinstance(error, RequestRefused) or error.code is not ErrorCode.WRONG_CHAT_TYPE:
            failure.raiseException()
        self._types[d["chat_id"]] = 3 - t
        return connection.call(11, 3 - t, d)

    def _answered(self, _: object) -> None:
        self._unanswered -= 1
        if self._input_ended and not self._unanswered:
            self.end()

    def _show_reply(self, frame: Frame) -> None:
        self._remember(frame)
        self._print("<", frame)

    def _show_refusal(self, failure: Failure) -> None:
        self._say(f"! {failure.value}")

    def _remember(self, frame: Frame) -> None:
        if frame.op == 14 and "type" in frame.d:
            self._types[frame.d["chat_id"]] = frame.d["type"]
        elif frame.op == 12 and frame.t in (1, 2):
            self._types[frame.d["chat_id"]] = frame.t

    def _print(self, mark: str, frame: Frame) -> None:
        body = msgspec.json.encode(frame.d).decode()
        self._say(f"{mark} {frame.op}/{frame.t} {body}")

    def _say(self, text: str) -> None:
        if self.transport is not None:
            self.transport.write(f"{text}\n".encode())

    def end(self) -> None:
        """The person, the terminal or the connection is gone."""
        if not self.ended.called:
            self.ended.callback(None)


def command(text: str, types: dict[int, int], me: int) -> Call:
    """The request that a typed command stands for; ``ValueError`` or ``IndexError`` when it is none."""
    verb, *words = text.split()
    match verb:
        case "private":
            return 13, 1, {"user_ids": [int(words[0])], "type": 1}
        case "group":
            return 13, 1, {"user_ids": [int(word) for word in words[1:]], "type": 2, "chat": words[0]}
        case "say":
            chat_id = int(words[0])
            return 11, types.get(chat_id, 2), {"chat_id": chat_id, "message": text.split(None, 2)[2]}
        case "edit":
            message = text.split(None, 3)[3]
            return 11, 6, {"chat_id": int(words[0]), "message_id": int(words[1]), "message": message}
        case "delete":
            return 11, 7, {"chat_id": int(words[0]), "message_id": int(words[1])}
        case "add":
            return 13, 2, {"chat_id": int(words[0]), "add_users": [int(word) for word in words[1:]]}
        case "remove":
            return 13, 2, {"chat_id": int(words[0]), "remove_users": [int(word) for word in words[1:]]}
        case "rename":
            return 13, 2, {"chat_id": int(words[0]), "chat": text.split(None, 2)[2]}
        case "leave":
            return 13, 2, {"chat_id": int(words[0]), "remove_users": [me]}
        case "friend":
            return 16, 1, {"user_id": int(words[0])}
        case "accept" | "deny":
            return 16, 2, {"user_id": int(words[0]), "type": 1 if verb == "accept" else 2}
    raise ValueError(verb)
