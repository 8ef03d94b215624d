"""A node whose wall clock jumps by an hour, while its store's does not (RELIABILITY F29).

The node is a process of its own in which ``time.time`` is Python's plus what stands in a file.
"""

import shutil
import tempfile
from pathlib import Path

from chatsrv.client import HandshakeRefused
from tests.support import process
from tests.support.chat import ProcessCase
from tests.support.tokens import token_for

HOUR_S = 3600
SITECUSTOMIZE = """
import time

def jumped(time=time.time):
    with open({path!r}) as file:
        return time() + float(file.read() or 0)

time.time = jumped
"""


class WallClock(ProcessCase):
    settings = {"presence_grace_s": 0.1, "status_interval_s": 0.01}

    async def setUp(self) -> None:
        folder = Path(tempfile.mkdtemp(prefix="chatsrv-clock-"))
        self.addCleanup(shutil.rmtree, folder)
        self.ahead = folder / "ahead"
        self.jump(0)
        (folder / "sitecustomize.py").write_text(SITECUSTOMIZE.format(path=str(self.ahead)))
        environment = process.environment

        def with_our_clock(settings):
            given = environment(settings)
            return given | {"PYTHONPATH": f"{folder}:{given['PYTHONPATH']}"}

        self.patch(process, "environment", with_our_clock)
        self.node = await self.started_process()

    def jump(self, seconds):
        """From now on the node's wall clock is so far ahead; in one step, as it would jump."""
        new = self.ahead.with_suffix(".new")
        new.write_text(str(seconds))
        new.rename(self.ahead)

    async def test_set_forward_it_ends_no_connection_and_no_presence_but_tokens_are_over(self):
        half_hour = token_for(1, ttl_s=HOUR_S / 2)
        alice, bob = await self.user(1, token=half_hour), await self.user(2)
        await self.friends(alice, bob)
        await alice.status(2)
        chat_id = await self.group(alice, bob)
        self.jump(HOUR_S)
        await self.fence(chat_id, alice, bob)
        await self.fence(chat_id, bob, alice)
        with self.assertRaises(HandshakeRefused) as refused:
            await self.user(1, token=half_hour)
        self.assertEqual(refused.exception.status, 401)
        carol = await self.user(3, token=token_for(3, ttl_s=2 * HOUR_S))
        await carol.sync()
        await bob.close()
        await alice.status()

    async def test_set_back_it_stops_no_timer(self):
        alice, bob = await self.users(1, 2)
        await self.friends(alice, bob)
        await alice.status(2)
        chat_id = await self.group(alice, bob)
        self.jump(-HOUR_S)
        await self.fence(chat_id, alice, bob)
        await bob.close()
        await alice.status()
        self.assertEqual(await self.node.terminate(), 0)
