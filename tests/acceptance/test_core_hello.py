"""1/1 and 2/1 (PROTOCOL section 3): what a connection is told first, and who of its friends is online."""

import time

from tests.support.chat import CORE, ChatCase, together
from tests.support.raw import TEXT, RawClient, frame, upgrade
from tests.support.tokens import token_for


class Hello:
    async def test_hello_of_a_new_user_is_empty(self):
        before = time.time() * 1000
        token = token_for(11, exp=int(time.time()) + 500)
        hello = (await self.user(11, token=token)).hello
        self.assertEqual((hello.chat_ids, hello.friend_ids, hello.heads), ([], [], {}))
        self.assertEqual((hello.incoming, hello.outgoing, hello.user_id), ([], [], 11))
        self.assertApproximates(hello.server_time, before, 5000)
        self.assertApproximates(hello.expires_at, before + 500_000, 5000)
        self.assertTrue(hello.session_id)

    async def test_hello_names_chats_with_heads_and_friends_and_open_requests(self):
        alice, bob, dave = await self.users(1, 2, 4)
        group, private = await self.group(alice, bob), await self.private(alice, bob)
        await alice.call(11, 2, chat_id=group, message="one")
        await bob.expect(12, 2)
        await self.friends(alice, bob)
        await alice.call(16, 1, user_id=3)
        await dave.call(16, 1, user_id=1)
        hello = (await self.user(1)).hello
        self.assertEqual(sorted(hello.chat_ids), sorted([group, private]))
        self.assertEqual(hello.heads, {group: 2, private: 1})
        self.assertEqual((hello.friend_ids, hello.outgoing, hello.incoming), ([2], [3], [4]))

    async def test_hello_says_the_limits(self):
        limits = (await self.user(1)).hello.limits
        self.assertEqual((limits.frame_bytes, limits.message_chars, limits.members), (65536, 4000, 1000))
        self.assertEqual((limits.requests_per_s, limits.burst), (20, 100))

    async def test_a_left_a_lost_and_a_deleted_chat_are_not_in_hello(self):
        alice, bob = await self.users(1, 2)
        left, lost, deleted = [await self.group(alice, bob) for _ in range(3)]
        await bob.call(13, 2, chat_id=left, remove_users=[2])
        await alice.expect(14, 2)
        await alice.call(13, 2, chat_id=lost, remove_users=[2])
        await bob.expect(14, 2)
        await alice.call(13, 2, chat_id=deleted, remove_users=[1, 2])
        await bob.expect(14, 2)
        self.assertEqual((await self.user(2)).hello.chat_ids, [])
        self.assertEqual(sorted((await self.user(1)).hello.chat_ids), [left, lost])

    async def test_a_user_who_was_only_named_finds_his_chats_and_requests(self):
        alice = await self.user(1)
        chat = await alice.call(13, 1, user_ids=[77], type=1)
        await alice.call(16, 1, user_id=77)
        hello = (await self.user(77)).hello
        self.assertEqual((hello.chat_ids, hello.incoming), ([chat["chat_id"]], [1]))

    async def test_frames_sent_before_hello_are_held_and_then_carried_out(self):
        raw = await RawClient.connected(self.node.port)
        self.addCleanup(raw.close)
        protocol = self.profile.value if self.profile else None
        request = b'{"op":13,"t":1,"id":"early","d":{"user_ids":[2],"type":2}}'
        head = upgrade(Authorization=f"Bearer {token_for(1)}", Sec_WebSocket_Protocol=protocol)
        raw.send(head + frame(TEXT, request))
        self.assertEqual((await raw.response()).status, 101)
        first, second = await raw.json(), await raw.json()
        self.assertEqual((first["op"], first["t"]), (1, 1))
        self.assertEqual((second["op"], second["t"], second["id"]), (14, 1, "early"))

    async def test_hello_and_the_events_after_it_miss_nothing(self):
        alice, bob = await self.users(1, 2)
        chat_id = await self.group(alice, bob)
        sending = [alice.call(11, 2, chat_id=chat_id, message=str(n)) for n in range(40)]
        late = (await together(*sending[:20], self.user(2), *sending[20:]))[20]
        sent = await alice.call(11, 2, chat_id=chat_id, message="last")
        expected = list(range(late.hello.heads[chat_id] + 1, sent["seq"] + 1))
        got = [(await late.expect(12, 2))["seq"] for _ in expected]
        self.assertEqual(got, expected)


