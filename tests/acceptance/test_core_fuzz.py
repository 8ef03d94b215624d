"""Whatever a client sends gets exactly one answer, and raises nothing (trial fails at a logged error)."""

import random
import time
from collections import Counter

from tests.support.chat import CORE, FULL
from tests.support.rawcase import RawCase
from tests.support.user import BAD_IDS, BAD_LISTS

ROWS = {
    (11, 1): ("chat_id", "message"),
    (11, 2): ("chat_id", "message"),
    (11, 6): ("chat_id", "message_id", "message"),
    (11, 7): ("chat_id", "message_id"),
    (13, 1): ("user_ids", "type", "chat"),
    (13, 2): ("chat_id", "chat", "add_users", "remove_users"),
    (16, 1): ("user_id",),
    (16, 2): ("user_id", "type"),
}
LIKELY = {"message": ("x", "y"), "chat": ("", "n"), "type": (1, 2), "user_id": (1, 2, 3)}
LIKELY |= dict.fromkeys(("chat_id", "message_id"), tuple(range(1, 9)))
LIKELY |= dict.fromkeys(("user_ids", "add_users", "remove_users"), ([], [1], [2], [3], [2, 3]))
ODD = ("x", "", "\ud800", "\u0000", "x" * 5000, [4, 4], list(range(1, 1002)), *BAD_IDS, *BAD_LISTS)
FRAMES = 800


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
            d = {name: dice.choice(self.values(dice, name)) for name in ROWS[op, t] if dice.random() < 0.97}
            clients[at].say({"op": op, "t": t, "d": d, "id": number})
            waiting[at].add(number)
            if number % 20 == 0:
                await self.answered(clients[at], waiting[at])
        for client, ids in zip(clients, waiting, strict=True):
            await self.answered(client, ids)
            client.say({"op": 99, "t": 1, "id": "end"})
            while (frame := await client.json()).get("id") != "end":
                self.assertNotIn("id", frame)

    def values(self, dice, name):
        """Mostly what may succeed."""
        return ODD if dice.random() < 0.1 else LIKELY[name]

    async def answered(self, client, ids):
        """Read until all of these are answered; each once."""
        while ids:
            frame = await client.json()
            if "id" in frame:
                ids.remove(frame["id"])
                code = frame["d"].get("code")
                self.answers[code] += 1
                self.assertNotIn(code, ("internal", "unavailable", "bad_json", "bad_frame"), frame)
