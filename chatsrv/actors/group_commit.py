"""11/1 and 11/2: append messages, those together that stand in a row in the mailbox, up to a size.

Called by the `ChatActor`. Self-clocking: what arrived while a commit was in flight is the next one. In a large chat
commits are also spaced by several times what a fan-out takes, so that one busy chat does not take the whole node, and
each connection gets several messages in one write. The store judges each message alone, and remembers its nonce.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from msgspec import UNSET
from twisted.python.failure import Failure

from chatsrv.actors.rendering import chat_result
from chatsrv.kernel import UNTIL_RESUMED, Envelope, Shut
from chatsrv.store.chats import Draft
from chatsrv.store.events import MESSAGE, ChatEvent
from chatsrv.store.repository import REFUSALS
from chatsrv.wire.refusal import Refused
from chatsrv.wire.requests import SendMessage

if TYPE_CHECKING:
    from chatsrv.actors.chat import ChatActor

BATCH_ITEMS, BATCH_BYTES = 64, 128 * 1024
#: So long for each attached session lies between the beginnings of two commits. A shorter rest than the second is none.
SPACING_S, LEAST_REST_S = 0.000_04, 0.001


def send(chat: ChatActor, first: Envelope) -> Shut | None:
    """Commit the message, and those behind it in the mailbox; the actor resumes when all are answered.

    Too soon after the last commit, and with less than one commit's worth at hand, it stays in the mailbox for a moment.
    """
    now = chat.registry.clock.seconds()
    if chat.rests_until - now >= LEAST_REST_S and len(chat.mailbox) < BATCH_ITEMS - 1:
        chat.mailbox.appendleft(first)
        chat.rest()
        return UNTIL_RESUMED
    chat.rests_until = now + SPACING_S * len(chat.feed)
    batch = [first]
    if chat.mailbox:
        batch += chat.mailbox.take_while(fits_behind(first, now))
    drafts, known = [_draft(envelope) for envelope in batch], chat.feed.position
    operation = chat.committing = chat.node.next_operation()

    def stored(reply: Any) -> None:
        chat.committing = ""
        try:
            if isinstance(reply, Exception):  # not raised: its traceback would make a cycle of all this
                chat.repair()
                _failed(chat, batch, Failure(reply))
            else:
                _answer(chat, batch, drafts, reply, known)
        except Exception:
            _failed(chat, batch, Failure())
        finally:
            chat.resume()

    try:
        chat.appender.append(drafts, operation, stored, chat.node.bus.token(chat.channel))
    except Exception:
        chat.committing = ""
        _failed(chat, batch, Failure())
        return None
    return UNTIL_RESUMED


def _failed(chat: ChatActor, batch: list[Envelope], failure: Failure) -> None:
    for envelope in batch[1:]:
        chat.refuse(envelope, failure.value)
    chat.failed(failure, batch[0])


def _answer(
    chat: ChatActor, batch: list[Envelope], drafts: list[Draft], reply: Any, known: int | None
) -> None:
    at, *results = reply
    chat.check_continues([r[0] for r in results if type(r) is list and len(r) == 2], known)
    events = []
    for envelope, draft, result in zip(batch, drafts, results, strict=True):
        if type(result) is bytes:
            envelope.answer(Refused(REFUSALS[result]))
            continue
        seq, message_id, *before = result
        event = _event_of(draft, seq, message_id, before[0] if before else at)
        if before:  # the nonce is known: a retry
            envelope.answer(chat_result(chat.chat_id, event, dup=True))
        else:
            events.append(event)
            chat.answer_in_place(envelope, event)
    chat.deliver(events)


def _draft(envelope: Envelope) -> Draft:
    command = envelope.command
    nonce = "" if command.nonce is UNSET else command.nonce
    reply_to = 0 if command.reply_to is UNSET else command.reply_to
    return Draft(envelope.origin.user_id, command.t, command.message, nonce, reply_to)


def _event_of(draft: Draft, seq: int, message_id: int, at: int) -> ChatEvent:
    sender, kind, text, _, reply_to = draft
    return ChatEvent(MESSAGE, seq, at, sender, kind, message_id, text, sender, reply_to=reply_to)


def fits_behind(first: Envelope, now: float) -> Callable[[Envelope], bool]:
    """Whether one more send, not overdue by ``now``, fits into the group commit that ``first`` opens."""
    items, size = 1, _size(first.command.message)

    def fits(envelope: Envelope) -> bool:
        nonlocal items, size
        if not isinstance(envelope.command, SendMessage) or now > envelope.deadline:
            return False
        items += 1
        size += _size(envelope.command.message)
        return items <= BATCH_ITEMS and size <= BATCH_BYTES

    return fits


def _size(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode())
