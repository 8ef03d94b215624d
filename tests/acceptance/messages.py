"""What the suites about messages share: two users in one chat, private or group (``t`` 1 or 2)."""

BAD_TEXTS = ("", " ", "\n\t \u00a0\u2003", "a\0b", "x" * 4001, "😀" * 4001)


class TwoInAChat:
    """A mixin over ``ChatCase``: alice (1) and bob (2), and ``chat_id``."""

    async def setUp(self):
        await super().setUp()
        self.alice, self.bob = await self.users(1, 2)
        make = self.private if self.t == 1 else self.group
        self.chat_id = await make(self.alice, self.bob)

    async def sent(self, text="hi", sender=None, receivers=None):
        """A message from alice that bob has got; its id."""
        reply = await (sender or self.alice).call(11, self.t, chat_id=self.chat_id, message=text)
        for receiver in [self.bob] if receivers is None else receivers:
            await receiver.expect(12, self.t, message=text)
        return reply["message_id"]

    async def quiet(self, *receivers, sender=None):
        """Nothing has come to bob (or these) up to here."""
        await self.fence(self.chat_id, sender or self.alice, *(receivers or [self.bob]), private=self.t == 1)
