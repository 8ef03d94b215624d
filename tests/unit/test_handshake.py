"""The decision over a request for ``/ws``: every row of PROTOCOL section 1 and RELIABILITY section 3.1."""

from __future__ import annotations

from twisted.trial.unittest import TestCase

from chatsrv.session.handshake import Accepted, decide
from chatsrv.session.head import HeadRefused, Refusal, parse_head
from chatsrv.session.options import ShellOptions
from chatsrv.wire.codes import Profile
from tests.unit.test_shell_kit import Verifier, request

INVALID = Refusal(401, (("WWW-Authenticate", 'Bearer error="invalid_token"'),))
TWO = Refusal(400, (("WWW-Authenticate", 'Bearer error="invalid_request"'),))
NONE = Refusal(401, (("WWW-Authenticate", "Bearer"),))


def judge(
    data: bytes,
    secure: bool = False,
    busy: Refusal | None = None,
    busy_user: Refusal | None = None,
    **options: object,
) -> Accepted | Refusal:
    try:
        return decide(
            parse_head(data.removesuffix(b"\r\n\r\n"), 64),
            secure=secure,
            options=ShellOptions(**options),
            admit=lambda: busy,
            verify=Verifier().verify,
            admit_user=lambda user_id: busy_user if user_id == 8 else None,
        )
    except HeadRefused as refused:
        return refused.refusal


class TheRequest(TestCase):
    def status(self, data: bytes, **options: object) -> int:
        answer = judge(data, **options)
        return answer.status if isinstance(answer, Refusal) else 101

    def test_another_path_is_404_whatever_else_is_wrong(self) -> None:
        for target in ("/", "//", "/ws/", "/ws/../ws", "/WS", "/%77s", "http://chat.example/ws", "*"):
            self.assertEqual(
                self.status(request(target=target, method="POST", version="HTTP/1.0")), 404, target
            )

    def test_another_method_is_405(self) -> None:
        for method in ("POST", "HEAD", "get", "OPTIONS", "FOO\x1b[31m"):
            self.assertEqual(judge(request(method=method)), Refusal(405, (("Allow", "GET"),)))

    def test_another_http_version_is_505(self) -> None:
        for version in ("HTTP/1.0", "HTTP/2", "HTTP/1.1x", "HTTP/01.1"):
            self.assertEqual(self.status(request(version=version)), 505, version)

    def test_a_query_of_1_kib_is_taken_and_one_byte_more_is_414(self) -> None:
        self.assertEqual(self.status(request(target="/ws?" + "a" * 1024)), 101)
        self.assertEqual(self.status(request(target="/ws?" + "a" * 1025)), 414)

    def test_host_must_be_there_once_and_be_one(self) -> None:
        self.assertEqual(self.status(request(without=["Host"])), 400)
        self.assertEqual(self.status(request("Host: chat.example")), 400)
        for host in (
            "",
            "a b",
            "chat.example:70000",
            "chat.example:x",
            "chat.example:80:80",
            "user@chat.example",
            "[::1",
        ):
            self.assertEqual(self.status(request(host=host)), 400, host)
        for host in ("chat.example:65535", "[::1]:8080", "localhost", "10.0.0.1:80", "chat.example:"):
            self.assertEqual(self.status(request(host=host)), 101, host)

    def test_a_request_with_a_body_is_400(self) -> None:
        self.assertEqual(self.status(request(Content_Length="5")), 400)
        self.assertEqual(self.status(request(Transfer_Encoding="chunked")), 400)
        self.assertEqual(self.status(request(Content_Length="0")), 101)

    def test_what_is_no_upgrade_is_426_and_told_which(self) -> None:
        expected = Refusal(426, (("Upgrade", "websocket"),))
        self.assertEqual(judge(request(without=["Upgrade"])), expected)
        self.assertEqual(judge(request(without=["Connection"])), expected)
        self.assertEqual(judge(request(upgrade="h2c")), expected)
        self.assertEqual(judge(request(connection="close")), expected)
        self.assertEqual(self.status(request(upgrade="h2c, WebSocket", connection="UPGRADE")), 101)

    def test_another_websocket_version_is_426_and_told_which(self) -> None:
        for version in ("12", "8", "1_3", "13, 13", "", "013"):
            answer = judge(request(sec_websocket_version=version))
            self.assertEqual(answer.status, 426)
            self.assertIn(("Sec-WebSocket-Version", "13"), answer.headers)
        self.assertEqual(self.status(request(without=["Sec-WebSocket-Version"])), 426)
        self.assertEqual(self.status(request("Sec-WebSocket-Version: 13")), 426)

    def test_the_key_must_be_16_bytes_in_base64_and_come_once(self) -> None:
        for key in ("", "a" * 23, "a" * 21 + "==", "a" * 24, "!" * 22 + "=="):
            self.assertEqual(self.status(request(sec_websocket_key=key)), 400, key)
        self.assertEqual(self.status(request(without=["Sec-WebSocket-Key"])), 400)
        self.assertEqual(self.status(request("Sec-WebSocket-Key: " + "a" * 22 + "==")), 400)

    def test_extensions_are_ignored_but_a_heap_of_offers_is_400(self) -> None:
        self.assertEqual(
            self.status(request(Sec_WebSocket_Extensions="permessage-deflate; client_max_window_bits")), 101
        )
        self.assertEqual(
            self.status(request(Sec_WebSocket_Extensions=", ".join(["permessage-deflate"] * 50))), 400
        )


