"""The shell on in-memory transports and a clock: handshake, frames, limits, closing, heartbeat."""

from __future__ import annotations

import gc
import weakref

from twisted.internet.error import ConnectionDone
from twisted.internet.protocol import Factory, Protocol
from twisted.python.failure import Failure

from chatsrv.session.admission import Admission
from chatsrv.session.options import ShellOptions
from chatsrv.session.outbox import frame_text
from chatsrv.wire.codes import CloseCode, Profile
from tests.unit.test_shell_kit import (
    BINARY,
    CLOSE,
    CONTINUATION,
    PING,
    PONG,
    TEXT,
    ShellCase,
    Wire,
    client_frame,
    close_codes,
    request,
    text,
)


def close_frame(code: int, reason: bytes = b"") -> bytes:
    return client_frame(CLOSE, code.to_bytes(2, "big") + reason)


class Handshake(ShellCase):
    def test_an_accepted_request_is_upgraded_and_the_session_opened(self) -> None:
        wire = self.connect()
        self.receive(wire, request(Sec_WebSocket_Protocol="chatsrv.v1"))
        answer = wire.value()
        self.assertTrue(answer.startswith(b"HTTP/1.1 101 Switching Protocols\r\n"))
        self.assertIn(b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n", answer)
        self.assertIn(b"Sec-WebSocket-Protocol: chatsrv.v1\r\n", answer)
        self.assertNotIn(b"Server:", answer)
        self.assertNotIn(b"Extensions", answer)
        self.assertEqual(self.sessions[0].told, ["opened"])
        self.assertEqual((wire.protocol.identity.user_id, wire.protocol.profile), (7, Profile.FULL))
        self.assertEqual(self.factory.shells, {wire.protocol})

    def test_the_session_may_send_while_it_is_being_opened(self) -> None:
        def open_session(shell: object) -> object:
            session = self.open_session(shell)
            session.opened = lambda: (session.told.append("opened"), shell.send(frame_text(b"hello")))
            return session

        self.factory = self.make_factory(open_session=open_session)
        wire = self.connect()
        self.receive(wire, request())
        self.assertTrue(wire.value().endswith(b"\r\n\r\n\x81\x05hello"))

    def test_a_head_in_single_bytes_is_upgraded(self) -> None:
        wire = self.connect()
        for byte in request():
            self.receive(wire, bytes([byte]))
        self.assertTrue(wire.value().startswith(b"HTTP/1.1 101 "))

    def test_a_token_among_the_subprotocols_is_never_answered(self) -> None:
        wire = self.connect()
        self.receive(wire, request(Sec_WebSocket_Protocol="chatsrv.core, bearer.user-9", token=None))
        self.assertIn(b"Sec-WebSocket-Protocol: chatsrv.core\r\n", wire.value())
        self.assertNotIn(b"user-9", wire.value())
        self.assertEqual((wire.protocol.identity.user_id, wire.protocol.profile), (9, Profile.CORE))

    def test_nothing_of_the_request_stays_in_memory(self) -> None:
        wire = self.open(request(Sec_WebSocket_Protocol="chatsrv.v1, bearer.user-9", token=None))
        for name, value in vars(wire.protocol).items():
            self.assertNotIn("user-9", repr(value), name)
            self.assertFalse(name.startswith("http_"), name)

    def test_a_token_known_to_be_revoked_is_answered_as_any_bad_one(self) -> None:
        self.factory = self.make_factory(revoked=lambda identity: identity.user_id == 7)
        answers = []
        for token in ("bad", "user-7"):
            wire = self.connect()
            self.receive(wire, request(token=token))
            answers.append(wire.value())
        self.assertEqual(answers[0], answers[1])
        self.assertTrue(answers[0].startswith(b"HTTP/1.1 401 "))
        self.open(request(token="user-8"))

    def test_a_refusal_is_a_whole_http_answer_and_the_end(self) -> None:
        for head, status in (
            (request(token=None), 401),
            (request(token="bad"), 401),
            (request(token="a, Bearer b"), 400),
            (request(Origin="http://evil.example"), 403),
            (request(target="/elsewhere"), 404),
            (request(method="POST"), 405),
            (request(target="/ws?" + "a" * 2000), 414),
            (request(without=["Upgrade"]), 426),
            (request(version="HTTP/1.0"), 505),
            (b"\x16\x03\x01\x00\x00", 400),
        ):
            wire = self.connect()
            self.receive(wire, head)
            header, _, body = wire.value().partition(b"\r\n\r\n")
            self.assertTrue(header.startswith(f"HTTP/1.1 {status} ".encode()), (header, status))
            self.assertIn(f"\r\nContent-Length: {len(body)}\r\n".encode(), header)
            self.assertTrue(header.endswith(b"\r\nConnection: close"))
            self.assertEqual(wire.lost, "closed")
        self.assertEqual(self.sessions, [])

    def test_a_verifier_that_breaks_is_500_and_logged(self) -> None:
        wire = self.connect()
        self.receive(wire, request(token="bug"))
        self.assertTrue(wire.value().startswith(b"HTTP/1.1 500 "))
        self.assertEqual(wire.lost, "closed")
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 1)

    def test_admission_counts_only_what_was_upgraded(self) -> None:
        self.receive(self.connect(), request(token="bad"))
        self.assertEqual(self.admission.connections, 0)
        wire = self.open()
        self.assertEqual(self.admission.connections, 1)
        wire.abortConnection()
        self.clock.advance(0)
        self.assertEqual(self.admission.connections, 0)

    def test_a_draining_node_answers_503_and_keeps_what_is_open(self) -> None:
        wire = self.open()
        self.admission.draining = True
        other = self.connect()
        self.receive(other, request())
        self.assertTrue(other.value().startswith(b"HTTP/1.1 503 "))
        self.assertIn(b"\r\nRetry-After: ", other.value())
        self.receive(wire, text("still here"))
        self.assertEqual(self.sessions[0].messages, [b"still here"])

    def test_a_slow_head_is_dropped_after_its_time(self) -> None:
        wire = self.connect()
        for _ in range(4):
            self.receive(wire, b"GET ")
            self.clock.advance(1)
        self.assertIsNone(wire.lost)
        self.clock.advance(1)
        self.assertEqual((wire.lost, wire.value()), ("aborted", b""))

    def test_a_head_too_long_is_431_and_the_rest_is_read_for_a_moment(self) -> None:
        wire = self.connect()
        for _ in range(20):
            self.receive(wire, b"GET /ws HTTP/1.1\r\nX: " + b"a" * 4096)
        self.assertTrue(wire.value().startswith(b"HTTP/1.1 431 "))
        self.assertEqual(wire.value().count(b"HTTP/1.1"), 1)
        self.assertIsNone(wire.lost)
        self.clock.advance(self.options.close_handshake_s)
        self.assertEqual(wire.lost, "closed")

    def test_frames_right_behind_the_head_are_the_first_messages(self) -> None:
        wire = self.open(request() + text("one") + text("two")[:3])
        self.receive(wire, text("two")[3:])
        self.assertEqual(self.sessions[0].told, ["opened", b"one", b"two"])

    def test_more_than_4_kib_behind_the_head_is_dropped(self) -> None:
        wire = self.connect()
        self.receive(wire, request() + b"\0" * 4097)
        self.assertEqual((wire.lost, wire.value(), self.sessions), ("aborted", b"", []))

    def test_a_second_request_behind_the_first_is_no_second_handshake(self) -> None:
        wire = self.connect()
        self.receive(wire, request() + request())
        self.assertEqual(wire.value().count(b"HTTP/1.1 101 "), 1)
        self.assertEqual(len(self.sessions), 1)
        wire.io.seek(0)
        self.assertIn(b"\x88\x1a\x03\xea" + CloseCode.PROTOCOL_ERROR.text.encode(), wire.value())

    def test_a_peer_that_leaves_before_the_head_leaves_nothing(self) -> None:
        wire = self.connect()
        self.receive(wire, b"GET /w")
        wire.loseConnection()
        self.clock.advance(0)
        self.assertEqual(self.clock.getDelayedCalls(), [])


