"""What users ask for: each `Act` is drawn as a few numbers and becomes a request of one of the devices.

The numbers choose among what there is at that moment (``chat`` one of the device's chats, now and then one of
others or none at all; ``pick`` a message or a user), so they stay meaningful however a run is shortened.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from tests.model.book import Book
from tests.model.device import Device
from tests.support.tokens import token_for

if TYPE_CHECKING:
    from tests.model.world import World

NOBODY = 10**6
#: Living groups beyond which no further ones are made, so that things happen in the same ones.
GROUPS = 3


@dataclass(frozen=True)
class Act:
    """``kind`` is a name in `REQUESTS`; ``who`` one of the devices."""

    kind: str
    who: int
    chat: int
    pick: int
    flag: bool


class Asked(NamedTuple):
    op: int
    t: int
    d: dict[str, Any]


class Scene(NamedTuple):
    """An act, with what it is about."""

    world: World
    device: Device
    act: Act

    @property
    def other(self) -> int:
        """Another user."""
        others = [user for user in self.world.users if user != self.device.user_id]
        return others[self.act.pick % len(others)]

    @property
    def chat(self) -> tuple[int, Book]:
        """One of the device's chats; sometimes another one."""
        own, known = sorted(self.device.books), sorted(self.world.state.chats)
        strange = not own or self.act.chat % 10 == 9
        chat_id = (
            [*known, NOBODY][self.act.chat % (len(known) + 1)] if strange else own[self.act.chat % len(own)]
        )
        return chat_id, self.device.books.get(chat_id) or Book(0, type=2)

    @property
    def message(self) -> tuple[int, int]:
        """One of the last messages of a chat, or the one that is not there yet."""
        chat_id, book = self.chat
        return chat_id, max(1, book.last + 1 - self.act.pick % 6)

    @property
    def nonce(self) -> dict[str, Any]:
        return {"nonce": self.world.ledger.new_text()} if self.act.flag else {}


def _say(scene: Scene) -> Asked:
    (chat_id, book), (_, message_id), pick = scene.chat, scene.message, scene.act.pick
    reply_to = {"reply_to": message_id} if pick >= 8 else {}
    t = 3 - book.type if pick == 7 else book.type
    return Asked(
        11, t, {"chat_id": chat_id, "message": scene.world.ledger.new_text(), **reply_to, **scene.nonce}
    )


def _say_again(scene: Scene) -> Asked | None:
    """With a nonce that he used before, on whichever device; with another text unless it is flagged."""
    chat_id, book = scene.chat
    sent = scene.world.ledger.sent(chat_id, scene.device.user_id)
    if not sent:
        return None
    before = sent[-1 - scene.act.pick % len(sent)].d
    if scene.act.flag:
        return Asked(11, book.type, dict(before))
    return Asked(11, book.type, {**before, "message": scene.world.ledger.new_text()})


def _edit(scene: Scene) -> Asked:
    (_, book), (chat_id, message_id) = scene.chat, scene.message
    message = book.messages.get(message_id)
    same = scene.act.flag and message is not None and message.text is not None
    text = message.text if same and message else scene.world.ledger.new_text()
    return Asked(11, 6, {"chat_id": chat_id, "message_id": message_id, "message": text})


def _erase(scene: Scene) -> Asked:
    chat_id, message_id = scene.message
    return Asked(11, 7, {"chat_id": chat_id, "message_id": message_id})


def _read(scene: Scene) -> Asked:
    chat_id, message_id = scene.message
    return Asked(11, 8, {"chat_id": chat_id, "message_id": message_id})


def _type(scene: Scene) -> Asked:
    return Asked(11, 9, {"chat_id": scene.chat[0]})


def _history(scene: Scene) -> Asked:
    (chat_id, message_id), pick = scene.message, scene.act.pick
    bound = {} if pick >= 8 else {"before" if scene.act.flag else "after": message_id}
    return Asked(11, 10, {"chat_id": chat_id, "limit": 1 + pick % 5, **bound})


def _details(scene: Scene) -> Asked:
    return Asked(13, 3, {"chat_id": scene.chat[0]})


def _group(scene: Scene) -> Asked | None:
    if sum(chat.type == 2 for chat in scene.world.state.chats.values()) >= GROUPS:
        return None
    users = [user for n, user in enumerate(scene.world.users) if scene.act.pick >> n & 1]
    name = scene.world.ledger.new_text()
    return Asked(13, 1, {"user_ids": users, "type": 2, "chat": name, **scene.nonce})


def _group_again(scene: Scene) -> Asked | None:
    """With a nonce that made a group before; under another name unless it is flagged."""
    made = [key for key in scene.world.state.nonces if key[:2] == (0, scene.device.user_id)]
    if not made:
        return None
    before = scene.world.state.nonces[made[scene.act.pick % len(made)]][0]
    return Asked(13, 1, dict(before) if scene.act.flag else {**before, "chat": "another"})


def _private(scene: Scene) -> Asked:
    return Asked(13, 1, {"user_ids": [scene.other], "type": 1})


def _rename(scene: Scene) -> Asked:
    chat_id, book = scene.chat
    return Asked(
        13, 2, {"chat_id": chat_id, "chat": book.name if scene.act.flag else f"name {scene.act.pick}"}
    )


def _add(scene: Scene) -> Asked:
    rename = {"chat": f"name {scene.act.pick}"} if scene.act.flag else {}
    return Asked(13, 2, {"chat_id": scene.chat[0], "add_users": [scene.other], **rename})


def _remove(scene: Scene) -> Asked:
    """Or replace by the third one."""
    (third,) = set(scene.world.users) - {scene.device.user_id, scene.other}
    added = {"add_users": [third]} if scene.act.flag else {}
    return Asked(13, 2, {"chat_id": scene.chat[0], "remove_users": [scene.other], **added})


def _leave(scene: Scene) -> Asked:
    return Asked(13, 2, {"chat_id": scene.chat[0], "remove_users": [scene.device.user_id]})


def _about_other(t: int) -> Callable[[Scene], Asked]:
    return lambda scene: Asked(16, t, {"user_id": scene.other})


def _answer(scene: Scene) -> Asked:
    return Asked(16, 2, {"user_id": scene.other, "type": 1 if scene.act.flag else 2})


def _renew(scene: Scene) -> Asked:
    return Asked(1, 3, {"token": token_for(scene.device.user_id)})


REQUESTS: dict[str, Callable[[Scene], Asked | None]] = {
    "say": _say,
    "say again": _say_again,
    "edit": _edit,
    "erase": _erase,
    "read": _read,
    "type": _type,
    "history": _history,
    "details": _details,
    "inbox": lambda scene: Asked(13, 4, {"limit": 1 + scene.act.pick}),
    "group": _group,
    "group again": _group_again,
    "private": _private,
    "rename": _rename,
    "add": _add,
    "remove": _remove,
    "leave": _leave,
    "befriend": _about_other(1),
    "answer": _answer,
    "unfriend": _about_other(3),
    "block": _about_other(4),
    "unblock": _about_other(5),
    "relations": lambda scene: Asked(16, 6, {}),
    "renew": _renew,
}
