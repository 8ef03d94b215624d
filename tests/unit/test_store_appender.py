"""What appends to a chat again and again: each form of the call does the same, and publishes where it is heard."""

from __future__ import annotations

from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred

from chatsrv.bus import Bus, Channels
from chatsrv.redis import Unavailable
from chatsrv.store.chats import Appender, Draft
from tests.unit.test_redis_link import next_call
from tests.unit.test_store_chats import ChatCase
from tests.unit.test_store_kit import CHANNEL, on_both, until

PLAIN = Draft(1, 2, "a")
FORMS = {
    "one plain message": [PLAIN],
    "several": [PLAIN, PLAIN._replace(sender=2)],
    "a reply": [PLAIN._replace(reply_to=1)],
    "with a nonce": [PLAIN._replace(nonce="n"), PLAIN],
}


class AppenderCase(ChatCase):
    async def setUp(self) -> None:
        await super().setUp()
        await self.group(7, 1, 2)
        await self.send(7, 2, "first")
        self.appender = self.store.chats.appender(7, CHANNEL)

    async def answer(self, drafts: list[Draft], heard: str = "", appender: Appender | None = None) -> Any:
        done: Deferred[Any] = Deferred()
        (appender or self.appender).append(drafts, "op", done.callback, heard)
        return await done


@on_both
class Forms(AppenderCase):
    async def test_all_forms_store_and_publish_alike(self) -> None:
        for name, drafts in FORMS.items():
            seq = (await self.store.chats.head(7)).seq
            news = await self.published(self.answer(drafts))
            events = [[*event[:2], event[3], *event[4:8]] for event in news[0][1]]
            texts = [
                [3, seq + n, d.sender, 2, seq + n - 1, d.text, d.sender] for n, d in enumerate(drafts, 1)
            ]
            self.assertEqual(events, texts, name)
            page = await self.store.chats.events(7, seq, 10)
            self.assertEqual(
                [(e.seq, e.text, e.by) for e in page.events], [(e[1], e[5], e[6]) for e in events]
            )
            last = {draft.sender: event[4] for draft, event in zip(drafts, events, strict=True)}
            marks = (await self.store.chats.details(7, 1)).read
            self.assertEqual({sender: marks[sender] for sender in last}, last, name)

    async def test_all_forms_are_judged_alike(self) -> None:
        await self.store.chats.create_private(8, 1, 2, CHANNEL, "op")
        await self.store.chats.apply_block(8, True, 1)
        for drafts in FORMS.values():
            for chat_id, change, code in (
                (7, {"sender": 9}, b"not_found"),
                (9, {}, b"not_found"),
                (7, {"type": 1}, b"wrong_chat_type"),
                (8, {"type": 1, "reply_to": 0}, b"forbidden"),
            ):
                appender = self.store.chats.appender(chat_id, CHANNEL)
                judged = [draft._replace(**change) for draft in drafts]
                before = self.keyspace()
                reply = await self.answer(judged, appender=appender)
                self.assertEqual(reply[1:], [code] * len(drafts))
                self.assertEqual(self.keyspace(), before)

    async def test_time_never_goes_back_in_any_form(self) -> None:
        future = 4_000_000_000_000
        self.outside.hset(self.key("{c:7}:meta"), "clock", future)
        for drafts in FORMS.values():
            self.assertEqual((await self.answer(drafts))[0], future)

    async def test_an_error_of_redis_that_is_no_fault_of_ours_means_unavailable(self) -> None:
        await self.link.call("CONFIG", "SET", "maxmemory", 1)
        try:
            replies = [await self.answer(drafts) for drafts in FORMS.values()]
        finally:
            await self.link.call("CONFIG", "SET", "maxmemory", 0)
        self.assertEqual([type(reply) for reply in replies], [Unavailable] * len(FORMS))

    async def test_it_lives_on_over_a_flush_of_the_scripts(self) -> None:
        for drafts in FORMS.values():
            await self.answer(drafts)
            self.outside.script_flush()
            await self.answer(drafts)


@on_both
class Heard(AppenderCase):
    async def setUp(self) -> None:
        await super().setUp()
        self.channels = Channels(self.prefix, 0)
        self.channel = self.channels.chat(7)
        self.appender = self.store.chats.appender(7, self.channel)
        self.news: list[list[bytes]] = []
        self.buses = [await self.bus() for _ in range(2)]

    async def bus(self) -> Bus:
        bus = Bus(reactor, self.server.address, self.channels)
        self.addCleanup(bus.link.stop)
        bus.link.start()
        await bus.link.when_up()
        return bus

    async def listen(self, bus: Bus) -> list[bytes]:
        news: list[bytes] = []
        await bus.subscribe(self.channel, news.append)
        return news

    async def barrier(self, bus: Bus) -> None:
        """It has heard whatever was published before."""
        await bus.subscribe("barrier", lambda _: None)
        bus.unsubscribe("barrier")

    async def test_who_alone_listens_gets_no_echo(self) -> None:
        here = self.buses[0]
        news = await self.listen(here)
        for drafts in FORMS.values():
            self.assertEqual(len((await self.answer(drafts, here.token(self.channel)))[1:]), len(drafts))
        await self.barrier(here)
        self.assertEqual(news, [])
        await self.answer([PLAIN])
        await self.barrier(here)
        self.assertEqual(len(news), 1)

    async def test_with_another_one_listening_all_hear_it(self) -> None:
        here, there = self.buses
        both = [await self.listen(here), await self.listen(there)]
        for drafts in FORMS.values():
            await self.answer(drafts, here.token(self.channel))
        for bus in self.buses:
            await self.barrier(bus)
        self.assertEqual([len(news) for news in both], [len(FORMS)] * 2)

    async def test_who_lost_his_connection_meanwhile_is_not_taken_for_the_only_one(self) -> None:
        here, there = self.buses
        await self.listen(here)
        heard = here.token(self.channel)
        await here.link.stop()
        news = await self.listen(there)
        for drafts in FORMS.values():
            await self.answer(drafts, heard)
        await self.barrier(there)
        self.assertEqual(len(news), len(FORMS))

    async def test_nothing_is_heard_before_the_subscription_is_confirmed_nor_after_its_end(self) -> None:
        here = self.buses[0]
        self.assertEqual(here.token(self.channel), "")
        confirmed = here.subscribe(self.channel, lambda _: None)
        self.assertEqual(here.token(self.channel), "")
        await confirmed
        first = here.token(self.channel)
        self.assertTrue(first)
        down, up = next_call(here.link.downs), next_call(here.link.ups)
        self.outside.client_kill_filter(_type="pubsub")
        await down
        self.assertEqual(here.token(self.channel), "")
        await up
        second = await until(lambda: here.token(self.channel), "the new connection's own channel")
        self.assertNotEqual(second, first)
        await self.barrier(here)  # ends with an UNSUBSCRIBE, and with it the own channel's time
        self.assertEqual(here.token(self.channel), "")
        third = await until(lambda: here.token(self.channel), "the next one")
        self.assertNotEqual(third, second)
        here.unsubscribe(self.channel)
        self.assertEqual(here.token(self.channel), "")

    async def test_where_counting_listeners_is_forbidden_everything_is_published(self) -> None:
        here = self.buses[0]
        news = await self.listen(here)
        await self.link.call("ACL", "SETUSER", "default", "-pubsub")
        try:
            reply = await self.answer([PLAIN], here.token(self.channel))
        finally:
            await self.link.call("ACL", "SETUSER", "default", "+pubsub")
        self.assertEqual(reply[1], [3, 2])
        await self.barrier(here)
        self.assertEqual(len(news), 1)