class OtherPaths(ShellCase):
    def setUp(self) -> None:
        super().setUp()
        self.web = Factory.forProtocol(Echo)
        self.factory = self.make_factory(other_paths=self.web)

    def test_another_path_gets_the_transport_and_every_byte(self) -> None:
        wire = self.connect()
        data = b"POST /admin HTTP/1.0\r\nContent-Length: 4\r\n\r\nbo"
        self.receive(wire, data[:10])
        self.receive(wire, data[10:])
        self.assertIsInstance(wire.protocol, Echo)
        wire.protocol.dataReceived(b"dy")
        self.assertEqual(wire.value(), data + b"dy")
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_the_path_of_the_shell_stays_with_it(self) -> None:
        wire = self.connect()
        self.receive(wire, request(without=["Upgrade"]))
        self.assertTrue(wire.value().startswith(b"HTTP/1.1 426 "))

    def test_what_is_not_http_never_gets_there(self) -> None:
        wire = self.connect()
        self.receive(wire, b"\x16\x03\x01")
        self.assertTrue(wire.value().startswith(b"HTTP/1.1 400 "))

    def test_a_successor_that_breaks_costs_its_connection_only(self) -> None:
        self.web.protocol = Broken
        wire = self.connect()
        self.receive(wire, request(target="/x"))
        self.assertEqual(wire.lost, "aborted")
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_the_other_factory_is_started_and_stopped_with_this_one(self) -> None:
        self.factory.doStart()
        self.assertEqual(self.web.numPorts, 1)
        self.factory.doStop()
        self.assertEqual(self.web.numPorts, 0)


