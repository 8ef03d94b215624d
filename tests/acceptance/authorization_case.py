"""``AuthorizationCase``: the cast of the authorization matrix in their chats, on two nodes, and ways to look at it."""

from tests.acceptance.authorization import (
    AUTHOR,
    BLOCKED,
    BLOCKER,
    CLOSED,
    FORMER,
    GROUP,
    MEMBER,
    OPEN,
    OUTSIDER,
    OWNER,
    SHUNNED,
    Look,
)
from tests.support.chat import ChatCase
from tests.support.raw import RawClient
from tests.support.store import client_of

#: What time and connections change, whatever is asked: leases, lists of connections, ids given out.
OF_CONNECTIONS = ("{n:", "{nodes}", ":sessions", "chat_ids", "{pending}")


class AuthorizationCase(ChatCase):
    """See the module's docstring. ``chats`` are the ids by kind, ``heads`` where each stands."""

    settings = {"presence_grace_s": 0}

    async def setUp(self):
        await super().setUp()
        self.here, self.there = self.node, await self.started_node(**self.settings)
        owner, author, former, blocker, blocked = await self.users(OWNER, AUTHOR, FORMER, BLOCKER, BLOCKED)
        users = [AUTHOR, MEMBER, FORMER, BLOCKER, BLOCKED]
        group = (await owner.call(13, 1, user_ids=users, type=2, chat="old"))["chat_id"]
        for sender in (author, former):
            await sender.call(11, 2, chat_id=group, message=f"of {sender.user_id}")
        await owner.call(13, 2, chat_id=group, remove_users=[FORMER])
        closed = (await blocker.call(13, 1, user_ids=[BLOCKED], type=1))["chat_id"]
        for sender in (blocker, blocked, blocker):
            await sender.call(11, 1, chat_id=closed, message=f"of {sender.user_id}")
        await blocker.call(16, 4, user_id=BLOCKED)
        shunned = await self.user(SHUNNED)
        await shunned.call(16, 4, user_id=BLOCKED)
        opened = (await owner.call(13, 1, user_ids=[AUTHOR], type=1))["chat_id"]
        await author.call(11, 1, chat_id=opened, message="of the author")
        self.chats = {GROUP: group, CLOSED: closed, OPEN: opened}
        self.heads = {GROUP: 4, CLOSED: 4, OPEN: 2}
        for user in (owner, author, former, blocker, blocked, shunned):
            await user.close()

    async def watched(self, kind):
        """Those who are told of the chat, on both nodes, and those who are not."""
        told = {GROUP: (OWNER, MEMBER, AUTHOR), CLOSED: (BLOCKER, BLOCKED), OPEN: (OWNER, AUTHOR)}[kind]
        others = {GROUP: (), CLOSED: (OWNER,), OPEN: (MEMBER,)}[kind]
        nodes = (self.here, self.there, self.here)
        self.told = [await self.user(n, node=node) for n, node in zip(told, nodes, strict=False)]
        self.not_told = [
            await self.user(n, node=node)
            for n in (FORMER, OUTSIDER, *others)
            for node in (self.here, self.there)
        ]

    async def raw(self, user_id, node):
        """A connection of bytes."""
        client = await RawClient.open(node.port, user_id)
        self.addCleanup(client.close)
        return client

    async def answer(self, client, op, t, d):
        """The bytes of the answer to a request; its ``id`` is always the same."""
        client.say({"op": op, "t": t, "d": d, "id": "q"})
        while b'"id":"q"' not in (text := await client.next_text()):
            pass
        return text

    async def look(self, kind, node=None):
        """The chat as one reads it who stays a member, whoever leaves."""
        for user_id in {GROUP: (AUTHOR, OWNER), CLOSED: (BLOCKER,), OPEN: (AUTHOR,)}[kind]:
            reader = await self.user(user_id, node=node)
            details = await reader.connection.call(13, 3, {"chat_id": self.chats[kind]}).addErrback(
                lambda _: None
            )
            if details is not None:
                rows, _more = await reader.history(self.chats[kind])
                await reader.close()
                return Look(details.d, {row["message_id"]: row for row in rows})
        return self.fail("nobody is in it")

    async def quiet(self, kind):
        """No event of the chat has come to anybody: what the fence causes is the next one."""
        chat_id = self.chats[kind]
        if kind == CLOSED:
            await (await self.user(BLOCKER)).call(11, 7, chat_id=chat_id, message_id=3)
            expected = (12, 7), {"chat_id": chat_id, "message_id": 3}
        else:
            t = 2 if kind == GROUP else 1
            await (await self.user(AUTHOR)).call(11, t, chat_id=chat_id, message="fence")
            expected = (12, t), {"chat_id": chat_id, "message": "fence"}
        for user in self.told:
            await user.expect(*expected[0], **expected[1])
        await self.nobody_else_heard()

    async def nobody_else_heard(self):
        for user in self.not_told:
            await user.sync()
            user.nothing_arrived()

    def stored(self):
        """Everything in the store but what connections and time change."""
        with client_of(self.redis) as store:
            keys = sorted(store.scan_iter(f"{self.prefix}*", count=1000))
            kept = [key for key in keys if not any(part in key.decode() for part in OF_CONNECTIONS)]
            return {key: store.dump(key) for key in kept}
