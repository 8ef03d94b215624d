"""``twistd chatsrv``: one line for each mistake, and how the process of a service ends.

The processes here are real ones: ``twistd chatsrv`` itself for the mistakes, and a service of ten lines that uses
``chatsrv.exit`` for the endings.
"""

import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

from twisted.application.service import Service
from twisted.internet.defer import Deferred, succeed
from twisted.internet.error import ReactorNotRunning
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from chatsrv import exit as ending
from chatsrv import service, tap
from chatsrv.config import ConfigError, load_settings

ROOT = Path(__file__).parents[2]

APPLICATION = """
import sys
from twisted.application.service import Application, Service
from twisted.internet import reactor
from twisted.internet.defer import Deferred, succeed
from twisted.internet.task import deferLater
from chatsrv.exit import fail, install_signals

class Trivial(Service):
    def startService(self):
        install_signals(reactor, self.drain, deadline_s=0.5)
        {start}
        reactor.callWhenRunning(print, "ready", file=sys.__stdout__, flush=True)

    def drain(self):
        print("drain", file=sys.__stdout__, flush=True)
        return {drain}

    def stopService(self):
        print("stop", file=sys.__stdout__, flush=True)
        return {stop}

application = Application("trivial")
Trivial().setServiceParent(application)
"""


class _ProcessCase(SynchronousTestCase):
    def setUp(self):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.directory = Path(directory.name)

    def spawn(self, *arguments: str, **environ: str) -> "subprocess.Popen[str]":
        process = subprocess.Popen(
            [sys.executable, "-c", "from twisted.scripts.twistd import run; run()", *arguments],
            cwd=self.directory,
            env={n: v for n, v in os.environ.items() if not n.startswith("CHATSRV_")}
            | {"PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"}
            | environ,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        self.addCleanup(process.stdout.close)
        self.addCleanup(process.stderr.close)
        self.addCleanup(process.wait, 20)
        self.addCleanup(process.kill)
        return process


class MistakeTests(_ProcessCase):
    """Wrong options and settings."""

    def line(self, *arguments: str, **environ: str) -> str:
        """The one line on stderr with which ``twistd chatsrv`` refuses these."""
        process = self.spawn("-n", "chatsrv", *arguments, **environ)
        out, err = process.communicate(timeout=30)
        self.assertEqual((process.returncode, out), (1, ""), err)
        self.assertEqual(err.count("\n"), 1, err)
        self.assertTrue(err.startswith("chatsrv: "), err)
        self.assertEqual(os.listdir(self.directory), [])
        return err

    def test_an_unknown_option(self):
        self.assertIn("option --wrong not recognized; see twistd chatsrv --help", self.line("--wrong"))

    def test_a_file_that_is_not_there(self):
        self.assertIn("configuration file nope: cannot be read", self.line("--config", "nope"))

    def test_a_variable_out_of_range(self):
        self.assertIn("environment variable CHATSRV_BURST: must be", self.line(CHATSRV_BURST="0"))

    def test_a_daemon_says_it_too_and_never_starts(self):
        process = self.spawn("chatsrv", "--redis", "nonsense")
        _out, err = process.communicate(timeout=30)
        self.assertEqual((process.returncode, err.count("\n")), (1, 1))
        self.assertEqual(os.listdir(self.directory), [])


class OptionTests(SynchronousTestCase):
    """The same in this process, which is faster."""

    def setUp(self):
        self.environ = {}
        self.made = []
        self.patch(tap, "load_settings", lambda options: load_settings(options, self.environ))
        self.patch(tap, "preflight", lambda settings: None)
        self.patch(service, "make_service", self.make_service)

    def make_service(self, settings, *, own_process):
        self.assertTrue(own_process)
        self.made.append(settings)
        return Service()

    def make(self, *arguments: str):
        options = tap.Options()
        options.parseOptions(list(arguments))
        return tap.makeService(options)

    def refusal(self, *arguments: str) -> str:
        error = self.assertRaises(SystemExit, self.make, *arguments)
        self.assertEqual(self.made, [])
        self.assertTrue(error.code.startswith("chatsrv: "))
        self.assertNotIn("\n", error.code)
        return error.code

    def test_options_become_settings(self):
        self.make("--listen", "tcp:1", "--listen", "tcp:2", "--data-dir", "/d", "--redis", "unix:///r")
        (settings,) = self.made
        self.assertEqual(settings.listen, ("tcp:1", "tcp:2"))
        self.assertEqual((settings.data_dir, settings.redis), ("/d", "unix:///r"))

    def test_without_options_there_are_the_defaults(self):
        self.make()
        self.assertEqual(self.made[0].listen, ("tcp:8080:interface=127.0.0.1",))

    def test_nothing_is_made_before_the_service_starts(self):
        with tempfile.TemporaryDirectory() as directory:
            self.make("--data-dir", f"{directory}/var")
            self.assertEqual(os.listdir(directory), [])

    def test_arguments_that_are_none_are_refused(self):
        self.assertIn("Wrong number of arguments", self.refusal("extra"))
        self.assertIn("requires argument", self.refusal("--redis"))

    def test_an_endpoint_that_is_none_is_refused(self):
        for endpoint in ("8080", "foo:1", "tcp", "tcp:1:backlog=x", "tcp:1:nonsense=2", "ssl:1"):
            self.assertIn(
                f"listen: {endpoint!r} is no Twisted server endpoint", self.refusal("--listen", endpoint)
            )

    def test_a_token_key_that_cannot_be_used_is_refused(self):
        self.assertIn("token key file /no/such", self.refusal("--jwt-key-file", "/no/such"))
        key = "--jwt-key-file"
        self.assertIn("/no/such2", self.refusal(key, str(ROOT / "setup.py"), key, "/no/such2"))
        self.assertIn("behind until stands a time", self.refusal(key, f"{ROOT}/setup.py until tomorrow"))
        self.assertIn(
            "jwt_jwks_url: must be an https:// URL", self.refusal("--jwt-jwks-url", "http://idp.example/")
        )
        self.environ["CHATSRV_JWT_SECRET"] = "short"
        self.assertIn("has 5 bytes", self.refusal())

    def test_what_the_service_finds_wrong_is_one_line_too(self):
        def make_service(_settings, *, own_process):
            raise ConfigError("that\nis wrong")

        self.patch(service, "make_service", make_service)
        self.assertEqual(self.refusal(), "chatsrv: that is wrong")

    def test_there_is_no_package_file_that_would_hide_twisted(self):
        self.assertFalse((ROOT / "twisted/__init__.py").exists())
        self.assertFalse((ROOT / "twisted/plugins/__init__.py").exists())


class EndingTests(_ProcessCase):
    """The exit code, and what is left behind."""

    def start(self, start: str = "pass", drain: str = "succeed(None)", stop: str = "None"):
        text = APPLICATION.format(start=start, drain=drain, stop=stop)
        (self.directory / "app.tac").write_text(text)
        return self.spawn("-n", "-y", "app.tac", "--logfile", "log")

    def ending(self, process) -> tuple[int, list[str], str]:
        out, err = process.communicate(timeout=20)
        self.assertFalse((self.directory / "twistd.pid").exists())
        self.assertIn("Server Shut Down", (self.directory / "log").read_text())
        return process.returncode, out.split(), err

    def test_a_signal_drains_stops_and_ends_with_zero(self):
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            process = self.start()
            self.assertEqual(process.stdout.readline(), "ready\n")
            process.send_signal(number)
            self.assertEqual(self.ending(process), (0, ["drain", "stop"], ""))

    def test_further_signals_change_nothing(self):
        process = self.start(drain="deferLater(reactor, 0.2)")
        self.assertEqual(process.stdout.readline(), "ready\n")
        process.send_signal(signal.SIGTERM)
        self.assertEqual(process.stdout.readline(), "drain\n")
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            process.send_signal(number)
        self.assertEqual(self.ending(process), (0, ["stop"], ""))

    def test_what_never_ends_is_abandoned_at_the_deadline(self):
        for hang in ({"drain": "Deferred()"}, {"stop": "Deferred()"}):
            process = self.start(**hang)
            self.assertEqual(process.stdout.readline(), "ready\n")
            process.send_signal(signal.SIGTERM)
            self.assertEqual(self.ending(process)[::2], (1, ""))

    def test_a_failed_start_is_one_line_and_exit_code_one(self):
        for start in (
            'fail(reactor, "port 1 is\\nin use")',
            'reactor.callLater(0, fail, reactor, "port 1 is in use")',
        ):
            code, _out, err = self.ending(self.start(start))
            self.assertEqual((code, err), (1, "chatsrv: port 1 is in use\n"))
            self.assertIn("chatsrv: port 1 is in use", (self.directory / "log").read_text())

    def test_a_drain_that_fails_is_logged_and_stops_all_the_same(self):
        process = self.start(drain="1 / 0")
        self.assertEqual(process.stdout.readline(), "ready\n")
        process.send_signal(signal.SIGTERM)
        self.assertEqual(self.ending(process)[::2], (0, ""))
        self.assertIn("ZeroDivisionError", (self.directory / "log").read_text())


class _Reactor(Clock):
    """A running reactor that counts its stops."""

    stops = crashes = 0

    def stop(self):
        self.stops += 1
        if self.stops > 1:
            raise ReactorNotRunning

    def crash(self):
        self.crashes += 1

    def callWhenRunning(self, function):
        function()

    callFromThread = staticmethod(lambda function, *args: function(*args))


class StopperTests(SynchronousTestCase):
    def setUp(self):
        self.patch(ending, "_exit_code", 0)
        self.reactor = _Reactor()
        self.drained = Deferred()
        self.drains = 0

    def drain(self):
        self.drains += 1
        return self.drained

    def test_the_drain_is_begun_once_and_waited_for(self):
        stopper = ending._Stopper(self.reactor, self.drain, 15)
        stopper.received(signal.SIGTERM, None)
        self.assertEqual((self.drains, self.reactor.stops), (1, 0))
        self.drained.callback(None)
        stopper.received(signal.SIGTERM, None)
        self.assertEqual((self.drains, ending._exit_code), (1, 0))

    def test_the_deadline_is_exact(self):
        ending._Stopper(self.reactor, self.drain, 15).received(signal.SIGINT, None)
        self.reactor.advance(14.9)
        self.assertEqual(self.reactor.crashes, 0)
        self.reactor.advance(0.2)
        self.assertEqual((self.reactor.crashes, ending._exit_code), (1, 1))

    def test_an_ignored_hangup_stays_ignored(self):
        handlers = {signal.SIGHUP: signal.SIG_IGN}
        self.patch(ending.signal, "getsignal", handlers.get)
        self.patch(ending.signal, "signal", handlers.__setitem__)
        ending.install_signals(self.reactor, lambda: succeed(None))
        self.assertIs(handlers[signal.SIGHUP], signal.SIG_IGN)
        self.assertTrue(callable(handlers[signal.SIGTERM]) and callable(handlers[signal.SIGINT]))