class Echo(Protocol):
    noisy = False

    def dataReceived(self, data: bytes) -> None:
        self.transport.write(data)


class Broken(Protocol):
    def dataReceived(self, data: bytes) -> None:
        raise ZeroDivisionError


class Frames(ShellCase):
    def test_messages_arrive_in_order_in_any_chunking(self) -> None:
        payloads = [b"a", b"", "ä€😀".encode(), b"x" * 125, b"y" * 126, b"z" * 5000, b"w" * 65536]
        stream = b"".join(text(payload) for payload in payloads)
        for chunk in (1, 7, 1000, 65536, len(stream)):
            wire = self.open()
            for start in range(0, len(stream), chunk):
                wire.protocol.dataReceived(stream[start : start + chunk])
            self.assertEqual(self.sessions[-1].messages, payloads)

    def test_fragments_and_pings_between_them_make_one_message(self) -> None:
        wire = self.open()
        self.receive(
            wire,
            client_frame(TEXT, b"one ", fin=False)
            + client_frame(PING, b"p")
            + client_frame(CONTINUATION, b"message", fin=True)
            + text("next"),
        )
        self.assertEqual(self.sessions[0].messages, [b"one message", b"next"])
        self.assertEqual(self.frames(wire), [(PONG, b"p")])

    def assert_closes(self, data: bytes, code: CloseCode, messages: list[bytes] | None = None) -> None:
        """One close frame with the code, no message behind it, and no more input is looked at."""
        for chunk in (len(data), 1):
            wire = self.open()
            for start in range(0, len(data), chunk):
                wire.protocol.dataReceived(data[start : start + chunk])
            self.assert_closing(wire, code)
            self.receive(wire, text("ignored") + client_frame(PING))
            self.assertEqual(self.sessions[-1].messages, messages or [])
            self.assertEqual(self.sessions[-1].told.count("closed"), 1)
            self.assert_closing(wire, code)
            self.assertEqual(wire.protocol.data, b"")

    def test_broken_framing_is_1002(self) -> None:
        for data in (
            client_frame(TEXT, b"x", mask=None),
            client_frame(TEXT, b"x", rsv=4),
            client_frame(3, b"x"),
            client_frame(11, b"x"),
            client_frame(PING, b"x" * 126),
            client_frame(PING, b"x", fin=False),
            client_frame(CONTINUATION, b"x"),
            client_frame(TEXT, b"x" * 125, length_bytes=2),
            client_frame(TEXT, b"x" * 125, length_bytes=8),
            client_frame(CLOSE, b"x"),
            close_frame(1005),
            close_frame(999),
            client_frame(TEXT, b"x", fin=False) + text("y"),
        ):
            self.assert_closes(data, CloseCode.PROTOCOL_ERROR)

    def test_a_message_before_the_broken_frame_is_delivered(self) -> None:
        self.assert_closes(text("ok") + client_frame(3), CloseCode.PROTOCOL_ERROR, [b"ok"])

    def test_what_is_not_utf8_is_1007(self) -> None:
        for payload in (b"\xed\xa0\x80", b"\xc0\x80", b"\xf4\x90\x80\x80", b"ok \xe2\x82", b"\xff" * 3000):
            self.assert_closes(text(payload), CloseCode.INVALID_TEXT)
        self.assert_closes(close_frame(1000, b"\xff"), CloseCode.INVALID_TEXT)

    def test_a_frame_over_the_limit_is_1009_by_its_declared_length(self) -> None:
        self.assert_closes(client_frame(TEXT, b"", length=65537), CloseCode.TOO_BIG)
        self.assert_closes(client_frame(TEXT, b"", length=2**40), CloseCode.TOO_BIG)
        fragments = client_frame(TEXT, b"x" * 40000, fin=False) + client_frame(
            CONTINUATION, b"", length=25537
        )
        self.assert_closes(fragments, CloseCode.TOO_BIG)

    def test_a_binary_frame_is_1003(self) -> None:
        self.assert_closes(client_frame(BINARY, b"x"), CloseCode.UNSUPPORTED_DATA)
        self.assert_closes(client_frame(BINARY, b"x", fin=False), CloseCode.UNSUPPORTED_DATA)

    def test_64_fragments_are_taken_and_65_are_1008(self) -> None:
        def message(fragments: int) -> bytes:
            middle = client_frame(CONTINUATION, b"x", fin=False) * (fragments - 2)
            return client_frame(TEXT, b"x", fin=False) + middle + client_frame(CONTINUATION, b"x")

        wire = self.open()
        self.receive(wire, message(64))
        self.assertEqual(self.sessions[-1].messages, [b"x" * 64])
        self.assert_closes(message(65), CloseCode.POLICY)

    def test_an_empty_continuation_that_is_not_the_last_is_1008(self) -> None:
        wire = self.open()
        self.receive(wire, client_frame(TEXT, b"x", fin=False) + client_frame(CONTINUATION))
        self.assertEqual(self.sessions[-1].messages, [b"x"])
        empty = client_frame(TEXT, b"x", fin=False) + client_frame(CONTINUATION, fin=False)
        self.assert_closes(empty, CloseCode.POLICY)

    def test_a_message_that_is_not_finished_in_time_is_1008(self) -> None:
        for start in (client_frame(TEXT, b"x", fin=False), text("x" * 1000)[:500]):
            wire = self.open()
            self.receive(wire, start)
            self.clock.pump([1] * 9)
            self.assertEqual(self.frames(wire), [])
            self.clock.pump([1] * 2)
            self.assert_closing(wire, CloseCode.POLICY)

    def test_50_control_frames_are_answered_and_the_51st_within_10_s_is_1008(self) -> None:
        wire = self.open()
        self.receive(wire, client_frame(PING) * 50)
        self.assertEqual(self.frames(wire), [(PONG, b"")] * 50)
        self.clock.pump([1] * 10)
        self.receive(wire, client_frame(PONG) * 25 + client_frame(PING) * 25)
        self.assertEqual(len(self.frames(wire)), 75)
        self.receive(wire, client_frame(PONG) + text("x"))
        self.assertEqual(close_codes(self.frames(wire)), [1008])
        self.assertEqual(self.sessions[0].messages, [])

    def test_a_close_is_no_control_frame_too_many(self) -> None:
        wire = self.open()
        self.receive(wire, client_frame(PONG) * 50 + close_frame(1000))
        self.assertEqual(self.frames(wire), [(CLOSE, b"\x03\xe8")])

    def test_a_flood_of_pings_in_one_read_costs_50_pongs(self) -> None:
        wire = self.open()
        self.receive(wire, client_frame(PING) * 10000)
        self.assertEqual([opcode for opcode, _ in self.frames(wire)], [PONG] * 50 + [CLOSE])

    def test_more_messages_than_the_rate_allows_over_10_s_is_1008(self) -> None:
        wire = self.open()
        self.receive(wire, text("x") * 2000)
        self.assertEqual(self.frames(wire), [])
        self.receive(wire, text("x"))
        self.assert_closing(wire, CloseCode.POLICY)
        self.assertEqual(len(self.sessions[0].messages), 2000)

    def test_fragments_count_as_frames(self) -> None:
        self.factory = self.make_factory(options=ShellOptions(frames_per_s=1))
        wire = self.open()
        self.receive(wire, (client_frame(TEXT, b"x", fin=False) + client_frame(CONTINUATION)) * 6)
        self.assert_closing(wire, CloseCode.POLICY)
        self.assertEqual(len(self.sessions[0].messages), 5)


