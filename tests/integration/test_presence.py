"""Presence over two nodes: who is shown online, the grace, leases that end, and what an outage must not do.

The nodes run on clocks of the test; leases end by the store's clock, so they are short here, or are put into the
past.
"""

from __future__ import annotations

from typing import Any

from chatsrv.auth.tokens import Identity
from chatsrv.store.pairs import Relation
from chatsrv.wire.codes import CloseCode
from chatsrv.wire.requests import AddFriend, AnswerFriend
from tests.support.redis import RedisServer
from tests.unit.test_store_kit import Listener, NodeCase, TestNode, until

GRACE_S, STATUS_S, LEASE_S, RENEW_S = 5.0, 1.0, 15.0, 5.0


class PresenceCase(NodeCase):
    async def setUp(self) -> None:
        await super().setUp()
        for one, other in ((1, 2), (1, 3), (2, 3), (2, 4)):
            await self.befriend(one, other)
        self.here, self.there = await self.node(), await self.node()

    async def befriend(self, one: int, other: int) -> None:
        for user, friend in ((one, other), (other, one)):
            relation = Relation(b"1", b"1", b"0", b"0", b"0", b"0", b"0", b"op")
            await self.store.users.apply_pair(user, friend, relation, "nowhere")

    async def pass_by(self, seconds: float) -> None:
        """Time passes on all nodes, second by second."""
        while seconds > 0:
            for node in self.nodes:
                node.clock.advance(min(seconds, 1.0))
            await self.settle()
            seconds -= 1.0

    async def greeted(self, node: TestNode, user_id: int) -> Listener:
        listener = await self.user(node, user_id)
        await until(lambda: listener.online is not None, "the first status")
        return listener

    def end_lease(self, node: TestNode) -> None:
        """As when the node has not renewed it for its whole length."""
        self.outside.zadd(self.key("{nodes}:leases"), {node.lease.name: 1})

    def leases(self) -> set[str]:
        return {lease.decode() for lease in self.outside.zrange(self.key("{nodes}:leases"), 0, -1)}


