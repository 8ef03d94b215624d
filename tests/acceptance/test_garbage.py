"""What ends is freed by its reference count: with rare collections (`chatsrv.garbage`), cycles would pile up."""

import gc
import weakref

from chatsrv import garbage
from tests.support.chat import ChatCase
from tests.unit.test_store_kit import until


class Cycles(ChatCase):
    def setUp(self):
        gc.disable()
        self.addCleanup(gc.enable)
        return super().setUp()

    def living(self):
        """Weak references to every session of the node, and to its shell."""
        sessions = list(self.node.service.sessions)
        return [weakref.ref(each) for session in sessions for each in (session, session._shell)]

    async def test_a_connection_that_closed_leaves_nothing_behind(self):
        alice, bob = await self.users(1, 2)
        chat_id = await self.private(alice, bob)
        sent = await alice.call(11, 1, chat_id=chat_id, message="a")
        await bob.expect(12, 1)
        await bob.call(11, 8, chat_id=chat_id, message_id=sent["message_id"])
        await bob.call(1, 2, chats={})
        await alice.refused(11, 1, chat_id=chat_id + 1, message="a")
        living = self.living()
        self.assertEqual(len(living), 4)
        await alice.close()
        await bob.close()
        await until(lambda: not self.node.service.sessions, "the end of the sessions")
        await until(lambda: not any(ref() for ref in living), "the end of what they held")


class Thresholds(ChatCase):
    def test_tuning_makes_collections_rare_and_keeps_them(self):
        before = gc.get_threshold()
        self.addCleanup(gc.unfreeze)
        self.addCleanup(gc.set_threshold, *before)
        garbage.tune()
        self.assertTrue(gc.isenabled())
        self.assertEqual(gc.get_threshold(), garbage.THRESHOLDS)
        self.assertTrue(gc.get_freeze_count())
