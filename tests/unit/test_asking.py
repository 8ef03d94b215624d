"""The answer to a request about another user, in the order of the pair's versions, however late the events come."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from chatsrv.actors.asking import Asking
from chatsrv.actors.subscriber import Result
from chatsrv.kernel import Envelope
from chatsrv.store.events import RELATION, UserEvent
from chatsrv.wire import frames
from chatsrv.wire.requests import AddFriend

ASKED = frames.FriendAsked(user_id=2, asker=1)
REMOVED = frames.FriendRemoved(user_id=2)


def event(version: int, operation: str = "other") -> UserEvent:
    return UserEvent(version, RELATION, 2, False, version, operation=operation)


class Answering(SynchronousTestCase):
    def setUp(self) -> None:
        self.told: list[Any] = []
        session: Any = self
        self.asking = Asking(Envelope(AddFriend(2), self.told.append, session), 2, "mine")

    def deliver(self, frame: bytes) -> None:
        self.told.append(frame)

    def answer(self, version: int) -> Result:
        result = Result(ASKED)
        self.asking.answer(version, result)
        return result

    def test_what_came_before_the_answer_goes_before_or_after_it_as_its_version_says(self) -> None:
        for version, operation in ((4, "other"), (5, "mine"), (6, "other")):
            self.assertTrue(self.asking.takes(event(version, operation), b"%d" % version))
        self.assertEqual(self.told, [])
        result = self.answer(5)
        self.assertEqual(self.told, [b"4", result, b"6"])

    def test_an_event_that_comes_after_the_answer_and_is_older_is_not_told(self) -> None:
        self.answer(5)
        self.assertTrue(self.asking.takes(event(4), b"4"))
        self.assertTrue(self.asking.takes(event(5, "mine"), b"5"))
        self.assertFalse(self.asking.takes(event(6), b"6"))

    def test_what_was_found_out_is_not_told_if_the_answer_does_or_is_later(self) -> None:
        self.assertTrue(self.asking.covers(ASKED, b"asked", event(4)))
        result = self.answer(5)
        self.assertTrue(self.asking.covers(ASKED, b"asked", None))
        self.assertTrue(self.asking.covers(REMOVED, b"removed", event(4)))
        self.assertFalse(self.asking.covers(REMOVED, b"removed", event(6)))
        self.assertFalse(self.asking.covers(REMOVED, b"removed", None))
        self.assertEqual(self.told, [result])

    def test_after_a_failure_all_of_it_follows(self) -> None:
        failure = ValueError()
        self.asking.covers(ASKED, b"asked", event(4))
        self.asking.takes(event(5), b"5")
        self.asking.fail(failure)
        self.assertEqual(self.told, [failure, b"asked", b"5"])

    def test_it_ends_when_its_own_event_or_a_later_one_was_heard(self) -> None:
        self.asking.heard(9)
        self.assertFalse(self.asking.ended)
        self.answer(9)
        self.assertTrue(self.asking.ended)