class Closing(ShellCase):
    def test_every_code_of_the_registry_is_really_sent(self) -> None:
        for code in CloseCode:
            wire = self.open()
            wire.protocol.close_with(code)
            self.assert_closing(wire, code)

    def test_a_reason_may_be_given_and_is_cut_to_what_fits(self) -> None:
        wire = self.open()
        wire.protocol.close_with(CloseCode.NORMAL, "é" * 100)
        self.assertEqual(self.frames(wire), [(CLOSE, b"\x03\xe8" + "é".encode() * 61)])

    def test_what_was_sent_before_leaves_first_and_what_is_sent_after_never(self) -> None:
        wire = self.open()
        wire.protocol.send(frame_text(b"before"))
        wire.protocol.close_with(CloseCode.GOING_AWAY)
        wire.protocol.send(frame_text(b"after"))
        wire.protocol.close_with(CloseCode.INTERNAL_ERROR)
        frames = self.frames(wire)
        self.assertEqual(frames[0], (TEXT, b"before"))
        self.assertEqual((len(frames), close_codes(frames)), (2, [1001]))

    def test_the_peers_answer_ends_the_connection(self) -> None:
        wire = self.open()
        wire.protocol.close_with(CloseCode.GOING_AWAY)
        self.receive(wire, text("still on its way") + close_frame(1001))
        self.assertEqual(wire.lost, "closed")
        self.assertEqual(self.sessions[0].told, ["opened", "closed"])

    def test_closed_is_told_soon_but_never_from_inside_close_with(self) -> None:
        wire = self.open()
        wire.protocol.close_with(CloseCode.GOING_AWAY)
        self.assertEqual(self.sessions[0].told, ["opened"])
        self.clock.advance(0)
        self.assertEqual(self.sessions[0].told, ["opened", "closed"])
        self.assertIsNone(wire.lost)

    def test_a_close_of_the_peer_is_answered_with_its_code_and_without_its_words(self) -> None:
        for code in (1000, 1001, 3000, 4999):
            wire = self.open()
            wire.protocol.send(frame_text(b"last words"))
            self.receive(wire, close_frame(code, b"attacker text"))
            self.assertEqual(self.frames(wire), [(TEXT, b"last words"), (CLOSE, code.to_bytes(2, "big"))])
            self.assertEqual(wire.lost, "closed")
            self.assertEqual(self.sessions[-1].told, ["opened", "closed"])

    def test_a_close_without_a_code_is_answered_without_one(self) -> None:
        wire = self.open()
        self.receive(wire, client_frame(CLOSE))
        self.assertEqual(self.frames(wire), [(CLOSE, b"")])

    def test_a_peer_that_never_answers_is_left_after_the_handshakes_time(self) -> None:
        wire = self.open()
        wire.protocol.close_with(CloseCode.NORMAL)
        self.clock.advance(0.9)
        self.assertIsNone(wire.lost)
        self.clock.advance(0.2)
        self.assertEqual(wire.lost, "closed")

    def test_a_peer_that_never_reads_is_aborted_by_the_watchdog(self) -> None:
        for begin in (
            lambda wire: wire.protocol.close_with(CloseCode.NORMAL),
            lambda wire: wire.protocol.dataReceived(close_frame(1000)),
            lambda wire: wire.protocol.dataReceived(client_frame(3)),
        ):
            wire = self.open()
            wire.stuck = True
            begin(wire)
            self.clock.pump([0.5] * 9)
            self.assertIsNone(wire.lost)
            self.clock.advance(0.5)
            self.assertEqual(wire.lost, "aborted")

    def test_a_refused_peer_that_never_reads_is_aborted_too(self) -> None:
        wire = self.connect()
        wire.stuck = True
        self.receive(wire, request(token="bad"))
        self.clock.advance(4.9)
        self.assertIsNone(wire.lost)
        self.clock.advance(0.1)
        self.assertEqual(wire.lost, "aborted")

    def test_a_lost_connection_is_told_once_also_while_closing(self) -> None:
        for begin in (lambda shell: None, lambda shell: shell.close_with(CloseCode.NORMAL)):
            wire = self.open()
            begin(wire.protocol)
            wire.abortConnection()
            self.clock.pump([0, 10])
            self.assertEqual(self.sessions[-1].told, ["opened", "closed"])

    def test_a_session_that_closes_in_the_middle_gets_no_more_messages(self) -> None:
        wire = self.open()
        self.sessions[0].on_message = lambda payload: wire.protocol.close_with(CloseCode.NORMAL)
        self.receive(wire, text("one") + text("two"))
        self.assertEqual(self.sessions[0].told, ["opened", b"one", "closed"])

    def test_after_a_close_of_ours_only_so_much_is_still_parsed(self) -> None:
        wire = self.open()
        wire.protocol.close_with(CloseCode.NORMAL)
        for _ in range(10):
            self.receive(wire, text("x" * 60000))
        self.receive(wire, text("x" * 60000)[:50000])
        self.assertEqual(wire.protocol.data, b"")
        self.assertEqual(self.sessions[0].messages, [])

    def test_a_bug_in_the_session_closes_with_1011_and_is_logged_once(self) -> None:
        for fail in ("opened", "received"):
            self.fail_in = fail
            wire = self.connect()
            self.receive(wire, request())
            self.receive(wire, text("x") + text("y"))
            self.assertIn(b"\x88\x10\x03\xf3internal error", wire.value())
            self.assertEqual(self.sessions[-1].told.count("closed"), 1)
            self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 1)

    def test_a_bug_behind_autobahns_parser_closes_with_1011_as_well(self) -> None:
        self.fail_in = "received"
        wire = self.open()
        self.receive(wire, client_frame(TEXT, b"a", fin=False))
        self.receive(wire, client_frame(CONTINUATION, b"b") + text("c"))
        self.assert_closing(wire, CloseCode.INTERNAL_ERROR)
        self.assertEqual(self.sessions[0].messages, [b"ab"])
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 1)

    def test_a_session_that_cannot_be_made_closes_with_1011(self) -> None:
        self.factory = self.make_factory(open_session=lambda shell: 1 / 0)
        wire = self.connect()
        self.receive(wire, request())
        self.assertIn(b"\x03\xf3internal error", wire.value())
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_a_bug_in_closed_is_logged_and_harms_nobody(self) -> None:
        self.fail_in = "closed"
        wire = self.open()
        wire.abortConnection()
        self.clock.advance(0)
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 1)

    def test_a_closed_connection_is_freed_without_the_garbage_collector(self) -> None:
        wire = self.open()
        shell = weakref.ref(wire.protocol)
        wire.abortConnection()
        self.clock.advance(0)
        self.clock.advance(0)
        del wire.protocol
        self.sessions.clear()
        gc.disable()
        self.addCleanup(gc.enable)
        self.assertIsNone(shell())


