"""What the suites about friends and blocks share: alice (1), bob (2), and a marker that shows what did not come."""


class AliceAndBob:
    """A mixin over ``ChatCase``."""

    async def setUp(self):
        await super().setUp()
        self.markers = []
        self.alice, self.bob = await self.users(1, 2)

    async def marker(self, *receivers):
        """A friend request of someone else, which is the next event of each."""
        stranger = await self.user(900 + len(self.markers))
        self.markers.append(stranger)
        for user_id in {receiver.user_id for receiver in receivers}:
            await stranger.call(16, 1, user_id=user_id)
        for receiver in receivers:
            await receiver.expect(17, 1, user_id=stranger.user_id)

    async def asked(self, one, other, *devices):
        """A friend request of one to the other, seen by the other's given devices too."""
        await one.call(16, 1, user_id=other.user_id)
        for device in (other, *devices):
            await device.expect(17, 1, user_id=one.user_id)

    async def relations(self, user):
        """16/6 in short: friends, incoming, outgoing, blocked; the markers' requests left out."""
        lists = await user.call(16, 6)
        markers = {stranger.user_id for stranger in self.markers}
        names = ("friends", "incoming", "outgoing", "blocked")
        self.assertEqual(set(lists), set(names))
        return tuple(sorted(set(lists[name]) - markers) for name in names)
