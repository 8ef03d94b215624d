"""What is looked at after each step: whether devices show the same, and whether the inbox says what they show."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tests.model.book import Book
from tests.model.device import Device
from tests.model.ledger import Ledger
from tests.model.model import State


def check_like(device: Device, fresh: Device, ledger: Ledger) -> None:
    """The device shows what one that connected afresh does; of the core profile, as far as that is told."""
    assert device.epoch == fresh.epoch, f"{device} is in another epoch"
    if not device.core:
        assert device.relations == fresh.relations, f"{device} has {device.relations}, not {fresh.relations}"
    assert device.books.keys() == fresh.books.keys(), (
        f"{device} has chats {set(device.books)}, not {set(fresh.books)}"
    )
    for chat_id, book in fresh.books.items():
        mine, right = (_picture(each, device, chat_id, ledger) for each in (device.books[chat_id], book))
        different = {name: (mine[name], right[name]) for name in right if mine[name] != right[name]}
        assert not different, f"{device} shows chat {chat_id} differently: (his, the right one) {different}"


def _picture(book: Book, device: Device, chat_id: int, ledger: Ledger) -> dict[str, Any]:
    """What ``device`` is told of a chat: a core-profile one nothing that its own user did, and no marks."""
    everything = vars(book).copy()
    for name in ("ready", "fetched", "as_of", "waiting"):
        del everything[name]
    if device.core:
        user = device.user_id
        hidden = {n for n, message in book.messages.items() if message.sender == user}
        hidden |= {n for n in book.messages if (chat_id, n, user) in ledger.erased}
        everything["messages"] = {n: message for n, message in book.messages.items() if n not in hidden}
        for name in ("position", "last", "marks"):
            del everything[name]
    return everything


async def check_inbox(fresh: Device, limit: int) -> list[int]:
    """All pages of 13/4 together say what 13/3 and 11/10 say; the chats, newest activity first."""
    rows: list[dict[str, Any]] = []
    cursor: dict[str, Any] = {}
    while True:
        answer = await fresh.ask(13, 4, limit=limit, **cursor).done
        rows += answer["chats"]
        if "cursor" not in answer:
            break
        cursor = {"cursor": answer["cursor"]}
    chats = [row["chat_id"] for row in rows]
    assert sorted(chats) == sorted(fresh.books), (
        f"the inbox of {fresh} has {chats}, not {sorted(fresh.books)}"
    )
    for row in rows:
        expected = _row(row["chat_id"], fresh.books[row["chat_id"]], fresh.user_id)
        assert row == expected, f"the inbox of {fresh} has {row}, not {expected}"
    return chats


def _row(chat_id: int, book: Book, user_id: int) -> dict[str, Any]:
    others = book.users - {user_id}
    row = {
        "chat_id": chat_id,
        "type": book.type,
        "chat": book.name,
        **({"user_id": min(others)} if book.type == 1 else {}),
        "users_count": len(book.users),
        "last_message_id": book.last,
        "seq": book.position,
        "read": book.marks.get(user_id, 0),
        "unread": book.unread(user_id),
    }
    return {**row, "last": _row_message(book, book.last)} if book.last else row


def _row_message(book: Book, message_id: int) -> dict[str, Any]:
    message = book.messages[message_id]
    members = {
        "message_id": message_id,
        "sender_id": message.sender,
        "message": message.text,
        "sent_at": message.sent_at,
        "edited_at": message.edited_at,
        "deleted": message.text is None or None,
        "reply_to": message.reply_to,
    }
    return {name: value for name, value in members.items() if value is not None}


def check_page(state: State, d: dict[str, Any], answer: dict[str, Any]) -> None:
    """The answer to 11/10 is the right part of the history."""
    numbers = sorted(state.chats[d["chat_id"]].messages)
    before, after = d.get("before", len(numbers) + 1), d.get("after")
    wanted = [n for n in numbers if n < before] if after is None else [n for n in numbers if n > after]
    page = wanted[-d["limit"] :] if after is None else wanted[: d["limit"]]
    assert [row["message_id"] for row in answer["messages"]] == page, f"{answer} for {d}, not {page}"
    assert answer["more"] == (len(wanted) > len(page)), f"{answer} for {d} of {numbers}"
    for row in answer["messages"]:
        said = state.chats[d["chat_id"]].messages[row["message_id"]]
        shown = row["sender_id"], row.get("message"), row.get("reply_to")
        assert shown == (said.sender, said.text, said.reply_to), f"{row}, not {said}"


def check_typing(able: Sequence[Device], typist: Device, chat_id: int) -> None:
    """Every other full-profile connection of a member is told once, and nobody else."""
    for device in able:
        told = [frame.d for frame in device.seen if (frame.op, frame.t) == (12, 9) and frame.id is None]
        concerned = device is not typist and not device.core and chat_id in device.books
        expected = [{"chat_id": chat_id, "user_id": typist.user_id}] if concerned else []
        assert told == expected, f"{device} was told {told}, not {expected}"


def check_first_in_inbox(chat_id: int, inboxes: dict[int, list[int]]) -> None:
    """Something happened in the chat."""
    for user, chats in inboxes.items():
        assert chat_id not in chats or chats[0] == chat_id, (
            f"the inbox of {user} is {chats}, without {chat_id} on top"
        )


def check_state(expected: State, state: State, joined: dict[int, dict[int, int]]) -> None:
    """What the model expects is what there is; ``joined``: the step in which each member of a chat came."""
    assert state.relations == expected.relations, f"{state.relations}, not {expected.relations}"
    present = {chat_id: chat for chat_id, chat in expected.chats.items() if chat.users}
    assert state.chats.keys() == present.keys(), f"chats {set(state.chats)}, not {set(present)}"
    for chat_id, chat in present.items():
        found = state.chats[chat_id]
        if chat.type == 2 and chat.owner is None:
            first = min(joined[chat_id][user] for user in chat.users)
            heirs = {user for user in chat.users if joined[chat_id][user] == first}
            assert found.owner in heirs, f"{found.owner} inherited chat {chat_id}, not one of {heirs}"
            chat.owner = found.owner
        assert found == chat, f"chat {chat_id} is {found}, not {chat}"
