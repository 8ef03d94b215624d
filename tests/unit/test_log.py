"""The logger's threshold, and how much is logged about one peer."""

from __future__ import annotations

import math
from typing import Any

from twisted.internet.task import Clock
from twisted.logger import formatEvent, globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase

from chatsrv import log
from chatsrv.actors.subscriber import give_up
from chatsrv.auth.tokens import Identity
from chatsrv.log import Logger, PeerLines, limit_peers, set_level
from chatsrv.session.flusher import Flusher
from chatsrv.session.heartbeat import Heartbeat
from chatsrv.session.options import ShellOptions


class LogCase(SynchronousTestCase):
    log = Logger()

    def setUp(self) -> None:
        self.events: list[dict[str, Any]] = []
        globalLogPublisher.addObserver(self.events.append)
        self.addCleanup(globalLogPublisher.removeObserver, self.events.append)
        self.addCleanup(set_level, "info")

    @property
    def lines(self) -> list[str]:
        return [formatEvent(event) for event in self.events]


class Threshold(LogCase):
    def test_what_is_below_it_is_not_logged(self) -> None:
        self.log.debug("a")
        self.log.info("b")
        set_level("debug")
        self.log.debug("c")
        set_level("error")
        self.log.warn("d")
        self.log.error("e")
        self.assertEqual(self.lines, ["b", "c", "e"])


class LinesAboutOnePeer(LogCase):
    def setUp(self) -> None:
        super().setUp()
        self.clock = Clock()
        limit_peers(PeerLines(5, self.clock.seconds))
        self.addCleanup(limit_peers, None)

    def say(self, times: int, peer: str = "192.0.2.1") -> None:
        for _ in range(times):
            self.log.warn("{peer} does it", peer=peer)

    def test_five_are_logged_and_the_sixth_within_a_minute_is_not(self) -> None:
        self.say(5)
        self.clock.advance(59.9)
        self.say(1)
        self.assertEqual(self.lines, ["192.0.2.1 does it"] * 5)

    def test_those_left_out_are_counted_in_the_next_one(self) -> None:
        self.say(12)
        self.clock.advance(60)
        self.say(2)
        self.assertEqual(
            self.lines[5:],
            ["192.0.2.1 does it (7 more about 192.0.2.1 were left out)", "192.0.2.1 does it"],
        )
        self.clock.advance(60)
        self.say(6)
        self.assertEqual(self.lines[7:], ["192.0.2.1 does it"] * 5)

    def test_other_peers_and_what_is_about_none_are_logged(self) -> None:
        self.say(9)
        self.say(1, "192.0.2.2")
        for _ in range(9):
            self.log.warn("nobody's fault")
        self.assertEqual(self.lines[5:], ["192.0.2.2 does it"] + ["nobody's fault"] * 9)

    def test_a_failure_counts_like_any_line(self) -> None:
        for _ in range(6):
            try:
                raise ZeroDivisionError
            except ZeroDivisionError:
                self.log.failure("it failed", peer="192.0.2.1")
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 5)

    def test_what_is_below_the_threshold_does_not_count(self) -> None:
        for _ in range(9):
            self.log.debug("refused", peer="192.0.2.1")
        self.say(1)
        self.assertEqual(len(self.lines), 1)

    def test_no_more_peers_than_so_many_are_remembered(self) -> None:
        self.patch(log, "_REMEMBERED_PEERS", 10)
        for number in range(50):
            self.say(1, str(number))
        self.assertEqual(len(log._peer_lines._peers), 10)


class Broken:
    """Stands in for whatever fails each time: a session, a shell, an outbox."""

    user_id = 7
    identity = Identity(7, None, None)
    inside_message, message_since = True, 0
    ends_at = math.inf
    heard, due, first = 0, 0.0, None

    def flush(self, *_: object) -> None:
        raise ZeroDivisionError

    close = _fail = flush


class BugsThatOnePeerMeets(LogCase):
    """A bug that repeats itself is logged so many times a minute, as anything about a peer."""

    def setUp(self) -> None:
        super().setUp()
        self.clock = Clock()
        limit_peers(PeerLines(5, lambda: 0.0))
        self.addCleanup(limit_peers, None)

    def check(self, about: str) -> None:
        self.assertEqual({event["peer"] for event in self.events}, {about})
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 5)

    def test_a_session_that_cannot_be_told(self) -> None:
        for _ in range(9):
            try:
                raise ZeroDivisionError
            except ZeroDivisionError:
                give_up(Broken())
        self.check("user 7")

    def test_a_heartbeat(self) -> None:
        heartbeat, shell = Heartbeat(self.clock, ShellOptions(message_timeout_s=5)), Broken()
        heartbeat.add(shell)
        self.clock.pump([1] * 14)
        heartbeat.discard(shell)
        self.check("user 7")

    def test_the_end_of_the_turn(self) -> None:
        flusher = Flusher(self.clock)
        for _ in range(9):
            flusher.flush_at_turn_end(Broken())
            flusher.at_turn_end(Broken().close)
            self.clock.advance(0)
        self.check("the end of the turn")
