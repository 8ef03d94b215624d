"""One chat that is asked ten times what it takes: it says so, each request is answered once, others notice nothing."""

from __future__ import annotations

from twisted.internet.defer import Deferred

from chatsrv.client import RequestRefused
from tests.support.chat import ChatCase, together

ENTRIES = 8


class HotChat(ChatCase):
    settings = {"requests_per_s": 10_000, "burst": 10_000, "mailbox_entries": ENTRIES}

    async def asked(self, user, chat_id, number):
        try:
            return await user.call(11, 6, chat_id=chat_id, message_id=1, message=f"edit {number}")
        except RequestRefused as error:
            return error

    async def test_it_is_rate_limited_with_a_time_and_the_other_chats_are_not(self):
        alice, bob = await self.users(1, 2)
        hot, calm = await self.group(alice, bob), await self.group(alice, bob)
        await alice.call(11, 2, chat_id=hot, message="x")
        await bob.expect(12, 2)
        flood = [self.asked(alice, hot, number) for number in range(10 * ENTRIES)]
        asked = Deferred.fromCoroutine(together(*flood))
        others = [await bob.call(11, 2, chat_id=calm, message=text) for text in "abc"]
        answers = await asked
        refused = [answer for answer in answers if isinstance(answer, RequestRefused)]
        self.assertEqual([reply["message_id"] for reply in others], [1, 2, 3])
        self.assertGreaterEqual(len(answers) - len(refused), ENTRIES)
        self.assertGreater(len(refused), 0)
        for error in refused:
            self.assertEqual((error.code.code, error.retry_after_ms), ("rate_limited", 1000))
        await alice.call(11, 6, chat_id=hot, message_id=1, message="at last")
