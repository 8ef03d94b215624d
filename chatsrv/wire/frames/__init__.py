"""What the server sends: one struct per ``d`` of PROTOCOL section 3, and their encoding.

A frame is encoded once, then the same bytes go to everyone (`encode`); a reply is the same struct with
the request's ``id`` beside it. Members left out by the protocol are `UNSET`.
"""

from chatsrv.wire.frames.base import Body, FrameId, encode, size_of
from chatsrv.wire.frames.chats import ChatChanged, ChatCreated, Details, Inbox, InboxRow
from chatsrv.wire.frames.connection import CaughtUp, Error, Hello, Renewed, Status, error
from chatsrv.wire.frames.friends import (
    Blocked,
    FriendAnswered,
    FriendAsked,
    FriendRemoved,
    Relations,
    Unblocked,
)
from chatsrv.wire.frames.messages import (
    Deleted,
    Edited,
    GroupMessage,
    GroupSent,
    History,
    IsTyping,
    Message,
    PrivateMessage,
    PrivateSent,
    ReadUpTo,
)

__all__ = [
    "EVENTS",
    "REPLIES",
    "Blocked",
    "Body",
    "CaughtUp",
    "ChatChanged",
    "ChatCreated",
    "Deleted",
    "Details",
    "Edited",
    "Error",
    "FrameId",
    "FriendAnswered",
    "FriendAsked",
    "FriendRemoved",
    "GroupMessage",
    "GroupSent",
    "Hello",
    "History",
    "Inbox",
    "InboxRow",
    "IsTyping",
    "Message",
    "PrivateMessage",
    "PrivateSent",
    "ReadUpTo",
    "Relations",
    "Renewed",
    "Status",
    "Unblocked",
    "encode",
    "error",
    "size_of",
]

#: Frames that come as events, and also as replies.
EVENTS: tuple[type[Body], ...] = (
    Hello,
    Status,
    Error,
    PrivateMessage,
    GroupMessage,
    Edited,
    Deleted,
    ReadUpTo,
    IsTyping,
    ChatCreated,
    ChatChanged,
    FriendAsked,
    FriendAnswered,
    FriendRemoved,
    Blocked,
    Unblocked,
)

#: Frames that only answer a request.
REPLIES: tuple[type[Body], ...] = (
    CaughtUp,
    Renewed,
    PrivateSent,
    GroupSent,
    History,
    Details,
    Inbox,
    Relations,
)
