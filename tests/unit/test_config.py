"""The settings: where a value comes from, what is refused and with which words, and the sample file."""

import tempfile
import tomllib
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from chatsrv.cli.sample import sample
from chatsrv.config import (
    ConfigError,
    Listening,
    Settings,
    connection_limit,
    default,
    expected,
    load_settings,
    meaning,
    names,
    socket_limit,
    with_backlog,
)

ROOT = Path(__file__).parents[2]


def _bounds(name: str) -> tuple[float, float] | None:
    words = expected(name).split()
    return (float(words[-3]), float(words[-1])) if " from " in expected(name) else None


class _ConfigCase(SynchronousTestCase):
    def file(self, content: str | bytes) -> str:
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        path = Path(directory.name, "chatsrv.toml")
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return str(path)

    def refusal(self, options=None, environ=None, *, file=None) -> str:
        """The one line with which these are refused."""
        given = dict(options or {}) | ({"config": self.file(file)} if file is not None else {})
        text = str(self.assertRaises(ConfigError, load_settings, given, environ or {}))
        self.assertEqual(text, " ".join(text.split()))
        return text


class PrecedenceTests(_ConfigCase):
    def test_without_anything_every_setting_has_its_default(self):
        settings = load_settings({}, {})
        for name in set(names()) - {"data_dir"}:
            self.assertEqual(getattr(settings, name), default(name), name)
        self.assertEqual(settings.data_dir, str(Path("var").absolute()))

    def test_the_file_wins_over_the_default(self):
        path = self.file('redis = "unix:///run/a"\nframe_bytes = 2048\norigins = ["https://a.example"]\n')
        settings = load_settings({"config": path}, {})
        self.assertEqual(settings.redis, "unix:///run/a")
        self.assertEqual(settings.frame_bytes, 2048)
        self.assertEqual(settings.origins, ("https://a.example",))

    def test_the_environment_wins_over_the_file(self):
        path = self.file("burst = 7\nmembers = 8\n")
        settings = load_settings({"config": path}, {"CHATSRV_BURST": "9"})
        self.assertEqual((settings.burst, settings.members), (9, 8))

    def test_an_option_wins_over_the_environment(self):
        settings = load_settings({"redis": "embedded"}, {"CHATSRV_REDIS": "redis://a"})
        self.assertEqual(settings.redis, "embedded")

    def test_an_option_that_is_none_or_an_empty_list_is_not_given(self):
        settings = load_settings({"redis": None, "listen": []}, {"CHATSRV_REDIS": "redis://a"})
        self.assertEqual(settings.redis, "redis://a")
        self.assertEqual(settings.listen, default("listen"))

    def test_the_environment_can_name_the_file(self):
        path = self.file("burst = 7\n")
        self.assertEqual(load_settings({}, {"CHATSRV_CONFIG": path}).burst, 7)

    def test_lists_numbers_and_booleans_can_be_written_in_the_environment(self):
        environ = {
            "CHATSRV_LISTEN": "tcp:1, tcp:2",
            "CHATSRV_LEASE_S": "20.5",
            "CHATSRV_TOKEN_IN_URL": "true",
            "CHATSRV_JWT_ISSUER": "12",
        }
        settings = load_settings({}, environ)
        self.assertEqual(settings.listen, ("tcp:1", "tcp:2"))
        self.assertEqual(settings.lease_s, 20.5)
        self.assertIs(settings.token_in_url, True)
        self.assertEqual(settings.jwt_issuer, "12")

    def test_an_empty_variable_is_not_set(self):
        self.assertEqual(
            load_settings({}, {"CHATSRV_BURST": "", "CHATSRV_REDIS": " "}).burst, default("burst")
        )

    def test_every_setting_can_be_given_by_file_and_by_environment(self):
        for name in names():
            value = default(name)
            text = ",".join(value) if isinstance(value, tuple) else str(value)
            load_settings({}, {f"CHATSRV_{name.upper()}": text})
        self.assertEqual(
            load_settings({"config": self.file(_uncommented(sample()))}, {}), load_settings({}, {})
        )

    def test_unknown_variables_are_listed_and_otherwise_ignored(self):
        environ = {
            "CHATSRV_ZZ": "1",
            "CHATSRV_BURTS": "1",
            "CHATSRV_BURST": "5",
            "CHATSRV_CONFIG": "",
            "HOME": "/",
        }
        self.assertEqual(load_settings({}, environ).unknown_environment, ("CHATSRV_BURTS", "CHATSRV_ZZ"))

    def test_paths_come_out_absolute(self):
        settings = load_settings({"data_dir": "a/../b", "jwt_key_file": "key"}, {})
        self.assertEqual(settings.data_dir, str(Path("b").absolute()))
        self.assertEqual(settings.jwt_key_file, (str(Path("key").absolute()),))

    def test_the_key_files_may_be_one_text_or_a_list(self):
        until = "b.pem until 2027-01-31T00:00:00Z"
        here = str(Path("key.pem").absolute())
        both = (here, str(Path("b.pem").absolute()) + until[5:])
        one = self.file('jwt_key_file = "key.pem"')
        several = self.file(f'jwt_key_file = ["key.pem", "{until}"]')
        self.assertEqual(load_settings({"config": one}, {}).jwt_key_file, (here,))
        self.assertEqual(load_settings({"config": several}, {}).jwt_key_file, both)
        environ = {"CHATSRV_JWT_KEY_FILE": f"key.pem, {until}"}
        self.assertEqual(load_settings({}, environ).jwt_key_file, both)

    def test_the_representation_holds_no_secret(self):
        settings = load_settings({"redis": "redis://:hunter2@h"}, {"CHATSRV_JWT_SECRET": "s3cret" * 9})
        self.assertNotIn("s3cret", repr(settings))
        self.assertNotIn("hunter2", f"{settings}")


