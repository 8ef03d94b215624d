"""The rest of the authorization matrix (RELIABILITY 3.5): what is between two, and what is left to a former member.

As in `test_authorization`: refused means that nothing is changed in the store and nobody told, and where a thing of
others and one that is not there are not told apart, the answers are the same bytes.
"""

import json

from tests.acceptance.authorization import (
    AUTHOR,
    BLOCKED,
    BLOCKER,
    FORMER,
    GROUP,
    MEMBER,
    NEWCOMER,
    OPEN,
    OUTSIDER,
    OWNER,
    SHUNNED,
)
from tests.acceptance.authorization_case import AuthorizationCase
from tests.support.tokens import token_for
from tests.support.user import NOBODY

PAIRS = {
    "a_stranger": (OUTSIDER, NEWCOMER, "ok"),
    "one_whom_he_blocks": (SHUNNED, BLOCKED, "forbidden"),
    "one_who_blocks_him": (BLOCKED, SHUNNED, "forbidden"),
}
"""The asking one, the other one, and what becomes of it. The last two have no private chat."""
REQUESTS = {
    "open_a_private_chat_with": ((13, 1), lambda other: {"user_ids": [other], "type": 1}, (14, 1)),
    "ask_for_friendship": ((16, 1), lambda other: {"user_id": other}, (17, 1)),
}
INTO_GROUPS = {
    "one_who_blocks_him_into_a_new_group": (
        BLOCKED,
        (13, 1),
        {"user_ids": [SHUNNED, MEMBER], "type": 2},
        "forbidden",
    ),
    "one_who_blocks_him_into_his_group": (BLOCKED, (13, 2), {"add_users": [SHUNNED, NEWCOMER]}, "forbidden"),
    "one_whom_he_blocks_into_a_new_group": (SHUNNED, (13, 1), {"user_ids": [BLOCKED], "type": 2}, "ok"),
    "both_into_a_group": (OWNER, (13, 2), {"add_users": [SHUNNED]}, "ok"),
}


