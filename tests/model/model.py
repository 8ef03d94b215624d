"""The model: what the protocol says a request must be answered with, and what it changes. PROTOCOL section 3.

`State` is everything the users know, taken from devices that connected afresh. `refusal` gives the code that a
request must be refused with, in the order of section 4, and `carry_out` makes its change to the state.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.model.device import Device
from tests.model.ledger import Nonces
from tests.model.relations import Relations

PRIVATE, GROUP = 1, 2
ACCEPT = 1


@dataclass
class Said:
    """A message; ``text`` None: deleted."""

    sender: int
    text: str | None
    reply_to: int | None = None


@dataclass
class Chat:
    type: int
    name: str
    users: set[int]
    owner: int | None
    seq: int
    messages: dict[int, Said] = field(default_factory=dict)
    marks: dict[int, int] = field(default_factory=dict)


@dataclass
class State:
    """``relations`` of each user; ``chats`` that have members; ``nonces`` that had an effect."""

    chats: dict[int, Chat]
    relations: dict[int, Relations]
    nonces: Nonces = field(default_factory=dict)

    @classmethod
    def of(cls, devices: Mapping[int, Device]) -> State:
        """By user; they are all in step, so it does not matter whose view of a chat is taken."""
        books = {chat_id: book for device in devices.values() for chat_id, book in device.books.items()}
        chats = {}
        for chat_id, book in books.items():
            said = {n: Said(m.sender, m.text, m.reply_to) for n, m in sorted(book.messages.items())}
            chats[chat_id] = Chat(
                book.type, book.name, set(book.users), book.owner, book.position, said, dict(book.marks)
            )
        lists = {
            user: Relations(*map(set, vars(device.relations).values())) for user, device in devices.items()
        }
        return cls(chats, lists)

    def blocked(self, *users: int) -> bool:
        """Whether one of the two blocks the other."""
        return any(other in self.relations[user].blocked for user in users for other in users)

    def private_chat(self, *users: int) -> int | None:
        for chat_id, chat in self.chats.items():
            if chat.type == PRIVATE and chat.users == set(users):
                return chat_id
        return None

    def _blocks_him(self, user: int, others: set[int]) -> bool:
        return any(user in self.relations[other].blocked for other in others)

    # Refusals

    def refusal(self, user: int, op: int, t: int, d: Mapping[str, Any]) -> str | None:
        """The code, or None. Shape, rate and limits are another matter."""
        if op == 16:
            return self._refused_relation(user, t, d)
        if (op, t) == (13, 1):
            return self._refused_creation(user, d)
        if "chat_id" not in d:
            return None
        chat = self.chats.get(d["chat_id"])
        if chat is None or user not in chat.users:
            return "not_found"
        return self._refused_change(chat, user, t, d) if op == 13 else self._refused_message(chat, user, t, d)

    def _refused_creation(self, user: int, d: Mapping[str, Any]) -> str | None:
        others = set(d["user_ids"])
        if d["type"] == PRIVATE:
            known = self.private_chat(user, *others) is not None
            return "forbidden" if not known and self.blocked(user, *others) else None
        before = self.nonces.get((0, user, d.get("nonce", "")))
        if before is None:
            return "forbidden" if self._blocks_him(user, others) else None
        if before[0] != d:
            return "conflict"
        chat = self.chats.get(before[1]["chat_id"])
        return None if chat is not None and user in chat.users else "not_found"

    def _refused_relation(self, user: int, t: int, d: Mapping[str, Any]) -> str | None:
        other, mine = d.get("user_id", 0), self.relations[user]
        if t == 1:
            return "forbidden" if self.blocked(user, other) else None
        if t == 2:
            return None if other in mine.incoming else "not_found"
        if t == 3:
            return None if other in mine.friends | mine.outgoing else "not_found"
        return None

    def _refused_change(self, chat: Chat, user: int, t: int, d: Mapping[str, Any]) -> str | None:
        if t != 2:
            return None
        if chat.type != GROUP:
            return "wrong_chat_type"
        others = set(d.get("remove_users", ())) - {user}
        added = set(d.get("add_users", ())) - chat.users
        return "forbidden" if (others and chat.owner != user) or self._blocks_him(user, added) else None

    def _refused_message(self, chat: Chat, user: int, t: int, d: Mapping[str, Any]) -> str | None:
        if t in (1, 2) and t != chat.type:
            return "wrong_chat_type"
        before = self.nonces.get((d["chat_id"], user, d.get("nonce", "")))
        if before is not None:
            return None if before[0] == d else "conflict"
        wanted = d.get("reply_to") if t in (1, 2) else d.get("message_id")
        message = chat.messages.get(wanted or 0)
        if (wanted and message is None) or (t == 6 and message and message.text is None):
            return "not_found"
        if t in (1, 2, 6, 9) and chat.type == PRIVATE and self.blocked(*chat.users):
            return "forbidden"
        owners = {6: set(), 7: {chat.owner} if chat.type == GROUP else set()}.get(t, {user})
        return None if t not in (6, 7) or user in owners | {message and message.sender} else "forbidden"

    # Changes

    def carry_out(self, user: int, op: int, t: int, d: Mapping[str, Any], answer: Mapping[str, Any]) -> None:
        """What the request changes; nothing if its answer says ``dup``."""
        if op == 16 and t < 6:
            self._relate(user, t, d)
        elif (op, t) == (13, 1):
            self._create(user, d, answer)
        elif (op, t) == (13, 2):
            self._change(self.chats[d["chat_id"]], user, d)
        elif op == 11 and not answer.get("dup"):
            self._say(self.chats[d["chat_id"]], user, t, d)

    def _say(self, chat: Chat, user: int, t: int, d: Mapping[str, Any]) -> None:
        number = d.get("message_id", len(chat.messages) + 1)
        if t in (1, 2):
            chat.messages[number] = Said(user, d["message"], d.get("reply_to"))
        if t in (6, 7):
            chat.messages[number].text = d.get("message")
        if t in (1, 2, 6, 7):
            chat.seq += 1
        if t in (1, 2, 8):
            chat.marks[user] = max(number, chat.marks.get(user, 0))

    def _create(self, user: int, d: Mapping[str, Any], answer: Mapping[str, Any]) -> None:
        if answer["chat_id"] not in self.chats:
            owner = user if d["type"] == GROUP else None
            users = {user, *d["user_ids"]}
            self.chats[answer["chat_id"]] = Chat(d["type"], d.get("chat", ""), users, owner, 1)

    def _change(self, chat: Chat, user: int, d: Mapping[str, Any]) -> None:
        name, added = d.get("chat", chat.name), set(d.get("add_users", ())) - chat.users
        removed = set(d.get("remove_users", ())) & chat.users
        if name == chat.name and not added and not removed:
            return
        chat.name, chat.seq, chat.users = name, chat.seq + 1, (chat.users | added) - removed
        if chat.messages:
            chat.marks |= dict.fromkeys(added, len(chat.messages))
        chat.marks = {each: mark for each, mark in chat.marks.items() if each in chat.users}
        if chat.owner not in chat.users:
            chat.owner = None  # whoever joined first

    def _relate(self, user: int, t: int, d: Mapping[str, Any]) -> None:
        other = d.get("user_id", 0)
        if t == 5:
            self.relations[user].blocked.discard(other)
            return
        mine, his = self.relations[user], self.relations[other]
        friends, was_asked = other in mine.friends, other in mine.incoming
        for one, two in ((mine, other), (his, user)):
            for others in (one.friends, one.incoming, one.outgoing):
                others.discard(two)
        if t == 4:
            mine.blocked.add(other)
        elif (t == 1 and (friends or was_asked)) or (t == 2 and d["type"] == ACCEPT):
            mine.friends.add(other)
            his.friends.add(user)
        elif t == 1:
            mine.outgoing.add(other)
            his.incoming.add(user)