class RefusalTests(_ConfigCase):
    def test_an_unknown_key_is_named_with_the_one_probably_meant(self):
        self.assertIn(
            'unknown key "fram_bytes"; did you mean frame_bytes?', self.refusal(file="fram_bytes = 1")
        )

    def test_an_unknown_key_like_no_other_points_to_the_list(self):
        self.assertIn("`chatsrv config` prints all", self.refusal(file="[section]\na = 1"))

    def test_a_key_with_control_characters_stays_one_escaped_line(self):
        self.assertIn(r"a\nb\u001b", self.refusal(file='"a\\nb\\u001b" = 1'))

    def test_an_unreadable_file_is_named(self):
        self.assertIn("/no/such: cannot be read: No such file", self.refusal({"config": "/no/such"}))
        self.assertIn("cannot be read: Is a directory", self.refusal({"config": "/"}))

    def test_a_file_that_is_not_toml_is_refused_with_the_place(self):
        self.assertIn("line 2", self.refusal(file="burst = 1\nburst = = 2\n"))
        self.assertIn("is not TOML", self.refusal(file="a = " + "[" * 5000))
        self.assertIn("is not UTF-8", self.refusal(file=b"a = '\xff'"))

    def test_a_wrong_type_says_what_is_expected_and_where(self):
        self.assertIn("burst: must be a whole number of requests from 1", self.refusal(file='burst = "5"'))
        self.assertIn("burst: must be", self.refusal(file="burst = 1.5"))
        self.assertIn("burst: must be", self.refusal(file="burst = true"))
        self.assertIn("listen: must be a list of texts", self.refusal(file='listen = "tcp:1"'))
        self.assertIn("token_in_url: must be true or false", self.refusal(file="token_in_url = 1"))
        self.assertIn(
            "environment variable CHATSRV_BURST: must be", self.refusal(environ={"CHATSRV_BURST": "many"})
        )
        self.assertIn("option --data-dir: must be a text", self.refusal({"data_dir": 5}))

    def test_a_word_outside_its_list_is_refused(self):
        self.assertIn('one of "always", "everysec"', self.refusal(environ={"CHATSRV_REDIS_FSYNC": "never"}))

    def test_every_number_is_checked_at_both_ends(self):
        for name in names():
            if bounds := _bounds(name):
                for value in bounds:
                    self.assertIn("lease" if "lease" in name else name, _outcome(name, value) + name)
                step = 1 if isinstance(default(name), int) else 0.001
                for value in (bounds[0] - step, bounds[1] + step):
                    text = repr(type(default(name))(value))
                    self.assertIn(name, self.refusal(file=f"{name} = {text}"))

    def test_what_is_no_number_is_refused(self):
        for text in ("nan", "inf", "-inf"):
            self.assertIn("lease_s: must be", self.refusal(file=f"lease_s = {text}"))
            self.assertIn("CHATSRV_LEASE_S: must be", self.refusal(environ={"CHATSRV_LEASE_S": text}))

    def test_control_characters_are_refused(self):
        self.assertIn(
            "redis_key_prefix: must be a text, without", self.refusal(file='redis_key_prefix = "a\\nb"')
        )
        self.assertIn("listen: must be", self.refusal(file='listen = ["a\\u0000"]'))

    def test_an_address_of_redis_that_is_none_is_refused_without_its_password(self):
        text = self.refusal({"redis": "http://:hunter2@h"})
        self.assertIn('redis: must be "embedded" or begin with redis://', text)
        self.assertNotIn("hunter2", text)

    def test_two_token_keys_are_refused(self):
        environ = {"CHATSRV_JWT_SECRET": "x" * 40, "CHATSRV_JWT_KEY_FILE": "key.pem"}
        text = self.refusal(environ=environ)
        self.assertIn("both set", text)
        self.assertNotIn("xxx", text)
        environ = {"CHATSRV_JWT_JWKS_URL": "https://a", "CHATSRV_JWT_KEY_FILE": "key.pem"}
        self.assertIn("jwt_key_file and jwt_jwks_url are both set", self.refusal(environ=environ))

    def test_a_trusted_proxy_must_be_an_address_or_a_network_or_unix(self):
        proxies = ["10.0.0.1", "10.0.0.1/8", "::1", "fd00::/8", "unix"]
        self.assertEqual(load_settings({"trusted_proxies": proxies}, {}).trusted_proxies, tuple(proxies))
        for wrong in ("proxy.example", "10.0.0.0/33", "10.0.0.0/8 ", "*", "10.0.0.1:80"):
            self.assertIn("trusted_proxies: must be", self.refusal({"trusted_proxies": ["::1", wrong]}))

    def test_an_endpoint_of_the_proxy_protocol_needs_a_trusted_proxy(self):
        options = {"listen": ["tcp:80", "haproxy:tcp:81"]}
        self.assertIn("trusted_proxies", self.refusal(options))
        load_settings({**options, "trusted_proxies": ["10.0.0.1"]}, {})

    def test_a_lease_must_be_renewed_twice_in_its_life(self):
        self.assertIn("at most half of lease_s", self.refusal(file="lease_s = 8"))


