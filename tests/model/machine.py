"""``Devices``: the hypothesis state machine. It draws the steps in a thread; each step runs in the reactor's.

Hypothesis drives its examples synchronously while the nodes need the reactor to run, so the machine lives in a
thread of the pool and every rule waits there for its step.
"""

from __future__ import annotations

import queue
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any, ClassVar

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from tests.model import faults, step
from tests.model.acts import REQUESTS, Act
from tests.model.moves import MOVES
from tests.model.world import World

if TYPE_CHECKING:
    from tests.model.test_model import ModelCase


def acts(kinds: dict[str, int]) -> st.SearchStrategy[Act]:
    """Requests, or things done to connections; as often as the numbers say."""
    weighted = [kind for kind, weight in kinds.items() for _ in range(weight)]
    few = st.integers(0, 9)
    return st.builds(
        Act, kind=st.sampled_from(weighted), who=st.integers(0, 6), chat=few, pick=few, flag=st.booleans()
    )


OFTEN = {
    "say": 8,
    "say again": 2,
    "edit": 4,
    "erase": 2,
    "read": 3,
    "group": 2,
    "private": 2,
    "add": 2,
    "block": 2,
}
OFTEN |= {"befriend": 2, "answer": 2, "unblock": 2, "connect": 4, "drop": 2, "move": 3, "cut": 2, "resume": 2}
ANYTHING = acts(dict.fromkeys([*REQUESTS, *MOVES], 1) | OFTEN)
SEVERAL = st.lists(ANYTHING, min_size=2, max_size=6)

#: For one step, which takes less than one in fact.
PATIENCE_S = 10.0
PLACE, MOMENT = st.integers(0, 1), st.integers(0, 9)
COMMAND_LOST = st.builds(faults.CommandLost, PLACE, MOMENT, run_first=st.booleans(), for_good=st.booleans())
FAULTS = st.one_of(
    *(st.builds(fault, PLACE, MOMENT) for fault in (faults.Killed, faults.Late, faults.Unheard) * 2),
    COMMAND_LOST,
    COMMAND_LOST,
    *(st.builds(fault, PLACE, MOMENT) for fault in (faults.BusCut, faults.CommandsCut, faults.Drained)),
    *(st.builds(fault, PLACE, MOMENT) for fault in (faults.AnotherEpoch, faults.Idle)),
)


class Devices(RuleBasedStateMachine):
    """``case`` has the store and makes the nodes."""

    case: ClassVar[ModelCase]

    def _run(self, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Wait for it, in this thread; not for ever, and not when the reactor is gone."""
        ended: queue.SimpleQueue[object] = queue.SimpleQueue()
        reactor.callFromThread(
            lambda: Deferred.fromCoroutine(work()).addTimeout(PATIENCE_S, reactor).addBoth(ended.put)
        )
        while reactor.running:
            try:
                result = ended.get(timeout=1)
            except queue.Empty:
                continue
            if isinstance(result, Failure):
                self._tell(result)
                raise getattr(result.value, "subFailure", result).value
            return
        raise SystemExit("the reactor was stopped")

    def _tell(self, failure: Failure) -> None:
        """At once: what depends on timing may not fail when hypothesis tries it again."""
        print(f"a step failed: {failure.value}")
        for device in self.world.devices:
            frames = [(frame.op, frame.t, frame.d, frame.id) for frame in device.seen]
            print(f"  {device}: {frames}")

    @initialize(log_events=st.sampled_from([3, 20, 10_000]))
    def start(self, log_events: int) -> None:
        self.case.begin(log_events)
        self.world = World(self.case)
        self._run(self.world.start)

    @rule(act=ANYTHING)
    def alone(self, act: Act) -> None:
        self._run(lambda: step.alone(self.world, act))

    @rule(several=SEVERAL)
    def at_once(self, several: list[Act]) -> None:
        self._run(lambda: step.together(self.world, several, faults.Calm(0, 0)))

    @rule(several=SEVERAL, fault=FAULTS)
    def with_a_fault(self, several: list[Act], fault: faults.Fault) -> None:
        self._run(lambda: step.together(self.world, several, fault))

    def teardown(self) -> None:
        self._run(self.world.stop)
