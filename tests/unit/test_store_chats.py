"""Chats in the store: what each script does, refuses and leaves alone. Redis is real, in both versions we ship for."""

from __future__ import annotations

from typing import Any

import msgspec
from twisted.internet.defer import Deferred

from chatsrv.store import Retention, Store
from chatsrv.store.chats import Draft, Head
from chatsrv.store.events import CHANGED, CREATED, DELETED, EDITED, MESSAGE
from chatsrv.wire.codes import ErrorCode
from chatsrv.wire.refusal import Refused
from tests.unit.test_store_kit import CHANNEL, StoreCase, on_both

BIG = 2**53 - 1
DAY_MS = 86_400_000
TEXTS = (
    "007",
    "1.0",
    "+1",
    "1_000",
    "-0",
    "nan",
    "QUEUED",
    " x ",
    "\r\n",
    "\x01",
    "👩‍👩‍👧",
    "e\u0301",
    "߷",
    "x" * 4000,
)
LONGEST = "😀" * 4000


class ChatCase(StoreCase):
    async def refused(self, code: ErrorCode, waiting: Any) -> None:
        """It must be refused with this code, and change nothing."""
        before = self.keyspace()
        try:
            result = await waiting
        except Refused as refusal:
            self.assertIs(refusal.code, code)
        else:
            raise AssertionError(f"it was not refused but {result}")
        self.assertEqual(self.keyspace(), before)

    async def unchanged(self, waiting: Any) -> Any:
        """It must succeed and change nothing; the event that was answered."""
        before = self.keyspace()
        change = await waiting
        self.assertFalse(change.changed)
        self.assertEqual(self.keyspace(), before)
        return change.event

    async def append(self, *drafts: Draft, chat_id: int = 7, store: Store | None = None) -> Any:
        """The script's answer to one group commit of these: ``[time, result, ...]``."""
        done: Deferred[Any] = Deferred()
        (store or self.store).chats.appender(chat_id, CHANNEL).append(drafts, "op", done.callback)
        reply = await done
        if isinstance(reply, Exception):
            raise reply
        return reply

    def edit(self, caller: int, message_id: int, text: str = "new", chat_id: int = 7) -> Any:
        return self.store.chats.edit(chat_id, caller, message_id, text, CHANNEL, "op")

    def delete(self, caller: int, message_id: int, chat_id: int = 7) -> Any:
        return self.store.chats.delete(chat_id, caller, message_id, CHANNEL, "op")

    async def published(self, change: Any) -> list[Any]:
        """The events that arrive on the channel while ``change`` is carried out."""
        with self.outside.pubsub(ignore_subscribe_messages=True) as heard:
            heard.subscribe(CHANNEL)
            heard.get_message(timeout=1)
            await change
            self.outside.publish(CHANNEL, b"end")
            news = []
            while (message := heard.get_message(timeout=1)) is None or message["data"] != b"end":
                if message:
                    news.append(msgspec.msgpack.decode(message["data"]))
        return news


