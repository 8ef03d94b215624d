"""A person at a terminal as a client: short commands in, frames out. For trying a server by hand.

Run by ``python -m chatsrv.client``. A line that is JSON is sent as a request, so that any can be tried; a
reply is shown after ``<``, an event after ``*``, a refusal after ``!``, news of the connection after ``-``.
"""

from __future__ import annotations

import msgspec
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IHalfCloseableProtocol
from twisted.internet.protocol import connectionDone
from twisted.protocols.basic import LineOnlyReceiver
from twisted.python.failure import Failure
from zope.interface import implementer

from chatsrv.client import frames
from chatsrv.client.client import Client
from chatsrv.client.commands import HELP, Call, command
from chatsrv.client.errors import RequestRefused
from chatsrv.client.frames import Frame
from chatsrv.client.sinks import State
from chatsrv.client.timeline import is_numbered
from chatsrv.wire.codes import ErrorCode


@implementer(IHalfCloseableProtocol)
class Console(LineOnlyReceiver):
    """Reads commands from the terminal for one client; ``ended`` fires when the person wants to go."""

    delimiter = b"\n"
    MAX_LENGTH = 2**20

    def __init__(self) -> None:
        self.ended: Deferred[None] = Deferred()
        self._client: Client | None = None
        self._types: dict[int, int] = {}
        self._own: Frame | None = None
        self._unanswered = 0
        self._input_ended = False

    @property
    def begun(self) -> bool:
        """Whether there was a hello."""
        return self._client is not None

    # -- what the client tells

    def begin(self, client: Client) -> None:
        """The client was said hello to: from now on commands are carried out."""
        self._client = client
        hello = client.hello
        self._say(f"user {hello.user_id}: chats {hello.chat_ids}, friends {hello.friend_ids}\n\n{HELP}")

    def show_frame(self, frame: Frame) -> None:
        """An event."""
        self._remember(frame)
        self._show_own()
        if self._unanswered and self._may_be_a_replys(frame):
            self._own = frame
        else:
            self._print("*", frame)

    def show_reset(self, chat_ids: list[int]) -> None:
        """These chats changed in a way that was not followed."""
        self._say(f"- missed some of chats {chat_ids}; see their history")

    def show_state(self, state: State, reason: Exception | None) -> None:
        """The client is connected, or why it is not."""
        if self.begun and state is not State.CONNECTING:
            self._say(f"- {state.value}" + (f": {reason}" if reason else ""))

    # -- what the terminal tells

    def lineReceived(self, line: bytes) -> None:
        text = line.decode(errors="replace").strip()
        if text == "quit":
            self.end()
        elif text == "help":
            self._say(HELP)
        elif text and self._client is not None:
            self._carry_out(self._client, text)

    def readConnectionLost(self) -> None:
        self._input_ended = True
        if not self._unanswered:
            self.end()

    def writeConnectionLost(self) -> None:
        self.end()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self.end()

    def end(self) -> None:
        """The person, the terminal or the client is gone."""
        if not self.ended.called:
            self.ended.callback(None)

    # -- commands

    def _carry_out(self, client: Client, text: str) -> None:
        try:
            op, t, d = self._request(client, text)
            reply = client.call(op, t, d)
        except (ValueError, IndexError, msgspec.MsgspecError):
            self._say("! that is no command; try help")
            return
        self._unanswered += 1
        if op == 11 and t in (1, 2) and d.get("chat_id") not in self._types:
            reply.addErrback(self._other_type, client, t, d)
        reply.addCallbacks(self._show_reply, self._show_refusal).addBoth(self._answered)

    def _request(self, client: Client, text: str) -> Call:
        if text.startswith("{"):
            frame = frames.decode(text)
            return frame.op, frame.t, frame.d
        return command(text, self._types, client.hello.user_id or 0)

    def _other_type(
        self, failure: Failure, client: Client, t: int, d: dict[str, object]
    ) -> Deferred[Frame] | Failure:
        """1/1 does not say what type a chat is: try the other one."""
        error = failure.value
        if not isinstance(error, RequestRefused) or error.code is not ErrorCode.WRONG_CHAT_TYPE:
            return failure
        return client.call(11, 3 - t, d)

    def _answered(self, _: object) -> None:
        self._unanswered -= 1
        self._show_own()
        if self._input_ended and not self._unanswered:
            self.end()

    # -- showing

    def _show_reply(self, frame: Frame) -> None:
        """A reply; the event that was made of it says the same, and is not shown."""
        self._remember(frame)
        if self._own is not None and _place(self._own) == _place(frame):
            self._own = None
        self._print("<", frame)

    def _show_refusal(self, failure: Failure) -> None:
        self._say(f"! {failure.value}")

    def _show_own(self) -> None:
        own, self._own = self._own, None
        if own is not None:
            self._print("*", own)

    def _may_be_a_replys(self, frame: Frame) -> bool:
        me = self._client.hello.user_id if self._client is not None else None
        return is_numbered(frame) and frame.d.get("by", frame.d.get("sender_id", me)) == me

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


def _place(frame: Frame) -> tuple[object, object]:
    return frame.d.get("chat_id"), frame.d.get("seq")
