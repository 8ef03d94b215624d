"""The ``chatsrv`` command: tokens for the server next to it, the sample file, and one line for each mistake."""

import contextlib
import io
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519
from twisted.trial.unittest import SynchronousTestCase

from chatsrv._version import __version__
from chatsrv.auth.keys import load_keys
from chatsrv.auth.tokens import TokenVerifier
from chatsrv.cli import connect, token
from chatsrv.cli.main import main
from chatsrv.cli.sample import sample
from chatsrv.config import ConfigError, load_settings

ROOT = Path(__file__).parents[2]


class _CommandCase(SynchronousTestCase):
    def setUp(self):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.directory = directory.name
        self.environ = {}
        self.patch(token, "load_settings", self.settings)

    def settings(self, options):
        return load_settings(options, self.environ)

    def run_command(self, *arguments: str) -> tuple[int, str, str]:
        """Exit code, standard output, standard error."""
        out, err = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            try:
                code = main(arguments)
            except SystemExit as e:
                code = e.code or 0
        return code, out.getvalue(), err.getvalue()

    def refusal(self, *arguments: str) -> str:
        code, out, err = self.run_command(*arguments)
        self.assertEqual((code, out, err.count("\n")), (2, "", 1), err)
        self.assertTrue(err.startswith("chatsrv: "), err)
        return err


class TokenTests(_CommandCase):
    def identity(self, *arguments: str, **settings):
        code, out, err = self.run_command("token", *arguments)
        self.assertEqual((code, err, out.count("\n")), (0, "", 1))
        (key,) = load_keys(self.settings({"data_dir": self.directory} | settings), create=False)
        verifier = TokenVerifier(key, user_claim=self.environ.get("CHATSRV_JWT_USER_CLAIM", "sub"))
        return verifier.verify(out.strip())

    def test_the_token_is_good_for_the_server_with_the_same_data_directory(self):
        self.assertEqual(self.identity("7", "--data-dir", self.directory).user_id, 7)

    def test_the_secret_is_made_if_it_is_missing_and_kept_if_not(self):
        self.run_command("token", "7", "--data-dir", f"{self.directory}/var")
        secret = Path(self.directory, "var/jwt.secret").read_bytes()
        self.run_command("token", "7", "--data-dir", f"{self.directory}/var")
        self.assertEqual(Path(self.directory, "var/jwt.secret").read_bytes(), secret)

    def test_the_settings_of_file_and_environment_hold(self):
        path = Path(self.directory, "c.toml")
        path.write_text(f'data_dir = "{self.directory}"\n')
        self.environ["CHATSRV_JWT_USER_CLAIM"] = "uid"
        self.assertEqual(self.identity("9", "--config", str(path)).user_id, 9)

    def test_a_secret_of_the_environment_signs(self):
        self.environ["CHATSRV_JWT_SECRET"] = "e" * 32
        self.assertEqual(self.identity("9").user_id, 9)
        self.assertEqual(os.listdir(self.directory), [])

    def test_how_long_it_is_valid_can_be_said(self):
        self.assertEqual(
            [token.seconds(t) for t in ("30s", "15m", "1h", "7d", "3650d")],
            [30, 900, 3600, 604800, 315360000],
        )
        for ttl in (
            "",
            "0s",
            "1",
            "s",
            "-1h",
            "1.5h",
            "1w",
            "01h",
            "3651d",
            "9" * 30 + "d",
            "1h ",
            "\u0661h",
        ):
            self.assertRaises(ConfigError, token.seconds, ttl)

    def test_a_public_key_cannot_sign(self):
        path = Path(self.directory, "key.pem")
        public = ed25519.Ed25519PrivateKey.generate().public_key()
        path.write_bytes(
            public.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
        )
        self.environ["CHATSRV_JWT_KEY_FILE"] = str(path)
        self.assertIn("a public key can check tokens, not sign them", self.refusal("token", "7"))

    def test_mistakes_are_one_line(self):
        for user in ("0", "-1", "x", "01", str(2**53), "1" * 30, "\u0661"):
            self.assertIn("USER_ID", self.refusal("token", "--data-dir", self.directory, "--", user))
        self.assertIn("--ttl: must be", self.refusal("token", "7", "--ttl", "soon"))
        self.assertIn("cannot be read", self.refusal("token", "7", "--config", "/no/such"))
        self.assertIn("USER_ID", self.refusal("token"))
        self.assertIn("invalid choice", self.refusal("nonsense"))
        self.assertIn("required", self.refusal())
        self.assertEqual(os.listdir(self.directory), [])


class ConnectTests(_CommandCase):
    def setUp(self):
        super().setUp()
        self.patch(connect, "load_settings", self.settings)
        self.patch(connect.os, "execve", self.become)

    def become(self, program, arguments, environment):
        raise SystemExit([arguments[1:], environment["CHATSRV_TOKEN"].count(".")])

    def test_becomes_the_client_with_a_token(self):
        self.run_command("token", "7", "--data-dir", self.directory)
        client = ["-m", "chatsrv.client", "ws://127.0.0.1:8080/ws"]
        self.assertEqual(
            self.run_command("connect", "7", "--data-dir", self.directory), ([client, 2], "", "")
        )

    def test_makes_no_secret_and_says_where_it_looked(self):
        refusal = self.refusal("connect", "7", "--data-dir", self.directory)
        self.assertIn(self.directory, refusal)
        self.assertIn("--data-dir", refusal)
        self.assertEqual(os.listdir(self.directory), [])

    def test_published_keys_cannot_sign(self):
        self.environ["CHATSRV_JWT_JWKS_URL"] = "https://idp.example/jwks.json"
        for command in ("token", "connect"):
            refusal = self.refusal(command, "7", "--data-dir", f"{self.directory}/var")
            self.assertIn("holds none to sign with", refusal)
        self.assertEqual(os.listdir(self.directory), [])

    def test_needs_no_data_directory_with_a_secret_of_the_environment(self):
        self.environ["CHATSRV_JWT_SECRET"] = "e" * 32
        self.assertEqual(self.run_command("connect", "7", "--data-dir", "/no/such")[0][1], 2)


class OtherCommandTests(_CommandCase):
    def test_config_prints_the_sample_file(self):
        self.assertEqual(self.run_command("config"), (0, sample(), ""))

    def test_version_is_the_packages(self):
        self.assertEqual(self.run_command("--version"), (0, f"chatsrv {__version__}\n", ""))

    def test_a_token_needs_no_twisted(self):
        program = "import sys; from chatsrv.cli.main import main; main(); print('twisted' in sys.modules)"
        result = subprocess.run(
            [sys.executable, "-c", program, "token", "7", "--data-dir", self.directory],
            cwd=ROOT,
            text=True,
            capture_output=True,
            timeout=20,
        )
        self.assertEqual((result.stdout.split()[1:], result.stderr), (["False"], ""))

    def test_the_module_is_the_command(self):
        result = subprocess.run(
            [sys.executable, "-m", "chatsrv.cli", "nonsense"],
            cwd=ROOT,
            text=True,
            capture_output=True,
            timeout=20,
        )
        self.assertEqual((result.returncode, result.stdout), (2, ""))