@on_both
class Creating(ChatCase):
    async def test_a_group_has_owner_name_and_members_from_seq_1_on(self) -> None:
        event, changed = await self.group(7, 1, 3, 2, name="n")
        self.assertTrue(changed)
        self.assertEqual((event.kind, event.seq, event.by, event.type), (CREATED, 1, 1, 2))
        self.assertEqual((event.name, event.owner, event.users), ("n", 1, [1, 2, 3]))
        self.assertEqual((await self.store.chats.head(7, 2))[:3], (1, 1, False))
        self.assertEqual((await self.store.chats.head(7, 9))[:3], (1, 0, False))
        self.assertEqual(await self.store.chats.handoff(7), {b"u:1": b"1:1", b"u:2": b"1:1", b"u:3": b"1:1"})

    async def test_creating_again_answers_the_present_state_and_changes_nothing(self) -> None:
        await self.group(7, 1, 2)
        await self.send(7, 1, "x")
        event = await self.unchanged(self.group(7, 1, 2, 3, name="other"))
        self.assertEqual((event.seq, event.users, event.name), (2, [1, 2], "g"))

    async def test_a_deleted_chat_is_not_created_again(self) -> None:
        await self.group(7, 1)
        await self.update(7, 1, remove=[1])
        await self.refused(ErrorCode.NOT_FOUND, self.group(7, 1))

    async def test_a_retry_after_leaving_does_not_show_the_chat(self) -> None:
        await self.group(7, 1, 2)
        await self.update(7, 1, remove=[1])
        await self.refused(ErrorCode.NOT_FOUND, self.group(7, 1, 2))

    async def test_a_private_chat_has_no_owner_and_no_name(self) -> None:
        event, _ = await self.store.chats.create_private(7, 2, 1, CHANNEL, "op")
        self.assertEqual((event.type, event.owner, event.name, event.users, event.by), (1, 0, "", [1, 2], 2))

    async def test_ids_and_users_near_2_to_the_53_survive(self) -> None:
        await self.group(BIG, BIG, BIG - 1, BIG - 2)
        await self.send(BIG, BIG - 1, "x")
        self.outside.hset(self.key(f"{{c:{BIG}}}:meta"), mapping={"seq": BIG - 3, "last": BIG - 3})
        reply = await self.send(BIG, BIG, "y")
        self.assertEqual(reply[1:], [[BIG - 2, BIG - 2]])
        event, changed = await self.edit(BIG, BIG - 2, "z", chat_id=BIG)
        self.assertTrue(changed)
        self.assertEqual((event.seq, event.message_id, event.author), (BIG - 1, BIG - 2, BIG))
        change = await self.update(BIG, BIG - 1, remove=[BIG - 1], add=[BIG - 3])
        self.assertEqual((change.event.seq, change.event.users), (BIG, [BIG - 3, BIG - 2, BIG]))
        self.assertEqual((change.event.added, change.event.removed), ([BIG - 3], [BIG - 1]))
        head, events, _ = await self.store.chats.events(BIG, BIG - 3, 10)
        self.assertEqual(head.seq, BIG)
        self.assertEqual([e.seq for e in events], [BIG - 2, BIG - 1, BIG])
        self.assertEqual((await self.store.chats.handoff(BIG))[b"u:%d" % (BIG - 1)], b"0:%d" % BIG)

    async def test_a_chat_id_is_never_given_twice(self) -> None:
        ids = [await self.store.chats.next_id() for _ in range(5)]
        self.assertEqual(ids, [1, 2, 3, 4, 5])


@on_both
class Sending(ChatCase):
    async def test_a_batch_is_numbered_in_order_and_published_once(self) -> None:
        await self.group(7, 1, 2)
        news = await self.published(self.send(7, 2, "a", "b", "c"))
        self.assertEqual(len(news), 1)
        operation, events = news[0]
        self.assertEqual(operation, "op")
        self.assertEqual(
            [[*e[:2], e[5], e[6], e[7]] for e in events],
            [[MESSAGE, n + 1, n, t, 2] for n, t in ((1, "a"), (2, "b"), (3, "c"))],
        )

    async def test_each_of_a_batch_is_judged_alone(self) -> None:
        await self.group(7, 1, 2)
        drafts = [(1, 2, "a"), (9, 2, "b"), (2, 1, "c"), (9, 1, "d"), (2, 2, "e")]
        reply = await self.append(*(Draft(*draft) for draft in drafts))
        self.assertEqual(reply[1:], [[2, 1], b"not_found", b"wrong_chat_type", b"not_found", [3, 2]])
        _, events, _ = await self.store.chats.events(7, 0, 10)
        self.assertEqual([e.text for e in events], ["", "a", "e"])

    async def test_a_batch_in_which_all_is_refused_writes_and_publishes_nothing(self) -> None:
        await self.group(7, 1)
        before = self.keyspace()
        self.assertEqual(await self.published(self.send(7, 2, "a", "b")), [])
        self.assertEqual((await self.send(7, 1, "a", type=1))[1:], [b"wrong_chat_type"])
        self.assertEqual((await self.send(8, 1, "a"))[1:], [b"not_found"])
        self.assertEqual(self.keyspace(), before)

    async def test_texts_survive_byte_for_byte_on_every_way_out(self) -> None:
        await self.group(7, 1)
        news = await self.published(self.send(7, 1, *TEXTS, LONGEST))
        self.assertEqual([event[6] for event in news[0][1]], [*TEXTS, LONGEST])
        _, events, _ = await self.store.chats.events(7, 1, 100)
        self.assertEqual([event.text for event in events], [*TEXTS, LONGEST])
        for text in (*TEXTS, LONGEST):
            change = await self.edit(1, 1, text)
            self.assertEqual((change.event.text, change.changed), (text, text != TEXTS[0]))

    async def test_names_survive_byte_for_byte(self) -> None:
        await self.group(7, 1)
        for name in ("007", "1.0", "+1", "👩‍👩‍👧" * 8, ""):
            event = (await self.update(7, 1, name=name)).event
            self.assertEqual(event.name, name)
            self.assertEqual((await self.store.chats.state(7, 1)).name, name)

    async def test_time_never_goes_back_within_a_chat(self) -> None:
        await self.group(7, 1)
        future = 4_000_000_000_000
        self.outside.hset(self.key("{c:7}:meta"), "clock", future)
        self.assertEqual((await self.send(7, 1, "x"))[0], future)
        self.assertEqual((await self.edit(1, 1)).event.at, future)
        self.assertEqual((await self.update(7, 1, name="n")).event.at, future)
        self.assertEqual((await self.delete(1, 1)).event.at, future)
        _, events, _ = await self.store.chats.events(7, 1, 10)
        self.assertEqual({event.at for event in events}, {future})


