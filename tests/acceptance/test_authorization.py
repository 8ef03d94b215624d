"""Every cell of the authorization matrix (RELIABILITY 3.5; PROTOCOL sections 3 and 4), a test each.

What is allowed takes effect: it is read, by history, details and catch-up on another node, and live on both. What is
refused changes nothing in the store and tells nobody; ``not_found`` is byte for byte what a chat gets that is not.
"""

import json

from tests.acceptance.authorization import CELLS, FORMER, GROUP, NOT_FOUND, OK, OUTSIDER, ROLES
from tests.acceptance.authorization_case import AuthorizationCase
from tests.support.user import NOBODY

PASSING = {(12, 8), (12, 9)}
"""Events that are not stored."""


class Matrix(AuthorizationCase):
    """Its tests are made below."""

    async def allowed(self, row, user_id):
        await self.watched(row.chat)
        actor = await self.user(user_id, node=self.there)
        chat_id, head = self.chats[row.chat], self.heads[row.chat]
        reply = await actor.call(*row.request, chat_id=chat_id, **row.members(user_id))
        look = await self.look(row.chat, self.there)
        self.assertTrue(row.effect(look, user_id, reply), (reply, look))
        if row.event is None:
            await self.quiet(row.chat)
            return
        for user in self.told:
            await user.expect(*row.event, chat_id=chat_id)
        await self.nobody_else_heard()
        if row.event not in PASSING:
            await self.replayed(row, chat_id, head)

    async def replayed(self, row, chat_id, head):
        """Who is in the chat still is told of it later, on either node; who is not, is not."""
        members = (await self.look(row.chat)).details["users"]
        reader = next(user.user_id for user in self.told if user.user_id in members)
        for node in (self.here, self.there):
            back = await self.user(reader, node=node)
            caught = await back.catch_up({chat_id: head})
            self.assertEqual(([event.kind for event in caught.events], caught.reset), ([row.event], []))
            for stranger in (FORMER, OUTSIDER):
                back = await self.user(stranger, node=node)
                self.assertEqual(await back.catch_up({chat_id: head}), ([], {}, [chat_id]))

    async def refused(self, row, user_id, code):
        await self.watched(row.chat)
        chat_id, d = self.chats[row.chat], row.members(user_id)
        before, looked = self.stored(), await self.look(row.chat)
        answers = set()
        for node in (self.here, self.there):
            client = await self.raw(user_id, node)
            answers.add(await self.answer(client, *row.request, {"chat_id": chat_id, **d}))
            if code == NOT_FOUND:
                answers.add(await self.answer(client, *row.request, {"chat_id": NOBODY, **d}))
        self.assertEqual(len(answers), 1, answers)
        (answer,) = answers
        frame = json.loads(answer)
        self.assertEqual((frame["op"], frame["t"], frame["d"]["code"]), (3, 1, code))
        self.assertEqual(set(frame["d"]), {"code", "message", "op", "t"})
        self.assertEqual(self.stored(), before)
        self.assertEqual(await self.look(row.chat, self.there), looked)
        await self.quiet(row.chat)


def _cell(row, role):
    code = row.cells[role]

    async def test(self):
        if code == OK:
            await self.allowed(row, ROLES[role])
        else:
            await self.refused(row, ROLES[role], code)

    words = row.name.replace(" ", "_")
    test.__name__ = f"test_{words}_by_the_{role}_is_{code}"
    return test


for _row, _role in CELLS:
    _test = _cell(_row, _role)
    setattr(Matrix, _test.__name__, _test)


class TheTable(AuthorizationCase):
    def test_every_cell_has_a_test_of_its_own(self):
        made = [name for name in dir(Matrix) if name.startswith("test_")]
        print(f"\nauthorization matrix: {len(CELLS)} cells")
        self.assertEqual(len(made), len(CELLS))
        self.assertTrue(all(row.chat == GROUP or "former" in row.cells for row, _ in CELLS))
