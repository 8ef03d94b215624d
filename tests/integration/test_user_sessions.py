"""The connections of a user on all nodes: who is counted, and who is not any more.

A connection that ended must not be counted, however it ended, or a later one closes a live one in its stead.
"""

from __future__ import annotations

from chatsrv.wire.codes import CloseCode
from tests.support.redis import RedisServer
from tests.unit.test_store_kit import Listener, NodeCase, TestNode, until

LEASE_MS, MANY = 15_000, 60


class SessionsCase(NodeCase):
    options = {"connections_per_user": 3}

    async def setUp(self) -> None:
        await super().setUp()
        self.here, self.there = await self.node(), await self.node()
        self.oldest = await self.connection(self.here)

    async def connection(self, node: TestNode, user_id: int = 1) -> Listener:
        """One more; in the store it is younger than those before."""
        before = self.outside.time()
        await until(lambda: self.ms(self.outside.time()) > self.ms(before), "the next millisecond")
        return await self.user(node, user_id)

    @staticmethod
    def ms(time: tuple[int, int]) -> int:
        return time[0] * 1000 + time[1] // 1000

    def noted(self, user_id: int = 1) -> set[str]:
        key = self.key(f"{{u:{user_id}}}:sessions")
        return {name.decode() for name in self.outside.zrange(key, 0, -1)}

    def name(self, *listeners: Listener) -> set[str]:
        return {listener.node.sessions.name(listener.id) for listener in listeners}

    async def check_limit(self, *live: Listener) -> None:
        """New ones up to the limit close nobody, one more the oldest only."""
        new = [await self.connection(self.there) for _ in range(3 - len(live))]
        await self.settle()
        everybody = [*live, *new]
        self.assertEqual([one.code for one in everybody], [None] * 3)
        self.assertEqual(self.noted(), self.name(*everybody))
        await self.connection(self.there)
        await self.settle()
        self.assertEqual([one.code for one in everybody], [CloseCode.REPLACED, None, None])

    async def link_lost(self, node: TestNode) -> None:
        """The connection of its commands breaks, and is there again."""
        vars(node.own_link).pop("log", None)  # `arm` leaves a list in the logger's place
        node.own_link._pipeline.abort("of the test")
        await until(lambda: not node.own_link.connected, "the loss")
        await node.own_link.when_up()
        await self.settle()


class Counting(SessionsCase):
    async def test_one_too_many_closes_the_oldest_on_whatever_node(self) -> None:
        await self.check_limit(self.oldest)

    async def test_one_that_ended_is_taken_off_at_once(self) -> None:
        gone = [await self.connection(node) for node in (self.here, self.there)]
        for listener in gone:
            listener.leave()
        await self.settle()
        self.assertEqual(self.noted(), self.name(self.oldest))
        await self.check_limit(self.oldest)

    async def test_other_users_are_not_counted(self) -> None:
        for _ in range(3):
            await self.connection(self.here, 2)
        await self.check_limit(self.oldest)


class EndedWhileTheStoreWasAway(SessionsCase):
    def redis_of_test(self) -> RedisServer:
        return self.own_server("--appendonly", "yes", "--appendfsync", "always")

    async def test_they_are_taken_off_when_it_is_back(self) -> None:
        gone = [await self.connection(self.here) for _ in range(2)]
        self.server.kill()
        await until(lambda: not self.here.own_link.connected, "the loss")
        for listener in gone:
            listener.leave()
        self.server.start()
        self.assertEqual(self.noted(), self.name(self.oldest, *gone))
        for node in self.nodes:
            await node.own_link.when_up()
            await node.bus.link.when_up()
        await until(lambda: self.noted() == self.name(self.oldest), "the ended ones to be taken off")
        await self.settle()
        await self.check_limit(self.oldest)

    async def test_those_of_many_users_too(self) -> None:
        gone = [await self.user(self.here, 100 + n) for n in range(MANY)]
        self.server.kill()
        await until(lambda: not self.here.own_link.connected, "the loss")
        for listener in gone:
            listener.leave()
        self.server.start()
        for node in self.nodes:
            await node.own_link.when_up()
            await node.bus.link.when_up()
        await until(lambda: not any(self.noted(100 + n) for n in range(MANY)), "all to be taken off")
        self.assertEqual(self.noted(), self.name(self.oldest))


