"""What is found before the process becomes a daemon: one line each, and nothing is left behind."""

import fcntl
import os
import socket
import subprocess
import sys
from pathlib import Path
from unittest import SkipTest

import msgspec
from twisted.trial.unittest import SynchronousTestCase

from chatsrv.config import ConfigError, Settings, tcp_address
from chatsrv.preflight import preflight

TWISTD = [sys.executable, "-c", "from twisted.scripts.twistd import run; run()"]


class Preflight(SynchronousTestCase):
    def setUp(self):
        self.data_dir = Path(self.mktemp()).absolute()
        self.settings = Settings(listen=("tcp:0",), data_dir=str(self.data_dir))

    def check(self, **changed):
        preflight(msgspec.structs.replace(self.settings, **changed))

    def line(self, **changed):
        error = str(self.assertRaises(ConfigError, self.check, **changed))
        self.assertNotIn("\n", error)
        return error

    def listener(self):
        taken = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(taken.close)
        return taken.getsockname()[1]

    def test_nothing_in_the_way_is_no_word_and_makes_nothing(self):
        self.check()
        self.assertFalse(self.data_dir.exists())

    def test_a_port_in_use(self):
        endpoint = f"tcp:{self.listener()}:interface=127.0.0.1"
        self.assertIn(
            f"cannot listen on {endpoint}: Address already in use; free", self.line(listen=(endpoint,))
        )

    def test_a_port_in_use_behind_a_proxy(self):
        port = self.listener()
        for endpoint in (f"haproxy:tcp:{port}:interface=127.0.0.1", f"haproxy:ssl:{port}:privateKey=a"):
            self.assertIn(f"cannot listen on {endpoint}: Address", self.line(listen=(endpoint,)))

    def test_a_port_that_is_none(self):
        self.assertIn("cannot listen on tcp:99999", self.line(listen=("tcp:99999",)))

    def test_other_endpoints_are_left_to_the_start(self):
        self.check(listen=("unix:/nowhere/at/all", "systemd:domain=INET:index=0"))

    def test_a_data_directory_in_use_names_the_process(self):
        self.data_dir.mkdir()
        lock = os.open(self.data_dir / "lock", os.O_RDWR | os.O_CREAT)
        self.addCleanup(os.close, lock)
        os.write(lock, b"4711")
        fcntl.flock(lock, fcntl.LOCK_EX)
        self.assertIn(f"{self.data_dir} is in use by the service with process id 4711", self.line())

    def test_one_that_was_in_use_is_free_and_stays_so(self):
        self.data_dir.mkdir()
        (self.data_dir / "lock").touch()
        self.check()
        self.check()

    def test_an_external_redis_that_is_not_there(self):
        with socket.create_server(("127.0.0.1", 0)) as gone:
            url = f"redis://127.0.0.1:{gone.getsockname()[1]}/0"
        self.assertIn(f"Redis at {url} is not reachable", self.line(redis=url))
        self.assertIn("is not reachable", self.line(redis="unix:///nowhere/at/all"))
        self.check(redis=f"redis://127.0.0.1:{self.listener()}")

    def test_a_password_is_never_told(self):
        self.assertNotIn("hush", self.line(redis="redis://:hush@127.0.0.1:1/0"))

    def test_tcp_addresses_of_endpoints(self):
        self.assertEqual(tcp_address("tcp:8080:interface=127.0.0.1"), ("127.0.0.1", 8080))
        self.assertEqual(tcp_address("tcp:port=80:backlog=5"), ("", 80))
        self.assertEqual(tcp_address("tcp:interface=10.0.0.1:port=81"), ("10.0.0.1", 81))
        self.assertEqual(tcp_address(r"tcp:82:interface=\:\:1"), ("::1", 82))
        self.assertIsNone(tcp_address("unix:/tmp/x"))
        self.assertIsNone(tcp_address("tcp:nonsense"))

    def test_ipv6(self):
        try:
            taken = socket.create_server(("::1", 0), family=socket.AF_INET6)
        except OSError as error:
            raise SkipTest(f"this machine has no IPv6 loopback: {error}") from None
        self.addCleanup(taken.close)
        port = taken.getsockname()[1]
        self.assertIn("Address already in use", self.line(listen=(rf"tcp:{port}:interface=\:\:1",)))


class Daemons(SynchronousTestCase):
    def test_a_daemon_that_cannot_start_says_so_on_the_terminal_and_ends_with_one(self):
        directory = Path(self.mktemp()).absolute()
        directory.mkdir()
        with socket.create_server(("127.0.0.1", 0)) as taken:
            listen = f"tcp:{taken.getsockname()[1]}:interface=127.0.0.1"
            ended = subprocess.run(
                [*TWISTD, "chatsrv", "--listen", listen, "--data-dir", "var"],
                cwd=directory,
                capture_output=True,
                text=True,
                timeout=30,
                check=False,
            )
        self.assertEqual((ended.returncode, ended.stderr.count("\n")), (1, 1), ended.stderr)
        self.assertIn(f"chatsrv: cannot listen on {listen}", ended.stderr)
        self.assertEqual(os.listdir(directory), [])
