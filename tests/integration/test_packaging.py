"""What is shipped works where nothing of the checkout is: built, installed in a fresh environment, started.

The slowest suite (it builds a wheel and makes a virtual environment, once for all tests here). Needs a package
index, as pip does.
"""

from __future__ import annotations

import functools
import json
import os
import select
import shutil
import signal
import subprocess
import sys
import tarfile
import tempfile
import time
import venv
import zipfile
from pathlib import Path

import psutil
from twisted.trial.unittest import SynchronousTestCase
from websockets.sync.client import connect

from tests.support.process import free_port

ROOT = Path(__file__).resolve().parents[2]
LUA = sorted(path.name for path in (ROOT / "chatsrv/store/lua").glob("*.lua"))
START_S = 20


def environment() -> dict[str, str]:
    """Ours, without what would lead back to the checkout."""
    return {n: v for n, v in os.environ.items() if n != "PYTHONPATH" and not n.startswith("CHATSRV_")}


def run(*command: str | Path, cwd: Path) -> str:
    """Standard output of a command that must succeed."""
    result = subprocess.run(command, cwd=cwd, env=environment(), text=True, capture_output=True, timeout=120)
    assert result.returncode == 0, f"{command}: {result.stdout}{result.stderr}"
    return result.stdout


# Goes when the process does: trial knows no tearDownModule.
SCRATCH = tempfile.TemporaryDirectory(prefix="chatsrv-packaging-")


def scratch() -> Path:
    """Where everything is built, outside of the checkout."""
    return Path(SCRATCH.name)


@functools.cache
def built() -> tuple[Path, Path]:
    """The wheel, built from the sdist, and the sdist."""
    out = scratch() / "dist"
    run(sys.executable, "-m", "build", "--outdir", out, ROOT, cwd=scratch())
    return next(out.glob("*.whl")), next(out.glob("*.tar.gz"))


@functools.cache
def installed() -> Path:
    """The ``bin`` of a fresh environment with the wheel in it."""
    directory = scratch() / "venv"
    venv.create(directory)
    pip = (sys.executable, "-m", "pip", "--python", directory / "bin/python", "--disable-pip-version-check")
    run(*pip, "--quiet", "install", "--no-compile", built()[0], cwd=scratch())
    return directory / "bin"


class ContentTests(SynchronousTestCase):
    def test_the_wheel_holds_scripts_plugin_and_sample(self):
        with zipfile.ZipFile(built()[0]) as wheel:
            names = wheel.namelist()
            self.assertEqual(
                sorted(n.split("/")[-1] for n in names if n.startswith("chatsrv/store/lua/")), LUA
            )
            self.assertIn("twisted/plugins/chatsrv_plugin.py", names)
            self.assertIn("chatsrv/py.typed", names)
            sample = [name for name in names if name.endswith("/share/chatsrv/chatsrv.toml")]
            self.assertEqual(wheel.read(sample[0]), (ROOT / "etc/chatsrv.toml").read_bytes())

    def test_the_wheel_holds_nothing_that_would_be_in_the_way(self):
        with zipfile.ZipFile(built()[0]) as wheel:
            for name in wheel.namelist():
                self.assertNotIn("tests", name.split("/"))
                self.assertFalse(
                    name.startswith("twisted/") and name != "twisted/plugins/chatsrv_plugin.py", name
                )

    def test_the_sdist_holds_scripts_plugin_sample_and_tests(self):
        with tarfile.open(built()[1]) as sdist:
            names = {name.partition("/")[2] for name in sdist.getnames()}
        wanted = {"etc/chatsrv.toml", "twisted/plugins/chatsrv_plugin.py", "Makefile", "LICENSE", ".ci/run"}
        wanted |= {f"chatsrv/store/lua/{name}" for name in LUA} | {"tests/integration/test_packaging.py"}
        self.assertEqual(wanted - names, set())


class InstalledTests(SynchronousTestCase):
    """``twistd chatsrv`` from an empty directory, with the data that it makes there itself."""

    def setUp(self):
        self.directory = Path(tempfile.mkdtemp(prefix="chatsrv-empty-"))
        self.addCleanup(shutil.rmtree, self.directory)
        self.port = free_port()
        self.options = ("chatsrv", "--data-dir", "var", "--listen", f"tcp:{self.port}:interface=127.0.0.1")

    def hello(self) -> dict[str, object]:
        """The first frame of a connection with a token from the installed command."""
        token = run(installed() / "chatsrv", "token", "7", "--data-dir", "var", cwd=self.directory).strip()
        deadline = time.monotonic() + START_S
        while True:
            try:
                url = f"ws://127.0.0.1:{self.port}/ws"
                with connect(
                    url, additional_headers={"Authorization": f"Bearer {token}"}, proxy=None
                ) as socket:
                    return json.loads(socket.recv(timeout=START_S))
            except ConnectionRefusedError:
                self.assertLess(time.monotonic(), deadline, "it does not listen")
                time.sleep(0.02)

    def check_hello(self) -> None:
        frame = self.hello()
        self.assertEqual((frame["op"], frame["t"]), (1, 1))
        self.assertEqual((frame["d"]["chat_ids"], frame["d"]["friend_ids"]), ([], []))

    def test_it_serves_in_the_foreground_and_ends_with_zero(self):
        command = (installed() / "twistd", "-n", *self.options)
        process = subprocess.Popen(
            command,
            cwd=self.directory,
            env=environment(),
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        self.addCleanup(process.stdout.close)
        self.addCleanup(process.kill)
        self.check_hello()
        process.send_signal(signal.SIGTERM)
        log, _ = process.communicate(timeout=20)
        self.assertEqual(process.returncode, 0, log)
        self.assertNotIn("Traceback", log)
        self.assertEqual(os.listdir(self.directory), ["var"])

    def test_it_serves_as_a_daemon_with_pid_file_and_log_file(self):
        files = ("--pidfile", "chat.pid", "--logfile", "chat.log")
        run(installed() / "twistd", *files, *self.options, cwd=self.directory)
        daemon = psutil.Process(int((self.directory / "chat.pid").read_text()))
        self.addCleanup(lambda: daemon.is_running() and daemon.kill())
        self.check_hello()
        family = [daemon, *daemon.children(recursive=True)]
        ended = os.pidfd_open(daemon.pid)
        self.addCleanup(os.close, ended)
        daemon.terminate()
        self.assertTrue(select.select([ended], [], [], 20)[0], "it does not stop")
        self.assertEqual(psutil.wait_procs(family[1:], timeout=5)[1], [])
        log = (self.directory / "chat.log").read_text()
        self.assertIn("Server Shut Down.", log)
        self.assertNotIn("Traceback", log)
        self.assertEqual(sorted(os.listdir(self.directory)), ["chat.log", "var"])

    def test_a_daemon_that_cannot_start_says_why_in_its_log(self):
        (self.directory / "var").write_text("in the way")
        run(
            installed() / "twistd",
            "--pidfile",
            "chat.pid",
            "--logfile",
            "chat.log",
            *self.options,
            cwd=self.directory,
        )
        deadline = time.monotonic() + START_S
        while (self.directory / "chat.pid").exists():
            self.assertLess(time.monotonic(), deadline, "it does not end")
            time.sleep(0.02)
        log = (self.directory / "chat.log").read_text()
        self.assertIn("chatsrv: cannot make the token secret", log)
        self.assertNotIn("Traceback", log)
