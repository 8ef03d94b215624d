"""Admission: who is refused with what, who is exempt, and that memory stays bounded."""

from __future__ import annotations

from twisted.internet.task import Clock
from twisted.trial.unittest import TestCase

from chatsrv.session import admission as module
from chatsrv.session.admission import Admission
from chatsrv.session.head import Refusal


class AdmissionTests(TestCase):
    def setUp(self) -> None:
        self.clock = Clock()

    def admission(self, **settings: object) -> Admission:
        return Admission(**{"seconds": self.clock.seconds, "max_connections": 1000, **settings})

    def status(self, admission: Admission, address: str = "192.0.2.1") -> int | None:
        answer = admission.admit(address)
        if answer is None:
            return None
        self.assertGreaterEqual(int(dict(answer.headers)["Retry-After"]), 1)
        return answer.status

    def test_the_burst_of_one_address_is_taken_and_one_more_is_429(self) -> None:
        admission = self.admission(handshakes_per_s=2, handshakes_burst=5)
        self.assertEqual([self.status(admission) for _ in range(6)], [None] * 5 + [429])
        self.assertIsNone(self.status(admission, "192.0.2.2"))

    def test_handshakes_come_back_at_the_rate_up_to_the_burst(self) -> None:
        admission = self.admission(handshakes_per_s=2, handshakes_burst=5)
        for _ in range(6):
            admission.admit("192.0.2.1")
        self.clock.advance(0.5)
        self.assertEqual([self.status(admission) for _ in range(2)], [None, 429])
        self.clock.advance(100)
        self.assertEqual([self.status(admission) for _ in range(6)], [None] * 5 + [429])

    def test_retry_after_is_when_the_next_one_is_there(self) -> None:
        admission = self.admission(handshakes_per_s=0.1, handshakes_burst=1)
        admission.admit("192.0.2.1")
        self.assertEqual(admission.admit("192.0.2.1"), Refusal(429, (("Retry-After", "10"),)))

    def test_connections_of_one_address_are_counted_until_they_are_gone(self) -> None:
        admission = self.admission(per_address=2)
        admission.connected("192.0.2.1")
        self.assertIsNone(self.status(admission))
        admission.connected("192.0.2.1")
        self.assertEqual(self.status(admission), 429)
        self.assertIsNone(self.status(admission, "192.0.2.2"))
        admission.gone("192.0.2.1")
        self.assertIsNone(self.status(admission))

    def test_the_node_is_full_at_its_capacity(self) -> None:
        admission = self.admission(max_connections=2)
        for address in ("127.0.0.1", "192.0.2.1"):
            self.assertIsNone(self.status(admission, address))
            admission.connected(address)
        self.assertEqual(self.status(admission, "127.0.0.1"), 503)
        admission.gone("192.0.2.1")
        self.assertIsNone(self.status(admission))

    def test_draining_and_a_store_that_is_not_there_are_503_for_everyone(self) -> None:
        ready = [True]
        admission = self.admission(ready=lambda: ready[0])
        self.assertIsNone(self.status(admission, "127.0.0.1"))
        ready[0] = False
        self.assertEqual(self.status(admission, "127.0.0.1"), 503)
        ready[0] = True
        admission.draining = True
        self.assertEqual(self.status(admission, "127.0.0.1"), 503)

    def test_loopback_a_unix_socket_and_trusted_proxies_are_exempt_per_address(self) -> None:
        admission = self.admission(handshakes_burst=1, per_address=1, exempt=["198.51.100.0/24"])
        for address in ("127.0.0.1", "127.8.8.8", "::1", "::ffff:127.0.0.1", "unix", "198.51.100.9"):
            admission.connected(address)
            self.assertEqual([self.status(admission, address) for _ in range(3)], [None] * 3, address)

    def test_loopback_is_limited_where_it_is_not_exempt(self) -> None:
        admission = self.admission(handshakes_burst=1, exempt_loopback=False)
        for address in ("127.0.0.1", "unix"):
            self.assertEqual([self.status(admission, address) for _ in range(2)], [None, 429])

    def test_addresses_of_one_ipv6_network_share_their_limits(self) -> None:
        admission = self.admission(handshakes_burst=2)
        self.assertIsNone(self.status(admission, "2001:db8::1"))
        self.assertIsNone(self.status(admission, "2001:db8::2"))
        self.assertEqual(self.status(admission, "2001:db8::3"), 429)
        self.assertIsNone(self.status(admission, "2001:db8:0:1::1"))

    def test_the_burst_of_one_user_is_taken_and_one_more_is_429_wherever_he_is(self) -> None:
        admission = self.admission(user_handshakes_per_s=2, user_handshakes_burst=5)
        self.assertEqual([admission.admit_user(7) for _ in range(5)], [None] * 5)
        self.assertEqual(admission.admit_user(7), Refusal(429, (("Retry-After", "1"),)))
        self.assertIsNone(admission.admit_user(8))
        self.clock.advance(0.5)
        self.assertEqual([admission.admit_user(7) is None for _ in range(2)], [True, False])

    def test_memory_is_bounded_whoever_comes(self) -> None:
        self.patch(module, "_REMEMBERED_ADDRESSES", 10)
        self.patch(module, "_REMEMBERED_USERS", 20)
        admission = self.admission()
        for number in range(200):
            address = f"192.0.2.{number}"
            admission.admit(address)
            admission.connected(address)
            admission.gone(address)
            admission.admit_user(number)
        self.assertEqual((len(admission._buckets), len(admission._users)), (10, 20))
        self.assertLessEqual(admission._place.cache_info().currsize, 10)
        self.assertEqual(len(admission._counts), 0)
        self.assertEqual(admission.connections, 0)
