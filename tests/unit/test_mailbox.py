"""The mailbox: its bound, first in first out, and taking from the front."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import TestCase

from chatsrv.kernel import Envelope, Mailbox, MailboxFull


def envelope(command: Any) -> Envelope:
    return Envelope(command, lambda result: None)


class Boxes(TestCase):
    def filled(self, *commands: Any, entries: int = 10) -> Mailbox:
        mailbox = Mailbox(entries)
        for command in commands:
            mailbox.put(envelope(command))
        return mailbox

    def commands(self, mailbox: Mailbox) -> list[Any]:
        return [mailbox.popleft().command for _ in range(len(mailbox))]

    def test_the_first_in_is_the_first_out(self) -> None:
        self.assertEqual(self.commands(self.filled(3, 1, 2)), [3, 1, 2])

    def test_one_more_than_its_entries_is_not_taken(self) -> None:
        mailbox = self.filled(1, 2, entries=2)
        self.assertRaises(MailboxFull, mailbox.put, envelope(3))
        self.assertEqual(self.commands(mailbox), [1, 2])
        mailbox.put(envelope(4))
        self.assertEqual(len(mailbox), 1)

    def test_take_while_stops_at_the_first_that_is_not_wanted_and_leaves_it(self) -> None:
        mailbox = self.filled(1, 2, 9, 3)
        taken = mailbox.take_while(lambda e: e.command < 5)
        self.assertEqual([e.command for e in taken], [1, 2])
        self.assertEqual(self.commands(mailbox), [9, 3])

    def test_take_while_asks_about_each_once_and_may_take_all_or_none(self) -> None:
        asked: list[Any] = []

        def wanted(e: Envelope) -> bool:
            asked.append(e.command)
            return True

        mailbox = self.filled(1, 2)
        self.assertEqual(len(mailbox.take_while(wanted)), 2)
        self.assertEqual((asked, len(mailbox)), ([1, 2], 0))
        self.assertEqual(mailbox.take_while(wanted), [])
        self.assertEqual(self.filled(1).take_while(lambda e: False), [])


class Envelopes(TestCase):
    def test_the_answer_reaches_who_asked_once(self) -> None:
        results: list[Any] = []
        asked = Envelope("x", results.append, origin="who")
        self.assertEqual((asked.answered, asked.origin, asked.deadline), (False, "who", float("inf")))
        asked.answer(5)
        self.assertTrue(asked.answered)
        self.assertRaises(RuntimeError, asked.answer, 6)
        self.assertEqual(results, [5])

    def test_it_counts_as_answered_while_the_answer_is_given(self) -> None:
        seen: list[bool] = []
        asked = Envelope("x", lambda result: seen.append(asked.answered))
        asked.answer(None)
        self.assertEqual(seen, [True])
