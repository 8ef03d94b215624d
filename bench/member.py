"""A client's connection after a break: it goes on where the last one stopped, and proves that nothing is missing."""

from __future__ import annotations

from bench.connection import Connection, Faults


class Member(Connection):
    """A connection that may have missed events: ``behind`` is how far each of those chats was seen.

    What is not above hello's head must continue there, what is above it continues hello's head.
    """

    def __init__(self, user_id: int, faults: Faults) -> None:
        super().__init__(user_id, faults)
        self.behind: dict[int, int] = {}
        self.greeted: dict[int, int] = {}

    def _advance(self, chat_id: int, seq: int) -> None:
        if self.behind and chat_id in self.behind and seq <= self.greeted[chat_id]:
            if seq != self.behind[chat_id] + 1:
                self.faults.add(
                    f"user {self.user_id}, chat {chat_id}: replay of {seq} at {self.behind[chat_id]}"
                )
            self.behind[chat_id] = seq
            return
        super()._advance(chat_id, seq)

    async def catch_up(self, seen: dict[int, int]) -> int:
        """Get what was missed since ``seen``, whole; how many events that were."""
        heads: dict[int, int] = {int(chat): head for chat, head in self.hello["heads"].items()}
        if heads.keys() != seen.keys():
            self.faults.add(f"user {self.user_id}: other chats than before the break")
        missed = {chat: seq for chat, seq in seen.items() if heads[chat] != seq}
        if not missed:
            return 0
        self.greeted, self.behind = heads, dict(missed)
        reply = await self.request(1, 2, {"epoch": self.hello["epoch"], "chats": missed})
        due = {chat: heads[chat] for chat in missed}
        told = {int(chat): head for chat, head in reply["heads"].items()}
        if reply["reset"] or told != due or self.behind != due:
            self.faults.add(f"user {self.user_id}: caught up to {self.behind}, told {reply}, due {due}")
        self.behind = {}
        return sum(due[chat] - seq for chat, seq in missed.items())
