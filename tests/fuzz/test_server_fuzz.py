"""Frames by the thousand to a real server, each of which must get exactly the answer that the rules demand.

Environment: ``CHATSRV_FUZZ_FRAMES`` says how many, ``CHATSRV_FUZZ_SEED`` which ones (``random``: others each time;
without it the same). The seed is printed. Watched besides: the log and the sockets of the process, and over many
frames its memory.
"""

from __future__ import annotations

import os
import random
from collections import Counter

import psutil

from tests.fuzz.peer import Peer
from tests.support.chat import ProcessCase
from tests.unit.test_store_kit import until

FRAMES = int(os.environ.get("CHATSRV_FUZZ_FRAMES", "600"))
SEED = os.environ.get("CHATSRV_FUZZ_SEED", "0")
WARM_UP = max(2_000, FRAMES // 2)
"""Frames before memory is measured: by then every row was used, and there are as many chats as there may be."""
ENOUGH = 5_000
"""With fewer frames memory only is told: what the interpreter takes for good is still too much of it."""
GROWTH = 0.05
"""By so much the process may have grown; after some 10,000 frames it grows no more."""
BATCH = 40
PROFILES = ("chatsrv.v1", "chatsrv.core", "chatsrv.v1", None)


class AServer(ProcessCase):
    timeout = 3600 * 3
    settings = {"chats": 20, "open_requests": 3, "log_events_per_chat": 100, "messages_per_chat": 500}

    async def test_every_frame_gets_its_answer_and_nothing_is_left_behind(self):
        number = random.randrange(2**32) if SEED == "random" else int(SEED)
        print(f"\nfuzz: {FRAMES} frames after {WARM_UP}, seed {number}")
        self.dice, self.answers = random.Random(number), Counter()
        self.node = await self.started_process()
        process = psutil.Process(self.node.transport.pid)
        sockets = process.num_fds()
        await self.frames(WARM_UP)
        await until(lambda: process.num_fds() <= sockets, "the end of the sockets")
        before = process.memory_info().rss
        await self.frames(FRAMES)
        await until(lambda: process.num_fds() <= sockets, "the end of the sockets")
        after = process.memory_info().rss
        print(f"{before >> 10} KiB before, {after >> 10} KiB after; {dict(self.answers)}")
        if FRAMES >= ENOUGH:
            self.assertLess(after, before * (1 + GROWTH))
        self.assertEqual(await self.node.terminate(), 0)
        for word in ("Traceback", "crashed", "failed", "Unhandled"):
            self.assertNotIn(word, self.node.log)

    async def frames(self, count):
        """So many frames from four users at once, then the end of their connections."""
        peers = [
            Peer(self.node, 1 + n, profile, self.dice, self.answers) for n, profile in enumerate(PROFILES)
        ]
        while count > 0:
            for peer in peers:
                count -= await peer.send(BATCH)
            for peer in peers:
                await peer.answered()
        for peer in peers:
            await peer.end()