class TheOrigin(TestCase):
    def allowed(
        self, origin: str, host: str = "chat.example", secure: bool = False, origins: tuple[str, ...] = ()
    ) -> bool:
        answer = judge(request(Origin=origin, host=host), secure=secure, origins=origins)
        self.assertIn(answer if isinstance(answer, Accepted) else answer.status, (answer, 403))
        return isinstance(answer, Accepted)

    def test_an_absent_origin_is_allowed(self) -> None:
        self.assertIsInstance(judge(request()), Accepted)

    def test_the_own_host_is_allowed_with_the_default_port_left_out_or_not(self) -> None:
        for origin, host in (
            ("http://chat.example", "chat.example"),
            ("https://chat.example", "chat.example"),
            ("HTTPS://Chat.Example", "chat.EXAMPLE"),
            ("http://chat.example:80", "chat.example"),
            ("https://chat.example", "chat.example:443"),
            ("http://localhost:8080", "localhost:8080"),
            ("http://[::1]:8080", "[::1]:8080"),
        ):
            self.assertTrue(self.allowed(origin, host), (origin, host))

    def test_another_host_or_port_and_what_is_no_origin_are_403(self) -> None:
        for origin in (
            "http://evil.example",
            "http://chat.example.evil.example",
            "http://evilchat.example",
            "http://chat.example:8080",
            "http://chat.example@evil.example",
            "http://chat.example/",
            "ftp://chat.example",
            "file://",
            "null",
            "",
            "http://chat.example http://chat.example",
        ):
            self.assertFalse(self.allowed(origin), origin)

    def test_two_origins_are_403(self) -> None:
        two = request("Origin: http://chat.example", "Origin: http://chat.example")
        self.assertEqual(judge(two), Refusal(403))

    def test_over_tls_only_https_is_the_own_host(self) -> None:
        self.assertTrue(self.allowed("https://chat.example", secure=True))
        self.assertFalse(self.allowed("http://chat.example", secure=True))

    def test_a_listed_origin_is_allowed(self) -> None:
        listed = ("https://App.example", "null")
        self.assertTrue(self.allowed("https://app.example", origins=listed))
        self.assertTrue(self.allowed("null", origins=listed))
        self.assertFalse(self.allowed("http://app.example", origins=listed))


