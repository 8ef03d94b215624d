"""``Relations``: what a device knows of its user's friends, open requests and blocks (op 17, hello, 16/6)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from chatsrv.client import Frame, Hello

ASKED, ANSWERED, REMOVED, BLOCKED, UNBLOCKED = 1, 2, 3, 4, 5
ACCEPT = 1


@dataclass
class Relations:
    """Other users; ``blocked`` by this one."""

    friends: set[int] = field(default_factory=set)
    incoming: set[int] = field(default_factory=set)
    outgoing: set[int] = field(default_factory=set)
    blocked: set[int] = field(default_factory=set)

    def take_hello(self, hello: Hello) -> None:
        self.friends, self.incoming = set(hello.friend_ids), set(hello.incoming)
        self.outgoing = set(hello.outgoing)

    def take_lists(self, d: dict[str, Any]) -> None:
        """The reply to 16/6."""
        self.friends, self.incoming = set(d["friends"]), set(d["incoming"])
        self.outgoing, self.blocked = set(d["outgoing"]), set(d["blocked"])

    def take(self, frame: Frame) -> None:
        """An event, or the reply to one's own request."""
        other = frame.d["user_id"]
        if frame.t == UNBLOCKED:
            self.blocked.discard(other)
            return
        for others in (self.friends, self.incoming, self.outgoing):
            others.discard(other)
        if frame.t == BLOCKED:
            self.blocked.add(other)
        elif frame.t == ASKED and not frame.d.get("accepted"):
            (self.incoming if frame.d["from"] == other else self.outgoing).add(other)
        elif frame.t == ASKED or frame.d.get("type") == ACCEPT:
            self.friends.add(other)