class SampleTests(_ConfigCase):
    def test_the_sample_file_equals_the_code(self):
        self.assertEqual(
            (ROOT / "etc/chatsrv.toml").read_text(), sample() + "\n" * (not sample().endswith("\n"))
        )

    def test_the_sample_shows_every_setting_with_its_default(self):
        shown = tomllib.loads(_uncommented(sample()))
        self.assertEqual(tuple(shown), names())
        for name, value in shown.items():
            self.assertEqual(tuple(value) if isinstance(value, list) else value, default(name), name)

    def test_every_setting_says_what_it_means(self):
        for name in names():
            self.assertGreater(len(meaning(name)), 8, name)
            self.assertNotIn("\n", meaning(name))

    def test_every_default_is_within_its_range(self):
        for name in names():
            if bounds := _bounds(name):
                self.assertTrue(bounds[0] <= default(name) <= bounds[1], name)

    def test_a_number_of_seconds_says_so_in_its_name(self):
        for name in names():
            self.assertEqual(
                "number of seconds" in expected(name), name.endswith("_s") and "_per_" not in name
            )


class EndpointTests(SynchronousTestCase):
    def test_a_plain_endpoint_gets_a_long_backlog(self):
        for endpoint in ("tcp:8080", "tcp:8080:interface=\\:\\:1", "ssl:443:privateKey=a", "unix:/run/a\\:b"):
            for kind in ("", "haproxy:"):
                self.assertEqual(with_backlog(kind + endpoint), f"{kind}{endpoint}:backlog=4096")

    def test_an_endpoint_that_names_one_or_cannot_is_left_alone(self):
        for endpoint in (
            "tcp:80:backlog=5",
            "tcp:80:127.0.0.1:50",
            "systemd:domain=INET:index=0",
            "nonsense",
        ):
            self.assertEqual(with_backlog(endpoint), endpoint)

    def test_what_a_string_says(self):
        for description, proxied, kind, handed_over in (
            ("tcp:80", False, "tcp", False),
            ("haproxy:ssl:80:privateKey=a", True, "ssl", False),
            ("systemd:domain=INET:index=0", False, "systemd", True),
            ("haproxy:systemd:domain=INET:index=0", True, "systemd", True),
            ("unix:/run/haproxy:80", False, "unix", False),
        ):
            it = Listening(description)
            self.assertEqual((it.proxied, it.kind, it.handed_over), (proxied, kind, handed_over), description)


class ConnectionLimitTests(SynchronousTestCase):
    def test_sockets_that_are_not_connections_yet_get_a_little_more(self):
        self.patch(__import__("resource"), "getrlimit", lambda _: (1000, 2000))
        self.assertEqual(socket_limit(), 950)

    def test_a_low_file_limit_leaves_what_the_node_needs_itself(self):
        self.patch(__import__("resource"), "getrlimit", lambda _: (256, 256))
        self.assertEqual((connection_limit(Settings()), socket_limit()), (208, 216))

    def test_it_is_at_most_nine_tenths_of_the_file_limit(self):
        self.patch(__import__("resource"), "getrlimit", lambda _: (1000, 2000))
        self.assertEqual(connection_limit(Settings()), 900)
        self.assertEqual(connection_limit(Settings(max_connections=10)), 10)
        self.assertEqual(connection_limit(Settings(max_connections=5000)), 900)


def _uncommented(text: str) -> str:
    lines = (
        line for line in text.splitlines() if line.startswith("#") and not line.startswith(("# ", "#\n"))
    )
    return "\n".join(line.removeprefix("#") for line in lines)


def _outcome(name: str, value: float) -> str:
    """An allowed value is taken; only the rule about the two lease settings may still refuse it."""
    try:
        load_settings({name: type(default(name))(value)}, {})
    except ConfigError as e:
        return str(e)
    return ""
