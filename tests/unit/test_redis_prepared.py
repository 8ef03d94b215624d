"""A prepared script: the bytes that it sends are those of the whole command, on each kind of server."""

from __future__ import annotations

import gc
import weakref
from typing import Any

import hiredis
from twisted.trial.unittest import SynchronousTestCase

from chatsrv.redis import PreparedScript, Script
from tests.unit.test_redis_link import LinkTestCase

SCRIPT = Script("echo", "#!lua\nreturn {KEYS[1], ARGV[1], ARGV[2], ARGV[3]}")


def prepared(last: int = 2, script: Script = SCRIPT) -> PreparedScript:
    return PreparedScript(script, ["k1", "k2"], ["a", 7], last, lambda reply: ValueError(str(reply)))


class Held:
    """Whoever waits for a reply."""

    def take(self, reply: object) -> None: ...


class Bytes(SynchronousTestCase):
    def test_they_are_those_of_the_whole_command(self) -> None:
        for last in (("x",), ("é", b"\xff\r\n"), tuple(range(9))):
            script = prepared(len(last))
            for sha in (SCRIPT.sha, SCRIPT.sha_without_header, SCRIPT.sha):
                whole = hiredis.pack_command(("EVALSHA", sha, 2, "k1", "k2", "a", 7, *last))
                self.assertEqual(script.packed(sha, last), whole)

    def test_a_part_that_cannot_be_sent_raises(self) -> None:
        for part in ("\ud800", None, object()):
            self.assertRaises((TypeError, UnicodeError), prepared().packed, SCRIPT.sha, ("x", part))


class Runs(LinkTestCase):
    async def run_prepared(self, link: Any, script: PreparedScript) -> list[Any]:
        got: list[Any] = []
        link.run(got.append, script, script.keys, ("x", b"\xff"))
        await link.call("PING")
        await link.call("PING")
        return got

    async def test_a_flushed_script_cache_is_invisible(self) -> None:
        link, script = self.link(), prepared()
        await link.when_up()
        for _ in range(2):
            self.assertEqual(await self.run_prepared(link, script), [[b"k1", b"a", b"7", b"x"]])
            await link.call("SCRIPT", "FLUSH")

    async def test_a_run_leaves_no_cycle_behind(self) -> None:
        link, script = self.link(), prepared()
        await link.when_up()
        await self.run_prepared(link, script)
        await link.call("SCRIPT", "FLUSH")
        done = Held()
        held = weakref.ref(done)
        gc.disable()
        self.addCleanup(gc.enable)
        for _ in range(2):
            link.run(done.take, script, script.keys, ("x", "y"))
        del done
        await link.call("PING")
        await link.call("PING")
        self.assertIsNone(held())

    async def test_an_error_is_what_the_script_makes_of_it(self) -> None:
        link = self.link()
        await link.when_up()
        for source in ("return redis.error_reply('OOM x')", "return redis.call('HSET', KEYS[1])"):
            (error,) = await self.run_prepared(link, prepared(script=Script("fail", source)))
            self.assertIsInstance(error, ValueError)
