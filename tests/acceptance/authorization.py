"""The authorization matrix (RELIABILITY 3.5) as a table: who may do what in a chat, and how it shows that it was done.

The cast, in a group, a private chat of two who blocked each other's way, and a private chat of two who did not:
``ROLES``. A cell is a row and a role; ``OK`` or the code of the refusal.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

OWNER, AUTHOR, MEMBER, FORMER, OUTSIDER, BLOCKER, BLOCKED, NEWCOMER, SHUNNED = range(1, 10)
ROLES = {
    "owner": OWNER,
    "author": AUTHOR,
    "member": MEMBER,
    "former": FORMER,
    "outsider": OUTSIDER,
    "blocker": BLOCKER,
    "blocked": BLOCKED,
}
#: In the group, message 1 is the author's and 2 the former member's, from when he was one. In the private chat of
#: blocker and blocked, 1 is hers and 2 his, and 3 is hers. In that of owner and author, 1 is the author's.
GROUP, CLOSED, OPEN = "group", "closed", "open"
OK, NOT_FOUND, FORBIDDEN, WRONG = "ok", "not_found", "forbidden", "wrong_chat_type"
TEXT = "a new text"

Effect = Callable[[Any, int, dict[str, Any]], bool]


class Row(NamedTuple):
    """``d`` is the request without ``chat_id``, or makes it of the asking user's id.

    ``event``: what the others get (None: nothing). ``effect``: whether, from the asking user, the reply, and
    what a member then reads (``details``, ``messages`` by id), it was done.
    """

    name: str
    chat: str
    request: tuple[int, int]
    d: Any
    event: tuple[int, int] | None
    effect: Effect
    cells: dict[str, str]

    def members(self, user_id: int) -> dict[str, Any]:
        """The ``d`` of the request."""
        return dict(self.d(user_id) if callable(self.d) else self.d)


class Look(NamedTuple):
    """A chat as a member reads it."""

    details: dict[str, Any]
    messages: dict[int, dict[str, Any]]


def _read_history(look: Look, user: int, reply: dict[str, Any]) -> bool:
    return {row["message_id"]: row for row in reply["messages"]} == look.messages


def _read_details(look: Look, user: int, reply: dict[str, Any]) -> bool:
    return reply == look.details


def _sent(look: Look, user: int, reply: dict[str, Any]) -> bool:
    stored = look.messages[reply["message_id"]]
    return (stored["message"], stored["sender_id"], len(look.messages)) == (TEXT, user, reply["message_id"])


def _edited(look: Look, user: int, reply: dict[str, Any]) -> bool:
    return look.messages[reply["message_id"]]["message"] == TEXT


def _deleted(look: Look, user: int, reply: dict[str, Any]) -> bool:
    return look.messages[reply["message_id"]].get("deleted") is True


def _renamed(look: Look, user: int, reply: dict[str, Any]) -> bool:
    return look.details["chat"] == TEXT


def _added(look: Look, user: int, reply: dict[str, Any]) -> bool:
    return NEWCOMER in look.details["users"]


def _removed(look: Look, user: int, reply: dict[str, Any]) -> bool:
    return MEMBER not in look.details["users"]


def _left(look: Look, user: int, reply: dict[str, Any]) -> bool:
    return user not in look.details["users"]


def _marked(look: Look, user: int, reply: dict[str, Any]) -> bool:
    return bool(look.details["read"][str(user)] == reply["message_id"])


def _told(look: Look, user: int, reply: dict[str, Any]) -> bool:
    return True  # the event is all there is


ALL_IN = dict.fromkeys(("owner", "author", "member", "blocker", "blocked"), OK)
OUT = {"former": NOT_FOUND, "outsider": NOT_FOUND}
EVERYONE = ALL_IN | OUT
OWNER_ONLY = dict.fromkeys(ALL_IN, FORBIDDEN) | {"owner": OK} | OUT
THE_TWO = {"blocker": OK, "blocked": OK, "outsider": NOT_FOUND, "former": NOT_FOUND, "owner": NOT_FOUND}
NOT_THE_TWO = THE_TWO | {"blocker": FORBIDDEN, "blocked": FORBIDDEN}
THE_PAIR = {"owner": OK, "author": OK, "outsider": NOT_FOUND, "former": NOT_FOUND, "member": NOT_FOUND}

NEW = {"message": TEXT}
ROWS = (
    Row("history", GROUP, (11, 10), {}, None, _read_history, EVERYONE),
    Row("history before a message", GROUP, (11, 10), {"before": 9}, None, _read_history, EVERYONE),
    Row("details", GROUP, (13, 3), {}, None, _read_details, EVERYONE),
    Row("send", GROUP, (11, 2), NEW, (12, 2), _sent, EVERYONE),
    Row("send with a nonce", GROUP, (11, 2), {**NEW, "nonce": "n"}, (12, 2), _sent, EVERYONE),
    Row("send as if private", GROUP, (11, 1), NEW, None, _told, dict.fromkeys(ALL_IN, WRONG) | OUT),
    Row("reply to a message", GROUP, (11, 2), {**NEW, "reply_to": 1}, (12, 2), _sent, EVERYONE),
    Row(
        *("edit a message of the author", GROUP, (11, 6), {**NEW, "message_id": 1}, (12, 6), _edited),
        dict.fromkeys(ALL_IN, FORBIDDEN) | {"author": OK} | OUT,
    ),
    Row(
        *("edit a message of the former member", GROUP, (11, 6), {**NEW, "message_id": 2}, (12, 6), _edited),
        dict.fromkeys(ALL_IN, FORBIDDEN) | OUT,
    ),
    Row(
        *("delete a message of the author", GROUP, (11, 7), {"message_id": 1}, (12, 7), _deleted),
        OWNER_ONLY | {"author": OK},
    ),
    Row(
        *("delete a message of the former member", GROUP, (11, 7), {"message_id": 2}, (12, 7), _deleted),
        OWNER_ONLY,
    ),
    Row("rename", GROUP, (13, 2), {"chat": TEXT}, (14, 2), _renamed, EVERYONE),
    Row("add", GROUP, (13, 2), {"add_users": [NEWCOMER]}, (14, 2), _added, EVERYONE),
    Row(
        *("rename and add", GROUP, (13, 2), {"chat": TEXT, "add_users": [NEWCOMER]}, (14, 2), _added),
        EVERYONE,
    ),
    Row("add oneself", GROUP, (13, 2), lambda user: {"add_users": [user]}, None, _told, OUT),
    Row(
        *("add one who blocked the blocked", GROUP, (13, 2), {"add_users": [SHUNNED]}, None, _told),
        {"blocked": FORBIDDEN, **OUT},
    ),
    Row(
        *("remove another", GROUP, (13, 2), {"remove_users": [MEMBER]}, (14, 2), _removed),
        {role: code for role, code in OWNER_ONLY.items() if role != "member"},
    ),
    Row(
        *("rename and remove another", GROUP, (13, 2), {"chat": TEXT, "remove_users": [MEMBER]}, (14, 2)),
        *(_removed, {role: code for role, code in OWNER_ONLY.items() if role != "member"}),
    ),
    Row("leave", GROUP, (13, 2), lambda user: {"remove_users": [user]}, (14, 2), _left, EVERYONE),
    Row("mark as read", GROUP, (11, 8), {"message_id": 2}, (12, 8), _marked, EVERYONE),
    Row("type", GROUP, (11, 9), {}, (12, 9), _told, EVERYONE),
    # the private chat of the two of a block
    Row("history of the blocked", CLOSED, (11, 10), {}, None, _read_history, THE_TWO),
    Row("details of the blocked", CLOSED, (13, 3), {}, None, _read_details, THE_TWO),
    Row("send to the blocked", CLOSED, (11, 1), NEW, None, _told, NOT_THE_TWO),
    Row("send with a nonce to the blocked", CLOSED, (11, 1), {**NEW, "nonce": "n"}, None, _told, NOT_THE_TWO),
    Row("reply to the blocked", CLOSED, (11, 1), {**NEW, "reply_to": 1}, None, _told, NOT_THE_TWO),
    Row(
        "edit hers in spite of the block", CLOSED, (11, 6), {**NEW, "message_id": 1}, None, _told, NOT_THE_TWO
    ),
    Row(
        "edit his in spite of the block", CLOSED, (11, 6), {**NEW, "message_id": 2}, None, _told, NOT_THE_TWO
    ),
    Row(
        *("delete hers in spite of the block", CLOSED, (11, 7), {"message_id": 1}, (12, 7), _deleted),
        THE_TWO | {"blocked": FORBIDDEN},
    ),
    Row(
        *("delete his in spite of the block", CLOSED, (11, 7), {"message_id": 2}, (12, 7), _deleted),
        THE_TWO | {"blocker": FORBIDDEN},
    ),
    Row(
        *("mark hers as read in spite of the block", CLOSED, (11, 8), {"message_id": 3}, (12, 8), _marked),
        {role: code for role, code in THE_TWO.items() if role != "blocker"},
    ),
    Row(
        *("mark his as read in spite of the block", CLOSED, (11, 8), {"message_id": 2}, None, _told),
        {role: code for role, code in THE_TWO.items() if role != "blocked"},
    ),
    Row("type in spite of the block", CLOSED, (11, 9), {}, None, _told, NOT_THE_TWO),
    Row(
        *("rename a private chat", CLOSED, (13, 2), {"chat": TEXT}, None, _told),
        THE_TWO | {"blocker": WRONG, "blocked": WRONG},
    ),
    # a private chat of two others
    Row("history of a private chat", OPEN, (11, 10), {}, None, _read_history, THE_PAIR),
    Row("details of a private chat", OPEN, (13, 3), {}, None, _read_details, THE_PAIR),
    Row("send in a private chat", OPEN, (11, 1), NEW, (12, 1), _sent, THE_PAIR),
    Row(
        *("send as if to a group", OPEN, (11, 2), NEW, None, _told),
        THE_PAIR | {"owner": WRONG, "author": WRONG},
    ),
    Row(
        *("edit in a private chat", OPEN, (11, 6), {**NEW, "message_id": 1}, (12, 6), _edited),
        THE_PAIR | {"owner": FORBIDDEN},
    ),
    Row(
        *("delete in a private chat", OPEN, (11, 7), {"message_id": 1}, (12, 7), _deleted),
        THE_PAIR | {"owner": FORBIDDEN},
    ),
    Row(
        "mark a private chat as read",
        OPEN,
        (11, 8),
        {"message_id": 1},
        None,
        _told,
        {**OUT, "member": NOT_FOUND},
    ),
    Row("type in a private chat", OPEN, (11, 9), {}, (12, 9), _told, THE_PAIR),
    Row(
        *("leave a private chat", OPEN, (13, 2), lambda user: {"remove_users": [user]}, None, _told),
        THE_PAIR | {"owner": WRONG, "author": WRONG},
    ),
)
CELLS = [(row, role) for row in ROWS for role in row.cells]
