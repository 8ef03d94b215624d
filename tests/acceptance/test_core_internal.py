"""Our own failures, as a client sees them: `internal`, and at last a close with 1011 (PROTOCOL sections 4, 5)."""

from chatsrv.client import CloseCode, ConnectionClosed, ErrorCode, RequestRefused
from tests.support.chat import ChatCase
from tests.support.store import client_of


class OurFault(ChatCase):
    async def setUp(self):
        await super().setUp()
        self.alice, self.bob = await self.users(1, 2)
        self.chat_id = await self.group(self.alice, self.bob)
        with client_of(self.redis) as store:
            store.set(f"{self.prefix}{{c:{self.chat_id}}}:messages", "not a hash")

    async def asked(self):
        try:
            await self.alice.call(11, 2, chat_id=self.chat_id, message="x")
        except RequestRefused as error:
            return error.code
        return self.fail("it was stored")

    async def test_a_damaged_chat_answers_internal_and_others_live(self):
        self.assertIs(await self.asked(), ErrorCode.INTERNAL)
        other = await self.group(self.alice, self.bob)
        await self.fence(other, self.alice, self.bob)
        self.assertEqual(len(self.flushLoggedErrors()), 1)

    async def test_one_that_fails_again_and_again_closes_who_listens_with_1011(self):
        closed = [user.connection.closed for user in (self.alice, self.bob)]
        with self.assertRaises(ConnectionClosed):
            for _ in range(10):
                self.assertIs(await self.asked(), ErrorCode.INTERNAL)
        codes = [(await one).code for one in closed]
        self.assertEqual(codes, [CloseCode.INTERNAL_ERROR.code] * 2)
        self.assertEqual(len(self.flushLoggedErrors()), 4)
