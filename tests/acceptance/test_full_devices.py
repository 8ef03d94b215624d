"""A person's devices (PROTOCOL section 1, Profiles): what one does, the others are told, on whichever node.

alice has a full-profile connection on each of two nodes and a core one; each operation is done on each.
"""

from tests.support.chat import CORE, FULL, ChatCase, together


class Devices(ChatCase):
    settings = {"requests_per_s": 100_000, "burst": 100_000}

    async def setUp(self):
        await super().setUp()
        self.there = await self.started_node(**self.settings)
        self.full = [await self.user(1), await self.user(1, node=self.there)]
        self.core = await self.user(1, CORE, node=self.there)
        self.bob = await self.user(2, node=self.there)

    async def on_each(self, op, t, shown_as, d_of, *, core):
        """Do it on each device: the other full ones see it, the core one only if it is ``core``."""
        for device in (*self.full, self.core):
            d = await d_of()
            await device.call(op, t, **d)
            for other in (*self.full, self.core):
                if other is not device and (core or other.profile is FULL):
                    await other.expect(*shown_as)

    async def shared(self, make=None):
        """A chat that bob opened with alice, which all her devices saw made."""
        return await (make or self.group)(self.bob, *self.full, self.core)

    async def written(self, chat_id, t=2):
        """A message of alice's in it, which her full-profile devices have seen."""
        writer = await self.user(1, CORE)
        sent = await writer.call(11, t, chat_id=chat_id, message="x")
        await together(*[device.expect(12, t, message="x") for device in self.full])
        return {"chat_id": chat_id, "message_id": sent["message_id"]}

    async def settled(self):
        """Nothing else was shown to any of them."""
        chat_id = await self.shared()
        for device in (*self.full, self.core):
            device.nothing_arrived()
        self.assertIn(chat_id, (await self.user(1)).hello.chat_ids)

    async def test_messages(self):
        for t, make in ((1, self.private), (2, self.group)):
            chat_id = await self.shared(make)

            async def message(chat_id=chat_id):
                return {"chat_id": chat_id, "message": "x"}

            await self.on_each(11, t, (12, t), message, core=False)
        await self.settled()

    async def test_edits_and_deletions(self):
        chat_id = await self.shared()

        async def edit():
            return {**await self.written(chat_id), "message": "y"}

        await self.on_each(11, 6, (12, 6), edit, core=False)
        await self.on_each(11, 7, (12, 7), lambda: self.written(chat_id), core=False)
        await self.settled()

    async def test_marks_and_typing(self):
        chat_id = await self.shared()

        async def mark():
            sent = await self.bob.call(11, 2, chat_id=chat_id, message="b")
            for device in (*self.full, self.core):
                await device.expect(12, 2, message="b")
            return {"chat_id": chat_id, "message_id": sent["message_id"]}

        async def typing():
            return {"chat_id": chat_id}

        await self.on_each(11, 8, (12, 8), mark, core=False)
        await self.on_each(11, 9, (12, 9), typing, core=False)
        await self.settled()

    async def test_chats(self):
        chat_id = await self.shared()
        numbers = iter(range(10))

        async def private():
            return {"user_ids": [50 + next(numbers)], "type": 1}

        async def group():
            return {"user_ids": [3], "type": 2}

        async def update():
            return {"chat_id": chat_id, "chat": str(next(numbers))}

        async def leave():
            return {"chat_id": await self.shared(), "remove_users": [1]}

        await self.on_each(13, 1, (14, 1), private, core=True)
        await self.on_each(13, 1, (14, 1), group, core=True)
        await self.on_each(13, 2, (14, 2), update, core=True)
        await self.on_each(13, 2, (14, 2), leave, core=True)
        await self.settled()

    async def test_friends(self):
        others = iter(range(50, 100))
        asked = []

        async def ask():
            asked.append(next(others))
            return {"user_id": asked[-1]}

        async def withdraw():
            return {"user_id": asked.pop()}

        await self.on_each(16, 1, (17, 1), ask, core=False)
        await self.on_each(16, 3, (17, 3), withdraw, core=False)
        await self.settled()

    async def test_answers_and_blocks(self):
        others = iter(range(50, 100))
        blocked = []

        async def answer():
            stranger = await self.user(next(others))
            await stranger.call(16, 1, user_id=1)
            await together(*[device.expect(17, 1) for device in (*self.full, self.core)])
            return {"user_id": stranger.user_id, "type": 1}

        async def block():
            blocked.append(next(others))
            return {"user_id": blocked[-1]}

        async def unblock():
            return {"user_id": blocked.pop()}

        await self.on_each(16, 2, (17, 2), answer, core=True)
        await self.on_each(16, 4, (17, 4), block, core=False)
        await self.on_each(16, 5, (17, 5), unblock, core=False)
        await self.settled()
