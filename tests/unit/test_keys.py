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
from chatsrv.auth.keys import VerificationKey, jwks_url, load_keys
from chatsrv.auth.keyset import KeySet
from chatsrv.config import ConfigError, Settings, load_settings

ROOT = Path(__file__).parents[2]
PEM, DER = serialization.Encoding.PEM, serialization.Encoding.DER


def public(key, encoding=PEM) -> bytes:
    return key.public_key().public_bytes(encoding, serialization.PublicFormat.SubjectPublicKeyInfo)


def load_key(settings: Settings, *, create: bool) -> VerificationKey:
    """The one key that these settings name."""
    (key,) = load_keys(settings, create=create)
    return key


class _KeyCase(SynchronousTestCase):
    def setUp(self):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.directory = Path(directory.name)

    def from_file(self, content: bytes) -> VerificationKey:
        path = self.directory / "key"
        path.write_bytes(content)
        return load_key(Settings(jwt_key_file=(str(path),)), create=False)

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
            error = self.assertRaises(ConfigError, load_key, Settings(jwt_key_file=(path,)), create=True)
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
            "import sys; from chatsrv.config import Settings; from chatsrv.auth.keys import load_keys; "
            "sys.stdin.read(1); print(load_keys(Settings(data_dir=sys.argv[1]), create=True)[0].secret.decode())"
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


class SeveralFilesTests(_KeyCase):
    """Rotation: a new key beside an old one that ends."""

    def entry(self, name: str, content: bytes | None = None, until: str = "") -> str:
        path = self.directory / name
        path.write_bytes(content or public(ed25519.Ed25519PrivateKey.generate()))
        return f"{path} until {until}" if until else str(path)

    def load(self, *entries: str) -> tuple[VerificationKey, ...]:
        return load_keys(load_settings({"jwt_key_file": list(entries)}, {}), create=False)

    def mistake(self, *entries: str) -> str:
        text = str(self.assertRaises(ConfigError, self.load, *entries))
        self.assertEqual(text, " ".join(text.split()))
        return text

    def test_each_may_have_its_end(self):
        new, old = self.load(self.entry("new"), self.entry("old", until="2027-01-31T00:00:00Z"))
        self.assertEqual((new.not_after, old.not_after), (None, 1801353600.0))
        self.assertTrue(old.accepted_at(1801353599.9) and new.accepted_at(1e12))
        self.assertFalse(old.accepted_at(1801353600))

    def test_secrets_and_public_keys_stand_beside_each_other_with_their_own_algorithms(self):
        pair, secret = self.load(self.entry("pair"), self.entry("secret", b"s" * 32))
        self.assertEqual((pair.algorithms, secret.algorithms), (("EdDSA",), ("HS256",)))

    def test_a_name_may_hold_spaces_and_the_word_until(self):
        (key,) = self.load(self.entry("a key until now", until="2027-01-31T01:00:00+01:00"))
        self.assertEqual(key.not_after, 1801353600.0)

    def test_what_is_no_time_with_a_zone_is_refused(self):
        for text in ("soon", "2027-01-31", "2027-01-31T00:00:00", "2027-02-30T00:00:00Z", "1801353600"):
            self.assertIn("behind until stands a time", self.mistake(self.entry("key", until=text)), text)

    def test_the_number_of_files_is_bounded(self):
        entries = [self.entry(str(number)) for number in range(9)]
        self.assertEqual(len(self.load(*entries[:8])), 8)
        self.assertIn("more than 8 files", self.mistake(*entries))

    def test_a_file_with_two_keys_is_refused_instead_of_half_read(self):
        two = b"".join(public(ed25519.Ed25519PrivateKey.generate()) for _ in range(2))
        self.assertIn("more than one key", self.mistake(self.entry("two", two)))

    def test_what_is_logged_of_them_is_where_they_come_from_and_never_a_secret(self):
        entries = self.entry("new", b"s3cret" * 8), self.entry("old", until="2027-01-31T00:00:00Z")
        self.assertEqual(
            str(KeySet(self.load(*entries))),
            f"{entries[0]} (HS256, HS384); {self.directory}/old (EdDSA) until 2027-01-31T00:00:00Z",
        )
        self.assertEqual(str(load_key(Settings(jwt_secret="s3cret" * 6), create=False)), "jwt_secret (HS256)")

    def test_signing_takes_the_first_secret_that_has_not_ended(self):
        entries = self.entry("pair"), self.entry("a", b"a" * 32, "2027-01-31T00:00:00Z")
        keys = KeySet(self.load(*entries, self.entry("b", b"b" * 32)))
        self.assertEqual(keys.signing_secret(1801353599), b"a" * 32)
        self.assertEqual(keys.signing_secret(1801353600), b"b" * 32)
        self.assertIsNone(KeySet(self.load(entries[0])).signing_secret(0))


class JwksUrlTests(SynchronousTestCase):
    def url(self, text: str) -> str:
        return jwks_url(Settings(jwt_jwks_url=text))

    def test_https_or_this_machine(self):
        for url in (
            *("", "https://idp.example/jwks.json", "https://idp.example:8443/a?b=c", "HTTPS://idp.example"),
            *("http://localhost:1/", "http://127.0.0.1/", "http://127.9.9.9:65535/a", "http://[::1]:80/a"),
        ):
            self.assertEqual(self.url(url), url)

    def test_any_other_is_refused_and_not_repeated(self):
        for url in (
            *("http://idp.example/", "http://10.0.0.1/", "http://localhost.evil.example/", "http://0.0.0.0/"),
            *(
                "ftp://idp.example/",
                "file:///etc/passwd",
                "idp.example",
                "https:///a",
                "https://",
                "//a",
                "https:a",
            ),
            *("https://user:hunter2@idp.example/", "https://@idp.example/", "http://127.0.0.1@evil.example/"),
            *(
                "https://idp.example:0/",
                "https://idp.example:65536/",
                "https://idp.example:x/",
                "https://[::1/",
            ),
            *(
                "https://idp.example/ a",
                "https://idp.example/#a",
                "https://b\u00fccher.example/",
                "https:\\\\idp.example/",
            ),
        ):
            error = self.assertRaises(ConfigError, self.url, url)
            self.assertIn("jwt_jwks_url: must be an https:// URL", str(error))
            self.assertNotIn("idp.example", str(error))

    def test_with_it_there_is_nothing_to_sign_with(self):
        error = self.assertRaises(ConfigError, load_keys, Settings(jwt_jwks_url="https://a"), create=True)
        self.assertIn("holds none to sign with", str(error))
