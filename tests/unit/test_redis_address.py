"""The address of a Redis: reading URLs, and keeping the password to itself."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from chatsrv.redis import RedisAddress


class RedisAddressTests(SynchronousTestCase):
    def test_a_tcp_url_gives_host_port_user_password_and_database(self) -> None:
        address = RedisAddress.from_url("redis://ann:p%40ss%2F1@db.example:7000/3")
        self.assertEqual(
            address, RedisAddress("db.example", 7000, username="ann", password="p@ss/1", database=3)
        )
        self.assertFalse(address.tls)

    def test_what_a_tcp_url_leaves_out_has_the_usual_default(self) -> None:
        self.assertEqual(RedisAddress.from_url("redis://db"), RedisAddress("db", 6379))
        self.assertEqual(RedisAddress.from_url("redis://:secret@db/").password, "secret")
        self.assertIsNone(RedisAddress.from_url("redis://:secret@db/").username)

    def test_rediss_means_tls(self) -> None:
        self.assertTrue(RedisAddress.from_url("rediss://db").tls)

    def test_an_ipv6_host_is_read_and_printed_in_brackets(self) -> None:
        address = RedisAddress.from_url("redis://[::1]:7000")
        self.assertEqual(address.host, "::1")
        self.assertEqual(str(address), "redis://[::1]:7000/0")

    def test_a_unix_url_gives_the_path_decoded_and_the_database(self) -> None:
        address = RedisAddress.from_url("unix://u:p@/run/a%20b/redis.sock?db=2")
        self.assertEqual(
            address, RedisAddress(path="/run/a b/redis.sock", username="u", password="p", database=2)
        )

    def test_the_password_is_neither_in_str_nor_in_repr(self) -> None:
        for url in ("redis://u:geheim@db/1", "unix://u:geheim@/run/s"):
            address = RedisAddress.from_url(url)
            self.assertNotIn("geheim", str(address) + repr(address))

    def test_a_wrong_url_is_refused_in_one_line_without_the_password(self) -> None:
        for url in (
            "http://:geheim@db",
            "geheim",
            "redis://:geheim@db:seven/0",
            "redis://:geheim@db:70000/0",
            "redis://:geheim@db/x",
            "redis://:geheim@db/-1",
            "redis://:geheim@db/0?db=1",
            "redis://:ge#heim@db/0",
            "redis://:geheim@[db/0",
            "redis:///0",
            "unix://:geheim@host/run/s",
            "unix://",
            "unix:///run/s?db=one",
            "unix:///run/s?user=geheim",
        ):
            problem = str(self.assertRaises(ValueError, RedisAddress.from_url, url))
            self.assertNotIn("heim", problem, url)
            self.assertNotIn("\n", problem, url)
