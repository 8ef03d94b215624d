"""The scripts when something is wrong with Redis: keys of another type (F18), no memory (F8), scripts lost (F17).

Each write of the store is in the table `WRITES`, each read in `READS`; a test fails when a script is in neither.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from twisted.internet.defer import gatherResults

from chatsrv.redis import ReplyError, Script, Unavailable
from chatsrv.store import Retention, Store
from chatsrv.store.chats import Draft
from chatsrv.store.pairs import Relation
from tests.support.redis import RedisServer
from tests.unit.test_store_chats import ChatCase
from tests.unit.test_store_kit import CHANNEL, on_both

ASKED = Relation(b"5", b"0", b"1", b"0", b"1", b"0", b"3", b"op")

#: By script: the operation, on the store that `FaultCase.setUp` makes. Each of them changes something.
WRITES: dict[str, Callable[[FaultCase], Any]] = {
    "chat_create": lambda case: case.group(9, 1, 2),
    "chat_send": lambda case: case.append(Draft(1, 2, "new", "nonce"), Draft(1, 2, "newer", "", 1)),
    "chat_edit": lambda case: case.store.chats.edit(7, 1, 1, "new", CHANNEL, "op"),
    "chat_delete": lambda case: case.store.chats.delete(7, 1, 1, CHANNEL, "op"),
    "chat_read": lambda case: case.store.chats.mark_read(7, 2, 1, "session", CHANNEL, "op"),
    "chat_block": lambda case: case.store.chats.apply_block(7, False, 1),
    "chat_update": lambda case: case.update(7, 1, name="n", add=[3], remove=[2]),
    "epoch_take": lambda case: case.store.epoch.take("one"),
    "epoch_end": lambda case: case.store.epoch.end("one", "two"),
    "handoff_done": lambda case: case.store.chats.handed_over(7, {b"u:1": b"1:1"}),
    "lease_renew": lambda case: case.store.leases.renew("node", 1000),
    "lease_take": lambda case: case.store.leases.take_ended(1000, 10),
    "node_list": lambda case: case.store.leases.list_users("node", [5], True, CHANNEL),
    "pair_add": lambda case: case.store.pairs.add(2, 1, "op"),
    "pair_answer": lambda case: case.store.pairs.answer(1, 3, 1, "op"),
    "pair_block": lambda case: case.store.pairs.block(5, 1, "op"),
    "pair_chat": lambda case: case.store.pairs.open_chat(1, 2, 33, "op"),
    "pair_remove": lambda case: case.store.pairs.remove(1, 2, "op"),
    "pair_unblock": lambda case: case.store.pairs.unblock(4, 1, "op"),
    "pending_add": lambda case: case.store.pending.add("new"),
    "user_chat": lambda case: case.store.users.apply_chat(1, 7, False, 9, CHANNEL),
    "user_enter": lambda case: case.store.users.enter(1, "node:session", 10),
    "user_nonce": lambda case: case.store.users.bind_nonce(1, "new", "digest", 33, 1000),
    "user_spend": lambda case: case.store.users.spend(1, [("chats", 20, 1), ("invites", 60, 2)]),
    "user_pair": lambda case: case.store.users.apply_pair(1, 3, ASKED, CHANNEL),
    "user_revoke": lambda case: case.store.users.revoke(1, "block", CHANNEL),
}
#: The other forms of a call.
FORMS: list[tuple[str, Callable[[FaultCase], Any]]] = [
    ("chat_send", lambda case: case.append(Draft(1, 2, "new"))),
    ("chat_send", lambda case: case.append(Draft(1, 2, "new"), Draft(2, 2, "newer", "", 1))),
]
READS: dict[str, Callable[[FaultCase], Any]] = {
    "chat_events": lambda case: case.store.chats.events(7, 0, 10),
    "chat_outsiders": lambda case: case.store.chats.outsiders(7, 1, [2, 9]),
    "chat_head": lambda case: case.store.chats.head(7, 1),
    "chat_state": lambda case: case.store.chats.state(7, 1),
    "chat_history": lambda case: case.store.chats.history(7, 1, before=None, after=None, limit=10),
    "chat_details": lambda case: case.store.chats.details(7, 1),
    "chat_marks": lambda case: case.store.chats.marks(7, 60_000),
    "chat_summary": lambda case: case.store.chats.summary(7, 1),
    "chat_typing": lambda case: case.store.chats.typing(7, 1, "session", CHANNEL, "op"),
    "lease_live": lambda case: case.store.leases.live(),
    "pending_due": lambda case: case.store.pending.due(0, 10),
    "user_counts": lambda case: case.store.users.counts(1),
    "user_wait": lambda case: case.store.users.wait_for(1, [("chats", 20, 1), ("invites", 60, 2)]),
    "user_read": lambda case: case.store.users.read(1),
}


class FaultCase(ChatCase):
    async def setUp(self) -> None:
        await super().setUp()
        self.ran: list[tuple[str, Sequence[str]]] = []
        self.store = Store(self.link, self.prefix, retention=Retention(messages=1000))
        store, run = self.store, self.link.run

        def noting(done: Any, script: Script, keys: Any, args: Any) -> None:
            self.ran.append((script.name, keys))
            run(done, script, keys, args)

        self.link.run = noting
        await self.group(7, 1, 2)
        await self.send(7, 1, "a", "b")
        await store.users.apply_chat(1, 7, True, 1, CHANNEL)
        await store.users.apply_pair(1, 2, Relation(b"1", b"1", b"0", b"0", b"2", b"1", b"2", b"op"), CHANNEL)
        await store.pairs.add(1, 2, "op")
        await store.pairs.add(3, 1, "op")
        await store.pairs.block(4, 1, "op")
        await store.pending.add("old")
        await store.leases.renew("node", 60_000, new=True)
        await store.leases.renew("ended", -1, new=True)
        await store.leases.list_users("ended", [4], True, CHANNEL)


@on_both
class Tables(FaultCase):
    async def test_name_every_script_and_each_entry_runs_the_one_it_names(self) -> None:
        self.assertEqual({*WRITES, *READS}, set(self.store.scripts))
        for name, operation in [*READS.items(), *WRITES.items()]:
            before, self.ran = self.keyspace(), []
            await operation(self)
            self.assertEqual([script for script, _ in self.ran], [name])
            self.assertEqual(self.keyspace() != before, name in WRITES, name)


@on_both
class WrongTypes(FaultCase):
    async def test_a_key_of_another_type_is_an_error_before_anything_is_written(self) -> None:
        for name, operation in [*READS.items(), *WRITES.items()]:
            for key in await self._keys_of(operation):
                await self._with_another_type(name, key, operation)

    async def test_so_it_is_in_the_other_forms_of_a_call(self) -> None:
        self.store = Store(self.link, self.prefix)
        for name, operation in FORMS:
            keys = await self._keys_of(operation)
            self.assertEqual(len(keys), 4)
            for key in keys:
                await self._with_another_type(name, key, operation)

    async def _keys_of(self, operation: Any) -> Sequence[str]:
        """The keys its script is given; what it did is undone."""
        before = self.keyspace()
        await operation(self)
        self._restore(before)
        return self.ran[-1][1]

    async def _with_another_type(self, name: str, key: str, operation: Any) -> None:
        before = self.keyspace()
        for kind in ("list",) if name.startswith("epoch_") else ("string", "list"):
            self.outside.delete(key)
            if kind == "string":
                self.outside.set(key, "wrong")
            else:
                self.outside.rpush(key, "wrong")
            planted = self.keyspace()
            with self.outside.pubsub(ignore_subscribe_messages=True) as heard:
                heard.subscribe(CHANNEL)
                heard.get_message(timeout=1)
                with self.assertRaises(ReplyError, msg=f"{name}, {key}"):
                    await operation(self)
                self.outside.publish(CHANNEL, b"end")
                self.assertEqual(heard.get_message(timeout=1)["data"], b"end", f"{name} published, {key}")
            self.assertEqual(self.keyspace(), planted, f"{name} wrote something, {key}")
        self._restore(before)

    def _restore(self, keyspace: dict[str, bytes]) -> None:
        if self.keys():
            self.outside.delete(*self.keys())
        for key, dump in keyspace.items():
            self.outside.restore(key, 0, dump)


@on_both
class NoMemory(FaultCase):
    #: What an old Redis carries out all the same: these free memory, or are not refused for want of a script header.
    freeing = ("handoff_done",)

    def redis_of_test(self) -> RedisServer:
        return self.own_server()

    async def test_writes_are_refused_whole_and_reads_answered(self) -> None:
        self.outside.config_set("maxmemory", 1)
        before = self.keyspace()
        for name, operation in [*WRITES.items(), *FORMS]:
            if self.old and name in self.freeing:
                continue
            with self.assertRaises(Unavailable, msg=name):
                await operation(self)
            self.assertEqual(self.keyspace(), before, name)
        with self.assertRaises(Unavailable):
            await self.store.chats.next_id()
        for operation in READS.values():
            await operation(self)
        self.assertEqual(await self.store.pairs.read(1, 2), (False, 1, 0, frozenset()))
        self.outside.config_set("maxmemory", 0)
        self.assertEqual((await self.send(7, 1, "x"))[1:], [[4, 3]])

    async def test_what_also_drops_something_is_refused_whole(self) -> None:
        users, rates, revoked = self.store.users, self.key("{u:1}:rates"), self.key("{u:2}:revoked")
        await users.spend(1, [(name, 20, 1) for name in "abcdefgh"])
        await users.spend(1, [("h", 20, 1)])
        for token in ("old", "older"):
            self.outside.hset(revoked, f"token:{token}", "1:2")
        await users.revoke(3, "block", CHANNEL)
        before = self.keyspace()
        self.outside.config_set("maxmemory", 1)
        for what in ("all", "token", "block"):
            with self.assertRaises(Unavailable, msg=what):
                await users.revoke(2, what, CHANNEL, token_id="new")
        with self.assertRaises(Unavailable):
            await users.revoke(3, "unblock", CHANNEL)
        with self.assertRaises(Unavailable):
            await users.spend(1, [(name, 20, -1) for name in "abcdefgh"])
        self.assertEqual(self.keyspace(), before)
        self.assertEqual(self.outside.hlen(rates), 8)

    async def test_a_user_can_be_taken_off_a_list_all_the_same_or_is_told_unavailable(self) -> None:
        self.outside.config_set("maxmemory", 1)
        try:
            await self.store.leases.list_users("ended", [4], False, CHANNEL)
        except Unavailable:
            self.assertEqual(await self.store.leases.users("ended"), {4})
        else:
            self.assertEqual(await self.store.leases.users("ended"), set())

    async def test_a_read_only_server_is_unavailable(self) -> None:
        self.outside.execute_command("REPLICAOF", "127.0.0.1", "1")
        with self.assertRaises(Unavailable):
            await self.send(7, 1, "x")
        self.assertFalse(self.link.connected)


@on_both
class LostScripts(FaultCase):
    def redis_of_test(self) -> RedisServer:
        return self.own_server()

    async def test_every_script_runs_after_they_were_flushed(self) -> None:
        for operation in [*READS.values(), *WRITES.values(), *(operation for _, operation in FORMS)]:
            self.outside.script_flush()
            await operation(self)

    async def test_sends_in_flight_keep_their_numbers_through_flushes(self) -> None:
        results = []
        for n in range(50):
            self.outside.script_flush()
            results.append(gatherResults([self._sent(str(n)), self._sent(f"{n}b")]))
            await results[-1]
        _, events, _ = await self.store.chats.events(7, 3, 1000)
        self.assertEqual([e.seq for e in events], list(range(4, 104)))
        self.assertEqual([e.message_id for e in events], list(range(3, 103)))

    def _sent(self, text: str) -> Any:
        from twisted.internet.defer import Deferred

        return Deferred.fromCoroutine(self.send(7, 1, text))
