"""A person at a terminal as a client: short commands in, frames out. For trying a server by hand.

Run by ``python -m chatsrv.client``. A line that is JSON is sent as a request, so that any can be tried; a
reply is shown after ``<``, an event after ``*``, a refusal after ``!``, news of the connection after ``-``.
What always holds: a line is carried out after the one before it was answered, so pasted lines keep
their order.
"""

from __future__ import annotations

import msgspec
from twisted.internet.defer import Deferred, DeferredQueue
from twisted.internet.interfaces import IDelayedCall, IHalfCloseableProtocol, IReactorTime
from twisted.internet.protocol import connectionDone
from twisted.protocols.basic import LineOnlyReceiver
from twisted.python.failure import Failure
from zope.interface import implementer

from chatsrv.client.client import Client
from chatsrv.client.commands import HELP, command
from chatsrv.client.errors import ClientError, RequestRefused
from chatsrv.client.frames import Frame
from chatsrv.client.request import SENDS
from chatsrv.client.sinks import State
from chatsrv.client.timeline import is_numbered

QUIT_PATIENCE_S = 5.0
END_PATIENCE_S = 30.0


@implementer(IHalfCloseableProtocol)
class Console(LineOnlyReceiver):
    """Reads commands from the terminal for one client.

    ``ended`` fires when the person wants to go and everything is answered, or is not worth waiting for any
    more; with the lines that were not sent or not answered.
    """

    delimiter = b"\n"
    MAX_LENGTH = 2**20

    def __init__(self, clock: IReactorTime) -> None:
        self.ended: Deferred[list[str]] = Deferred()
        self._clock = clock
        self._client: Client | None = None
        self._types: dict[int, int] = {}
        self._own: Frame | None = None
        self._lines: DeferredQueue[str] = DeferredQueue()
        self._line = ""
        self._unanswered: list[str] = []
        self._patience_s = 0.0
        self._giving_up: IDelayedCall | None = None

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
        Deferred.fromCoroutine(self._work_off(client)).addErrback(self.ended.errback)

    def show_frame(self, frame: Frame) -> None:
        """An event."""
        self._remember(frame)
        self._show_own()
        if self._line and self._may_be_a_replys(frame):
            self._own = frame
        else:
            self._print("*", frame)

    def show_reset(self, chat_ids: list[int]) -> None:
        """These chats changed in a way that was not followed."""
        self._say(f"- missed some of chats {chat_ids}; see their history")

    def show_state(self, state: State, reason: Exception | None) -> None:
        """The client is connected, or why it is not."""
        if self.begun and state in (State.CONNECTED, State.WAITING):
            self._say(f"- {state.value}" + (f": {reason}" if reason else ""))

    # -- what the terminal tells

    def lineReceived(self, line: bytes) -> None:
        try:
            self._typed(line.decode().removesuffix("\r"))
        except UnicodeDecodeError:
            self._say("! that is not UTF-8; nothing was sent")

    def readConnectionLost(self) -> None:
        # A last line may have no end of its own.
        self.dataReceived(self.delimiter)  # type: ignore[no-untyped-call]
        self._leave(END_PATIENCE_S)

    def writeConnectionLost(self) -> None:
        self.end()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self.end()

    def end(self) -> None:
        """The person, the terminal or the client is gone. Idempotent."""
        if self._giving_up is not None and self._giving_up.active():
            self._giving_up.cancel()
        if not self.ended.called:
            waiting = [self._line, *self._lines.pending]
            self.ended.callback(self._unanswered + [line for line in waiting if line])

    # -- commands

    def _typed(self, text: str) -> None:
        match text.strip():
            case "quit":
                self._leave(QUIT_PATIENCE_S)
            case "help":
                self._say(HELP)
            case typed if typed and self._giving_up is None:
                self._lines.put(text.lstrip())

    def _leave(self, patience_s: float) -> None:
        """No more lines: end after the last answer, or when there was none for so long."""
        if self._giving_up is None:
            self._patience_s = patience_s
            self._giving_up = self._clock.callLater(patience_s, self.end)
            self._lines.put("")

    async def _work_off(self, client: Client) -> None:
        while (line := await self._lines.get()) and not self.ended.called:
            self._line = line
            await self._carry_out(client, line)
            self._line = ""
            self._show_own()
            if self._giving_up is not None and self._giving_up.active():
                self._giving_up.reset(self._patience_s)
        self.end()

    async def _carry_out(self, client: Client, line: str) -> None:
        try:
            self._show_reply(await self._send(client, line))
        except (ValueError, RequestRefused) as error:
            self._say(f"! {error}")
        except ClientError as error:
            self._unanswered.append(line)
            self._say(f"! {error}")

    async def _send(self, client: Client, line: str) -> Frame:
        op, t, d = command(line, self._types, client.hello.user_id or 0)
        if (op, t) in SENDS and not line.startswith("{") and d["chat_id"] not in self._types:
            # hello does not say what type a chat is
            self._remember(await client.call(13, 3, {"chat_id": d["chat_id"]}))
            t = self._types[d["chat_id"]]
        return await client.call(op, t, d)

    # -- showing

    def _show_reply(self, frame: Frame) -> None:
        """A reply; the event that was made of it says the same, and is not shown."""
        self._remember(frame)
        if self._own is not None and _place(self._own) == _place(frame):
            self._own = None
        self._print("<", frame)

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
        if self.transport is not None and not self.ended.called:
            self.transport.write(f"{text}\n".encode())


def _place(frame: Frame) -> tuple[object, object]:
    return frame.d.get("chat_id"), frame.d.get("seq")
