"""A text that was deleted, replaced, trimmed or left behind is nowhere: in no key, and not on disk after a rewrite."""

from __future__ import annotations

import contextlib
from pathlib import Path

from chatsrv.store import Retention, Store
from chatsrv.store.chats import Draft
from tests.support.redis import RedisServer
from tests.unit.test_store_chats import ChatCase
from tests.unit.test_store_kit import CHANNEL, on_both, until

GONE = ("replaced-4d1f", "deleted-9b2c", "deleted-later-77e0", "trimmed-c3a8", "left-e5d6", "denied-0f91")
KEPT = "kept-2a6b"


@on_both
class Erasure(ChatCase):
    def redis_of_test(self) -> RedisServer:
        """One that writes to disk, uncompressed so that a text can be found there."""
        return self.own_server("--appendonly", "yes", "--appendfsync", "always", "--rdbcompression", "no")

    async def setUp(self) -> None:
        await super().setUp()
        replaced, deleted, deleted_later, trimmed, left, denied = GONE
        await self.group(7, 1, 2)
        await self.append(
            Draft(1, 2, trimmed, "n1"),
            Draft(1, 2, replaced, "n2"),
            Draft(2, 2, deleted, "n3", 2),
            Draft(2, 2, "x", "n4", 3),
            Draft(2, 2, KEPT, "n5"),
            Draft(9, 2, denied, "n6"),
        )
        await self.edit(1, 2, "replacement")
        await self.edit(2, 4, deleted_later)
        await self.append(Draft(2, 2, deleted, "n3"), Draft(2, 2, denied, "n3"))
        await self.group(8, 1)
        await self.append(Draft(1, 2, left, "n"), chat_id=8)
        self.assertEqual([text for text in GONE if not self._stored(text)], [replaced, denied])
        self.store = Store(self.link, self.prefix, retention=Retention(messages=5))
        await self.append(Draft(1, 2, "one more"))
        await self.store.chats.mark_read(7, 1, 3, "session", CHANNEL, "op")
        await self.delete(2, 3)
        await self.delete(1, 4)
        await self.update(8, 1, remove=[1])

    def _stored(self, text: str) -> bool:
        return text.encode() in self.contents()

    def _on_disk(self, text: str) -> bool:
        return any(text.encode() in _content(path) for path in self.server.folder.rglob("*"))

    async def test_it_is_in_no_key(self) -> None:
        self.assertTrue(all(key.decode().startswith(self.prefix) for key in self.outside.scan_iter()))
        self.assertEqual([text for text in GONE if self._stored(text)], [])
        self.assertTrue(self._stored(KEPT) and self._stored("replacement"))

    async def test_it_is_not_in_the_append_only_file_once_that_is_rewritten(self) -> None:
        written = [text for text in (*GONE, KEPT) if self._on_disk(text)]
        self.assertEqual(written, [*GONE[:-1], KEPT])  # what is refused is never written
        self.outside.bgrewriteaof()
        await until(self._is_rewritten, "the rewrite")
        await until(lambda: not any(self._on_disk(text) for text in GONE), "the old files to go")
        self.assertTrue(self._on_disk(KEPT) and self._on_disk("replacement"))

    def _is_rewritten(self) -> bool:
        persistence = self.outside.info("persistence")
        pending = persistence["aof_rewrite_in_progress"] or persistence["aof_rewrite_scheduled"]
        return not pending and persistence["aof_last_bgrewrite_status"] == "ok"


def _content(path: Path) -> bytes:
    """Of a file, even if Redis is just deleting it."""
    with contextlib.suppress(FileNotFoundError):
        return path.read_bytes() if path.is_file() else b""
    return b""
