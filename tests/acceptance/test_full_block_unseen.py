"""Nobody but the blocker learns of a block (PROTOCOL section 3, Friends): others are sent the same without it."""

import json
import re

from tests.support.chat import ChatCase


class ThirdParties(ChatCase):
    """carol is a friend of alice and bob, and in a group with both; is she sent anything that tells her?"""

    async def told_to_carol(self, first, *steps):
        """What carol is sent while alice does ``steps`` (4: block, 5: unblock) to bob; ids of users from ``first``."""
        alice, bob, carol, dave = await self.users(*range(first, first + 4))
        group = await self.group(carol, alice, bob)
        for friend in (alice, bob, dave):
            await self.friends(friend, carol)
        await carol.status(first, first + 1, first + 3)
        for t in steps:
            await alice.call(16, t, user_id=bob.user_id)
        for user in (alice, bob):
            await user.call(11, 2, chat_id=group, message="x")
        await carol.call(13, 2, chat_id=group, chat="new", add_users=[first + 5])
        await dave.close()
        told = [(await carol.statuses.next("dave's end")).d, *await self.lists(carol, group)]
        await alice.call(11, 2, chat_id=group, message="last")
        while (event := (await carol.events.next("the last message")).d) and event.get("message") != "last":
            told.append(event)
        return self.relative(told)

    async def lists(self, carol, group):
        """Everything she can ask for."""
        again = await self.user(carol.user_id)
        hello = [again.hello.friend_ids, again.hello.incoming, list(again.hello.heads.values())]
        details = await carol.call(13, 3, chat_id=group)
        return [hello, (await again.statuses.next("a status")).d, details, await carol.call(16, 6)]

    def relative(self, told):
        """As text, without times, and users and chats by their last digit."""
        text = re.sub(r"\b\d{13}\b", "time", json.dumps(told))
        text = re.sub(r'"chat_id": \d+', "chat", text)
        return re.sub(r"\b[1-9]0(\d)\b", r"user \1", text)

    async def test_what_they_are_sent_does_not_depend_on_it(self):
        without = await self.told_to_carol(100)
        self.assertIn("user 5", without)
        self.assertEqual(await self.told_to_carol(200, 4), without)
        self.assertEqual(await self.told_to_carol(300, 4, 5), without)