@on_both
class Editing(ChatCase):
    async def setUp(self) -> None:
        await super().setUp()
        await self.group(7, 1, 2, 3)
        await self.send(7, 2, "old")

    async def test_the_author_replaces_the_text(self) -> None:
        change = await self.edit(2, 1)
        self.assertTrue(change.changed)
        event = change.event
        self.assertEqual((event.kind, event.seq, event.message_id, event.text), (EDITED, 3, 1, "new"))
        self.assertEqual((event.author, event.by, event.type), (2, 2, 2))
        self.assertNotIn(b"old", self.contents())

    async def test_the_same_text_is_no_edit(self) -> None:
        event = await self.unchanged(self.edit(2, 1, "old"))
        self.assertEqual((event.kind, event.seq, event.at, event.text), (EDITED, 2, 0, "old"))
        await self.edit(2, 1)
        self.assertEqual(await self.published(self.edit(2, 1)), [])

    async def test_refusals_come_in_the_order_of_the_protocol(self) -> None:
        for chat_id, caller, message_id in ((8, 2, 1), (7, 9, 1), (7, 9, 99), (7, 2, 99), (7, 1, 99)):
            await self.refused(ErrorCode.NOT_FOUND, self.edit(caller, message_id, chat_id=chat_id))
        await self.refused(ErrorCode.FORBIDDEN, self.edit(1, 1))
        await self.refused(ErrorCode.FORBIDDEN, self.edit(3, 1))
        await self.delete(2, 1)
        await self.refused(ErrorCode.NOT_FOUND, self.edit(2, 1))
        await self.refused(ErrorCode.NOT_FOUND, self.edit(3, 1))

    async def test_a_former_member_edits_nothing(self) -> None:
        await self.update(7, 2, remove=[2])
        await self.refused(ErrorCode.NOT_FOUND, self.edit(2, 1))
        await self.refused(ErrorCode.NOT_FOUND, self.delete(2, 1))


@on_both
class Deleting(ChatCase):
    async def setUp(self) -> None:
        await super().setUp()
        await self.group(7, 1, 2, 3)
        await self.send(7, 2, "a secret")

    async def test_the_text_is_in_no_key_afterwards(self) -> None:
        await self.edit(2, 1, "a secret still")
        change = await self.delete(2, 1)
        event = change.event
        self.assertTrue(change.changed)
        self.assertEqual(
            (event.kind, event.seq, event.message_id, event.author, event.by), (DELETED, 4, 1, 2, 2)
        )
        self.assertNotIn(b"secret", self.contents())

    async def test_a_groups_owner_may_and_is_named(self) -> None:
        event = (await self.delete(1, 1)).event
        self.assertEqual((event.author, event.by), (2, 1))
        again = await self.unchanged(self.delete(2, 1))
        self.assertEqual((again.author, again.by, again.seq), (2, 1, 3))

    async def test_refusals_come_in_the_order_of_the_protocol(self) -> None:
        for chat_id, caller, message_id in ((8, 2, 1), (7, 9, 1), (7, 9, 99), (7, 3, 99)):
            await self.refused(ErrorCode.NOT_FOUND, self.delete(caller, message_id, chat_id=chat_id))
        await self.refused(ErrorCode.FORBIDDEN, self.delete(3, 1))
        await self.delete(2, 1)
        await self.refused(ErrorCode.FORBIDDEN, self.delete(3, 1))

    async def test_in_a_private_chat_only_the_author_may(self) -> None:
        await self.store.chats.create_private(8, 1, 2, CHANNEL, "op")
        await self.send(8, 2, "x", type=1)
        await self.refused(ErrorCode.FORBIDDEN, self.delete(1, 1, chat_id=8))
        self.assertTrue((await self.delete(2, 1, chat_id=8)).changed)

    async def test_the_number_of_a_deleted_message_is_not_given_again(self) -> None:
        await self.delete(2, 1)
        self.assertEqual((await self.send(7, 2, "next"))[1:], [[4, 2]])


