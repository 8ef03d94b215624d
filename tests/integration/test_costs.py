"""What reading costs the store: commands and round trips, never time (issue 3).

However many messages a chat has, a page of history at any depth, its details and its row in the inbox cost the
same. Hello and inbox cost at most two commands per chat, in as many round trips for few chats as for many.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred, gatherResults

from chatsrv.store.chats import Draft
from chatsrv.wire.requests import ReadDetails, ReadHistory, ReadInbox
from tests.support.rounds import Rounds
from tests.unit.test_store_kit import CHANNEL, Listener, NodeCase, on_both, until

FEW, MANY = 100, 50_000
BATCH = 64
USER, OTHER = 1, 2


class CostCase(NodeCase):
    timeout = 60

    def redis_of_test(self) -> Any:
        return self.own_server()

    async def chat(self, chat_id: int, messages: int, user: int = USER) -> None:
        """A group of two with so many messages of the other one, which the user's list names."""
        await self.store.chats.create_group(chat_id, "g", user, [OTHER], CHANNEL, "op")
        await self.store.users.apply_chat(user, chat_id, True, 1, CHANNEL)
        batches = [min(BATCH, messages - first) for first in range(0, messages, BATCH)]
        for first in range(0, len(batches), 16):
            await gatherResults([self._append(chat_id, count) for count in batches[first : first + 16]])

    def _append(self, chat_id: int, count: int) -> Deferred[Any]:
        done: Deferred[Any] = Deferred()
        drafts = [Draft(OTHER, 2, "x" * 20)] * count
        self.store.chats.appender(chat_id, CHANNEL).append(drafts, "op", done.callback)
        return done

    async def fresh(self, user_id: int) -> tuple[Listener, Rounds]:
        """A session on a node of its own that knows nothing yet; not said hello to."""
        node = await self.node()
        return Listener(node, user_id), Rounds(node)

    async def hello(self, user_id: int) -> Rounds:
        """What the hello of a user costs, up to his first status."""
        listener, cost = await self.fresh(user_id)
        cost.begin()
        await listener.join()
        await until(lambda: listener.online is not None and not cost.busy, "the first status")
        self.listener = listener
        return cost


class Depth(CostCase):
    async def test_a_long_chat_costs_as_much_as_a_short_one(self) -> None:
        long = await self.costs(1, MANY, depths=(MANY, MANY // 2, 101, 1))
        short = await self.costs(2, FEW, depths=(FEW, FEW // 2, 1))
        self.assertEqual(set(long), set(short), "costs depend on the number of messages")

    async def costs(self, chat_id: int, messages: int, depths: tuple[int, ...]) -> list[tuple[Any, ...]]:
        """Of each kind of read by a user whose only chat it is: name, rounds, commands, commands inside Redis."""
        user = 100 + chat_id
        await self.chat(chat_id, messages, user)
        await self.hello(user)
        listener = self.listener
        cost = Rounds(listener.node)
        reads: list[tuple[str, Any]] = [("details", ReadDetails(chat_id=chat_id)), ("inbox", ReadInbox())]
        reads.append(("newest", ReadHistory(chat_id=chat_id, limit=100)))
        reads += [("before", ReadHistory(chat_id=chat_id, before=depth + 1, limit=100)) for depth in depths]
        reads += [("after", ReadHistory(chat_id=chat_id, after=depth - 1, limit=100)) for depth in depths]
        found = []
        for name, command in reads:
            cost.begin()
            inside = self.inside()
            await listener.ask(command)
            self.assertLessEqual(cost.total, 3, (name, cost.commands))
            self.assertLessEqual(cost.rounds, 3, (name, cost.commands))
            found.append((name, cost.rounds, cost.total, self.inside() - inside))
        found.append(("hello", *await self.hello_inside(user)))
        self.assertLess(max(commands for *_, commands in found), 60)
        return found

    async def hello_inside(self, user: int) -> tuple[int, int, int]:
        inside = self.inside()
        cost = await self.hello(user)
        return cost.rounds, cost.total, self.inside() - inside

    def inside(self) -> int:
        """How many commands Redis has carried out, those in scripts and of other clients too."""
        stats = self.outside.info("commandstats")
        ours = ("cmdstat_info", "cmdstat_script", "cmdstat_hello", "cmdstat_client", "cmdstat_auth")
        return sum(each["calls"] for name, each in stats.items() if not name.startswith(ours))


@on_both
class Width(CostCase):
    async def some(self, user: int, chats: int, messages: int) -> None:
        """So many chats of a user with so many messages each."""
        first = user * 1000
        await gatherResults(
            [Deferred.fromCoroutine(self.chat(first + n, messages, user)) for n in range(chats)]
        )

    async def cost_of_hello(self, user: int) -> tuple[int, int]:
        cost = await self.hello(user)
        return cost.rounds, cost.total

    async def cost_of_inbox(self, user: int, limit: int) -> tuple[int, int]:
        await self.hello(user)
        cost = Rounds(self.listener.node)
        cost.begin()
        rows = (await self.listener.ask(ReadInbox(limit=limit))).reply.chats
        self.assertEqual(len(rows), limit)
        return cost.rounds, cost.total

    async def test_hello_and_inbox_cost_two_commands_per_chat_in_a_constant_number_of_rounds(self) -> None:
        await self.some(11, 50, 1)
        await self.some(12, 500, 1)
        for costs in (
            [await self.cost_of_hello(user) for user in (11, 12)],
            [await self.cost_of_inbox(user, 50) for user in (11, 12)],
        ):
            (few_rounds, few), (many_rounds, many) = costs
            self.assertEqual(few_rounds, many_rounds)
            self.assertLessEqual(many_rounds, 10)
            self.assertLessEqual(many - few, 2 * 450)
            self.assertLessEqual(few - 2 * 50, 10)

    async def test_neither_depends_on_the_number_of_messages(self) -> None:
        await self.some(11, 20, 0)
        await self.some(12, 20, 300)
        self.assertEqual(await self.cost_of_hello(11), await self.cost_of_hello(12))
        self.assertEqual(await self.cost_of_inbox(11, 20), await self.cost_of_inbox(12, 20))