class ComingAndGoing(PresenceCase):
    async def test_friends_see_each_other_across_nodes(self) -> None:
        alice = await self.greeted(self.here, 1)
        self.assertEqual(alice.online, [])
        bob = await self.greeted(self.there, 2)
        self.assertEqual(bob.online, [1])
        await self.pass_by(STATUS_S)
        self.assertEqual(alice.online, [2])
        carol = await self.greeted(self.here, 3)
        await self.pass_by(STATUS_S)
        self.assertEqual((alice.online, bob.online, carol.online), ([2, 3], [1, 3], [1, 2]))

    async def test_going_offline_shows_after_the_grace_and_a_quick_return_not_at_all(self) -> None:
        alice, bob = await self.greeted(self.here, 1), await self.greeted(self.there, 2)
        await self.pass_by(STATUS_S)
        told = len(alice.of(2))
        bob.leave()
        await self.pass_by(GRACE_S - 1)
        bob = await self.greeted(self.there, 2)
        await self.pass_by(GRACE_S + STATUS_S)
        self.assertEqual(len(alice.of(2)), told)
        bob.leave()
        await self.pass_by(GRACE_S - 1)
        self.assertEqual(alice.online, [2])
        await self.pass_by(1 + STATUS_S)
        self.assertEqual(alice.online, [])
        self.assertEqual(len(alice.of(2)), told + 1)

    async def test_one_whose_socket_takes_no_more_is_told_the_newest_when_it_does(self) -> None:
        alice = await self.greeted(self.here, 1)
        await self.pass_by(STATUS_S)
        told = len(alice.of(2))
        alice.congested = True
        bob = await self.greeted(self.there, 2)
        await self.pass_by(3 * STATUS_S)
        await self.greeted(self.there, 3)
        await self.pass_by(3 * STATUS_S)
        bob.leave()
        await self.pass_by(GRACE_S + 3 * STATUS_S)
        self.assertEqual(len(alice.of(2)), told)
        alice.congested = False
        await self.pass_by(2 * STATUS_S)
        self.assertEqual((alice.online, len(alice.of(2))), ([3], told + 1))

    async def test_two_connections_on_two_nodes_count_until_the_last_ends(self) -> None:
        alice = await self.greeted(self.here, 1)
        one, two = await self.greeted(self.here, 2), await self.greeted(self.there, 2)
        await self.pass_by(STATUS_S)
        told = len(alice.of(2))
        one.leave()
        await self.pass_by(GRACE_S + STATUS_S)
        self.assertEqual((alice.online, len(alice.of(2))), ([2], told))
        two.leave()
        await self.pass_by(GRACE_S + STATUS_S)
        self.assertEqual(alice.online, [])

    async def test_who_is_turned_away_is_never_shown(self) -> None:
        alice = await self.greeted(self.here, 1)
        await self.store.users.revoke(2, "block", "nowhere")
        for _ in range(3):
            bob = await self.user(self.there, 2)
            await self.pass_by(STATUS_S)
            self.assertEqual(bob.code, CloseCode.REPLACED)
            bob.leave()
            await self.pass_by(STATUS_S)
        self.assertNotIn([2], [told["user_ids"] for told in alice.of(2)])

    async def test_who_is_turned_away_takes_nothing_from_his_other_connections(self) -> None:
        alice = await self.greeted(self.here, 1)
        good, bad = await self.greeted(self.there, 2), Listener(self.there, 2)
        good.identity, bad.identity = Identity(2, None, "good", None), Identity(2, None, "bad", None)
        await self.store.users.revoke(2, "token", "nowhere", token_id="bad")
        await bad.join()
        self.assertEqual((good.code, bad.code), (None, CloseCode.UNAUTHORIZED))
        bad.leave()
        await self.pass_by(GRACE_S + STATUS_S)
        self.assertEqual(alice.online, [2])
        bad = Listener(self.there, 2)
        bad.identity = Identity(2, None, "bad", None)
        await bad.join()
        good.leave()  # and the other one is slow to go
        await self.pass_by(GRACE_S + STATUS_S)
        self.assertEqual(alice.online, [])

    async def test_who_is_gone_when_his_lists_are_read_is_not_shown(self) -> None:
        bob, link, held = Listener(self.there, 2), self.there.own_link, []
        link.write = lambda *command: held.append(command)
        joined = bob.join()
        await until(lambda: held, "the lists to be read")
        bob.leave()
        del link.write
        for command in held:
            link.write(*command)
        await joined
        await self.pass_by(GRACE_S + STATUS_S)
        self.assertEqual(await self.store.leases.users(self.there.lease.name), set())
        self.assertEqual(self.outside.zcard(self.key("{u:2}:sessions")), 0)
        self.assertIsNone(self.there.users.get(2).joining)

    async def test_moving_to_another_node_makes_no_noise(self) -> None:
        alice, bob = await self.greeted(self.here, 1), await self.greeted(self.there, 2)
        await self.pass_by(STATUS_S)
        told = len(alice.of(2))
        bob.leave()
        await self.greeted(self.here, 2)
        await self.pass_by(GRACE_S + STATUS_S)
        self.assertEqual((alice.online, len(alice.of(2))), ([2], told))

    async def test_a_status_comes_at_most_once_a_second(self) -> None:
        alice = await self.greeted(self.here, 1)
        told = len(alice.of(2))
        for user_id in range(10, 20):
            await self.befriend(1, user_id)
        await self.settle()
        for user_id in range(10, 20):
            await self.greeted(self.there, user_id)
        await self.pass_by(STATUS_S)
        await self.pass_by(STATUS_S)
        self.assertEqual(
            len(alice.online), 10 if alice.node.users.get(1).relations.friends >= set(range(10, 20)) else 0
        )
        self.assertLessEqual(len(alice.of(2)) - told, 2)

    async def test_a_friends_hello_does_not_swallow_the_news_for_others(self) -> None:
        """Dave, no friend of Alice, looks at Bob himself between the hint that Bob came and the look for Alice."""
        alice = await self.greeted(self.here, 1)
        await self.pass_by(STATUS_S)
        self.here.clock.advance(0.1)
        await self.greeted(self.there, 2)
        await self.settle()
        self.assertEqual((await self.greeted(self.here, 4)).online, [2])
        await self.pass_by(2 * STATUS_S)
        self.assertEqual(alice.online, [2])

    async def test_a_new_friend_is_shown_and_one_who_is_none_is_not(self) -> None:
        alice, erin = await self.greeted(self.here, 1), await self.greeted(self.there, 5)
        await self.pass_by(STATUS_S)
        self.assertEqual((alice.online, erin.online), ([], []))
        await alice.ask(AddFriend(user_id=5))
        await self.settle()
        await erin.ask(AnswerFriend(user_id=1, type=1))
        await self.settle()
        await self.pass_by(2 * STATUS_S)
        self.assertEqual((alice.online, erin.online), ([5], [1]))

    async def test_a_new_friend_whom_somebody_here_watches_already_is_shown_too(self) -> None:
        """Alice sees Bob; Erin is on Alice's node and becomes a friend of Bob now."""
        alice, bob = await self.greeted(self.here, 1), await self.greeted(self.there, 2)
        erin = await self.greeted(self.here, 5)
        await self.pass_by(STATUS_S)
        self.assertEqual((alice.online, erin.online), ([2], []))
        await erin.ask(AddFriend(user_id=2))
        await self.settle()
        await bob.ask(AnswerFriend(user_id=5, type=1))
        await self.settle()
        await self.pass_by(2 * STATUS_S)
        self.assertEqual((erin.online, bob.online), ([2], [1, 5]))


