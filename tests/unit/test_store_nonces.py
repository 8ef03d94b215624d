"""A nonce makes a send safe to repeat: per sender and chat, with its digest, for a window at least."""

from __future__ import annotations

from hashlib import sha1
from typing import Any

from chatsrv.store import Retention, Store
from chatsrv.store.chats import Draft
from tests.unit.test_store_chats import ChatCase
from tests.unit.test_store_kit import CHANNEL, on_both, until

DAY_MS = 86_400_000
#: Whoever looks for a number, a pattern, a separator or an end in a nonce would take two of them for one.
NONCES = ("1", "01", "1.0", " 1", "1:2", ":", "*", "\n", "\x00", "\x00\x00", "é", "e\u0301", "😀" * 64)


def draft(text: str, nonce: str = "n", sender: int = 1, reply_to: int = 0) -> Draft:
    return Draft(sender, 2, text, nonce, reply_to)


class NonceCase(ChatCase):
    async def setUp(self) -> None:
        await super().setUp()
        await self.group(7, 1, 2)

    async def same(self, *drafts: Draft, **where: Any) -> list[Any]:
        """The results; it must change nothing and publish nothing."""
        before = self.keyspace()
        results: list[Any] = []

        async def send() -> None:
            results.extend((await self.append(*drafts, **where))[1:])

        self.assertEqual(await self.published(send()), [])
        self.assertEqual(self.keyspace(), before)
        return results

    def remembered(self) -> list[str]:
        return [key for key in self.keys() if "nonces" in key]


@on_both
class Nonces(NonceCase):
    async def test_a_retry_is_answered_with_the_first_ones_numbers_and_changes_nothing(self) -> None:
        await self.send(7, 2, "before")
        sent_at, first = await self.append(draft("a"))
        self.assertEqual(first, [3, 2])
        await self.send(7, 2, "after")
        for _ in range(2):
            self.assertEqual(await self.same(draft("a")), [[3, 2, sent_at]])

    async def test_another_message_under_the_same_nonce_is_a_conflict(self) -> None:
        await self.append(draft("a"))
        others = (draft("b"), draft("a "), draft("a", reply_to=1))
        self.assertEqual(await self.same(*others), [b"conflict"] * 3)

    async def test_a_nonce_belongs_to_one_sender_in_one_chat(self) -> None:
        await self.group(8, 1)
        await self.append(draft("a"))
        self.assertEqual((await self.append(draft("b", sender=2)))[1:], [[3, 2]])
        self.assertEqual((await self.append(draft("c"), chat_id=8))[1:], [[2, 1]])

    async def test_sender_and_nonce_are_not_run_together(self) -> None:
        await self.update(7, 1, add=[11])
        await self.append(draft("a", "1n", sender=1))
        self.assertEqual((await self.append(draft("b", "n", sender=11)))[1:], [[4, 2]])

    async def test_neither_the_nonce_nor_a_digest_that_could_be_guessed_without_it_is_kept(self) -> None:
        await self.append(draft("pin 4711", "b3f1c0ffee"))
        await self.store.chats.delete(7, 1, 1, CHANNEL, "op")
        kept = self.contents()
        self.assertIn(sha1(b"1:b3f1c0ffee").hexdigest()[:24].encode(), kept)
        for guess in (b"pin 4711", b"2\0000\0pin 4711", b"\0002\0000\0pin 4711"):
            self.assertNotIn(sha1(guess).hexdigest()[:16].encode(), kept)
        self.assertNotIn(b"b3f1c0ffee", kept)
        self.assertNotIn(b"pin 4711", kept)

    async def test_in_one_batch_a_repeat_is_answered_like_a_later_one(self) -> None:
        news = await self.published(self.append(draft("0", "m"), draft("a")))
        self.assertEqual([event[6] for event in news[0][1]], ["0", "a"])
        reply = await self.append(draft("x", "o"), draft("x", "o"), draft("y", "o"), draft("a"), draft("z"))
        self.assertEqual(reply[1], [4, 3])
        self.assertEqual(reply[2], [4, 3, reply[0]])
        self.assertEqual((reply[3], reply[4][:2], reply[5]), (b"conflict", [3, 2], b"conflict"))
        self.assertEqual((await self.store.chats.head(7)).seq, 4)

    async def test_all_kinds_of_nonces_are_told_apart_and_recognised(self) -> None:
        drafts = [draft(f"text {n}", nonce) for n, nonce in enumerate(NONCES)]
        sent = (await self.append(*drafts))[1:]
        self.assertEqual(sent, [[n, n - 1] for n in range(2, 2 + len(NONCES))])
        self.assertEqual([result[:2] for result in await self.same(*drafts)], sent)

    async def test_without_a_nonce_nothing_is_remembered_and_each_repeat_is_a_message(self) -> None:
        for seq in (2, 3):
            self.assertEqual((await self.append(draft("a", "")))[1:], [[seq, seq - 1]])
        self.assertEqual(self.remembered(), [])

    async def test_what_happened_to_the_message_since_makes_no_difference(self) -> None:
        sent_at, _ = await self.append(draft("a secret"))
        await self.edit(1, 1, "b")
        self.assertEqual(await self.same(draft("a secret"), draft("b")), [[2, 1, sent_at], b"conflict"])
        await self.delete(1, 1)
        self.assertEqual(await self.same(draft("a secret"), draft("b")), [[2, 1, sent_at], b"conflict"])
        self.assertNotIn(b"secret", self.contents())

    async def test_a_refused_message_leaves_its_nonce_free(self) -> None:
        self.assertEqual(await self.same(draft("a", reply_to=1)), [b"not_found"])
        self.assertEqual((await self.append(draft("b")))[1:], [[2, 1]])

    async def test_membership_and_type_are_judged_before_the_nonce(self) -> None:
        await self.append(draft("a", sender=2))
        self.assertEqual(await self.same(Draft(2, 1, "a", "n")), [b"wrong_chat_type"])
        await self.update(7, 1, remove=[2])
        self.assertEqual(await self.same(draft("a", sender=2), draft("b", sender=2)), [b"not_found"] * 2)

    async def test_the_nonce_is_judged_before_the_message_replied_to_and_a_block(self) -> None:
        await self.store.chats.create_private(8, 1, 2, CHANNEL, "op")
        private = Draft(1, 1, "a", "n")
        sent_at, _ = await self.append(private, chat_id=8)
        await self.store.chats.apply_block(8, True, 1)
        self.assertEqual(await self.same(private, chat_id=8), [[2, 1, sent_at]])
        self.assertEqual(await self.same(private._replace(reply_to=99), chat_id=8), [b"conflict"])

    async def test_who_comes_back_is_still_recognised(self) -> None:
        sent_at, _ = await self.append(draft("a", sender=2))
        await self.update(7, 1, remove=[2])
        await self.update(7, 1, add=[2])
        self.assertEqual(await self.same(draft("a", sender=2)), [[2, 1, sent_at]])

    async def test_with_the_last_member_all_nonces_go(self) -> None:
        await self.append(draft("a"))
        self.assertEqual(len(self.remembered()), 1)
        await self.update(7, 1, remove=[2])
        await self.update(7, 1, remove=[1])
        self.assertEqual(self.remembered(), [])


