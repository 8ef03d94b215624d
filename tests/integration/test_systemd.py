"""Sockets that systemd hands over: real processes that inherit one, a restart that refuses nobody, and the units."""

from __future__ import annotations

import configparser
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from pathlib import Path
from unittest import SkipTest

from twisted.internet import endpoints, reactor
from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater
from twisted.python.systemd import ListenFDs
from twisted.trial.unittest import SynchronousTestCase

from chatsrv.tap import Options
from tests.acceptance.test_behind_proxy import version1
from tests.support.chat import ChatCase, ProcessCase
from tests.support.process import ROOT, NodeProcess, environment
from tests.support.raw import RawClient, upgrade
from tests.support.tokens import token_for
from tests.unit.test_store_kit import until

ETC = ROOT / "etc"
# What systemd does between fork and exec.
HAND_OVER = "import os, sys; os.environ['LISTEN_PID'] = str(os.getpid()); os.execv(sys.argv[1], sys.argv[1:])"


def listening():
    """A socket as systemd makes one."""
    made = socket.create_server(("127.0.0.1", 0), backlog=4096)
    made.setblocking(False)
    return made


def asking(user_id):
    return upgrade(Authorization=f"Bearer {token_for(user_id)}")


class SocketNode(NodeProcess):
    """A node with an inherited socket, which ``which`` names to it."""

    def __init__(self, data_dir, inherited, which="index=0"):
        super().__init__(data_dir, presence_grace_s=0)
        self.inherited, self.which = inherited, which
        self.port = inherited.getsockname()[1]

    async def start(self):
        """Start it; ready when it says where it listens, for the port takes connections all the time."""
        self.log, self.exited = "", Deferred()
        twistd = str(Path(sys.executable).with_name("twistd"))
        arguments = [sys.executable, "-c", HAND_OVER, sys.executable, twistd, "-n", "--pidfile=", "chatsrv"]
        arguments += ["--data-dir", self.data_dir, "--listen", f"systemd:domain=INET:{self.which}"]
        env = environment(self.settings) | {"LISTEN_FDS": "1", "LISTEN_FDNAMES": "chat"}
        fds = {0: "w", 1: "r", 2: "r", 3: self.inherited.fileno()}
        reactor.spawnProcess(self, sys.executable, arguments, env=env, path=str(ROOT), childFDs=fds)
        deadline = reactor.seconds() + 15
        while "listening on" not in self.log:
            assert self.running, self.log
            assert reactor.seconds() < deadline, self.log
            await deferLater(reactor, 0.02)
        return self


