"""What was said in W4, and what of it is stored: every event, answer and page of history is held against it.

Each text says its number (`stream.text`), edits the number of their message, so whoever gets a text knows whose it is.
"""

from __future__ import annotations

from collections import defaultdict
from typing import Any, NamedTuple

import msgspec

from bench.connection import Data, Faults
from bench.stream import text

TEXT_BYTES = 128


class Chat(NamedTuple):
    """``t`` is 1 for a private chat, 2 for a group: of its type, and of its messages."""

    chat_id: int
    t: int
    members: list[int]


class Message:
    """``texts``: what it has said, the present text last; ``deleted``: its author asked for that."""

    def __init__(self, chat: Chat, sender_id: int, number: int, due: float) -> None:
        self.chat, self.sender_id, self.number = chat, sender_id, number
        self.texts = [text(number, due, TEXT_BYTES)]
        self.message_id = 0  # while not known
        self.deleted = False

    def edit(self, due: float) -> str:
        self.texts.append(text(self.number, due, TEXT_BYTES))
        return self.texts[-1]


class Request:
    """A request that waits for its answer: op 11, ``t`` and ``d``. ``message``: what it writes or changes."""

    def __init__(self, t: int, d: dict[str, Any], due: float, message: Message | None = None) -> None:
        self.t, self.d, self.due, self.message = t, d, due, message
        self.again = False


class Tally:
    """What all persons did since the last point began; latencies in seconds."""

    def __init__(self) -> None:
        self.waiting = 0  # requests not answered, now
        self.clear()

    def clear(self) -> None:
        """Begin a point."""
        self.requests = self.resent = self.delivered = self.replayed = 0
        self.deliveries: list[float] = []
        self.answers: list[float] = []
        self.catch_ups: list[float] = []


class Ledger:
    """``heads``: the last ``seq`` that was answered, by chat; ``stored``: messages by chat and ``message_id``.

    ``marks``: up to where which user has read, by chat and user.
    """

    def __init__(self, faults: Faults) -> None:
        self.faults = faults
        self.heads: dict[int, int] = {}
        self.stored: defaultdict[int, dict[int, Message]] = defaultdict(dict)
        self.marks: defaultdict[int, dict[int, int]] = defaultdict(dict)
        self._written: list[Message] = []

    def write(self, chat: Chat, sender_id: int, due: float) -> Message:
        message = Message(chat, sender_id, len(self._written), due)
        self._written.append(message)
        return message

    def advance(self, chat_id: int, seq: int) -> None:
        self.heads[chat_id] = max(seq, self.heads.get(chat_id, 0))

    def read(self, chat_id: int, user_id: int, message_id: int) -> None:
        """Somebody read so far, or wrote that."""
        marks = self.marks[chat_id]
        marks[user_id] = max(message_id, marks.get(user_id, 0))

    def store(self, message: Message, message_id: int) -> None:
        """The message got this id, as an answer or an event says."""
        known = self.stored[message.chat.chat_id].setdefault(message_id, message)
        if known is not message or message.message_id not in (0, message_id):
            self.faults.add(
                f"chat {message.chat.chat_id}: message {message_id} is stored twice or is another"
            )
        message.message_id = message_id

    def check(self, d: Data) -> None:
        """Some member was shown a message, an edit or a deletion."""
        if not d.message:
            gone = self.stored[d.chat_id].get(d.message_id)
            if gone is None or not gone.deleted or gone.sender_id != d.sender_id:
                self.faults.add(f"chat {d.chat_id}: message {d.message_id} without text, nobody deleted it")
            return
        message = self._written[int(d.message[:10])]
        if (
            message.chat.chat_id != d.chat_id
            or message.sender_id != d.sender_id
            or d.message not in message.texts
        ):
            self.faults.add(f"chat {d.chat_id}: nobody wrote {d.message!r}")
        self.store(message, d.message_id)

    def check_page(self, page: dict[str, Any], chat: Chat, newest: int) -> None:
        """A page of history, asked for when ``newest`` was known to be stored."""
        ids = [message["message_id"] for message in page["messages"]]
        last = ids[-1] if ids else 0
        if (
            last < newest
            or ids != list(range(last - len(ids) + 1, last + 1))
            or page["more"] != (last > len(ids))
        ):
            self.faults.add(f"chat {chat.chat_id}: a page of history is {ids}, {newest} was known")
        for message in page["messages"]:
            d = msgspec.convert(message, Data)
            d.chat_id = chat.chat_id
            self.check(d)

    def check_present(self, page: dict[str, Any], details: dict[str, Any], chat: Chat) -> None:
        """The newest page and 14/3 when nothing is under way: exactly what was said last, and read."""
        read = {int(user): message_id for user, message_id in details["read"].items() if message_id}
        if read != self.marks[chat.chat_id]:
            self.faults.add(f"chat {chat.chat_id}: read is {read}, not {self.marks[chat.chat_id]}")
        stored = self.stored[chat.chat_id]
        self.check_page(page, chat, len(stored))
        for shown in page["messages"]:
            message = stored[shown["message_id"]]
            said = "" if message.deleted else message.texts[-1]
            if shown.get("message", "") != said or shown.get("deleted", False) != message.deleted:
                self.faults.add(f"chat {chat.chat_id}: {shown} in the history, {said!r} was said")