class TheToken(TestCase):
    def user(self, data: bytes, **options: object) -> int | Refusal:
        answer = judge(data, **options)
        return answer if isinstance(answer, Refusal) else answer.identity.user_id

    def test_a_bearer_token_is_taken_without_regard_to_case(self) -> None:
        for scheme in ("Bearer", "bearer", "BEARER"):
            self.assertEqual(self.user(request(f"Authorization: {scheme} user-9", token=None)), 9)

    def test_no_token_is_401_and_told_how(self) -> None:
        for line in (
            "X: y",
            "Authorization: Basic dXNlcjpwYXNz",
            "Authorization: Bearer ",
            "Authorization: Bearer",
            "Authorization:",
        ):
            self.assertEqual(self.user(request(line, token=None)), NONE, line)
        self.assertEqual(self.user(request(Sec_WebSocket_Protocol="chatsrv.v1, bearer.", token=None)), NONE)

    def test_two_tokens_are_400_in_whichever_two_ways(self) -> None:
        self.assertEqual(self.user(request(token="user-1, Bearer user-1")), TWO)
        self.assertEqual(self.user(request("Authorization: Bearer user-7")), TWO)
        self.assertEqual(self.user(request("Authorization: Basic eA==")), TWO)
        self.assertEqual(self.user(request(Sec_WebSocket_Protocol="chatsrv.v1, bearer.user-7")), TWO)
        self.assertEqual(
            self.user(request(Sec_WebSocket_Protocol="bearer.user-7, bearer.user-7", token=None)), TWO
        )
        self.assertEqual(self.user(request(target="/ws?token=user-7"), url_token=True), TWO)
        self.assertEqual(self.user(request(target="/ws?token=a&token=b", token=None), url_token=True), TWO)

    def test_a_bad_token_is_401_the_same_for_all(self) -> None:
        for token in ("bad", "a.b.c", "x" * 4097, "é"):
            self.assertEqual(self.user(request(token=token)), INVALID)

    def test_while_its_key_is_being_fetched_it_is_503_and_told_when_to_come_again(self) -> None:
        self.assertEqual(self.user(request(token="later")), Refusal(503, (("Retry-After", "2"),)))

    def test_the_size_is_checked_before_the_verifier_is_asked(self) -> None:
        self.assertEqual(self.user(request(token="user-" + "0" * 95), token_bytes=100), 0)
        self.assertEqual(self.user(request(token="user-" + "0" * 96), token_bytes=100), INVALID)

    def test_a_url_token_is_no_token_unless_they_are_on(self) -> None:
        data = request(target="/ws?a=b&token=user-9", token=None)
        self.assertEqual(self.user(data), NONE)
        self.assertEqual(self.user(data, url_token=True), 9)

    def test_admission_is_asked_after_the_origin_and_before_the_token(self) -> None:
        busy = Refusal(503, (("Retry-After", "2"),))
        self.assertEqual(judge(request(token=None), busy=busy), busy)
        self.assertEqual(judge(request(Origin="null"), busy=busy), Refusal(403))

    def test_a_user_is_only_asked_about_when_his_token_is_good(self) -> None:
        busy = Refusal(429, (("Retry-After", "2"),))
        self.assertEqual(judge(request(token="user-8"), busy_user=busy), busy)
        self.assertIsInstance(judge(request(token="user-9"), busy_user=busy), Accepted)
        self.assertEqual(judge(request(token="bad-8"), busy_user=busy), INVALID)

    def test_a_bug_in_the_verifier_is_not_taken_for_a_bad_token(self) -> None:
        self.assertRaises(RuntimeError, judge, request(token="bug"))


class TheSubprotocol(TestCase):
    def test_the_first_offered_of_ours_selects_the_profile(self) -> None:
        for offered, subprotocol, profile in (
            ("chatsrv.v1", "chatsrv.v1", Profile.FULL),
            ("chatsrv.core", "chatsrv.core", Profile.CORE),
            ("other, chatsrv.core, chatsrv.v1", "chatsrv.core", Profile.CORE),
            ("chatsrv.v1, chatsrv.core", "chatsrv.v1", Profile.FULL),
            ("other", None, Profile.CORE),
            ("CHATSRV.V1", None, Profile.CORE),
        ):
            answer = judge(request(Sec_WebSocket_Protocol=offered))
            self.assertEqual((answer.subprotocol, answer.profile), (subprotocol, profile), offered)

    def test_none_offered_is_the_core_profile_without_a_subprotocol(self) -> None:
        answer = judge(request())
        self.assertEqual((answer.subprotocol, answer.profile), (None, Profile.CORE))

    def test_a_token_among_the_subprotocols_is_taken_and_not_answered(self) -> None:
        answer = judge(request(Sec_WebSocket_Protocol="bearer.user-9, chatsrv.v1", token=None))
        self.assertEqual((answer.identity.user_id, answer.subprotocol), (9, "chatsrv.v1"))