class Relations(AuthorizationCase):
    async def judged(self, user_id, request, d, code, told=()):
        """Ask on both nodes what is refused, on one what is not; the answer, and who was told of what."""
        watchers = [
            (await self.user(n, node=node), kind) for n, kind in told for node in (self.here, self.there)
        ]
        before = self.stored()
        nodes = (self.there,) if code == "ok" else (self.here, self.there)
        answers = {await self.answer(await self.raw(user_id, node), *request, d) for node in nodes}
        self.assertEqual(len(answers), 1)
        frame = json.loads(answers.pop())
        self.assertEqual(frame["d"].get("code", "ok"), code, frame)
        if code == "ok":
            for watcher, kind in watchers:
                await watcher.expect(*kind)
            self.assertNotEqual(self.stored(), before)
        else:
            self.assertEqual(self.stored(), before)
            await self.marked([watcher for watcher, _ in watchers])
        return frame

    async def marked(self, watchers):
        """The request of a stranger is the next event of each."""
        stranger = await self.user(NOBODY)
        for user_id in sorted({watcher.user_id for watcher in watchers}):
            await stranger.call(16, 1, user_id=user_id)
        for watcher in watchers:
            await watcher.expect(17, 1, user_id=NOBODY)

    async def test_a_refusal_for_a_block_does_not_say_whose(self):
        clients = [await self.raw(BLOCKED, node) for node in (self.here, self.there)]
        d = {"user_ids": [SHUNNED, BLOCKER, MEMBER], "type": 2}
        one = await self.answer(clients[0], 13, 1, d)
        other = await self.answer(clients[1], 13, 1, d | {"user_ids": [BLOCKER, MEMBER]})
        self.assertEqual(one, other)

    async def answering(self, user_id, code):
        """16/2 to a request of the outsider to the newcomer."""
        await (await self.user(OUTSIDER)).call(16, 1, user_id=NEWCOMER)
        asked = {OUTSIDER: NEWCOMER}.get(user_id, OUTSIDER)
        told = ((OUTSIDER, (17, 2)), (NEWCOMER, (17, 2)))
        for kind in (1, 2):
            d = {"user_id": asked, "type": kind}
            answer = await self.judged(user_id, (16, 2), d, code, told)
            if code == "ok":
                self.assertEqual((await (await self.user(OUTSIDER)).call(16, 6))["friends"], [NEWCOMER])
                return
            missing = await self.answer(
                await self.raw(user_id, self.here), 16, 2, d | {"user_id": NOBODY - 1}
            )
            self.assertEqual(json.loads(missing), answer)
            await (await self.user(NOBODY)).call(16, 3, user_id=OUTSIDER)
            await (await self.user(NOBODY)).call(16, 3, user_id=NEWCOMER)

    async def test_answer_a_request_by_the_one_who_was_asked_is_ok(self):
        await self.answering(NEWCOMER, "ok")

    async def test_answer_a_request_by_the_one_who_asked_is_not_found(self):
        await self.answering(OUTSIDER, "not_found")

    async def test_answer_a_request_by_a_third_one_is_not_found(self):
        await self.answering(MEMBER, "not_found")

    async def test_answer_a_request_a_second_time_is_not_found(self):
        await (await self.user(OUTSIDER)).call(16, 1, user_id=NEWCOMER)
        newcomer = await self.user(NEWCOMER)
        await newcomer.call(16, 2, user_id=OUTSIDER, type=1)
        client = await self.raw(NEWCOMER, self.there)
        answers = [
            await self.answer(client, 16, 2, {"user_id": n, "type": kind})
            for n in (OUTSIDER, NOBODY)
            for kind in (1, 2)
        ]
        self.assertEqual(len(set(answers)), 1, answers)
        self.assertEqual((await newcomer.call(16, 6))["friends"], [OUTSIDER])

    async def test_the_status_of_friends_only_is_told_and_never_that_of_the_two_of_a_block(self):
        owner = await self.user(OWNER, node=self.here)
        member = await self.user(MEMBER, node=self.there)
        await self.friends(owner, member)
        others = [await self.user(n, node=self.there) for n in (AUTHOR, OUTSIDER, BLOCKED)]
        blocker = await self.user(BLOCKER, node=self.here)
        await owner.status(MEMBER)
        await member.status(OWNER)
        for other in (*others, blocker):
            await other.status()
            self.assertEqual(list(other.statuses.frames), [])
        await owner.call(16, 4, user_id=MEMBER)
        await owner.status()
        await member.status()

    async def test_a_token_of_another_user_renews_nothing(self):
        client = await self.raw(MEMBER, self.here)
        answers = {
            await self.answer(client, 1, 3, {"token": token_for(n)}) for n in (OWNER, OUTSIDER, NOBODY)
        }
        self.assertEqual(len(answers), 1, "whose token it is makes no difference")
        self.assertEqual(json.loads(answers.pop())["d"]["code"], "forbidden")
        renewed = json.loads(await self.answer(client, 1, 3, {"token": token_for(MEMBER, ttl_s=900)}))
        self.assertEqual((renewed["op"], renewed["t"]), (1, 3))
        details = json.loads(await self.answer(client, 13, 3, {"chat_id": self.chats[GROUP]}))
        self.assertEqual(details["op"], 14, "it speaks for the member still")


class OtherChats(AuthorizationCase):
    """A message id of another chat means nothing in this one, whatever one is there."""

    async def setUp(self):
        await super().setUp()
        author = await self.user(AUTHOR)
        other = (await author.call(13, 1, user_ids=[OUTSIDER], type=2))["chat_id"]
        for n in range(1, 10):
            await author.call(11, 2, chat_id=other, message=f"elsewhere {n}")
        await author.close()

    async def refused_as_missing(self, user_id, t, name, **d):
        before = self.stored()
        for node in (self.here, self.there):
            client = await self.raw(user_id, node)
            request = {"chat_id": self.chats[GROUP], **d}
            answers = [await self.answer(client, 11, t, {**request, name: n}) for n in (5, 9, NOBODY)]
            self.assertEqual(len(set(answers)), 1, answers)
            self.assertEqual(json.loads(answers[0])["d"]["code"], "not_found")
        self.assertEqual(self.stored(), before)

    async def test_it_is_not_edited(self):
        await self.refused_as_missing(AUTHOR, 6, "message_id", message="x")

    async def test_it_is_not_deleted(self):
        await self.refused_as_missing(AUTHOR, 7, "message_id")
        await self.refused_as_missing(OWNER, 7, "message_id")

    async def test_it_is_not_read_up_to(self):
        await self.refused_as_missing(AUTHOR, 8, "message_id")

    async def test_it_is_not_replied_to(self):
        await self.refused_as_missing(AUTHOR, 2, "reply_to", message="x")