class HelloInTheFullProfile(Hello, ChatCase):
    async def test_the_largest_user_id_is_carried_exactly(self):
        largest = 2**53 - 1
        alice, giant = await self.users(1, largest)
        await self.private(alice, giant)
        self.assertEqual(giant.hello.user_id, largest)

    async def test_a_subject_may_be_an_integer(self):
        token = token_for(1, sub=42)
        self.assertEqual((await self.user(42, token=token)).hello.user_id, 42)


class HelloInTheCoreProfile(Hello, ChatCase):
    profile = CORE


class HelloWithoutASubprotocol(Hello, ChatCase):
    profile = None


class Status:
    async def test_the_first_status_comes_even_when_it_is_empty(self):
        await (await self.user(1)).status()

    async def test_the_first_status_names_friends_who_are_online(self):
        alice, bob = await self.users(1, 2)
        await self.friends(alice, bob)
        again = await self.user(1)
        first = await again.statuses.next("the first status")
        self.assertEqual(first.d["user_ids"], [2])

    async def test_becoming_friends_shows_each_to_the_other(self):
        alice, bob = await self.users(1, 2)
        await self.friends(alice, bob)
        await together(alice.status(2), bob.status(1))

    async def test_a_friend_who_comes_and_goes_is_shown(self):
        alice, bob = await self.users(1, 2)
        await self.friends(alice, bob)
        await alice.status(2)
        await bob.close()
        await alice.status()
        await self.user(2)
        await alice.status(2)

    async def test_a_friends_second_connection_changes_nothing(self):
        alice, bob, carol = await self.users(1, 2, 3)
        await self.friends(alice, bob)
        await self.friends(alice, carol)
        await alice.status(2, 3)
        second = await self.user(2)
        await bob.close()
        await carol.close()
        only = await alice.statuses.next("the status after carol left")
        self.assertEqual(only.d["user_ids"], [2])
        await second.close()
        await alice.status()

    async def test_strangers_and_people_asked_are_not_shown(self):
        alice, _bob, carol = await self.users(1, 2, 3)
        await alice.call(16, 1, user_id=2)
        await self.friends(alice, carol)
        await alice.status(3)


class StatusInTheFullProfile(Status, ChatCase):
    pass


class StatusInTheCoreProfile(Status, ChatCase):
    profile = CORE


class StatusWithGrace(ChatCase):
    settings = {"presence_grace_s": 60}

    async def test_a_quick_reconnect_makes_no_noise(self):
        alice, bob, carol = await self.users(1, 2, 3)
        await self.friends(alice, bob)
        await alice.status(2)
        await bob.close()
        await self.user(2)
        await self.friends(alice, carol)
        following = await alice.statuses.next("the status that shows carol")
        self.assertEqual(sorted(following.d["user_ids"]), [2, 3])


class StatusAtMostOnceAnInterval(ChatCase):
    settings = {"status_interval_s": 60}

    async def test_after_the_first_status_nothing_comes_before_the_interval_ends(self):
        alice, bob, carol = await self.users(1, 2, 3)
        await together(alice.status(), bob.status(), carol.status())
        await self.friends(alice, bob)
        await bob.close()
        await self.friends(alice, carol)
        await alice.sync()
        self.assertEqual(list(alice.statuses.frames), [])
        again = await self.user(1)
        await again.status(3)