class SlowConsumers(ShellCase):
    options = ShellOptions(outbox_bytes=1000)

    def test_more_than_the_limit_behind_the_first_unsent_frame_is_4408(self) -> None:
        wire = self.open()
        wire.producer.pauseProducing()
        self.assertTrue(wire.protocol.congested)
        frame = frame_text(b"x" * 98)
        for _ in range(10):
            wire.protocol.send(frame)
        self.assertEqual(self.frames(wire), [])
        wire.protocol.send(frame)
        self.assert_closing(wire, CloseCode.SLOW_CONSUMER)
        self.assertEqual(len(self.frames(wire)), 1)

    def test_receipts_reach_the_wire_when_it_takes_more(self) -> None:
        wire = self.open()
        wire.protocol.send_receipt(1, 2, frame_text(b"1"))
        self.clock.advance(0)
        wire.producer.pauseProducing()
        for payload in (b"2", b"3"):
            wire.protocol.send_receipt(1, 2, frame_text(payload))
        wire.protocol.send_receipt(4, 2, frame_text(b"4"))
        wire.protocol.forget_receipts(4)
        self.assertEqual(self.frames(wire), [(TEXT, b"1")])
        wire.producer.resumeProducing()
        self.assertEqual(self.frames(wire), [(TEXT, b"1"), (TEXT, b"3")])

    def test_nothing_gets_behind_the_close_frame_of_a_congested_connection(self) -> None:
        for paused, size in ((True, 10), (False, 500), (False, 990)):  # congested, and without room for more
            wire = self.open()
            wire.protocol.send(frame_text(b"x" * size))
            if paused:
                wire.producer.pauseProducing()
            wire.protocol.send_receipt(1, 2, frame_text(b"1"))
            wire.protocol.when_drained(lambda wire=wire: wire.protocol.send(frame_text(b"late")))
            wire.protocol.close_with(CloseCode.GOING_AWAY)
            self.assert_closing(wire, CloseCode.GOING_AWAY)

    def test_200_of_1000_that_do_not_read_are_closed_and_nobody_else_notices(self) -> None:
        self.admission = Admission(
            seconds=self.clock.seconds,
            max_connections=1000,
            handshakes_burst=1000,
            user_handshakes_burst=1000,
        )
        self.factory = self.make_factory()
        wires = [self.open() for _ in range(1000)]
        stopped, reading = wires[::5], [wire for number, wire in enumerate(wires) if number % 5]
        for wire in stopped:
            wire.producer.pauseProducing()
        frame = frame_text(b"x" * 98)
        for _ in range(10):
            for wire in wires:
                wire.protocol.send(frame)
            self.clock.advance(0)
        self.assertEqual({wire.protocol._outbox.waiting for wire in stopped}, {1000})
        self.assertEqual([wire for wire in wires if wire.protocol.state != wire.protocol.STATE_OPEN], [])
        for wire in wires:
            wire.protocol.send(frame_text(b""))
        self.clock.advance(0)
        for wire in stopped:
            self.assert_closing(wire, CloseCode.SLOW_CONSUMER)
            self.assertEqual(len(self.frames(wire)), 1)
        expected = frame * 10 + frame_text(b"")
        self.assertEqual({wire.value() for wire in reading}, {expected})
        self.assertEqual([wire for wire in reading if wire.protocol.state != wire.protocol.STATE_OPEN], [])

    def test_a_large_turn_that_the_socket_takes_is_no_overflow(self) -> None:
        wire = self.open()
        for _ in range(100):
            wire.protocol.send(frame_text(b"x" * 500))
        self.assertEqual(len(self.frames(wire)), 100)

    def test_frames_wait_while_the_socket_is_full_and_leave_in_order(self) -> None:
        wire = self.open()
        wire.protocol.send(frame_text(b"1"))
        self.clock.advance(0)
        wire.producer.pauseProducing()
        wire.protocol.send(frame_text(b"2"))
        self.receive(wire, client_frame(PING, b"3"))
        self.assertEqual(self.frames(wire), [(TEXT, b"1")])
        wire.producer.resumeProducing()
        self.assertEqual(self.frames(wire), [(TEXT, b"1"), (TEXT, b"2"), (PONG, b"3")])
        self.assertFalse(wire.protocol.congested)

    def test_a_close_does_not_wait_for_a_full_socket(self) -> None:
        wire = self.open()
        wire.producer.pauseProducing()
        wire.protocol.send(frame_text(b"1"))
        wire.protocol.close_with(CloseCode.NORMAL)
        self.assertEqual([opcode for opcode, _ in self.frames(wire)], [TEXT, CLOSE])
        self.assertIsNone(wire.producer)


