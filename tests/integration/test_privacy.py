"""What the log gives to whoever missed it: the state as it was then, and to a removed member no text of a later time.

A node is made deaf to a chat (and to a user); what happens meanwhile is told by the repair. Those who stayed must
see the same as those who heard it live, and who was removed nothing that was written or decided after that.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

from chatsrv.actors import log_reader
from chatsrv.store.events import CHANGED, CREATED, DELETED, EDITED, MESSAGE, ChatEvent
from chatsrv.wire.codes import Profile
from chatsrv.wire.requests import CreateChat, DeleteMessage, EditMessage, SendGroup, UpdateChat
from tests.integration.test_nodes import after_command, before_command
from tests.unit.test_store_kit import Listener, NodeCase, StoreCase, TestNode, on_both

SECRET = "SECRET"


class DeafCase(NodeCase):
    """Alice (the owner) and Carol live here; Bob and Dave are there, which can be made deaf."""

    async def setUp(self) -> None:
        await super().setUp()
        self.here, self.there = await self.node(), await self.node()
        self.alice, self.carol = await self.user(self.here, 1), await self.user(self.here, 3)
        self.bob, self.dave = await self.user(self.there, 2), await self.user(self.there, 4)
        self.bob_core = await self.user(self.there, 2, Profile.CORE)
        self.bobs = (self.bob, self.bob_core)
        created = await self.alice.ask(CreateChat(user_ids=[2, 3, 4], type=2, chat="open"))
        self.chat_id = created.reply.chat_id
        await self.settle()
        self._deaf: list[tuple[bytes, Any]] = []

    def deafen(self, *channels: str, node: TestNode | None = None) -> None:
        """From now on nothing of these channels reaches the node (there)."""
        listeners = (node or self.there).bus._listeners
        for channel in channels:
            key = channel.encode()
            self._deaf.append((key, listeners[key]))
            listeners[key] = lambda payload: None

    def deafen_chat(self) -> None:
        self.deafen(self.there.channels.chat(self.chat_id))

    def deafen_user(self, user_id: int) -> None:
        self.deafen(self.there.channels.user(user_id))

    async def hear_again(self) -> None:
        """The channels work again, and the head checks find what was missed."""
        await self.settle()
        self.there.bus._listeners.update(self._deaf)
        self._deaf.clear()
        for _ in range(2):
            self.there.clock.advance(1)
            await self.settle()

    async def send(self, text: str, by: Listener | None = None) -> Any:
        return (await (by or self.alice).ask(SendGroup(chat_id=self.chat_id, message=text))).reply

    async def edit(self, message_id: int, text: str, by: Listener | None = None) -> Any:
        command = EditMessage(chat_id=self.chat_id, message_id=message_id, message=text)
        return (await (by or self.alice).ask(command)).reply

    async def update(self, **change: Any) -> Any:
        return (await self.alice.ask(UpdateChat(chat_id=self.chat_id, **change))).reply

    def events(self, listener: Listener, first: int = 2) -> list[tuple[int, int, dict[str, Any]]]:
        """The frames of the chat from an event on, without the ids of replies."""
        return [
            (op, t, {name: value for name, value in d.items() if name != "id"})
            for op, t, d in listener.frames
            if op in (12, 14) and d["chat_id"] == self.chat_id and d["seq"] >= first
        ]

    def one(self, listener: Listener, seq: int) -> dict[str, Any]:
        """The only frame of the event that he got."""
        (found,) = [d for _, _, d in self.events(listener) if d["seq"] == seq]
        return found

    def check_no_secret(self, *listeners: Listener) -> None:
        for listener in listeners:
            self.assertNotIn(SECRET, repr(listener.frames), (listener.user_id, listener.profile))

    def check_state(self, seen: dict[str, Any], name: str, owner: int, users: list[int]) -> None:
        self.assertEqual((seen["chat"], seen["owner_id"], seen["users"]), (name, owner, users))


class Removed(DeafCase):
    """While his node heard nothing."""

    async def test_gets_all_up_to_his_removal_and_no_text_of_a_later_edit(self) -> None:
        known = (await self.send("known", self.carol)).message_id
        await self.settle()
        self.deafen_chat()
        kept = await self.send("kept", self.carol)
        early = await self.edit(known, "edited in time", self.carol)
        sent = await self.send("before", self.carol)
        edited = await self.edit(sent.message_id, "edited before", self.carol)
        removal = await self.update(remove_users=[2])
        await self.edit(sent.message_id, SECRET, self.carol)
        await self.send(SECRET, self.carol)
        await self.hear_again()
        for bob in self.bobs:
            self.assertEqual(bob.seqs(self.chat_id), list(range(1, removal.seq + 1)))
            self.assertEqual(bob.feeds, set())
            self.assertEqual(self.one(bob, kept.seq)["message"], "kept")
            self.assertNotIn("deleted", self.one(bob, kept.seq))
            self.assertEqual(self.one(bob, early.seq)["message"], "edited in time")
            for seq in (sent.seq, edited.seq):
                self.assertEqual([self.one(bob, seq)[name] for name in ("message", "deleted")], ["", True])
        self.check_no_secret(*self.bobs)
        self.assertEqual(self.one(self.dave, sent.seq)["message"], SECRET)
        self.assertNotIn("deleted", self.one(self.dave, sent.seq))

    async def test_gets_a_known_message_edited_after_his_removal_not_told_at_all(self) -> None:
        known = (await self.send("known", self.carol)).message_id
        await self.settle()
        self.deafen_chat()
        removal = await self.update(remove_users=[2])
        await self.edit(known, SECRET, self.carol)
        await self.hear_again()
        for bob in self.bobs:
            self.assertEqual(bob.seqs(self.chat_id), list(range(1, removal.seq + 1)))
        self.check_no_secret(*self.bobs)

    async def test_gets_what_was_edited_in_time_though_the_page_ends_before_his_removal(self) -> None:
        self.patch(log_reader, "PAGE", 2)
        self.deafen_chat()
        sent = [await self.send(f"m{n}", self.carol) for n in range(7)]
        removal = await self.update(remove_users=[2])
        for n in (0, 3, 6):
            await self.edit(sent[n].message_id, SECRET, self.carol)
        await self.hear_again()
        texts = ["", "m1", "m2", "", "m4", "m5", ""]
        for bob in self.bobs:
            self.assertEqual(bob.seqs(self.chat_id), list(range(1, removal.seq + 1)))
            self.assertEqual([d["message"] for d in bob.of(12, self.chat_id)], texts)
        self.check_no_secret(*self.bobs)

    async def test_sees_the_chat_as_it_was_when_he_was_removed(self) -> None:
        self.deafen_chat()
        await self.update(chat="then", add_users=[5])
        removal = await self.update(remove_users=[2])
        await self.update(chat=SECRET, add_users=[77, 78], remove_users=[5])
        await self.update(remove_users=[1])  # and now Carol is the owner
        await self.hear_again()
        for bob in self.bobs:
            self.assertEqual(bob.seqs(self.chat_id), [1, 2, 3])
            self.check_state(self.one(bob, 2), "then", 1, [1, 2, 3, 4, 5])
            self.check_state(self.one(bob, removal.seq), "then", 1, [1, 3, 4, 5])
            self.assertEqual(self.events(bob), self.events(self.carol)[:2])
            self.assertNotIn("77", repr(bob.frames))
        self.check_no_secret(*self.bobs)

    async def test_by_the_change_that_renames_too_sees_that_name_and_no_later_one(self) -> None:
        self.deafen_chat()
        await self.update(chat="new", add_users=[6], remove_users=[2])
        await self.update(chat=SECRET, add_users=[77])
        await self.hear_again()
        for bob in self.bobs:
            self.check_state(self.one(bob, 2), "new", 1, [1, 3, 4, 6])
        self.check_no_secret(*self.bobs)

    async def test_sees_what_was_deleted_after_his_removal_as_deleted(self) -> None:
        self.deafen_chat()
        sent = await self.send("gone", self.carol)
        removal = await self.update(remove_users=[2])
        await self.carol.ask(DeleteMessage(chat_id=self.chat_id, message_id=sent.message_id))
        await self.hear_again()
        for bob in self.bobs:
            self.assertEqual(bob.seqs(self.chat_id), list(range(1, removal.seq + 1)))
            self.assertEqual([self.one(bob, sent.seq)[name] for name in ("message", "deleted")], ["", True])

    async def test_after_a_lost_subscription_the_same(self) -> None:
        sent = await self.send("before", self.carol)
        await self.settle()
        self.deafen_chat()
        again = await self.edit(sent.message_id, "edited before", self.carol)
        removal = await self.update(remove_users=[2])
        await self.edit(sent.message_id, SECRET, self.carol)
        await self.update(chat=SECRET)
        await self.settle()
        self.there.bus._listeners.update(self._deaf)
        self.there.repair()
        await self.settle()
        for bob in self.bobs:
            self.assertEqual(bob.seqs(self.chat_id), list(range(1, removal.seq + 1)))
            self.assertEqual(self.one(bob, again.seq)["deleted"], True)
        self.check_no_secret(*self.bobs)

    async def test_while_one_who_heard_it_live_got_the_texts_of_the_time(self) -> None:
        sent = await self.send("before", self.carol)
        removal = await self.update(remove_users=[2])
        await self.edit(sent.message_id, SECRET, self.carol)
        await self.update(chat=SECRET)
        await self.settle()
        for bob in self.bobs:
            self.assertEqual(bob.seqs(self.chat_id), [1, 2, removal.seq])
            self.assertEqual(self.one(bob, sent.seq)["message"], "before")
            self.assertNotIn("deleted", self.one(bob, sent.seq))


class Stayed(DeafCase):
    async def test_members_get_the_repaired_changes_as_those_who_heard_them_live(self) -> None:
        for page in (1, 2, 200):
            self.patch(log_reader, "PAGE", page)
            first = self.dave.seqs(self.chat_id)[-1] + 1
            self.deafen_chat()
            await self.update(chat="first")
            await self.update(add_users=[5, 6])
            await self.send("x")
            await self.update(chat="second", add_users=[7], remove_users=[5])
            await self.update(remove_users=[6])
            await self.update(add_users=[6])
            await self.update(chat="third", remove_users=[6, 7])
            await self.hear_again()
            live, repaired = self.events(self.carol, first), self.events(self.dave, first)
            self.assertEqual(len(live), 7)
            self.assertEqual(repaired, live, page)
            self.assertEqual(
                [(d["chat"], d["users"]) for op, _, d in repaired if op == 14],
                [
                    ("first", [1, 2, 3, 4]),
                    ("first", [1, 2, 3, 4, 5, 6]),
                    ("second", [1, 2, 3, 4, 6, 7]),
                    ("second", [1, 2, 3, 4, 7]),
                    ("second", [1, 2, 3, 4, 6, 7]),
                    ("third", [1, 2, 3, 4]),
                ],
            )

    async def test_and_the_owner_of_each_time_when_he_leaves(self) -> None:
        self.deafen_chat()
        await self.update(chat="hers")
        await self.update(remove_users=[1])
        await self.send("x", self.carol)
        await self.carol.ask(UpdateChat(chat_id=self.chat_id, add_users=[1], chat="another"))
        await self.hear_again()
        self.assertEqual([d["owner_id"] for d in self.dave.of(14, self.chat_id)], [1, 1, 2, 2])
        self.assertEqual([d["users"] for d in self.dave.of(14, self.chat_id)[2:]], [[2, 3, 4], [1, 2, 3, 4]])
        for bob in self.bobs:
            self.assertEqual(self.events(bob), self.events(self.dave))


class ComeLate(DeafCase):
    """Eve has a session there; that she was added is heard when the feed is beyond."""

    async def setUp(self) -> None:
        await super().setUp()
        self.eves = (await self.user(self.there, 5), await self.user(self.there, 5, Profile.CORE))
        self.deafen_user(5)

    async def test_a_member_gets_the_same_as_who_was_there(self) -> None:
        await self.send("before")
        added = await self.update(chat="then", add_users=[5])
        await self.send("x")
        await self.update(chat="later", add_users=[6], remove_users=[2])
        await self.update(add_users=[7])
        await self.hear_again()
        for eve in self.eves:
            self.assertEqual(self.events(eve), self.events(self.dave, added.seq))
            self.assertEqual(self.events(eve), self.events(self.carol, added.seq))
            self.check_state(self.one(eve, added.seq), "then", 1, [1, 2, 3, 4, 5])

    async def test_one_removed_by_then_gets_her_stay_and_nothing_of_a_later_time(self) -> None:
        added = await self.update(chat="then", add_users=[5])
        kept, sent = await self.send("kept", self.carol), await self.send("before", self.carol)
        removal = await self.update(remove_users=[5])
        await self.edit(sent.message_id, SECRET, self.carol)
        await self.update(chat=SECRET, add_users=[77])
        await self.hear_again()
        for eve in self.eves:
            self.assertEqual(eve.seqs(self.chat_id), list(range(added.seq, removal.seq + 1)))
            self.check_state(self.one(eve, added.seq), "then", 1, [1, 2, 3, 4, 5])
            self.assertEqual(self.one(eve, kept.seq)["message"], "kept")
            self.assertEqual([self.one(eve, sent.seq)[k] for k in ("message", "deleted")], ["", True])
            self.check_state(self.one(eve, removal.seq), "then", 1, [1, 2, 3, 4])
            self.assertEqual(eve.feeds, set())
        self.check_no_secret(*self.eves)

    async def test_who_is_attached_while_the_log_is_read_gets_no_later_text_either(self) -> None:
        self.deafen_chat()
        added = await self.update(add_users=[5])
        sent = await self.send("before", self.carol)
        removal = await self.update(remove_users=[5])
        await self.edit(sent.message_id, SECRET, self.carol)
        await self.update(chat=SECRET)
        await self.settle()

        async def attach(_: Any) -> None:
            for eve in self.eves:
                self.there.chats.get(self.chat_id).feed.attach(eve, added.seq)

        after_command(self.there, "chat_events", attach)
        self.there.bus._listeners.update(self._deaf)
        self.there.chats.get(self.chat_id).repair()
        await self.settle()
        del self.there.own_link.run
        for eve in self.eves:
            self.assertEqual(eve.seqs(self.chat_id), list(range(added.seq, removal.seq + 1)))
        self.check_no_secret(*self.eves)


class CameBack(DeafCase):
    """Removed and added again in the hole; his own log tells of it before or after the repair."""

    async def both_ways(self, happen: Callable[[], Any]) -> None:
        for heard in (True, False):
            self.deafen_chat()
            if not heard:
                self.deafen_user(2)
            await happen()
            await self.hear_again()

    async def test_gets_both_stays_each_as_it_was_and_nothing_between(self) -> None:
        async def happen() -> None:
            first = self.bob.seqs(self.chat_id)[-1] + 1
            await self.update(chat="one")
            inside = await self.send("inside", self.carol)
            removal = await self.update(remove_users=[2])
            await self.send(SECRET, self.carol)
            await self.update(chat=SECRET, add_users=[77])
            await self.update(chat="two", remove_users=[77])
            back = await self.update(add_users=[2])
            last = await self.send("back", self.carol)
            self.owed.append((first, inside, removal, back, last))

        self.owed: list[Any] = []
        await self.both_ways(happen)
        self.assertEqual(len(self.owed), 2)
        for first, inside, removal, back, last in self.owed:
            for bob in self.bobs:
                seen = [seq for seq in bob.seqs(self.chat_id) if first <= seq <= last.seq]
                self.assertEqual(seen, [*range(first, removal.seq + 1), back.seq, last.seq])
                self.assertEqual(self.one(bob, inside.seq)["message"], "inside")
                self.check_state(self.one(bob, removal.seq), "one", 1, [1, 3, 4])
                self.check_state(self.one(bob, back.seq), "two", 1, [1, 2, 3, 4])
                self.assertEqual(self.one(bob, last.seq)["message"], "back")
        self.check_no_secret(*self.bobs)
        after = await self.send("after", self.carol)
        await self.settle()
        for bob in self.bobs:
            self.assertEqual(self.one(bob, after.seq)["message"], "after")

    async def test_and_was_removed_again_gets_no_text_of_after_that(self) -> None:
        async def happen() -> None:
            first = self.bob.seqs(self.chat_id)[-1] + 1
            one = await self.send("one", self.carol)
            removal = await self.update(remove_users=[2])
            back = await self.update(add_users=[2])
            two = await self.send("two", self.carol)
            end = await self.update(remove_users=[2])
            for sent in (one, two):
                await self.edit(sent.message_id, SECRET, self.carol)
            await self.update(chat=SECRET)
            self.owed = (first, one, removal, back, two, end)

        for heard in (True, False):
            self.deafen_chat()
            if not heard:
                self.deafen_user(2)
            await happen()
            await self.hear_again()
            first, one, removal, back, two, end = self.owed
            for bob in self.bobs:
                seen = [seq for seq in bob.seqs(self.chat_id) if seq >= first]
                whole = [*range(first, removal.seq + 1), *range(back.seq, end.seq + 1)]
                if heard:
                    self.assertEqual(seen, whole)
                for stay, sent in ((1, one), (2, two)):
                    if sent.seq in seen:
                        found = self.one(bob, sent.seq)
                        told = found["message"], found.get("deleted", False)
                        self.assertEqual(told, ("", True), f"stay {stay}, heard {heard}")
            self.check_no_secret(*self.bobs)
            await self.update(chat="open", add_users=[2])
            await self.settle()

    async def test_a_member_again_is_not_kept_from_later_texts(self) -> None:
        self.deafen_chat()
        await self.update(remove_users=[2])
        await self.hear_again()
        await self.update(add_users=[2])
        await self.settle()
        self.deafen_chat()
        sent = await self.send("first", self.carol)
        await self.edit(sent.message_id, "better", self.carol)
        await self.hear_again()
        for bob in self.bobs:
            self.assertEqual(self.one(bob, sent.seq)["message"], "better")
            self.assertNotIn("deleted", self.one(bob, sent.seq))

    async def test_a_member_again_while_the_log_is_read_sees_the_texts_of_his_new_stay(self) -> None:
        self.patch(log_reader, "PAGE", 2)
        self.deafen_chat()
        for n in range(3):
            await self.send(f"m{n}", self.carol)
        await self.update(remove_users=[2])
        sent: list[Any] = []

        async def come_back(_: Any) -> None:
            await self.update(add_users=[2])
            sent.append(await self.send("first", self.carol))
            await self.edit(sent[0].message_id, "better", self.carol)
            await self.here.settle()

        after_command(self.there, "chat_events", come_back)
        self.there.chats.get(self.chat_id).repair()
        await self.hear_again()
        del self.there.own_link.run
        for bob in self.bobs:
            self.assertEqual(bob.seqs(self.chat_id), list(range(1, sent[0].seq + 2)))
            found = self.one(bob, sent[0].seq)
            self.assertEqual((found["message"], "deleted" in found), ("better", False))

    async def test_a_connection_greeted_meanwhile_is_not_kept_from_later_texts(self) -> None:
        """It waits in its hello while the log is read, when he is no member; at its end he is one again."""

        async def come_and_go(_: Any) -> None:
            self.deafen_chat()
            await self.update(remove_users=[2])
            await self.hear_again()
            await self.update(add_users=[2])
            await self.here.settle()

        before_command(self.there, "chat_head", come_and_go)
        device = await self.user(self.there, 2)
        del self.there.own_link.run
        await self.settle()
        self.assertEqual(device.hello.heads, {str(self.chat_id): 3})
        self.deafen_chat()
        sent = await self.send("first", self.carol)
        await self.edit(sent.message_id, "better", self.carol)
        await self.hear_again()
        for bob in (*self.bobs, device):
            found = self.one(bob, sent.seq)
            self.assertEqual((found["message"], "deleted" in found), ("better", False), bob is device)


@on_both
class Histories(StoreCase):
    """The log against a model: at any position and page size, each event as it was when it happened."""

    CHAT, USERS = 7, range(1, 9)

    async def setUp(self) -> None:
        await super().setUp()
        self.joined = {1: 1, 2: 1, 3: 1}
        self.owner, self.name = 1, "start"
        await self.group(self.CHAT, 1, 2, 3, name=self.name)
        self.texts: dict[int, tuple[str, int]] = {}  # of a message: its text now, since which event
        self.authors: dict[int, int] = {}
        self.history: list[dict[str, Any]] = []
        self.note(CREATED, 1)

    def note(self, kind: int, by: int, *, added: Any = (), removed: Any = (), message_id: int = 0) -> None:
        """One more event: as of it."""
        state = kind in (CREATED, CHANGED)
        self.history.append(
            {
                "kind": kind,
                "seq": len(self.history) + 1,
                "by": by,
                "message_id": message_id,
                "name": self.name if state else "",
                "owner": self.owner if state else 0,
                "users": sorted(self.joined) if state else [],
                "added": list(added),
                "removed": list(removed),
            }
        )

    async def step(self, chance: random.Random) -> None:
        seq = len(self.history) + 1
        by = chance.choice(sorted(self.joined))
        what = chance.choices(("send", "edit", "delete", "rename", "change", "leave"), (4, 3, 1, 1, 5, 2))[0]
        own = [m for m, author in self.authors.items() if author == by and self.texts[m][0]]
        if what == "send" or (what in ("edit", "delete") and not own):
            await self.send(self.CHAT, by, f"text {seq}")
            message_id = len(self.authors) + 1
            self.authors[message_id], self.texts[message_id] = by, (f"text {seq}", 0)
            self.note(MESSAGE, by, message_id=message_id)
        elif what == "edit":
            message_id = chance.choice(own)
            await self.store.chats.edit(self.CHAT, by, message_id, f"edit {seq}", "a channel", "op")
            self.texts[message_id] = (f"edit {seq}", seq)
            self.note(EDITED, by, message_id=message_id)
        elif what == "delete":
            message_id = chance.choice(own)
            await self.store.chats.delete(self.CHAT, by, message_id, "a channel", "op")
            self.texts[message_id] = ("", seq)
            self.note(DELETED, by, message_id=message_id)
        elif what == "rename":
            await self.change(by, f"name {seq}", [], [])
        elif what == "leave" and len(self.joined) > 1:
            await self.change(by, None, [], [by])
        else:
            outside = sorted(set(self.USERS) - set(self.joined))
            add = chance.sample(outside, chance.randint(0, min(2, len(outside))))
            others = sorted(set(self.joined) - {self.owner})
            remove = chance.sample(others, chance.randint(0, min(2, len(others))))
            name = chance.choice((None, f"name {seq}"))
            if add or remove or name:
                await self.change(self.owner, name, add, remove)

    async def change(self, by: int, name: str | None, add: list[int], remove: list[int]) -> None:
        seq = len(self.history) + 1
        await self.update(self.CHAT, by, name=name, add=add, remove=remove)
        self.name = name or self.name
        self.joined.update(dict.fromkeys(add, seq))
        for user in remove:
            del self.joined[user]
        if self.owner not in self.joined:
            self.owner = min(self.joined, key=lambda user: (self.joined[user], user))
        self.note(CHANGED, by, added=add, removed=remove)

    def check(self, event: ChatEvent) -> None:
        then = self.history[event.seq - 1]
        self.assertEqual({name: getattr(event, name) for name in then}, then)
        if event.message_id:
            text, since = self.texts[event.message_id]
            told = text if event.kind != DELETED else ""
            self.assertEqual((event.text, event.author), (told, self.authors[event.message_id]), event)
            self.assertEqual(event.deleted, not text, event)
            self.assertEqual(event.rewritten, since > event.seq, event)

    async def check_pages(self, size: int, first: int = 0) -> None:
        position, head = first, len(self.history)
        while position < head:
            page = await self.store.chats.events(self.CHAT, position, size, self.USERS)
            self.assertEqual((page.head.seq, page.head.gone), (head, False))
            self.assertEqual(page.strangers, frozenset(self.USERS) - frozenset(self.joined))
            seqs = [event.seq for event in page.events]
            self.assertEqual(seqs, list(range(position + 1, min(position + size, head) + 1)))
            for event in page.events:
                self.check(event)
            position = seqs[-1]

    async def test_each_event_shows_name_owner_and_users_as_of_then_with_any_page_size(self) -> None:
        chance = random.Random(7)
        while len(self.history) < 250:
            await self.step(chance)
        changes = [event for event in self.history if event["kind"] == CHANGED]
        self.assertGreater(len({event["owner"] for event in changes}), 3)
        self.assertGreater(sum(bool(event["removed"] and event["added"]) for event in changes), 10)
        for size in (1, 2, 3, 7, 50, 200, 1000):
            await self.check_pages(size)
        for _ in range(40):
            await self.check_pages(chance.randint(1, 60), chance.randrange(250))

    async def test_while_the_history_goes_on_what_was_stays_as_it_was(self) -> None:
        for seed in range(6):
            chance = random.Random(seed)
            for _ in range(15):
                await self.step(chance)
            await self.check_pages(chance.randint(1, 20))


@on_both
class TrimmedHistories(Histories):
    """The log has lost its beginning: what it still has is as it was all the same."""

    log_events = 50

    async def check_pages(self, size: int, first: int = 0) -> None:
        await super().check_pages(size, max(first, len(self.history) - self.log_events))
