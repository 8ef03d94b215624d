"""Whatever a client sends gets exactly one answer, and raises nothing (trial fails at a logged error)."""

import random
import time
from collections import Counter

from tests.support.chat import CORE, FULL
from tests.support.rawcase import RawCase
from tests.support.tokens import token_for
from tests.support.user import BAD_IDS, BAD_LISTS

ROWS = {
    (1, 2): ("chats", "epoch?"),
    (1, 3): ("token",),
    (11, 1): ("chat_id", "message", "nonce?", "reply_to?"),
    (11, 2): ("chat_id", "message", "nonce?", "reply_to?"),
    (11, 6): ("chat_id", "message_id", "message"),
    (11, 7): ("chat_id", "message_id"),
    (11, 8): ("chat_id", "message_id"),
    (11, 9): ("chat_id",),
    (11, 10): ("chat_id", "before?", "after?", "limit?"),
    (13, 1): ("user_ids", "type", "chat", "nonce?"),
    (13, 2): ("chat_id", "chat", "add_users", "remove_users"),
    (13, 3): ("chat_id",),
    (13, 4): ("cursor?", "limit?"),
    (16, 1): ("user_id",),
    (16, 2): ("user_id", "type"),
    (16, 3): ("user_id",),
    (16, 4): ("user_id",),
    (16, 5): ("user_id",),
    (16, 6): (),
}
"""What may be left out is marked; the rest is there nearly always."""
LIKELY = {"message": ("x", "y"), "chat": ("", "n"), "type": (1, 2), "user_id": (1, 2, 3)}
LIKELY |= dict.fromkeys(("chat_id", "message_id", "reply_to", "before", "after"), tuple(range(1, 9)))
LIKELY |= dict.fromkeys(("user_ids", "add_users", "remove_users"), ([], [1], [2], [3], [2, 3]))
LIKELY |= {"nonce": ("a", "b", "c"), "limit": (1, 2, 100), "cursor": ("1-1", f"{10**14}-9"), "epoch": ("x",)}
LIKELY |= {"chats": ({}, {"1": 0}, {"2": 1, "3": 2}), "token": tuple(token_for(n) for n in (1, 2, 3))}
ODD = ("x", "", "\ud800", "\u0000", "x" * 5000, [4, 4], list(range(1, 1002)), *BAD_IDS, *BAD_LISTS)
FRAMES = 1500


class Fuzz(RawCase):
    settings = {"requests_per_s": 1_000_000, "burst": 1_000_000}

    async def test_every_frame_with_an_id_is_answered_exactly_once(self):
        seed = int(time.time())
        print(f"fuzz seed {seed}")
        dice = random.Random(seed)
        self.answers = Counter()
        for profile in (FULL, CORE):
            await self.every_frame_is_answered(dice, profile.value)
        print(dict(self.answers))

    async def every_frame_is_answered(self, dice, profile):
        clients = [await self.raw(user_id, profile) for user_id in (1, 2, 3)]
        waiting = [set() for _ in clients]
        for number in range(FRAMES):
            at = dice.randrange(len(clients))
            op, t = dice.choice(list(ROWS))
            d = self.members(dice, ROWS[op, t])
            clients[at].say({"op": op, "t": t, "d": d, "id": number})
            waiting[at].add(number)
            if number % 20 == 0:
                await self.answered(clients[at], waiting[at])
        for client, ids in zip(clients, waiting, strict=True):
            await self.answered(client, ids)
            client.say({"op": 99, "t": 1, "id": "end"})
            while (frame := await client.json()).get("id") != "end":
                self.assertNotIn("id", frame)

    def members(self, dice, names):
        """Mostly what may succeed."""
        chosen = (name.rstrip("?") for name in names if dice.random() < (0.3 if "?" in name else 0.97))
        return {name: dice.choice(ODD if dice.random() < 0.1 else LIKELY[name]) for name in chosen}

    async def answered(self, client, ids):
        """Read until all of these are answered; each once."""
        while ids:
            frame = await client.json()
            if "id" in frame:
                ids.remove(frame["id"])
                code = frame["d"].get("code")
                self.answers[code] += 1
                self.assertNotIn(code, ("internal", "unavailable", "bad_json", "bad_frame"), frame)