@on_both
class Windows(NonceCase):
    def _store(self, window_ms: int) -> Store:
        return Store(self.link, self.prefix, retention=Retention(nonce_window_ms=window_ms))

    def _now_ms(self) -> int:
        seconds, microseconds = self.outside.time()
        return int(seconds * 1000 + microseconds // 1000)

    async def test_a_nonce_is_kept_for_one_to_two_windows(self) -> None:
        await self.append(draft("a"))
        (key,) = self.remembered()
        self.assertTrue(DAY_MS - 60_000 < self.outside.pttl(key) <= 2 * DAY_MS)

    async def test_a_nonce_of_the_window_before_is_known(self) -> None:
        sent_at, _ = await self.append(draft("a"))
        (key,) = self.remembered()
        self.outside.rename(key, key[:-1] + str(1 - int(key[-1])))
        self.assertEqual(await self.same(draft("a"), draft("b")), [[2, 1, sent_at], b"conflict"])
        await self.append(draft("c", "m"))
        self.assertEqual(len(self.remembered()), 2)
        self.assertEqual([r[:2] for r in await self.same(draft("a"), draft("c", "m"))], [[2, 1], [3, 2]])

    async def test_after_the_windows_a_nonce_is_forgotten_and_takes_no_room(self) -> None:
        brief = self._store(1)
        sent_at, _ = await self.append(draft("a"), store=brief)
        await until(lambda: self._now_ms() > sent_at + 2, "the end of the windows")
        self.assertEqual(self.remembered(), [])
        self.assertEqual((await self.append(draft("b"), store=brief))[1:], [[3, 2]])

    async def test_each_window_takes_up_the_place_of_the_last_but_one(self) -> None:
        window_ms = 20
        brief = self._store(window_ms)

        def in_the_midst_of_another(window: int) -> bool:
            now, offset = divmod(self._now_ms(), window_ms)
            return now > window and 5 <= offset < 15

        for n in range(10):
            sent_at, result = await self.append(draft("a", str(n)), store=brief)
            self.assertEqual(result, [2 + n, 1 + n])
            await until(lambda at=sent_at: in_the_midst_of_another(at // window_ms), "the next window")
        kept = sum(self.outside.hlen(key) for key in self.remembered())
        self.assertLess(kept, 5)

    async def test_another_setting_forgets_nothing(self) -> None:
        for window_ms in (3_600_000, DAY_MS, 7 * DAY_MS, 90_000_000):
            nonce = str(window_ms)
            await self.append(draft("a", nonce), store=self._store(window_ms))
            known = [draft("a", str(earlier)) for earlier in (3_600_000, window_ms)]
            for reader_ms in (60_000, 3_600_000, 10 * DAY_MS):
                results = await self.same(*known, store=self._store(reader_ms))
                self.assertEqual(results[0][:2], [2, 1])
