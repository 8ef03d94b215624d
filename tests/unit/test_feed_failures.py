"""A session that fails at what the feed gives it: it alone is closed, with 1011, and everybody else goes on."""

from __future__ import annotations

from typing import Any

from chatsrv.store.events import READ, TYPING, Signal
from chatsrv.wire.codes import CloseCode
from tests.unit.test_attachment import FeedCase
from tests.unit.test_feed import Recorder, change, message


class OurFault(Exception):
    pass


def fail(*_: Any) -> None:
    raise OurFault


class Failing(FeedCase):
    def setUp(self) -> None:
        super().setUp()
        self.before, self.broken, self.behind = (self.attached(user_id=user) for user in (1, 2, 3))

    def check(self, *seen: str, logged: int = 1) -> None:
        """Those beside the broken one saw this; it is closed and has no place here any more."""
        self.assertEqual((self.before.seen, self.behind.seen), ([*seen], [*seen]))
        self.assertEqual(self.broken.codes, [CloseCode.INTERNAL_ERROR])
        self.assertFalse(self.feed.attached(self.broken))
        self.assertEqual(len(self.flushLoggedErrors(OurFault)), logged)

    def test_an_event(self) -> None:
        self.broken.on_deliver = fail
        self.offer(5, 6)
        self.check("e5", "e6")

    def test_an_event_that_is_its_own(self) -> None:
        self.broken.on_deliver = fail
        self.feed.offer([message(5, by=2)])
        self.check("e5")

    def test_a_reply_in_the_place_of_its_event(self) -> None:
        self.feed.expect(self.broken, 5, fail)
        self.feed.expect(self.broken, 6, fail)
        self.feed.offer([message(5, by=2)])
        self.check("e5")

    def test_an_event_that_removes_another(self) -> None:
        self.broken.on_deliver = fail
        self.feed.offer([change(5, removed=[1])])
        self.check("e5")
        self.assertFalse(self.feed.attached(self.before))

    def test_what_was_held_for_it(self) -> None:
        self.feed.hold(self.broken)
        self.offer(5)
        self.broken.on_deliver = fail
        self.feed.release(self.broken)
        self.check("e5")

    def test_an_event_while_it_is_ahead(self) -> None:
        self.feed.hold(self.broken)
        other = Recorder(4)
        self.feed.attach(other, 6)
        self.feed.release(self.broken, 5)
        self.broken.on_deliver = fail
        self.offer(5, 6)
        self.check("e5", "e6")
        self.assertEqual(other.seen, ["e6"])

    def test_read_marks_and_typing(self) -> None:
        for kind, seen in ((READ, "m9:2"), (TYPING, "t9")):
            self.setUp()
            self.broken.on_deliver = fail
            self.feed.signals.offer(Signal(kind, 4, 9, "elsewhere", 2))
            self.assertEqual((self.before.seen, self.behind.seen), ([seen], [seen]))
            self.assertEqual(self.broken.codes, [CloseCode.INTERNAL_ERROR])
            self.assertEqual(len(self.flushLoggedErrors(OurFault)), 1)

    def test_that_the_chat_is_gone(self) -> None:
        self.broken.on_deliver = fail
        self.feed.gone()
        self.check("e5")
        self.assertEqual(len(self.feed), 0)

    def test_one_that_cannot_be_closed_either(self) -> None:
        self.broken.on_deliver = fail
        self.broken.close = fail  # type: ignore[method-assign]
        self.offer(5, 6)
        self.broken.codes.append(CloseCode.INTERNAL_ERROR)
        self.check("e5", "e6", logged=2)