class Activation(ProcessCase):
    def setUp(self):
        self.inherited = listening()
        self.addCleanup(self.inherited.close)
        self.folder = tempfile.mkdtemp(prefix="chatsrv-node-")
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)

    async def started(self, which="index=0"):
        self.node = SocketNode(self.folder, self.inherited, which)
        self.addCleanup(lambda: Deferred.fromCoroutine(self.node.remove()))
        return await self.node.start()

    async def connected(self, user_id):
        client = await RawClient.connected(self.node.port)
        self.addCleanup(client.close)
        client.send(asking(user_id))
        return client

    async def test_a_node_serves_the_socket_it_inherits_by_number_and_by_name(self):
        for which in ("index=0", "name=chat"):
            node = await self.started(which)
            self.assertIn(f"listening on ws://127.0.0.1:{node.port}/ws", node.log)
            ann, bob = await self.users(1, 2)
            chat_id = await self.group(ann, bob)
            await self.fence(chat_id, ann, bob)
            self.assertEqual(await node.terminate(), 0)

    async def test_who_comes_while_it_restarts_waits_and_is_served(self):
        node = await self.started()
        ann = await self.user(1)
        exited = Deferred.fromCoroutine(node.end(signal.SIGTERM))
        await ann.connection.closed
        during = [await self.connected(user_id) for user_id in range(10, 20)]
        self.assertEqual(await exited, 0)
        after = [await self.connected(user_id) for user_id in range(20, 30)]
        await node.start()
        for client in during + after:
            self.assertEqual((await client.response()).status, 101)

    def test_without_its_socket_it_says_so_in_one_line(self):
        ended = subprocess.run(
            [
                Path(sys.executable).with_name("twistd"),
                "-n",
                "chatsrv",
                "--listen",
                "systemd:domain=INET:name=chat",
            ],
            env=environment({}),
            cwd=self.folder,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        self.assertEqual((ended.returncode, ended.stderr.count("\n")), (1, 1), ended.stderr)
        self.assertIn("systemd handed over no such socket; is the .socket unit started?", ended.stderr)


class Drain(ChatCase):
    """A node that still answers what is in flight takes no connection from the socket any more."""

    settings = {"drain_s": 1.0, "listen": ("tcp:0:interface=127.0.0.1", "systemd:domain=INET:name=one")}
    next_listens = "systemd:domain=INET:name=two"
    header = b""

    async def setUp(self):
        inherited = listening()
        self.addCleanup(inherited.close)
        self.port = inherited.getsockname()[1]
        handed = ListenFDs([os.dup(inherited.fileno()), os.dup(inherited.fileno())], ("one", "two"))
        self.patch(endpoints._SystemdParser, "_sddaemon", handed)
        await super().setUp()

    def redis_of_test(self):
        return self.redis_server()

    async def test_who_comes_then_is_left_to_the_next_process(self):
        ann = await self.user(1)
        self.redis.pause()
        ann.connection.send(13, 1, {"user_ids": [2], "type": 1})
        (session,) = self.node.service.sessions
        await until(lambda: session._in_flight, "the request")
        drained = Deferred.fromCoroutine(self.node.service.drain())
        client = await RawClient.connected(self.port)
        self.addCleanup(client.close)
        client.send(self.header + asking(2))
        await drained
        self.redis.resume()
        self.assertEqual(client.buffer, b"")
        await self.started_node(**{**self.settings, "listen": (self.next_listens,)})
        self.assertEqual((await client.response()).status, 101)


class DrainBehindAProxy(Drain):
    settings = {
        **Drain.settings,
        "trusted_proxies": ("127.0.0.1",),
        "listen": ("tcp:0:interface=127.0.0.1", "haproxy:systemd:domain=INET:name=one"),
    }
    next_listens = "haproxy:systemd:domain=INET:name=two"
    header = version1("203.0.113.1")


class Units(SynchronousTestCase):
    def unit(self, name):
        parser = configparser.RawConfigParser(strict=False)
        parser.optionxform = str
        parser.read(ETC / name)
        return parser

    def test_the_service_takes_the_socket_by_the_name_it_has(self):
        command = self.unit("chatsrv.service")["Service"]["ExecStart"]
        options = Options()
        options.parseOptions(command.partition(" chatsrv ")[2].split())
        name = self.unit("chatsrv.socket")["Socket"]["FileDescriptorName"]
        self.assertEqual(options["listen"], [f"systemd:domain=INET:name={name}"])

    def test_the_time_to_stop_is_longer_than_a_node_takes(self):
        service = self.unit("chatsrv.service")["Service"]
        self.assertGreater(int(service["TimeoutStopSec"]), 15)
        self.assertEqual(service["KillMode"], "mixed")  # or its Redis would be ended first

    def test_the_service_may_do_little(self):
        service = self.unit("chatsrv.service")["Service"]
        wanted = {"NoNewPrivileges": "yes", "ProtectSystem": "strict", "ProtectHome": "yes"}
        self.assertEqual(wanted, {name: service[name] for name in wanted})
        self.assertGreaterEqual(int(service["LimitNOFILE"]), 65536)
        self.assertEqual(service["StateDirectory"], "chatsrv")

    def test_systemd_finds_nothing_wrong_with_them(self):
        if shutil.which("systemd-analyze") is None:
            raise SkipTest("this machine has no systemd-analyze")
        with tempfile.TemporaryDirectory() as folder:
            for name in ("chatsrv.service", "chatsrv.socket"):
                text = (ETC / name).read_text().replace("/opt/chatsrv/bin/twistd", "/bin/true")
                Path(folder, name).write_text(text)
            units = sorted(Path(folder).iterdir())
            done = subprocess.run(
                ["systemd-analyze", "verify", *units], capture_output=True, text=True, timeout=60, check=False
            )
        self.assertEqual((done.returncode, done.stdout, done.stderr), (0, "", ""))