@on_both
class Updating(ChatCase):
    async def setUp(self) -> None:
        await super().setUp()
        await self.group(7, 1, 2, 3)

    async def test_one_event_has_name_added_and_removed(self) -> None:
        change = await self.update(7, 1, name="n", add=[5, 4], remove=[2])
        event = change.event
        self.assertEqual((event.kind, event.seq, event.name, event.users), (CHANGED, 2, "n", [1, 3, 4, 5]))
        self.assertEqual((event.added, event.removed, event.owner, event.by), ([5, 4], [2], 1, 1))
        handoff = await self.store.chats.handoff(7)
        self.assertEqual((handoff[b"u:2"], handoff[b"u:4"], handoff[b"u:3"]), (b"0:2", b"1:2", b"1:1"))

    async def test_what_changes_nothing_has_no_event(self) -> None:
        for change in (
            {},
            {"name": "g"},
            {"add": [1, 2]},
            {"remove": [99]},
            {"name": "", "keep_name_if_empty": True, "add": [2]},
        ):
            event = await self.unchanged(self.update(7, 1, **change))
            self.assertEqual((event.seq, event.users, event.name), (1, [1, 2, 3], "g"))

    async def test_an_empty_name_beside_an_empty_list_clears_it_in_the_core_profile_too(self) -> None:
        self.assertEqual((await self.update(7, 1, name="", keep_name_if_empty=True)).event.name, "")

    async def test_a_user_named_twice_is_added_or_removed_once(self) -> None:
        event = (await self.update(7, 1, add=[4, 4], remove=[2, 2])).event
        self.assertEqual((event.users, event.added, event.removed), ([1, 3, 4], [4], [2]))

    async def test_refusals_come_in_the_order_of_the_protocol(self) -> None:
        await self.store.chats.create_private(8, 1, 2, CHANNEL, "op")
        await self.refused(ErrorCode.NOT_FOUND, self.update(9, 1, add=[4], members=0))
        await self.refused(ErrorCode.NOT_FOUND, self.update(8, 9, add=[4], members=0))
        await self.refused(ErrorCode.WRONG_CHAT_TYPE, self.update(8, 1, remove=[2], members=0))
        await self.refused(ErrorCode.FORBIDDEN, self.update(7, 2, add=[4], remove=[3], members=0))
        await self.refused(ErrorCode.FORBIDDEN, self.update(7, 2, remove=[2, 99]))
        await self.refused(ErrorCode.LIMIT_REACHED, self.update(7, 2, name="n", add=[4], members=3))

    async def test_the_limit_counts_those_who_leave_in_the_same_event(self) -> None:
        self.assertEqual((await self.update(7, 1, add=[4], remove=[2], members=3)).event.users, [1, 3, 4])
        self.assertTrue((await self.update(7, 1, name="n", members=1)).changed)

    async def test_the_owner_leaving_hands_over_to_the_earliest_joined_then_the_lowest_id(self) -> None:
        await self.update(7, 1, add=[100, 10])
        self.assertEqual((await self.update(7, 1, remove=[1])).event.owner, 2)
        await self.update(7, 2, remove=[3])
        self.assertEqual((await self.update(7, 2, remove=[2])).event.owner, 10)
        self.assertEqual((await self.store.chats.state(7, 100)).owner, 10)

    async def test_the_last_one_leaving_erases_everything_but_a_stub(self) -> None:
        await self.send(7, 1, "a secret")
        await self.update(7, 1, name="a secret name", remove=[2, 3])
        event = (await self.update(7, 1, remove=[1])).event
        self.assertEqual((event.seq, event.users, event.name, event.removed), (4, [], "", [1]))
        self.assertNotIn(b"secret", self.contents())
        self.assertEqual(self.keys(), sorted(map(self.key, ("{c:7}:handoff", "{c:7}:meta"))))
        self.assertEqual((await self.store.chats.head(7, 1))[:3], (4, 0, True))
        self.assertEqual(await self.store.chats.events(7, 0, 10), (Head(4, 0, True), [], {}))
        self.assertEqual(set((await self.store.chats.handoff(7)).values()), {b"0:3", b"0:4"})
        await self.refused(ErrorCode.NOT_FOUND, self.store.chats.state(7, 1))
        await self.refused(ErrorCode.NOT_FOUND, self.update(7, 1, add=[1]))
        self.assertEqual((await self.send(7, 1, "x"))[1:], [b"not_found"])

    async def test_one_removed_and_added_again_many_times_takes_no_more_room_than_once(self) -> None:
        await self.send(7, 1, "a")

        async def rooms(rounds: int) -> list[int]:
            for _ in range(rounds):
                for change in ("remove", "add"):
                    await self.update(7, 1, **{change: [2]})
                    (entry,) = (await self.store.chats.handoff(7)).values()
                    member, version = entry.split(b":")
                    await self.store.users.apply_chat(2, 7, member == b"1", int(version), CHANNEL)
                    await self.store.chats.handed_over(7, {b"u:2": entry})
            keys = [key for key in self.keys() if not key.endswith(":log")]
            return [len(keys), *(self.outside.memory_usage(key) for key in keys)]

        await self.store.chats.handed_over(7, await self.store.chats.handoff(7))
        once = await rooms(1)
        many = await rooms(200)
        self.assertEqual(len(many), len(once))
        self.assertLess(sum(many), sum(once) + 100)
        self.assertEqual(self.outside.xlen(self.key("{u:2}:log")), 100)

    async def test_the_stub_goes_when_no_retry_can_make_the_chat_again(self) -> None:
        for window_ms, kept_ms in ((1000, DAY_MS), (3 * DAY_MS, 3 * DAY_MS)):
            await self.group(window_ms, 1)
            store = Store(self.link, self.prefix, retention=Retention(nonce_window_ms=window_ms))
            meta = self.key(f"{{c:{window_ms}}}:meta")
            self.assertEqual(self.outside.pttl(meta), -1)
            await self.update(window_ms, 1, store, remove=[1])
            self.assertTrue(kept_ms - 60_000 < self.outside.pttl(meta) <= kept_ms)