class Heartbeats(ShellCase):
    def test_a_silent_peer_is_pinged_and_then_dropped(self) -> None:
        wire = self.open()
        self.clock.pump([1] * 24)
        self.assertEqual(self.frames(wire), [])
        self.clock.advance(1)
        self.assertEqual(self.frames(wire), [(PING, b"")])
        self.clock.pump([1] * 7)
        self.assertIsNone(wire.lost)
        self.clock.advance(1)
        self.assertEqual((wire.lost, len(self.frames(wire))), ("aborted", 1))
        self.clock.advance(0)
        self.assertEqual(self.sessions[0].told, ["opened", "closed"])

    def test_any_data_counts_as_life(self) -> None:
        wire = self.open()
        for data in (client_frame(PONG), text("x"), text("y")[:1], text("y")[1:]):
            self.clock.pump([1] * 30)
            self.receive(wire, data)
        self.assertIsNone(wire.lost)
        self.assertEqual(self.frames(wire), [(PING, b"")] * 4)

    def test_a_reactor_that_was_held_up_takes_nobody_for_dead(self) -> None:
        wire = self.open()
        self.clock.advance(300)
        self.clock.advance(1)
        self.assertIsNone(wire.lost)

    def test_pings_can_be_turned_off(self) -> None:
        self.factory = self.make_factory(options=ShellOptions(ping_interval_s=0))
        wire = self.open()
        self.clock.pump([1] * 100)
        self.assertEqual((self.frames(wire), wire.lost), ([], None))

    def test_one_timer_serves_all_and_ends_with_the_last(self) -> None:
        wires = [self.open() for _ in range(5)]
        self.assertEqual(len(self.clock.getDelayedCalls()), 1)
        for wire in wires:
            wire.abortConnection()
        self.clock.advance(0)
        self.clock.advance(0)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_a_connection_that_does_nothing_is_looked_at_twice_for_each_ping(self) -> None:
        looks: list[int] = []
        attend = self.factory.heartbeat._attend
        self.factory.heartbeat._attend = lambda shell, silent: (looks.append(silent), attend(shell, silent))
        wires = [self.open() for _ in range(10)]
        for _ in range(4):
            self.clock.pump([1] * 24)
            for wire in wires:
                self.receive(wire, client_frame(PONG))
            self.clock.advance(1)
        self.assertLessEqual(len(looks), 10 * 4 * 2)

    def test_each_is_on_one_list_at_a_time_whatever_happens(self) -> None:
        heartbeat = self.factory.heartbeat
        wires = [self.open() for _ in range(4)]
        for seconds in (100, 3, 50, 20, 4, 2000):
            wires[0].protocol.expire_in(seconds)
            self.receive(wires[1], client_frame(TEXT, b"a", fin=False))
            self.receive(wires[1], client_frame(CONTINUATION, b"b"))
            self.receive(wires[2], text("x"))
            self.clock.advance(1)
            listed = [shell for shells in heartbeat._due.values() for shell in shells]
            self.assertEqual((len(listed), set(listed)), (4, heartbeat.shells))
        for wire in wires:
            wire.abortConnection()
        self.clock.advance(0)
        self.assertEqual((heartbeat._due, heartbeat.shells), ({}, set()))

    def test_one_that_goes_while_it_is_looked_at_is_on_no_list_any_more(self) -> None:
        wires = [self.open() for _ in range(3)]
        heartbeat = self.factory.heartbeat
        heartbeat._attend = lambda shell, silent: shell.connectionLost(Failure(ConnectionDone()))
        self.clock.pump([1] * 25)
        self.assertEqual((heartbeat._due, heartbeat.shells), ({}, set()))
        self.assertEqual([session.told for session in self.sessions], [["opened", "closed"]] * len(wires))