class WhatIsLeft(AuthorizationCase):
    """A former member and an outsider have nothing of a chat, on any path."""

    async def test_no_chat_of_others_is_in_hello_or_inbox(self):
        for user_id, own in ((FORMER, []), (OUTSIDER, []), (MEMBER, [GROUP]), (OWNER, [GROUP, OPEN])):
            for node in (self.here, self.there):
                user = await self.user(user_id, node=node)
                ids = sorted(self.chats[kind] for kind in own)
                self.assertEqual((sorted(user.hello.chat_ids), sorted(user.hello.heads)), (ids, ids))
                rows = (await user.call(13, 4))["chats"]
                self.assertEqual(sorted(row["chat_id"] for row in rows), ids)

    async def test_a_catch_up_tells_a_former_member_what_it_tells_of_no_chat(self):
        for user_id in (FORMER, OUTSIDER):
            for node in (self.here, self.there):
                client = await self.raw(user_id, node)
                for since in (0, 1, 3, 4, 5):
                    chat_id = self.chats[GROUP]
                    there = await self.answer(client, 1, 2, {"chats": {str(chat_id): since}})
                    missing = await self.answer(client, 1, 2, {"chats": {str(NOBODY): since}})
                    expected = missing.replace(str(NOBODY).encode(), str(chat_id).encode())
                    self.assertEqual(there, expected)
                    self.assertEqual(json.loads(there)["d"], {"heads": {}, "reset": [chat_id]})

    async def test_a_connection_from_when_he_was_a_member_hears_nothing_more(self):
        user = await self.user(MEMBER, node=self.there)
        core = await self.user(MEMBER, None, node=self.here)
        owner, author = await self.users(OWNER, AUTHOR)
        chat_id = self.chats[GROUP]
        await owner.call(13, 2, chat_id=chat_id, remove_users=[MEMBER])
        await author.call(11, 2, chat_id=chat_id, message="x")
        await author.call(11, 6, chat_id=chat_id, message_id=1, message="y")
        await owner.call(11, 7, chat_id=chat_id, message_id=2)
        await author.call(11, 8, chat_id=chat_id, message_id=3)
        author.send(11, 9, chat_id=chat_id)
        await author.sync(chat_id)
        for connection in (user, core):
            await connection.expect(14, 2, chat_id=chat_id)
            self.assertEqual(await connection.refusal_code(13, 3, chat_id=chat_id), "not_found")
        stranger = await self.user(NOBODY, node=self.here)
        await stranger.call(16, 1, user_id=MEMBER)
        for connection in (user, core):
            await connection.expect(17, 1, user_id=NOBODY)


def _between(request, who):
    (user_id, other, code), (kind, d, event) = PAIRS[who], REQUESTS[request]

    async def test(self):
        await self.judged(user_id, kind, d(other), code, told=((other, event),))

    test.__name__ = f"test_{request}_{who}_is_{code}"
    return test


def _into(name):
    user_id, kind, d, code = INTO_GROUPS[name]

    async def test(self):
        d_ = d if kind == (13, 1) else {**d, "chat_id": self.chats[GROUP]}
        newcomer = BLOCKED if user_id == SHUNNED else SHUNNED
        await self.judged(user_id, kind, d_, code, told=((newcomer, (14, kind[1])),))

    test.__name__ = f"test_put_{name}_is_{code}"
    return test


_made = [_between(request, who) for request in REQUESTS for who in PAIRS] + [_into(n) for n in INTO_GROUPS]
for _test in _made:
    setattr(Relations, _test.__name__, _test)