@on_both
class Reading(ChatCase):
    async def test_events_come_in_pages_with_texts_as_they_are_now(self) -> None:
        await self.group(7, 1, 2)
        await self.send(7, 1, "a", "b")
        await self.edit(1, 1, "a2")
        await self.delete(1, 2)
        await self.update(7, 1, add=[3], name="n")
        head, events, _ = await self.store.chats.events(7, 0, 3)
        self.assertEqual(head, Head(6, 0, False))
        self.assertEqual(
            [(e.kind, e.seq, e.text, e.deleted) for e in events],
            [(CREATED, 1, "", False), (MESSAGE, 2, "a2", False), (MESSAGE, 3, "", True)],
        )
        self.assertEqual((events[0].users, events[0].name, events[0].added), ([1, 2], "g", []))
        _, events, _ = await self.store.chats.events(7, 3, 10)
        self.assertEqual(
            [(e.kind, e.seq, e.text, e.by) for e in events],
            [(EDITED, 4, "a2", 1), (DELETED, 5, "", 1), (CHANGED, 6, "", 1)],
        )
        self.assertEqual((events[2].added, events[2].users, events[2].name), ([3], [1, 2, 3], "n"))
        self.assertEqual(await self.store.chats.events(7, 6, 10), (head, [], {}))

    async def test_the_edit_of_a_message_deleted_later_has_no_text(self) -> None:
        await self.group(7, 1)
        await self.send(7, 1, "a")
        await self.edit(1, 1, "a2")
        await self.delete(1, 1)
        _, events, _ = await self.store.chats.events(7, 2, 10)
        self.assertEqual(
            [(e.kind, e.text, e.deleted) for e in events], [(EDITED, "", True), (DELETED, "", True)]
        )

    async def test_a_page_says_since_when_each_user_asked_about_is_a_member(self) -> None:
        await self.group(7, 1, 2)
        await self.send(7, 1, "x")
        await self.update(7, 1, add=[3], remove=[2])
        page = await self.store.chats.events(7, 0, 10, [3, 2, 9, 1])
        self.assertEqual(page.since, {3: 3, 2: 0, 9: 0, 1: 1})
        self.assertEqual(page.strangers, {2, 9})
        self.assertEqual((await self.store.chats.events(8, 0, 10, {1})).strangers, {1})

    async def test_for_a_replay_creation_and_changes_carry_the_present_state(self) -> None:
        await self.group(7, 1, 2)
        await self.update(7, 1, name="n", add=[3])
        await self.send(7, 2, "x")
        await self.update(7, 1, name="m", add=[4], remove=[1])
        page = await self.store.chats.events(7, 0, 10, present=True)
        changes = [event for event in page.events if event.kind in (CREATED, CHANGED)]
        self.assertEqual([event.seq for event in changes], [1, 2, 4])
        for event in changes:
            self.assertEqual((event.name, event.owner, event.users), ("m", 2, [2, 3, 4]))
        self.assertEqual([(e.added, e.removed) for e in changes], [([], []), ([3], []), ([4], [1])])
        self.assertEqual((page.events[2].kind, page.events[2].text), (MESSAGE, "x"))
        first = (await self.store.chats.events(7, 0, 2, present=True)).events
        self.assertEqual(first, page.events[:2])

    async def test_outsiders_are_asked_about_by_members_of_groups(self) -> None:
        await self.group(7, 1, 2)
        self.assertEqual(await self.store.chats.outsiders(7, 2, [3, 1, 4]), (2, [3, 4]))
        await self.store.chats.create_private(8, 1, 2, CHANNEL, "op")
        await self.refused(ErrorCode.NOT_FOUND, self.store.chats.outsiders(7, 3, [3]))
        await self.refused(ErrorCode.NOT_FOUND, self.store.chats.outsiders(8, 3, [3]))
        await self.refused(ErrorCode.WRONG_CHAT_TYPE, self.store.chats.outsiders(8, 1, [3]))

    async def test_a_chat_that_never_was_has_no_head_and_no_events(self) -> None:
        self.assertEqual(await self.store.chats.head(7, 1), Head(0, 0, False))
        self.assertEqual(await self.store.chats.events(7, 0, 10), (Head(0, 0, True), [], {}))

    async def test_the_state_is_for_members(self) -> None:
        await self.group(7, 1, 2)
        await self.send(7, 1, "x")
        event = await self.store.chats.state(7, 2)
        self.assertEqual((event.seq, event.type, event.users, event.owner), (2, 2, [1, 2], 1))
        await self.refused(ErrorCode.NOT_FOUND, self.store.chats.state(7, 3))