class Expiring(ShellCase):
    """A token ends at the beat behind its time: never early, and at most one beat late."""

    def open_at(self, offset: float) -> Wire:
        """A connection that was opened between two beats."""
        self.open()
        self.clock.advance(offset)
        return self.open()

    def lasts(self, wire: Wire) -> float:
        """How long it is open from now on, looked at ten times a second."""
        tenths = 0
        while wire.protocol.state == wire.protocol.STATE_OPEN:
            self.clock.advance(0.1)
            tenths += 1
        self.assert_closing(wire, CloseCode.UNAUTHORIZED)
        return tenths / 10

    def test_it_closes_with_4401_within_a_beat_after_its_time(self) -> None:
        for offset in (0, 0.1, 0.9):
            for seconds in (0.05, 1.05, 3.55, 24.95, 30.05):
                self.factory = self.make_factory(options=ShellOptions(ping_interval_s=3600))
                wire = self.open_at(offset)
                wire.protocol.expire_in(seconds)
                self.assertTrue(seconds <= self.lasts(wire) < seconds + 1.15, (offset, seconds))

    def test_one_that_is_over_already_closes_at_the_next_beat(self) -> None:
        wire = self.open()
        wire.protocol.expire_in(-5)
        self.assertLess(self.lasts(wire), 1.15)

    def test_the_last_word_counts_earlier_or_later(self) -> None:
        for seconds in (5.05, 15.05):
            wire = self.open()
            wire.protocol.expire_in(10)
            self.clock.advance(2)
            wire.protocol.expire_in(seconds)
            self.assertTrue(seconds <= (lasts := self.lasts(wire)) < seconds + 1.15, lasts)

    def test_it_is_so_for_one_that_talks_and_without_pings(self) -> None:
        for options in (ShellOptions(), ShellOptions(ping_interval_s=0)):
            self.factory = self.make_factory(options=options)
            wire = self.open()
            wire.protocol.expire_in(100)
            for _ in range(100):
                self.receive(wire, text("x"))
                self.assertEqual(wire.protocol.state, wire.protocol.STATE_OPEN)
                self.clock.advance(1)
            self.clock.advance(1)
            self.assert_closing(wire, CloseCode.UNAUTHORIZED)

    def test_a_reactor_that_was_held_up_does_not_make_it_last_longer(self) -> None:
        wire = self.open()
        wire.protocol.expire_in(1000)
        for _ in range(20):  # each beat comes far too late
            self.clock.advance(50)
            self.receive(wire, text("x"))
        self.clock.advance(1)
        self.assert_closing(wire, CloseCode.UNAUTHORIZED)

    def test_one_that_is_closing_already_keeps_its_code(self) -> None:
        wire = self.open()
        wire.protocol.expire_in(1)
        wire.protocol.close_with(CloseCode.NORMAL)
        self.clock.pump([1] * 3)
        self.assert_closing(wire, CloseCode.NORMAL)
