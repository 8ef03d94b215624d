"""What a person can type: each command as the request it stands for. Used by ``console``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from chatsrv.client import frames

HELP = """\
private USER              open the private chat with USER
group NAME USER ...       create a group
say CHAT TEXT             send a message
edit CHAT MESSAGE TEXT    replace the text of your message
delete CHAT MESSAGE       delete a message
read CHAT MESSAGE         you have read up to here
history CHAT [MESSAGE]    the newest messages, or those before MESSAGE
details CHAT | inbox      about one chat; all your chats, newest activity first
add CHAT USER ...         add users to a group
remove CHAT USER ...      remove users from your group
rename CHAT NAME          name a group
leave CHAT                leave a group
friend USER               ask for friendship, or accept
accept USER | deny USER   answer a friend request
unfriend USER             end a friendship, or withdraw your request
block USER | unblock USER have nothing to do with USER; take it back
friends                   friends, open requests, blocked users
{"op":…,"t":…,"d":…}      send this request
help, quit
"""
_FORM_CHARS = 26

Call = tuple[int, int, dict[str, Any]]

_ABOUT_USERS = {
    "friend": (1, {}),
    "accept": (2, {"type": 1}),
    "deny": (2, {"type": 2}),
    "unfriend": (3, {}),
    "block": (4, {}),
    "unblock": (5, {}),
}


def command(text: str, types: Mapping[int, int], me: int) -> Call:
    """The request that a typed command stands for; ``types`` has the chats' types as far as they are known.

    ``ValueError`` says what is wrong when it stands for none.
    """
    verb, *words = text.split()
    try:
        return _json(text) if text.startswith("{") else _typed(verb, text, words, types, me)
    except (msgspec.MsgspecError, RecursionError) as error:
        raise ValueError(f"that is no request: {error}") from None
    except (ValueError, IndexError):
        raise ValueError(_usage(verb)) from None


def _usage(verb: str) -> str:
    for line in HELP.splitlines():
        for form in line[:_FORM_CHARS].split("|"):
            if form.split()[:1] == [verb]:
                return f"use: {form.strip()}"
    return "that is no command; try help"


def _json(text: str) -> Call:
    frame = frames.decode(text)
    return frame.op, frame.t, frame.d


def _typed(verb: str, text: str, words: list[str], types: Mapping[int, int], me: int) -> Call:
    if verb in _ABOUT_USERS:
        t, more = _ABOUT_USERS[verb]
        return 16, t, {"user_id": int(words[0]), **more}
    if verb in ("private", "group", "inbox", "friends"):
        return _of_the_user(verb, words)
    return _of_a_chat(verb, text, words, types, me)


def _of_the_user(verb: str, words: list[str]) -> Call:
    match verb:
        case "private":
            return 13, 1, {"user_ids": [int(words[0])], "type": 1}
        case "group":
            return 13, 1, {"user_ids": [int(word) for word in words[1:]], "type": 2, "chat": words[0]}
        case "inbox":
            return 13, 4, {}
    return 16, 6, {}


def _of_a_chat(verb: str, text: str, words: list[str], types: Mapping[int, int], me: int) -> Call:
    chat = {"chat_id": int(words[0])}
    match verb:
        case "say":
            return 11, types.get(chat["chat_id"], 2), {**chat, "message": text.split(None, 2)[2]}
        case "edit":
            return 11, 6, {**chat, "message_id": int(words[1]), "message": text.split(None, 3)[3]}
        case "delete":
            return 11, 7, {**chat, "message_id": int(words[1])}
        case "read":
            return 11, 8, {**chat, "message_id": int(words[1])}
        case "history":
            return 11, 10, {**chat, "before": int(words[1])} if len(words) > 1 else {**chat}
        case "details":
            return 13, 3, {**chat}
    return 13, 2, {**chat, **_change(verb, text, words, me)}


def _change(verb: str, text: str, words: list[str], me: int) -> dict[str, Any]:
    match verb:
        case "add":
            return {"add_users": [int(word) for word in words[1:]]}
        case "remove":
            return {"remove_users": [int(word) for word in words[1:]]}
        case "rename":
            return {"chat": text.split(None, 2)[2]}
        case "leave":
            return {"remove_users": [me]}
    raise ValueError(verb)