@on_both
class ManyMembers(ChatCase):
    async def test_a_page_names_only_so_many_of_them_and_the_next_one_goes_on(self) -> None:
        await self.group(7, *range(1, 201))
        for n in range(150):
            await self.update(7, 1, name=str(n))
            await self.send(7, 1, str(n))
        seqs: list[int] = []
        pages = []
        while len(seqs) < 301:
            page = await self.store.chats.events(7, len(seqs), 1000)
            pages.append(sum(len(event.users) for event in page.events))
            seqs += [event.seq for event in page.events]
        self.assertEqual(seqs, list(range(1, 302)))
        self.assertEqual(pages, [20_000, 51 * 200])


@on_both
class Trimming(ChatCase):
    log_events = 100

    async def test_as_many_events_as_were_asked_for_are_kept(self) -> None:
        await self.group(7, 1)
        for _ in range(10):
            await self.send(7, 1, *map(str, range(50)))
        for after in (0, 400, 401):
            _, events, _ = await self.store.chats.events(7, after, 1000)
            self.assertEqual([event.seq for event in events], list(range(402, 502)))
        self.assertEqual(self.outside.hlen(self.key("{c:7}:messages")), 500)

    async def test_edits_are_in_the_log_up_to_the_limit_and_not_many_more(self) -> None:
        await self.group(7, 1)
        await self.send(7, 1, "a", "b")
        for n in range(300):
            await self.store.chats.edit(7, 1, 1, str(n), CHANNEL, f"edit {n}")
            length = self.outside.xlen(self.key("{c:7}:log"))
            self.assertTrue(min(n, 100) <= length <= 200, length)
        _, events, _ = await self.store.chats.events(7, 0, 1000)
        self.assertEqual([event.seq for event in events], list(range(204, 304)))

    async def test_where_a_row_was_lost_no_event_shows_another_message(self) -> None:
        await self.group(7, 1)
        await self.send(7, 1, "a", "b")
        await self.store.chats.edit(7, 1, 1, "A", CHANNEL, "edit A")
        await self.store.chats.edit(7, 1, 2, "B", CHANNEL, "edit B")
        await self.send(7, 1, "c")
        self.outside.xdel(self.key("{c:7}:log"), "5-0")
        page = await self.store.chats.events(7, 0, 1000)
        self.assertEqual([(event.seq, event.message_id) for event in page.events], [(5, 2), (6, 3)])
