"""The token key: which sources there are, which keys are refused, and the secret that is made once."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed448, ed25519, rsa
from twisted.trial.unittest import SynchronousTestCase

from chatsrv.auth import keys
from chatsrv.auth.keys import VerificationKey, load_key
from chatsrv.config import ConfigError, Settings

ROOT = Path(__file__).parents[2]
PEM, DER = serialization.Encoding.PEM, serialization.Encoding.DER


def public(key, encoding=PEM) -> bytes:
    return key.public_key().public_bytes(encoding, serialization.PublicFormat.SubjectPublicKeyInfo)


class _KeyCase(SynchronousTestCase):
    def setUp(self):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.directory = Path(directory.name)

    def from_file(self, content: bytes) -> VerificationKey:
        path = self.directory / "key"
        path.write_bytes(content)
        return load_key(Settings(jwt_key_file=str(path)), create=False)

    def refusal(self, content: bytes) -> str:
        text = str(self.assertRaises(ConfigError, self.from_file, content))
        self.assertEqual(text, " ".join(text.split()))
        self.assertIn(str(self.directory / "key"), text)
        return text


class SecretTests(_KeyCase):
    def test_the_setting_is_taken_as_it_is(self):
        key = load_key(Settings(jwt_secret="s" * 32), create=False)
        self.assertEqual((key.algorithms, key.secret), (("HS256",), b"s" * 32))

    def test_a_longer_secret_allows_the_longer_hashes(self):
        self.assertEqual(load_key(Settings(jwt_secret="s" * 63), create=False).algorithms, ("HS256", "HS384"))
        self.assertEqual(len(load_key(Settings(jwt_secret="s" * 64), create=False).algorithms), 3)

    def test_a_short_secret_is_refused_and_not_repeated(self):
        error = self.assertRaises(ConfigError, load_key, Settings(jwt_secret="s3cret" * 5), create=False)
        self.assertIn("has 30 bytes; an HMAC secret needs 32", str(error))
        self.assertNotIn("s3cret", str(error))
        self.assertIn("has 31 bytes", self.refusal(b"s" * 31 + b"\n"))

    def test_a_file_may_hold_any_bytes_and_end_in_a_line_end(self):
        secret = bytes(range(32))
        for end in (b"", b"\n", b"\r\n"):
            self.assertEqual(self.from_file(secret + end).secret, secret)

    def test_the_representation_of_a_key_does_not_hold_it(self):
        self.assertNotIn("sss", repr(load_key(Settings(jwt_secret="s" * 32), create=False)))


class PublicKeyTests(_KeyCase):
    def test_each_kind_gets_the_algorithms_of_its_family(self):
        for private, algorithms in (
            (rsa.generate_private_key(65537, 2048), ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512")),
            (ec.generate_private_key(ec.SECP256R1()), ("ES256",)),
            (ec.generate_private_key(ec.SECP384R1()), ("ES384",)),
            (ec.generate_private_key(ec.SECP521R1()), ("ES512",)),
            (ec.generate_private_key(ec.SECP256K1()), ("ES256K",)),
            (ed25519.Ed25519PrivateKey.generate(), ("EdDSA",)),
            (ed448.Ed448PrivateKey.generate(), ("EdDSA",)),
        ):
            key = self.from_file(b"a comment\n" + public(private))
            self.assertEqual(key.algorithms, algorithms)
            self.assertIsNone(key.secret)

    def test_weak_or_other_keys_are_refused(self):
        self.assertIn("1024 bits; it needs 2048", self.refusal(public(rsa.generate_private_key(65537, 1024))))
        self.assertIn(
            "must be an RSA, EC", self.refusal(public(ec.generate_private_key(ec.BrainpoolP256R1())))
        )
        self.assertIn("must be an RSA, EC", self.refusal(public(dsa.generate_private_key(2048))))

    def test_a_private_key_is_refused(self):
        private = ed25519.Ed25519PrivateKey.generate().private_bytes(
            PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        self.assertIn("holds a private key", self.refusal(private))

    def test_what_looks_like_a_key_is_never_taken_as_a_secret(self):
        private = rsa.generate_private_key(65537, 2048)
        self.assertIn("no HMAC secret", self.refusal(public(private, DER)))
        self.assertIn("no HMAC secret", self.refusal(b'{"kty":"RSA","n":"' + b"A" * 40 + b'","e":"AQAB"}'))
        self.assertIn(
            "no usable PEM", self.refusal(b"-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n")
        )
        self.assertIn(
            "no usable PEM", self.refusal(b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----")
        )

    def test_a_missing_unreadable_or_huge_file_is_refused(self):
        for path, words in (("/no/such", "no such file"), ("/", "cannot be read")):
            error = self.assertRaises(ConfigError, load_key, Settings(jwt_key_file=path), create=True)
            self.assertIn(words, str(error))
        self.assertIn("larger than 65536 bytes", self.refusal(b"x" * 65537))


class LocalSecretTests(_KeyCase):
    def setUp(self):
        super().setUp()
        self.data_dir = self.directory / "a" / "var"
        self.path = self.data_dir / "jwt.secret"
        self.settings = Settings(data_dir=str(self.data_dir))

    def test_it_is_made_once_for_the_owner_alone(self):
        old = os.umask(0)
        self.addCleanup(os.umask, old)
        key = load_key(self.settings, create=True)
        self.assertEqual(self.path.stat().st_mode & 0o7777, 0o600)
        self.assertEqual(self.data_dir.stat().st_mode & 0o7777, 0o700)
        self.assertEqual(key.algorithms, ("HS256", "HS384", "HS512"))
        self.assertEqual(load_key(self.settings, create=True), key)
        self.assertEqual(load_key(self.settings, create=False), key)
        self.assertEqual(os.listdir(self.data_dir), ["jwt.secret"])

    def test_it_is_not_made_unless_asked_for(self):
        error = self.assertRaises(ConfigError, load_key, self.settings, create=False)
        self.assertIn("there is no token secret", str(error))
        self.assertFalse(self.data_dir.exists())

    def test_a_directory_that_cannot_be_made_is_named(self):
        (self.directory / "a").write_text("")
        error = self.assertRaises(ConfigError, load_key, self.settings, create=True)
        self.assertIn(str(self.path), str(error))

    def test_a_damaged_secret_is_refused_and_kept(self):
        self.data_dir.mkdir(parents=True)
        self.path.write_text("short")
        error = self.assertRaises(ConfigError, load_key, self.settings, create=True)
        self.assertIn("has 5 bytes", str(error))
        self.assertEqual(self.path.read_text(), "short")

    def test_another_maker_who_comes_first_wins(self):
        def overtaken(source, target):
            Path(target).write_bytes(b"o" * 32)
            raise FileExistsError(17, "File exists")

        self.patch(keys.os, "link", overtaken)
        self.assertEqual(load_key(self.settings, create=True).secret, b"o" * 32)
        self.assertEqual(os.listdir(self.data_dir), ["jwt.secret"])

    def test_processes_that_make_it_at_the_same_moment_agree(self):
        program = (
            "import sys; from chatsrv.config import Settings; from chatsrv.auth.keys import load_key; "
            "sys.stdin.read(1); print(load_key(Settings(data_dir=sys.argv[1]), create=True).secret.decode())"
        )
        makers = [
            subprocess.Popen(
                [sys.executable, "-c", program, str(self.data_dir)],
                cwd=ROOT,
                text=True,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
            )
            for _ in range(4)
        ]
        for maker in makers:
            maker.stdin.write("g")
            maker.stdin.flush()
        secrets = {maker.communicate(timeout=20)[0] for maker in makers}
        self.assertEqual(len(secrets), 1)
        self.assertGreater(len(secrets.pop()), 32)
