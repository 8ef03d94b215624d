"""What happens to connections: they begin, end at one side or both, stall, and move to the other node."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from tests.model.acts import Act, Asked
from tests.model.device import Device

if TYPE_CHECKING:
    from tests.model.world import World


def _one_of(devices: Sequence[Device], act: Act) -> Device | None:
    return devices[act.who % len(devices)] if devices else None


def _connect(world: World, act: Act) -> None:
    device = _one_of([device for device in world.devices if device.line is None], act)
    if device is not None:
        device.connect(world.nodes[act.pick % 2])


def _drop(world: World, act: Act) -> None:
    """The server notices it, or not (flag)."""
    device = _one_of([device for device in world.devices if device.line is not None], act)
    if device is not None:
        world.drop(device, noticed=not act.flag)


def _move(world: World, act: Act) -> None:
    """To the other node, at once; the server may not have noticed yet that the first connection is gone (flag)."""
    device = _one_of([device for device in world.devices if device.line is not None], act)
    if device is not None and device.line is not None:
        place = world.nodes.index(device.line.node)
        world.drop(device, noticed=not act.flag)
        device.connect(world.nodes[1 - place])


def _cut(world: World, act: Act) -> None:
    """A message is sent into a connection that is gone: it arrives (flag), or not; its answer never does."""
    device = _one_of(world.able(), act)
    if device is None or not device.books:
        return
    chat_id, book = sorted(device.books.items())[act.chat % len(device.books)]
    text = world.ledger.new_text()
    world.ask(device, Asked(11, book.type, {"chat_id": chat_id, "message": text, "nonce": text}))
    world.drop(device, noticed=not act.flag)


def _stall(world: World, act: Act) -> None:
    """The device reads nothing more."""
    device = _one_of(world.able(), act)
    if device is not None and device.line is not None:
        device.line.stalled = True


def _resume(world: World, act: Act) -> None:
    stalled = [device for device in world.devices if device.line is not None and device.line.stalled]
    device = _one_of(stalled, act)
    if device is not None and device.line is not None:
        device.line.resume()


def _notice(world: World, _: Act) -> None:
    """The server finds out which connections are gone."""
    ghosts, world.ghosts = world.ghosts, []
    for line in ghosts:
        line.close()


MOVES: dict[str, Callable[[World, Act], None]] = {
    "connect": _connect,
    "drop": _drop,
    "move": _move,
    "cut": _cut,
    "stall": _stall,
    "resume": _resume,
    "notice": _notice,
}