class EndedUnnoticed(SessionsCase):
    """The commands that take them off fail."""

    async def test_at_the_next_coming_up_they_are_taken_off(self) -> None:
        gone = [await self.connection(self.here) for _ in range(2)]
        self.here.own_link.arm(1, run_first=False, for_good=True)
        for listener in gone:
            listener.leave()
        await self.here.settle()
        self.here.own_link.heal()
        self.assertEqual(self.noted(), self.name(self.oldest, *gone))
        await self.link_lost(self.here)
        self.assertEqual(self.noted(), self.name(self.oldest))
        await self.check_limit(self.oldest)

    async def test_also_with_the_next_of_the_same_user_that_ends(self) -> None:
        gone = [await self.connection(self.here) for _ in range(2)]
        self.here.own_link.arm(1, run_first=False, for_good=True)
        gone[0].leave()
        await self.here.settle()
        self.here.own_link.heal()
        gone[1].leave()
        await self.settle()
        self.assertEqual(self.noted(), self.name(self.oldest))

    async def test_and_if_that_fails_too_at_the_one_after(self) -> None:
        gone = await self.connection(self.here)
        self.here.own_link.arm(1, run_first=False, for_good=True)
        gone.leave()
        self.here.sessions.repair()
        await self.here.settle()
        self.here.own_link.heal()
        self.assertEqual(self.noted(), self.name(self.oldest, gone))
        await self.link_lost(self.here)
        self.assertEqual(self.noted(), self.name(self.oldest))

    async def test_on_their_own_node_they_are_not_counted_even_before(self) -> None:
        gone = [await self.connection(self.here) for _ in range(2)]
        self.here.own_link.arm(1, run_first=False, for_good=True)
        for listener in gone:
            listener.leave()
        await self.here.settle()
        self.here.own_link.heal()
        new = [await self.connection(self.here) for _ in range(2)]
        await self.settle()
        self.assertEqual([one.code for one in (self.oldest, *new)], [None] * 3)
        self.assertEqual(self.noted(), self.name(self.oldest, *new))

    async def test_while_the_store_took_no_writes_they_are_taken_off_afterwards(self) -> None:
        """No link was lost. It is the renewal of the lease that tells that the store is back."""
        gone = [await self.connection(self.here) for _ in range(2)]
        self.outside.config_set("min-replicas-to-write", 1)
        try:
            for listener in gone:
                listener.leave()
            await self.settle()
        finally:
            self.outside.config_set("min-replicas-to-write", 0)
        self.assertEqual(self.noted(), self.name(self.oldest, *gone))
        for _ in range(20):
            self.here.clock.advance(1)
            await self.settle()
        self.assertEqual(self.noted(), self.name(self.oldest))
        await self.check_limit(self.oldest)

    def redis_of_test(self) -> RedisServer:
        return self.own_server()


class OfKilledNodes(SessionsCase):
    async def killed(self) -> None:
        self.gone = [await self.connection(self.there) for _ in range(2)]
        await self.died(self.there)
        self.dead, self.there = self.there, await self.node()

    async def lease_taken_over(self) -> None:
        self.outside.zadd(self.key("{nodes}:leases"), {self.dead.lease.name: 1})
        taken = await self.here.store.leases.take_ended(LEASE_MS, 10)
        self.assertEqual(taken, [self.dead.lease.name])

    async def test_they_are_not_counted_after_its_lease_was_taken_over(self) -> None:
        await self.killed()
        await self.lease_taken_over()
        self.assertEqual(self.noted(), self.name(self.oldest, *self.gone))
        second = await self.connection(self.there)
        self.assertEqual(self.noted(), self.name(self.oldest, second), "and taken off")
        await self.check_limit(self.oldest, second)

    async def test_until_then_they_are_for_it_may_live(self) -> None:
        await self.killed()
        self.outside.zadd(self.key("{nodes}:leases"), {self.dead.lease.name: 1})
        await self.connection(self.there)
        await self.settle()
        self.assertEqual(self.oldest.code, CloseCode.REPLACED)

    async def test_a_node_that_took_out_its_lease_anew_keeps_its_own(self) -> None:
        self.outside.zadd(self.key("{nodes}:leases"), {self.here.lease.name: 1})
        await self.there.store.leases.take_ended(LEASE_MS, 10)
        self.here.clock.advance(5)
        await self.settle()
        await self.check_limit(self.oldest)
