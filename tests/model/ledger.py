"""``Ledger``: every attempt to change messages and how it was answered; what history must be after that.

Of an attempt that was acknowledged the effect must be there, of one that was refused it must not; of one whose
answer was lost it may. Each text is used for one attempt only, so each message is explained by exactly one of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from tests.model.book import Book
from tests.model.request import Lost, Refused, Request

#: By chat (0: a group was made), user and nonce: the request's ``d`` and its answer's.
Nonces = dict[tuple[int, int, str], tuple[dict[str, Any], dict[str, Any]]]


@dataclass(eq=False)
class Attempt:
    """``answer``: None while it is open, or lost for ever. A repeat with the same nonce is the same attempt."""

    user_id: int
    d: dict[str, Any]
    answer: dict[str, Any] | None = None
    message_id: int | None = None  # of the message that it made
    chances: int = 0  # requests for it that were not refused

    @property
    def refused(self) -> bool:
        """It certainly had no effect."""
        return not self.chances

    def watch(self, request: Request) -> None:
        self.chances += 1
        request.done.addCallbacks(self._answered, self._failed, errbackArgs=(request,))

    def _answered(self, d: dict[str, Any]) -> None:
        assert self.answer is None or d["message_id"] == self.answer["message_id"], f"{d} for {self}"
        self.answer = d

    def _failed(self, failure: Any, request: Request) -> None:
        """A refusal after it was sent again on another connection says nothing of the first time."""
        if failure.trap(Refused, Lost) is Refused and not (failure.value.unknown_outcome or request.repeated):
            self.chances -= 1


@dataclass
class Entry:
    """A message as it was when last looked at, or sent."""

    sender: int
    text: str | None

    def possible(self, changes: Sequence[Attempt]) -> set[str | None]:
        """What it may be after these, some of which had an effect."""
        edits = [each for each in changes if "message" in each.d]
        deletions = [each for each in changes if "message" not in each.d]
        if self.text is None or any(deletion.answer for deletion in deletions):
            return {None}
        known = [(edit.answer["seq"], edit.d["message"]) for edit in edits if _took_effect(edit)]
        texts: set[str | None] = {max(known)[1] if known else self.text}
        texts |= {edit.d["message"] for edit in edits if edit.answer is None and not edit.refused}
        return texts | {None for deletion in deletions if not deletion.refused}


class Ledger:
    """``erased``: who may have deleted which message, as ``(chat, message, user)``."""

    def __init__(self) -> None:
        self.sends: dict[int, list[Attempt]] = {}
        self.erased: set[tuple[int, int, int]] = set()
        self._known: dict[tuple[int, int], Entry] = {}
        self._changes: dict[tuple[int, int], list[Attempt]] = {}  # since then
        self._groups: Nonces = {}
        self._texts = 0

    def new_text(self) -> str:
        """One that was never used."""
        self._texts += 1
        return f"text {self._texts}"

    def note(self, user_id: int, request: Request) -> None:
        """A request is sent: if it is about messages, or has a nonce, remember how it ends."""
        chat_id = request.d.get("chat_id", 0)
        if request.op == 11 and request.t <= 2:
            self._note_send(chat_id, user_id, request)
        elif request.op == 11 and request.t in (6, 7):
            self._note_change(chat_id, user_id, request)
        elif "nonce" in request.d:
            request.done.addCallback(self._made, user_id, request)
        request.done.addErrback(lambda failure: failure.trap(Refused, Lost) and None)

    def _made(self, answer: dict[str, Any], user_id: int, request: Request) -> None:
        before = self._groups.setdefault((0, user_id, request.d["nonce"]), (request.d, answer))
        assert before[1]["chat_id"] == answer["chat_id"], f"{before} made another group again: {answer}"

    def nonces(self) -> Nonces:
        """Those that are known to have had an effect."""
        sends = [(chat_id, each) for chat_id, attempts in self.sends.items() for each in attempts]
        made = {
            (chat_id, each.user_id, each.d["nonce"]): (each.d, each.answer or {})
            for chat_id, each in sends
            if "nonce" in each.d and each.message_id is not None
        }
        return made | self._groups

    def _note_send(self, chat_id: int, user_id: int, request: Request) -> None:
        attempts = self.sends.setdefault(chat_id, [])
        same = [
            each for each in attempts if each.user_id == user_id and each.d == request.d and "nonce" in each.d
        ]
        attempt = same[0] if same else Attempt(user_id, request.d)
        if not same:
            attempts.append(attempt)
        attempt.watch(request)

    def _note_change(self, chat_id: int, user_id: int, request: Request) -> None:
        attempt, message_id = Attempt(user_id, request.d), request.d["message_id"]
        attempt.watch(request)
        self._changes.setdefault((chat_id, message_id), []).append(attempt)
        if request.t == 7:
            self.erased.add((chat_id, message_id, user_id))

    def sent(self, chat_id: int, user_id: int) -> list[Attempt]:
        """The user's attempts to send something with a nonce."""
        attempts = self.sends.get(chat_id, ())
        return [each for each in attempts if each.user_id == user_id and "nonce" in each.d]

    def check(self, chat_id: int, book: Book) -> None:
        """The chat as it is now."""
        assert sorted(book.messages) == list(range(1, book.last + 1)), f"chat {chat_id} has holes: {book}"
        for message_id, message in sorted(book.messages.items()):
            key = chat_id, message_id
            entry = self._known.get(key) or self._explained(chat_id, message_id, book)
            possible = entry.possible(self._changes.pop(key, ()))
            assert message.sender == entry.sender, f"{message} has another sender than {entry}"
            assert message.text in possible, f"{message} of chat {chat_id} is not one of {possible}"
            self._known[key] = Entry(message.sender, message.text)
        for attempt in self.sends.get(chat_id, ()):
            if attempt.answer is not None and attempt.message_id is None:
                self._recognise(chat_id, attempt, attempt.answer["message_id"])
            acknowledged = attempt.answer is None or attempt.answer["message_id"] == attempt.message_id
            assert acknowledged, f"acknowledged, and not there: {attempt}"

    def _explained(self, chat_id: int, message_id: int, book: Book) -> Entry:
        """A new message: which attempt made it?"""
        message = book.messages[message_id]
        for attempt in _likely_first(self.sends.get(chat_id, ()), message_id, message.text):
            free = attempt.message_id is None and not attempt.refused
            if free and (attempt.user_id, attempt.d.get("reply_to")) == (message.sender, message.reply_to):
                attempt.message_id = message_id
                return Entry(message.sender, attempt.d["message"])
        raise AssertionError(f"nobody sent message {message_id} of chat {chat_id}: {message}")

    def _recognise(self, chat_id: int, attempt: Attempt, message_id: int) -> None:
        """It was taken for another attempt's, having been deleted before it was looked at."""
        for other in self.sends[chat_id]:
            if other.message_id == message_id and other.answer is None:
                attempt.message_id, other.message_id = message_id, None


def _took_effect(edit: Attempt) -> bool:
    return edit.answer is not None and "dup" not in edit.answer


def _likely_first(attempts: Iterable[Attempt], message_id: int, text: str | None) -> list[Attempt]:
    def unlikely(attempt: Attempt) -> tuple[bool, bool]:
        acknowledged = attempt.answer is not None and attempt.answer["message_id"] == message_id
        return not acknowledged, attempt.d["message"] != text

    return sorted(attempts, key=unlikely)
