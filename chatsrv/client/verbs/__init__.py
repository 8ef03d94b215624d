"""The requests as functions with typed arguments, for a ``Connection`` as for a ``Client``.

Each fires with the reply to its row in PROTOCOL section 3, as a struct; failures are those of ``call``.
Nothing is checked here: the server is the one that judges.
"""

from chatsrv.client.frames import CaughtUp
from chatsrv.client.verbs.base import Caller, Message
from chatsrv.client.verbs.chats import (
    Chat,
    Details,
    Inbox,
    InboxRow,
    create_group,
    create_private,
    details,
    inbox,
    update_chat,
)
from chatsrv.client.verbs.connection import Renewed, catch_up, renew
from chatsrv.client.verbs.friends import (
    Answer,
    Friend,
    Relations,
    add_friend,
    answer_friend,
    block,
    list_friends,
    remove_friend,
    unblock,
)
from chatsrv.client.verbs.messages import (
    Changed,
    History,
    Mark,
    Sent,
    Typing,
    delete,
    edit,
    history,
    mark_read,
    send_group,
    send_private,
    typing,
)

__all__ = [
    "Answer",
    "Caller",
    "CaughtUp",
    "Changed",
    "Chat",
    "Details",
    "Friend",
    "History",
    "Inbox",
    "InboxRow",
    "Mark",
    "Message",
    "Relations",
    "Renewed",
    "Sent",
    "Typing",
    "add_friend",
    "answer_friend",
    "block",
    "catch_up",
    "create_group",
    "create_private",
    "delete",
    "details",
    "edit",
    "history",
    "inbox",
    "list_friends",
    "mark_read",
    "remove_friend",
    "renew",
    "send_group",
    "send_private",
    "typing",
    "unblock",
    "update_chat",
]
