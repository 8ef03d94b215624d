"""The head reader: what is one head, within which caps, and what the answer to anything else looks like."""

from __future__ import annotations

from twisted.trial.unittest import TestCase

from chatsrv.session.head import Head, HeadReader, HeadRefused, Refusal
from tests.unit.test_shell_kit import request


def read(
    data: bytes, chunk: int = 65536, max_bytes: int = 8192, max_lines: int = 64
) -> tuple[Head, bytes] | int | None:
    """The head and what is behind it, the status of the refusal, or None where more is needed."""
    reader = HeadReader(max_bytes, max_lines)
    for start in range(0, len(data), chunk):
        try:
            parsed = reader.feed(data[start : start + chunk])
        except HeadRefused as refused:
            return refused.refusal.status
        if parsed is not None:
            head, behind = parsed
            return head, behind + data[start + chunk :]
    return None


class ReadingAHead(TestCase):
    def test_a_head_is_the_same_in_any_chunking(self) -> None:
        data = request() + b"behind"
        whole = read(data)
        for chunk in (1, 2, 3, 7, 50):
            self.assertEqual(read(data, chunk), whole)
        head, behind = whole
        self.assertEqual((head.method, head.target, head.version), ("GET", "/ws", "HTTP/1.1"))
        self.assertEqual(behind, b"behind")

    def test_header_names_are_lower_cased_and_every_value_is_kept_in_order(self) -> None:
        head, _ = read(b"GET / HTTP/1.1\r\nX-A: 1\r\nx-a:\t 2 \t\r\nx-B:\r\n\r\n")
        self.assertEqual(head.values("x-a"), ["1", "2"])
        self.assertEqual(head.values("x-b"), [""])
        self.assertEqual(head.values("x-c"), [])

    def test_items_are_the_elements_of_all_values(self) -> None:
        head, _ = read(b"GET / HTTP/1.1\r\nA: x, y\r\nA: ,z,\r\n\r\n")
        self.assertEqual(head.items("a"), ["x", "y", "z"])

    def test_path_and_query_are_split_at_the_first_question_mark(self) -> None:
        head, _ = read(b"GET /ws?a?b HTTP/1.1\r\n\r\n")
        self.assertEqual((head.path, head.query), ("/ws", "a?b"))

    def test_a_head_of_exactly_the_cap_is_read_and_one_byte_more_is_431(self) -> None:
        for size, status in ((200, None), (201, 431)):
            start = b"GET / HTTP/1.1\r\nX: "
            data = start + b"a" * (size - len(start) - 4) + b"\r\n\r\n"
            self.assertEqual(len(data), size)
            for chunk in (1, 65536):
                answer = read(data, chunk, max_bytes=200)
                self.assertEqual(answer if isinstance(answer, int) else None, status)

    def test_an_endless_head_is_431_at_the_cap(self) -> None:
        self.assertIsNone(read(b"GET / HTTP/1.1\r\n" + b"a" * 100, max_bytes=200))
        self.assertEqual(read(b"GET / HTTP/1.1\r\n" + b"a" * 184, chunk=1, max_bytes=200), 431)
        self.assertEqual(read(b"G" * 9000), 431)

    def test_64_header_lines_are_read_and_65_are_431(self) -> None:
        for lines in (64, 65):
            answer = read(b"GET / HTTP/1.1\r\n" + b"A: b\r\n" * lines + b"\r\n")
            self.assertEqual(answer == 431, lines == 65)

    def test_what_is_not_http_is_400_at_once(self) -> None:
        for data in (
            b"\x16\x03\x01\x02\x00\x01",
            b"\0\0",
            b"SSH-2.0-OpenSSH_9.2\r\n",
            b"\r\n",
            b"\x81\x05hello",
            b"\xff",
        ):
            self.assertEqual(read(data), 400, data)
            self.assertEqual(read(data, chunk=1), 400, data)

    def test_a_bad_request_line_is_400_before_the_head_ends(self) -> None:
        for line in (
            b"GET /ws",
            b"GET  /ws HTTP/1.1",
            b"GET /ws HTTP/1.1 ",
            b"GET /w\x00s HTTP/1.1",
            b"GET /\xe9 HTTP/1.1",
        ):
            self.assertEqual(read(line + b"\r\n"), 400, line)

    def test_an_odd_method_is_still_a_request(self) -> None:
        head, _ = read(b"FOO\x1b[31m /ws HTTP/1.1\r\n\r\n")
        self.assertNotEqual(head.method, "GET")

    def test_header_lines_that_a_proxy_might_read_otherwise_are_400(self) -> None:
        for line in (
            b"A : b",
            b" A: b",
            b"A: b\r\n c",
            b"A\x00: b",
            b"A: b\x00",
            b"A: b\rC: d",
            b"A: b\nC: d",
            b"nothing",
            b": x",
        ):
            self.assertEqual(read(b"GET / HTTP/1.1\r\n" + line + b"\r\n\r\n"), 400, line)


class Answering(TestCase):
    def test_an_answer_has_a_constant_reason_its_length_and_closes(self) -> None:
        self.assertEqual(
            Refusal(401, (("WWW-Authenticate", "Bearer"),)).render(),
            b"HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Bearer\r\nContent-Type: text/plain; charset=utf-8\r\n"
            b"Content-Length: 13\r\nConnection: close\r\n\r\nUnauthorized\n",
        )

    def test_every_status_that_is_used_has_a_reason(self) -> None:
        for status in (400, 401, 403, 404, 405, 414, 426, 429, 431, 500, 503, 505):
            answer = Refusal(status).render()
            self.assertTrue(answer.startswith(f"HTTP/1.1 {status} ".encode()))
            self.assertNotIn(b"Server:", answer)
