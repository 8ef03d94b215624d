"""One step: devices ask for things at the same time, while something goes wrong or not; then the outcome.

A single request in calm weather must be answered, and change, what the model says. Of several at once, or with a
fault, the ledger knows what must be true.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence

from tests.model.acts import REQUESTS, Act, Scene
from tests.model.device import Device
from tests.model.faults import Calm, Fault
from tests.model.look import check_first_in_inbox, check_page, check_state, check_typing
from tests.model.model import State
from tests.model.moves import MOVES
from tests.model.request import Refused, Request
from tests.model.world import World

#: Enough for every timer that repairs something: holes, retries and the head check; the sweep and the lease; retries.
REPAIR_S = (1, 1, 1, 5, 1)


async def alone(world: World, act: Act) -> None:
    """One request, or something done to a connection, with nothing else going on."""
    await world.mend()
    predictable = act.kind != "cut" and not any(device.unanswered for device in world.devices)
    expected = copy.deepcopy(world.state)
    requests = _begin(world, [act])
    await world.come_to_rest()
    await world.look()
    if predictable:
        for device, request in requests:
            _judge(world, expected, device, request)
        check_state(expected, world.state, world.joined)


async def together(world: World, acts: Sequence[Act], fault: Fault) -> None:
    """Several at once."""
    await world.mend()
    world.tally[type(fault).__name__] += 1
    await fault.begin(world)
    _begin(world, acts)
    await fault.end(world)
    await world.come_to_rest()
    if not isinstance(fault, Calm):
        await world.time_passes(*REPAIR_S)
        await world.come_to_rest()
    await world.look()


def _begin(world: World, acts: Sequence[Act]) -> list[tuple[Device, Request]]:
    """Each act by one of the devices that are able to at that moment."""
    for device in world.devices:
        device.seen.clear()
    return [asked for act in acts if (asked := _begin_one(world, act)) is not None]


def _begin_one(world: World, act: Act) -> tuple[Device, Request] | None:
    if act.kind in MOVES:
        MOVES[act.kind](world, act)
        world.tally[act.kind] += 1
        return None
    able = world.able()
    device = able[act.who % len(able)] if able else None
    wanted = None if device is None else REQUESTS[act.kind](Scene(world, device, act))
    if device is None or wanted is None:
        return None
    world.tally[act.kind] += 1
    return device, world.ask(device, wanted)


def _judge(world: World, expected: State, device: Device, request: Request) -> None:
    """Let the model carry the request out, after a look at its answer."""
    user, op, t, d, outcome = device.user_id, request.op, request.t, request.d, request.outcome
    wanted = expected.refusal(user, op, t, d)
    code = outcome.code if isinstance(outcome, Refused) else None
    assert code == wanted, f"{op}/{t} {d} of {device} was answered with {code}, not {wanted}"
    if not isinstance(outcome, dict):
        return
    if (op, t) == (11, 10):
        check_page(expected, d, outcome)
    elif (op, t) == (11, 9):
        check_typing(world.able(), device, d["chat_id"])
    elif request.answer in {(12, 1), (12, 2), (14, 1), (14, 2)} and "dup" not in outcome:
        check_first_in_inbox(outcome["chat_id"], world.inboxes)
    expected.carry_out(user, op, t, d, outcome)
