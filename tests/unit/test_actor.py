"""Actors: one thing at a time, drained by a loop, each envelope answered once, whatever goes wrong."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred, succeed
from twisted.internet.task import Clock
from twisted.trial.unittest import TestCase

from chatsrv.kernel import Actor, Envelope, MailboxFull, Overdue, Registry
from chatsrv.kernel.actor import SLICE


class No(Exception):
    """A refusal."""


class Worker(Actor):
    """Does what a command, a function of the envelope, says; counts its restarts."""

    refusals = (No, Overdue)

    def __init__(self, key: Any, registry: Registry[Any]) -> None:
        super().__init__(key, registry)
        self.restarts = 0
        self.stops = 0
        self.needed = False

    def receive(self, envelope: Envelope) -> Deferred[Any] | None:
        return envelope.command(envelope)

    def restart(self) -> None:
        self.restarts += 1

    def stopped(self) -> None:
        self.stops += 1

    @property
    def wanted(self) -> bool:
        return self.needed


class ActorCase(TestCase):
    entries = 20_000

    def setUp(self) -> None:
        self.clock = Clock()
        self.registry: Registry[Worker] = Registry(
            self.clock, Worker, mailbox_entries=self.entries, deadline_s=5.0, idle_s=60.0
        )
        self.actor = self.registry.get("a")
        self.answers: list[Any] = []

    def post(self, command: Any, actor: Worker | None = None) -> Envelope:
        envelope = Envelope(command, self.answers.append)
        (actor or self.actor).post(envelope)
        return envelope

    def run_dry(self) -> None:
        """Run what is scheduled for now, and what that schedules for now."""
        self.clock.advance(0)


def failing(error: Exception) -> Any:
    def command(envelope: Envelope) -> None:
        raise error

    return command


class Draining(ActorCase):
    def opened(self, done: Any) -> tuple[list[int], Deferred[Any]]:
        """10,000 envelopes that wait behind a first one, and the Deferred that ends this one."""
        gate: Deferred[Any] = Deferred()
        self.post(lambda envelope: gate)
        handled: list[int] = []

        def command(number: int) -> Any:
            def receive(envelope: Envelope) -> Any:
                handled.append(number)
                envelope.answer(number)
                return done()

            return receive

        for number in range(10_000):
            self.post(command(number))
        self.assertEqual(handled, [])
        return handled, gate

    def test_10_000_that_are_answered_at_once_are_all_handled_in_order(self) -> None:
        handled, gate = self.opened(lambda: None)
        gate.callback(None)
        self.run_dry()
        self.assertEqual(handled, list(range(10_000)))
        self.assertEqual(self.answers, handled)

    def test_10_000_whose_deferred_has_fired_are_all_handled_in_order(self) -> None:
        handled, gate = self.opened(lambda: succeed(None))
        gate.callback(None)
        self.run_dry()
        self.assertEqual(handled, list(range(10_000)))

    def test_it_yields_to_the_reactor_after_a_slice(self) -> None:
        handled, gate = self.opened(lambda: None)
        gate.callback(None)
        self.assertEqual(len(handled), SLICE)
        self.clock.callLater(0, handled.append, -1)
        self.run_dry()
        self.assertEqual(handled.index(-1), 2 * SLICE)

    def test_what_is_posted_while_it_yields_waits_for_its_turn(self) -> None:
        handled, gate = self.opened(lambda: None)
        gate.callback(None)
        self.post(lambda envelope: handled.append(-1))
        self.assertEqual(len(handled), SLICE)
        self.run_dry()
        self.assertEqual(handled, [*range(10_000), -1])

    def test_what_is_posted_from_within_a_command_comes_after_it(self) -> None:
        order: list[str] = []

        def outer(envelope: Envelope) -> None:
            self.post(lambda e: order.append("inner"))
            order.append("outer")

        self.post(outer)
        self.assertEqual(order, ["outer", "inner"])

    def test_the_mailbox_is_shut_until_the_deferred_fires(self) -> None:
        order: list[str] = []
        done: Deferred[Any] = Deferred()
        self.post(lambda envelope: done)
        self.post(lambda envelope: order.append("second"))
        self.assertEqual((order, self.actor.idle), ([], False))
        done.callback(None)
        self.assertEqual((order, self.actor.idle), (["second"], True))


class BoundedDraining(ActorCase):
    entries = 3

    def test_more_than_its_entries_are_refused_and_not_answered(self) -> None:
        done: Deferred[Any] = Deferred()
        self.post(lambda envelope: done)
        for number in range(3):
            self.post(lambda envelope, number=number: envelope.answer(number))
        self.assertRaises(MailboxFull, self.post, failing(ValueError()))
        done.callback(None)
        self.assertEqual(self.answers, [0, 1, 2])


class Failing(ActorCase):
    def test_a_refusal_is_the_answer_and_the_actor_lives(self) -> None:
        refusal = No()
        self.post(failing(refusal))
        self.post(lambda envelope: envelope.answer("fine"))
        self.assertEqual(self.answers, [refusal, "fine"])
        self.assertEqual(self.actor.restarts, 0)
        self.assertEqual(self.flushLoggedErrors(), [])

    def test_a_refusal_by_deferred_is_the_answer_too(self) -> None:
        refusal, done = No(), Deferred()
        self.post(lambda envelope: done)
        done.errback(refusal)
        self.assertEqual((self.answers, self.actor.restarts), ([refusal], 0))

    def test_a_crash_answers_the_asker_is_logged_once_and_restarts_the_actor(self) -> None:
        crash = ValueError("bug")
        self.post(failing(crash))
        self.assertEqual((self.answers, self.actor.restarts), ([crash], 1))
        self.assertEqual(len(self.flushLoggedErrors(ValueError)), 1)

    def test_a_crash_by_deferred_is_the_same_and_the_next_command_is_carried_out(self) -> None:
        crash, done = ValueError("bug"), Deferred()
        self.post(lambda envelope: done)
        self.post(lambda envelope: envelope.answer("next"))
        done.errback(crash)
        self.assertEqual((self.answers, self.actor.restarts), ([crash, "next"], 1))
        self.assertEqual(len(self.flushLoggedErrors(ValueError)), 1)

    def test_a_crash_after_the_answer_does_not_answer_again(self) -> None:
        def command(envelope: Envelope) -> None:
            envelope.answer("early")
            raise ValueError

        self.post(command)
        self.assertEqual(self.answers, ["early"])
        self.assertEqual(len(self.flushLoggedErrors(ValueError)), 1)

    def test_answering_twice_is_a_crash_of_the_actor_and_the_asker_hears_the_first(self) -> None:
        def command(envelope: Envelope) -> None:
            envelope.answer(1)
            envelope.answer(2)

        self.post(command)
        self.assertEqual((self.answers, self.actor.restarts), ([1], 1))
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 1)

    def test_an_asker_who_chokes_on_the_failure_does_not_stop_the_actor(self) -> None:
        def choke(result: Any) -> None:
            raise KeyError("asker")

        for command in (failing(No()), failing(ValueError())):
            self.actor.post(Envelope(command, choke))
        self.post(lambda envelope: envelope.answer("next"))
        self.assertEqual(self.answers, ["next"])
        self.assertEqual(len(self.flushLoggedErrors(ValueError)), 1)
        self.assertEqual(len(self.flushLoggedErrors(KeyError)), 2)


class Overdues(ActorCase):
    def test_what_waited_beyond_its_deadline_is_answered_and_not_carried_out(self) -> None:
        done: Deferred[Any] = Deferred()
        self.post(lambda envelope: done)
        self.post(failing(AssertionError("carried out")))
        self.clock.advance(2)
        self.post(lambda envelope: envelope.answer("in time"))
        self.clock.advance(3.1)
        done.callback(None)
        self.assertEqual([type(answer) for answer in self.answers], [Overdue, str])

    def test_at_its_deadline_it_is_still_carried_out(self) -> None:
        done: Deferred[Any] = Deferred()
        self.post(lambda envelope: done)
        self.post(lambda envelope: envelope.answer("just"))
        self.clock.advance(5)
        done.callback(None)
        self.assertEqual(self.answers, ["just"])


class Asking(ActorCase):
    def test_an_answer_fires_the_deferred_and_a_failure_is_its_errback(self) -> None:
        self.assertEqual(self.successResultOf(self.actor.ask(lambda envelope: envelope.answer(5))), 5)
        self.failureResultOf(self.actor.ask(failing(No())), No)