class Leases(PresenceCase):
    async def watched(self) -> Listener:
        """Alice here, who sees Bob there."""
        alice, self.bob = await self.greeted(self.here, 1), await self.greeted(self.there, 2)
        await self.pass_by(LEASE_S)
        self.assertEqual(alice.online, [2])
        return alice

    async def test_a_node_that_died_is_reaped_when_its_lease_has_ended(self) -> None:
        alice = await self.watched()
        await self.died(self.there)
        await self.pass_by(RENEW_S)
        self.assertEqual(alice.online, [2])
        self.end_lease(self.there)
        await self.pass_by(RENEW_S + STATUS_S)
        self.assertEqual(alice.online, [])
        self.assertEqual(self.keys("{n:*"), [f"{self.prefix}{{n:{self.here.lease.name}}}:users"])
        self.assertEqual(self.keys("*reaping"), [])

    async def test_with_a_short_lease_the_stores_clock_ends_it(self) -> None:
        short = {"lease_s": 0.3, "lease_renew_s": 0.1}
        here, there = await self.node(**short), await self.node(**short)
        alice, _ = await self.greeted(here, 1), await self.greeted(there, 2)
        await self.settle()
        here.clock.advance(STATUS_S)
        await self.settle()
        self.assertEqual(alice.online, [2])
        await self.died(there)

        def looked() -> bool:
            here.clock.advance(0.1)
            return there.lease.name not in self.leases()

        await until(looked, "the reaper")  # which waits less than a lease lasts without the setting
        await until(lambda: here.clock.advance(0.5) or alice.online == [], "the news")

    async def test_a_store_whose_clock_jumps_ends_no_lease_of_a_node_that_is_alone(self) -> None:
        """As where Redis runs on the same machine (RELIABILITY F29): a node renews before it looks."""
        for node in (self.here, self.there):
            await self.died(node)
        alone = await self.node()
        alice, _ = await self.greeted(alone, 1), await self.greeted(alone, 2)
        await self.pass_by(LEASE_S)
        self.assertEqual(alice.online, [2])
        told, name = len(alice.of(2)), alone.lease.name
        for _ in range(3):
            self.end_lease(alone)
            await self.pass_by(RENEW_S + STATUS_S)
        self.assertEqual((alice.online, len(alice.of(2)), alone.lease.name), ([2], told, name))

    async def test_a_reaper_that_dies_is_followed_by_another(self) -> None:
        third = await self.node()
        alice = await self.watched()
        await self.died(self.there)
        self.end_lease(self.there)
        self.assertEqual(
            await third.store.leases.take_ended(int(LEASE_S * 1000), 10), [self.there.lease.name]
        )
        await self.died(third)
        await self.pass_by(RENEW_S)
        self.assertEqual(await self.store.leases.users(self.there.lease.name), {2})
        for lease in self.outside.zrange(self.key("{nodes}:reaping"), 0, -1):
            self.outside.zadd(self.key("{nodes}:reaping"), {lease: 1})
        await self.pass_by(RENEW_S + STATUS_S)
        self.assertEqual(alice.online, [])
        self.assertEqual(await self.store.leases.users(self.there.lease.name), set())

    async def test_a_node_that_finds_its_lease_gone_lists_its_users_again(self) -> None:
        alice = await self.watched()
        lease = self.there.lease.name
        self.end_lease(self.there)
        self.here.clock.advance(RENEW_S)
        await self.settle()
        await self.pass_by(STATUS_S)
        self.assertEqual(alice.online, [])
        self.there.clock.advance(RENEW_S)
        await self.settle()
        await self.pass_by(STATUS_S)
        self.assertEqual(alice.online, [2])
        self.assertNotEqual(self.there.lease.name, lease)
        self.assertEqual(self.leases(), {node.lease.name for node in self.nodes})

    async def test_a_node_connected_for_less_than_a_lease_reaps_nobody(self) -> None:
        alice = await self.watched()
        await self.died(self.there)
        self.end_lease(self.there)
        self.outside.client_kill_filter(_type="normal", skipme=True)
        await until(lambda: not self.here.own_link.connected, "the loss")
        await self.here.own_link.when_up()
        await self.pass_by(LEASE_S - 1)
        self.assertEqual(alice.online, [2])
        await self.pass_by(RENEW_S + STATUS_S)
        self.assertEqual(alice.online, [])

    async def test_a_stopped_nodes_users_stay_listed_until_it_is_reaped(self) -> None:
        alice = await self.watched()
        self.bob.leave()
        await self.stopped(self.there)
        ends_in = self.outside.zscore(self.key("{nodes}:leases"), self.there.lease.name)
        now = self.outside.time()
        self.assertTrue(4500 < ends_in - now[0] * 1000 - now[1] / 1000 <= 5001)
        await self.pass_by(RENEW_S)
        self.assertEqual(alice.online, [2])
        self.end_lease(self.there)
        await self.pass_by(RENEW_S + STATUS_S)
        self.assertEqual(alice.online, [])

    async def test_who_came_back_elsewhere_before_that_never_vanished(self) -> None:
        alice = await self.watched()
        told = len(alice.of(2))
        self.bob.leave()
        await self.stopped(self.there)
        await self.greeted(self.here, 2)
        self.end_lease(self.there)
        await self.pass_by(RENEW_S + STATUS_S)
        self.assertEqual((alice.online, len(alice.of(2))), ([2], told))


