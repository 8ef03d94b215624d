"""Many connect at the same moment: they wait for room at the store, and who is there already notices nothing."""

from tests.support.chat import ChatCase, together

CROWD = 200


class Crowd(ChatCase):
    settings = {"redis_max_in_flight": 64, "requests_per_s": 10_000, "burst": 10_000}

    async def test_all_are_greeted_and_no_request_of_others_is_refused(self):
        alice, bob = await self.user(1), await self.user(2)
        chat_id = await self.private(alice, bob)

        async def write():
            for number in range(CROWD):
                await alice.call(11, 1, chat_id=chat_id, message=str(number))

        await together(write(), *(self.user(number) for number in range(10, 10 + CROWD)))
        texts = [(await bob.expect(12, 1))["message"] for _ in range(CROWD)]
        self.assertEqual(texts, [str(number) for number in range(CROWD)])
