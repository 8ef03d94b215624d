"""The requests of a client: one struct per row of PROTOCOL section 3, and what makes it valid.

The codec builds them, the actors receive them as commands. A struct that exists has passed its type
checks; ``check`` adds what needs the limits or the caller, so an invalid request never leaves the codec.
"""

from chatsrv.wire.requests.base import (
    MAX_ID,
    PER_REQUEST,
    ChatRequest,
    Id,
    Nonce,
    Position,
    Request,
    check_name,
    check_text,
)
from chatsrv.wire.requests.chats import CreateChat, ReadDetails, ReadInbox, UpdateChat
from chatsrv.wire.requests.connection import CatchUp, RenewToken
from chatsrv.wire.requests.friends import (
    ACCEPT,
    DENY,
    AddFriend,
    AnswerFriend,
    BlockUser,
    ListFriends,
    RemoveFriend,
    UnblockUser,
    UserRequest,
)
from chatsrv.wire.requests.messages import (
    GROUP,
    PRIVATE,
    DeleteMessage,
    EditMessage,
    MarkRead,
    ReadHistory,
    SendGroup,
    SendMessage,
    SendPrivate,
    Typing,
)

__all__ = [
    "ACCEPT",
    "DENY",
    "GROUP",
    "MAX_ID",
    "PER_REQUEST",
    "PRIVATE",
    "REQUESTS",
    "UNSUPPORTED",
    "AddFriend",
    "AnswerFriend",
    "BlockUser",
    "CatchUp",
    "ChatRequest",
    "CreateChat",
    "DeleteMessage",
    "EditMessage",
    "Id",
    "ListFriends",
    "MarkRead",
    "Nonce",
    "Position",
    "ReadDetails",
    "ReadHistory",
    "ReadInbox",
    "RemoveFriend",
    "RenewToken",
    "Request",
    "SendGroup",
    "SendMessage",
    "SendPrivate",
    "Typing",
    "UnblockUser",
    "UpdateChat",
    "UserRequest",
    "check_name",
    "check_text",
]

REQUESTS: dict[tuple[int, int], type[Request]] = {
    (request.op, request.t): request
    for request in (
        CatchUp,
        RenewToken,
        SendPrivate,
        SendGroup,
        EditMessage,
        DeleteMessage,
        MarkRead,
        Typing,
        ReadHistory,
        CreateChat,
        UpdateChat,
        ReadDetails,
        ReadInbox,
        AddFriend,
        AnswerFriend,
        RemoveFriend,
        BlockUser,
        UnblockUser,
        ListFriends,
    )
}

#: Requests that the protocol reserves and this server does not carry out: attachments.
UNSUPPORTED = frozenset({(11, 3), (11, 4), (11, 5)})