class Outages(PresenceCase):
    def redis_of_test(self) -> RedisServer:
        return self.own_server("--appendonly", "yes")

    async def test_of_the_store_make_nobody_vanish(self) -> None:
        alice, bob = await self.greeted(self.here, 1), await self.greeted(self.there, 2)
        await self.pass_by(STATUS_S)
        self.assertEqual((alice.online, bob.online), ([2], [1]))
        told = len(alice.of(2)), len(bob.of(2))
        for node in self.nodes:
            self.end_lease(node)  # it lasts longer than a lease
        self.outside.client_kill_filter(skipme=True)
        for node in self.nodes:
            await until(
                lambda node=node: not node.own_link.connected or not node.bus.link.connected, "the loss"
            )
        self.here.clock.advance(30)
        await gather_up(self.here)
        await self.here.settle()
        self.here.clock.advance(STATUS_S)
        await self.here.settle()
        self.assertEqual((alice.online, len(alice.of(2))), ([2], told[0]))
        self.there.clock.advance(30)
        await gather_up(self.there)
        await self.pass_by(2 * LEASE_S)
        self.assertEqual((alice.online, bob.online), ([2], [1]))
        self.assertEqual((len(alice.of(2)), len(bob.of(2))), told)

    async def test_while_out_of_memory_a_departure_shows_afterwards(self) -> None:
        alice, bob = await self.greeted(self.here, 1), await self.greeted(self.there, 2)
        await self.pass_by(STATUS_S)
        self.outside.config_set("maxmemory", 1)
        bob.leave()
        await self.pass_by(GRACE_S + 1)
        self.outside.config_set("maxmemory", 0)
        await self.pass_by(RENEW_S + STATUS_S)
        self.assertEqual(alice.online, [])

    async def test_and_an_arrival_too(self) -> None:
        alice = await self.greeted(self.here, 1)
        self.there.own_link.arm(1, run_first=False, for_good=False)
        self.there.lease.connected(2)
        await self.pass_by(STATUS_S)
        self.assertEqual(alice.online, [])
        self.there.own_link.heal()
        await self.pass_by(RENEW_S + STATUS_S)
        self.assertEqual(alice.online, [2])


async def gather_up(node: TestNode) -> Any:
    await node.own_link.when_up()
    await node.bus.link.when_up()
