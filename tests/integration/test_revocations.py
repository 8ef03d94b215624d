"""Revoked tokens and blocked users, on live connections of two nodes and in hello (issue 5; PROTOCOL sections 1, 5)."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from chatsrv.actors import user as user_module
from chatsrv.actors.known_revocations import (
    BLOCK_S,
    REMEMBERED_TOKENS,
    REMEMBERED_USERS,
    KnownRevocations,
    verdict,
)
from chatsrv.auth.tokens import Identity
from chatsrv.redis import Unavailable
from chatsrv.store.revocations import Revocations, digest
from chatsrv.store.users import REVOKED_TOKENS, Verdict
from chatsrv.wire.codes import CloseCode
from chatsrv.wire.refusal import Refused
from tests.unit.test_store_kit import CHANNEL, Listener, NodeCase, TestNode, on_both, until

REVOKED, BLOCKED = CloseCode.UNAUTHORIZED, CloseCode.REPLACED
OLD = 1_000_000_000_000  # ms: a token of 2001


class RevocationCase(NodeCase):
    options = {"connections_per_user": 3}

    async def setUp(self) -> None:
        await super().setUp()
        self.here, self.there = await self.node(), await self.node()

    def listener(
        self, node: TestNode, issued_at: int | None = OLD, jti: str = "a", user_id: int = 1
    ) -> Listener:
        listener = Listener(node, user_id)
        listener.identity = Identity(user_id, None, jti, issued_at)
        return listener

    async def connection(self, node: TestNode, *token: Any, user_id: int = 1) -> Listener:
        listener = self.listener(node, *token, user_id=user_id)
        await listener.join()
        return listener

    async def revoke(self, what: Verdict = "all", jti: str = "", user_id: int = 1, **more: Any) -> bool:
        channel = more.pop("channel", self.here.channels.user(user_id))
        return await self.store.users.revoke(user_id, what, channel, token_id=jti, **more)

    def store_ms(self) -> int:
        seconds, micros = self.outside.time()
        return seconds * 1000 + micros // 1000

    def hash(self, user_id: int = 1) -> dict[str, str]:
        found = self.outside.hgetall(self.key(f"{{u:{user_id}}}:revoked"))
        return {name.decode(): value.decode() for name, value in found.items()}


@on_both
class Script(RevocationCase):
    async def test_all_takes_the_time_of_the_store(self) -> None:
        before = self.store_ms()
        self.assertTrue(await self.revoke())
        self.assertTrue(before <= int(self.hash()["before"]) <= self.store_ms())
        lists = await self.store.users.read(1)
        self.assertEqual((lists.rev, lists.revoked.before), (1, int(self.hash()["before"])))

    async def test_all_never_goes_back_with_a_clock_that_was_put_back(self) -> None:
        later = self.store_ms() + 60_000
        self.outside.hset(self.key("{u:1}:revoked"), "before", later)
        self.assertFalse(await self.revoke())
        self.assertEqual(self.hash(), {"before": str(later)})

    async def test_repeats_are_harmless_and_no_event(self) -> None:
        for what, changed in (("unblock", False), ("block", True), ("block", False), ("unblock", True)):
            self.assertEqual(await self.revoke(what), changed, what)
        self.assertTrue(await self.revoke("token", "a"))
        self.assertFalse(await self.revoke("token", "a"))
        self.assertEqual(await self.store.users.rev(1), 3)

    async def test_the_store_holds_no_token_id(self) -> None:
        await self.revoke("token", "canary-jti")
        self.assertNotIn(b"canary-jti", self.contents())

    async def test_what_is_said_of_one_stays_when_another_thing_is_said(self) -> None:
        for what, jti in (("token", "a"), ("all", ""), ("block", ""), ("token", "b")):
            await self.revoke(what, jti)
        lists = await self.store.users.read(1)
        self.assertEqual(lists.revoked, Revocations(int(self.hash()["before"]), True, lists.revoked.tokens))
        self.assertEqual(len(lists.revoked.tokens), 2)
        self.assertEqual((await self.store.users.read(2)).revoked, Revocations())

    async def test_one_token_more_than_the_limit_is_refused_and_changes_nothing(self) -> None:
        now = self.store_ms()
        full = {f"token:{n}": f"{now}:0" for n in range(REVOKED_TOKENS - 1)}
        self.outside.hset(self.key("{u:1}:revoked"), mapping=full)
        self.assertTrue(await self.revoke("token", "a"))
        before = self.keyspace()
        await self.assertFailure(Deferred.fromCoroutine(self.revoke("token", "b")), Refused)
        self.assertEqual(self.keyspace(), before)
        self.assertFalse(await self.revoke("token", "a"), "known already")
        self.assertTrue(await self.revoke("block"))

    async def test_expired_ones_and_those_that_all_has_covered_for_an_hour_make_room(self) -> None:
        now, hour = self.store_ms(), 3_600_000
        tokens = {
            "token:expired": f"{now - 9}:{now - 1}",
            "token:covered": f"{now - hour - 9}:0",
            "token:lately": f"{now - hour + 60_000}:{now + hour}",
            "token:for ever": f"{now}:0",
        }
        self.outside.hset(self.key("{u:1}:revoked"), mapping={"before": now - 1, **tokens})
        await self.revoke("token", "a", expires_at=now + hour)
        left = {name for name in self.hash() if name in tokens}
        self.assertEqual(left, {"token:lately", "token:for ever"})
        self.assertEqual(len((await self.store.users.read(1)).revoked.tokens), 3)


@on_both
class LiveConnections(RevocationCase):
    async def setUp(self) -> None:
        await super().setUp()
        self.old = [await self.connection(node) for node in (self.here, self.there)]
        self.other_user = await self.connection(self.there, user_id=2)

    def codes(self, listeners: list[Listener]) -> list[CloseCode | None]:
        return [listener.code for listener in listeners]

    async def test_of_both_nodes_are_closed_when_all_tokens_are_revoked(self) -> None:
        await self.revoke()
        await self.settle()
        self.assertEqual(self.codes([*self.old, self.other_user]), [REVOKED, REVOKED, None])

    async def test_with_another_token_stay_when_one_is_revoked(self) -> None:
        another = await self.connection(self.there, OLD, "b")
        nameless = await self.connection(self.here, OLD, None)
        await self.revoke("token", "a")
        await self.revoke("token", "b", user_id=2)
        await self.settle()
        self.assertEqual(self.codes([*self.old, another, nameless]), [REVOKED, REVOKED, None, None])
        self.assertIsNone(self.other_user.code, "it has a token with the id a, too")

    async def test_of_a_blocked_user_are_closed_for_good(self) -> None:
        new = await self.connection(self.here, self.store_ms() + 60_000, "new")
        await self.revoke("block")
        await self.settle()
        self.assertEqual(self.codes([*self.old, new, self.other_user]), [BLOCKED] * 3 + [None])

    async def test_with_a_token_of_later_stay(self) -> None:
        later = await self.connection(self.here, self.store_ms() + 60_000, "a")
        await self.revoke()
        await self.settle()
        self.assertEqual(self.codes([*self.old, later]), [REVOKED, REVOKED, None])

    async def test_without_time_of_issue_count_as_old(self) -> None:
        undated = await self.connection(self.here, None, "b")
        await self.revoke()
        await self.settle()
        self.assertEqual(undated.code, REVOKED)

    async def test_are_judged_by_the_token_they_have_now(self) -> None:
        renewed, into_revoked = self.old
        renewed.identity = Identity(1, None, "b", OLD)
        into_revoked.identity = Identity(1, None, "c", OLD)
        await self.revoke("token", "a")
        await self.settle()
        self.assertEqual(self.codes(self.old), [None, None])
        await self.revoke("token", "c")
        await self.settle()
        self.assertEqual(self.codes(self.old), [None, REVOKED])

    async def test_are_closed_by_the_head_check_when_the_news_were_lost(self) -> None:
        for what, code in (("all", REVOKED), ("block", BLOCKED)):
            await self.revoke(what, channel=CHANNEL)
            await self.settle()
            self.assertNotIn(code, self.codes(self.old))
            for node in self.nodes:
                node.clock.advance(1)
            await self.settle()
            self.assertEqual(self.codes(self.old), [code, code])

    async def test_are_closed_when_the_log_does_not_reach_back_to_the_revocation(self) -> None:
        await self.revoke("token", "a", channel=CHANNEL)
        for chat_id in range(101):
            await self.store.users.apply_chat(1, 1000 + chat_id, False, 1, CHANNEL)
        self.here.clock.advance(1)
        await self.here.settle()
        self.assertEqual(self.codes(self.old), [REVOKED, None])

    async def test_are_closed_when_the_connection_to_the_store_is_back(self) -> None:
        self.here.own_link.arm(1, run_first=False, for_good=True)
        await self.revoke(channel=CHANNEL)
        self.here.clock.advance(1)
        await self.here.settle()
        self.assertEqual(self.codes(self.old), [None, None])
        self.here.own_link.heal()
        self.here.repair()
        await self.here.settle()
        self.assertEqual(self.codes(self.old), [REVOKED, None])


@on_both
class InMemory(RevocationCase):
    async def revoked_in_turn(self, *tokens: str) -> None:
        """Each has expired when the next one comes, so the store keeps the last one alone."""
        for token in tokens:
            await self.revoke("token", token, expires_at=1)
            await self.settle()

    def remembered(self, node: TestNode) -> set[str]:
        return set(node.users.get(1).revoked.tokens)

    async def test_what_the_store_has_dropped_is_dropped_beyond_its_limit(self) -> None:
        self.patch(user_module, "REVOKED_TOKENS", 3)
        for node in self.nodes:
            await self.connection(node, OLD, "good")
        await self.revoked_in_turn("a", "b", "c")
        self.assertEqual(len(self.remembered(self.here)), 3)
        await self.revoked_in_turn("d")
        for node in self.nodes:
            self.assertEqual(self.remembered(node), {digest("d")})
        await self.revoked_in_turn("e")
        self.assertEqual(self.remembered(self.here), {digest("d"), digest("e")})

    async def test_nothing_is_dropped_while_the_store_cannot_be_asked(self) -> None:
        self.patch(user_module, "REVOKED_TOKENS", 1)
        await self.connection(self.here, OLD, "good")
        await self.revoked_in_turn("a")
        self.here.own_link.arm(1, run_first=False, for_good=True)
        await self.revoked_in_turn("b")
        self.here.own_link.heal()
        self.assertEqual(self.remembered(self.here), {digest("a"), digest("b")})
        await self.revoked_in_turn("c")
        self.assertEqual(self.remembered(self.here), {digest("c")})

    async def test_nothing_is_dropped_for_lists_that_are_older_than_what_was_heard(self) -> None:
        self.patch(user_module, "REVOKED_TOKENS", 1)
        await self.connection(self.here, OLD, "good")
        await self.revoked_in_turn("a")
        read, begun, done = self.here.store.users.read, [], []

        async def reading(user_id: int) -> Any:
            lists = await read(user_id)
            if not begun:
                begun.append(lists)
                await self.revoke("token", "c", expires_at=self.store_ms() + 3_600_000)
                await self.here.settle()
                done.append(lists)
            return lists

        self.here.store.users.read = reading
        await self.revoke("token", "b", expires_at=self.store_ms() + 3_600_000)
        await until(lambda: done, "the lists that are old by now")
        await self.settle()
        self.assertEqual(self.remembered(self.here), {digest("b"), digest("c")})


@on_both
class InHello(RevocationCase):
    async def check(self, code: CloseCode | None, *token: Any) -> None:
        """On the node that knows, and on one that never heard of the user."""
        for node in (self.here, await self.node()):
            listener = await self.connection(node, *token)
            self.assertEqual((listener.code, listener.hello is None), (code, code is not None))
            self.assertIsNone(node.users.get(1).joining)
            listener.leave()

    async def test_a_revoked_token_is_closed_and_not_greeted(self) -> None:
        await self.revoke("token", "a")
        await self.check(REVOKED, OLD, "a")
        await self.check(None, OLD, "b")
        await self.revoke()
        await self.check(REVOKED, OLD, "b")
        await self.check(REVOKED, None, None)
        await self.check(None, self.store_ms() + 1, "b")
        await self.check(REVOKED, self.store_ms() + 1, "a")

    async def test_a_token_of_the_very_moment_counts_as_older(self) -> None:
        await self.revoke()
        before = int(self.hash()["before"])
        await self.check(REVOKED, before // 1000 * 1000)
        await self.check(REVOKED, before)
        await self.check(None, before + 1)

    async def test_a_blocked_user_is_turned_away_until_he_is_unblocked(self) -> None:
        await self.revoke("block")
        await self.check(BLOCKED, self.store_ms() + 60_000)
        await self.revoke("unblock")
        await self.check(None)

    async def test_unblocking_does_not_make_a_revoked_token_good(self) -> None:
        for what in ("all", "block", "unblock"):
            await self.revoke(what)
        await self.check(REVOKED)

    async def test_with_a_connection_of_the_user_that_missed_the_news(self) -> None:
        good = await self.connection(self.here, self.store_ms() + 60_000)
        await self.revoke(channel=CHANNEL)
        self.assertEqual((await self.connection(self.here)).code, REVOKED)
        await self.settle()
        self.assertIsNone(good.code)

    async def test_a_revoked_token_does_not_push_out_the_oldest_connection(self) -> None:
        new = self.store_ms() + 60_000
        good = [await self.connection(self.here, new, "b") for _ in range(3)]
        await self.revoke("token", "a")
        for _ in range(4):
            await self.connection(self.there, OLD, "a")
        await self.settle()
        self.assertEqual([listener.code for listener in good], [None] * 3)

    async def test_a_store_that_does_not_answer_lets_nobody_in(self) -> None:
        listener = self.listener(self.here)
        self.here.own_link.arm(1, run_first=False, for_good=True)
        await self.assertFailure(listener.join(), Unavailable)
        self.assertIsNone(listener.hello)
        self.assertIsNone(self.here.users.get(1).joining)

    async def test_a_session_that_is_being_greeted_does_not_survive(self) -> None:
        """Wherever in hello the revocation comes, with and without news of it."""
        await self.group(7, 1, 2)
        await self.store.users.apply_chat(1, 7, True, 1, CHANNEL)
        for channel in (None, CHANNEL):
            for step in range(1, 12):
                node = await self.node()
                await self.revoked_at(node, step, channel)
                await self.stopped(node)

    async def revoked_at(self, node: TestNode, step: int, channel: str | None) -> None:
        """Revoke when hello has sent ``step`` commands; these wait meanwhile."""
        listener = self.listener(node, jti := f"{step}-{channel}")
        listener.identity = Identity(1, None, jti, OLD)
        link, count, held = node.own_link, 0, []

        def write(done: Any, packed: bytes) -> None:
            nonlocal count
            count += 1
            if count < step:
                type(link).write(link, done, packed)
            else:
                held.append((done, packed))

        link.write = write
        joined = listener.join()
        while not held and not joined.called:
            await node.settle_bus()
        await self.revoke("token", jti, **({"channel": channel} if channel else {}))
        await node.settle_bus()
        del link.write
        for done, packed in held:
            link.write(done, packed)
        await joined
        await node.settle()
        node.clock.advance(1)  # the head check
        await node.settle()
        self.assertEqual(listener.code, REVOKED, f"step {step}, channel {channel}")


class AtTheHandshake(RevocationCase):
    def refused(self, node: TestNode, *token: Any, user_id: int = 1) -> bool:
        return node.revocations.refuse(self.listener(node, *token, user_id=user_id).identity)

    async def test_a_node_refuses_what_it_heard(self) -> None:
        await self.connection(self.here)
        self.assertFalse(self.refused(self.here))
        await self.revoke("token", "a")
        await self.settle()
        self.assertTrue(self.refused(self.here))
        self.assertFalse(self.refused(self.here, OLD, "b"))
        self.assertFalse(self.refused(self.here, user_id=2))
        self.assertFalse(self.refused(self.there), "it never heard of the user: hello tells")

    async def test_a_node_refuses_what_it_found_in_hello(self) -> None:
        await self.revoke()
        await self.connection(self.here)
        self.assertTrue(self.refused(self.here))
        self.assertFalse(self.refused(self.here, self.store_ms() + 60_000))

    async def test_a_revoked_token_is_known_after_the_user_left_memory(self) -> None:
        await self.revoke()
        (await self.connection(self.here)).leave()
        await self.settle()
        for _ in range(100):
            self.here.clock.advance(1)
        await self.settle()
        self.assertIsNone(self.here.users.find(1))
        self.assertTrue(self.refused(self.here))

    async def test_a_block_is_known_for_a_moment_and_less_when_its_end_is_heard(self) -> None:
        await self.revoke("block")
        (await self.connection(self.here)).leave()
        self.here.clock.advance(BLOCK_S)
        self.assertTrue(self.refused(self.here))
        self.here.clock.advance(0.1)
        self.assertFalse(self.refused(self.here), "hello looks again")
        (await self.connection(self.here)).leave()
        self.assertTrue(self.refused(self.here))
        await self.revoke("unblock")
        await self.settle()
        self.assertFalse(self.refused(self.here))

    def test_only_so_many_users_are_remembered_the_last_ones(self) -> None:
        known = KnownRevocations(Clock())
        for user_id in range(1, REMEMBERED_USERS + 1):
            known.learn(user_id, Revocations(OLD))
        self.assertTrue(known.refuse(Identity(1, None, None)))
        known.learn(REMEMBERED_USERS + 1, Revocations(OLD))
        known.learn(REMEMBERED_USERS + 2, Revocations())
        refused = [
            user for user in range(1, REMEMBERED_USERS + 3) if known.refuse(Identity(user, None, None))
        ]
        self.assertEqual(refused, [1, *range(3, REMEMBERED_USERS + 2)])

    def test_of_each_only_so_many_tokens_are_remembered(self) -> None:
        known, names = KnownRevocations(Clock()), [str(number) for number in range(REMEMBERED_TOKENS + 50)]
        known.learn(1, Revocations(0, False, frozenset(map(digest, names))))
        refused = [known.refuse(Identity(1, None, name, OLD)) for name in names]
        self.assertEqual(sum(refused), REMEMBERED_TOKENS)

    def test_a_blocked_user_is_told_to_stop_not_to_get_another_token(self) -> None:
        self.assertEqual(verdict(Revocations(OLD, True), Identity(1, None, None)), BLOCKED)
