"""``World``: two nodes, the devices on them, and a third node from which the outcome of each step is looked at.

`look` is the point of it all: each user's device that connects afresh, on the third node, is told what every other
device of his shows. That is the present ``state``, which must be what the ledger knows.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from twisted.internet import reactor
from twisted.internet.task import deferLater

from chatsrv.client import CloseCode, Profile
from tests.model.acts import Asked
from tests.model.device import Device
from tests.model.ledger import Ledger
from tests.model.line import Line
from tests.model.look import check_inbox, check_like
from tests.model.model import State
from tests.model.request import Request
from tests.unit.test_store_kit import TestNode

if TYPE_CHECKING:
    from tests.model.test_model import ModelCase

#: A client connects again by itself after these.
COME_AGAIN = {CloseCode.GOING_AWAY, CloseCode.OVERLOADED}
#: How often devices may have to begin anew until all is quiet.
ROUNDS = 10
PAGES = (100, 2, 3)
#: Beyond that many devices that cannot ask for anything, they connect and read again.
UNABLE = 3
#: What user 1 asks for, before anything else happens.
BEGINNING = (
    Asked(13, 1, {"user_ids": [2, 3], "type": 2, "chat": "all"}),
    Asked(13, 1, {"user_ids": [2], "type": 1}),
    Asked(16, 1, {"user_id": 2}),
)


class World:
    """``ghosts``: connections that ended without the server noticing. ``joined``: by chat and member, since which look
    he is one. ``inboxes``: each user's chats, newest activity first."""

    users = (1, 2, 3)

    def __init__(self, case: ModelCase) -> None:
        self.case = case
        self.tally = case.tally
        self.devices = [Device(f"{user}{letter}", user) for user in self.users for letter in "ab"]
        self.devices.append(Device("1c", 1, Profile.CORE))
        self.ghosts: list[Line] = []
        self.ledger = Ledger()
        self.state = State({}, {})
        self.joined: dict[int, dict[int, int]] = {}
        self.inboxes: dict[int, list[int]] = {}
        self.looks = 0

    async def start(self) -> None:
        """Everybody is connected, and some have something in common."""
        self.watch = await self.case.node()
        self.nodes = [await self.case.node() for _ in range(2)]
        for number, device in enumerate(self.devices):
            device.connect(self.nodes[number % 2])
        await self.come_to_rest()
        for wanted in BEGINNING:
            self.ask(self.devices[0], wanted)
            await self.come_to_rest()
        await self.look()

    async def stop(self) -> None:
        for line in self._lines():
            line.drop()
        await self.quiet()
        for node in self._nodes():
            await self.case.stopped(node)

    def _lines(self) -> list[Line]:
        return [device.line for device in self.devices if device.line is not None] + self.ghosts

    def _nodes(self) -> list[TestNode]:
        return [*self.nodes, self.watch]

    # Devices

    def able(self) -> list[Device]:
        """The devices that can ask for something and read the answer."""
        greeted = [device for device in self.devices if device.witness is not None]
        return [device for device in greeted if device.line is not None and not device.line.stalled]

    def ask(self, device: Device, wanted: Asked) -> Request:
        """The ledger is told of it."""
        request = device.ask(wanted.op, wanted.t, **wanted.d)
        kind = f"{wanted.op}/{wanted.t}"
        request.done.addBoth(self._count, kind)
        self.ledger.note(device.user_id, request)
        return request

    async def mend(self) -> None:
        """When too many devices are cut off: one of them is no more."""
        unable = [device for device in self.devices if device not in self.able()]
        if len(unable) <= UNABLE:
            return
        device = unable[self.looks % len(unable)]
        if device.line is not None:
            device.line.resume()
        else:
            device.connect(self.nodes[self.looks % 2])
        await self.come_to_rest()
        await self.look()

    def _count(self, outcome: Any, kind: str) -> Any:
        error = getattr(outcome, "value", None)
        self.tally[
            f"{kind} {getattr(error, 'code', 'lost') if error else 'dup' if 'dup' in outcome else 'ok'}"
        ] += 1
        return outcome

    def drop(self, device: Device, *, noticed: bool) -> None:
        """The device's connection ends."""
        line = device.line
        if line is not None:
            line.drop(noticed=noticed)
            if not noticed:
                self.ghosts.append(line)

    async def come_to_rest(self) -> None:
        """Wait until all is quiet; devices whose connection was closed come again meanwhile, as clients do."""
        await self.quiet()
        for _ in range(ROUNDS):
            if not self._go_on():
                return
            await self.quiet()
        raise AssertionError("devices begin anew again and again")

    def _go_on(self) -> bool:
        closed = [device for device in self.devices if device.line is None and device.code in COME_AGAIN]
        for device in closed:
            self.tally[f"closed {device.code}"] += 1
            device.connect(self.nodes[device.user_id % 2])
        again = [device for device in self.able() if device.steady and device.unanswered]
        for device in again:
            device.ask_again()
        return bool(closed or again)

    # Nodes

    async def kill(self, place: int) -> None:
        """``kill -9``, and another node in its place."""
        node = self.nodes[place]
        for line in self._lines():
            if line.node is node:
                line.die()
        await self.case.died(node)
        self.nodes[place] = await self.case.node()

    async def drain(self, place: int) -> None:
        """Stop the node as the service does, and start another one in its place."""
        node = self.nodes[place]
        for line in self._lines():
            if line.node is node:
                line.session.drain()
        await self.quiet()
        await self.case.stopped(node)
        for line in self._lines():  # who came meanwhile, or did not read the close
            if line.node is node:
                line.die()
        self.nodes[place] = await self.case.node()

    async def turns(self, count: int) -> None:
        """As long as so many round trips to the store take."""
        for _ in range(count):
            await self.case.link.call("PING")

    async def quiet(self) -> None:
        """Wait until no node waits for the store, or has anything to hear."""
        idle = 0
        while idle < 2:
            while any(map(_is_busy, self._nodes())):
                await deferLater(reactor, 0)
            heard = self._heard()
            await self.case.mark(self._nodes())
            await deferLater(reactor, 0)  # what a device asks at an answer is on its way by then
            idle = idle + 1 if heard == self._heard() and not any(map(_is_busy, self._nodes())) else 0

    def _heard(self) -> int:
        return sum(len(node.heard) for node in self._nodes())

    async def time_passes(self, *seconds: int) -> None:
        """On the clocks of the nodes, one after the other."""
        for each in seconds:
            for node in self._nodes():
                node.clock.advance(each)
            await self.quiet()

    # The outcome

    async def look(self) -> None:
        """Everybody who reads shows what is so."""
        self.case.check_log()
        self.looks += 1
        self.tally["looks"] += 1
        self.tally["messages"] += sum(len(c.messages) for c in self.state.chats.values())
        self.tally["chats"] += len(self.state.chats)
        for device in self.devices:
            for f in device.seen:
                if (f.op, f.t) == (1, 2):
                    self.tally["replayed"] += len(f.d["heads"])
                    self.tally["reset"] += len(f.d["reset"])
        fresh = {user: Device(f"fresh {user}", user, page=PAGES[self.looks % 3]) for user in self.users}
        for device in fresh.values():
            device.connect(self.watch)
        await self.quiet()
        for device in [*fresh.values(), *self.devices]:
            self._check_manners(device)
        for device in fresh.values():
            assert device.steady, f"{device} was closed with {device.code}"
        for device in self.able():
            check_like(device, fresh[device.user_id], self.ledger)
        for user, device in fresh.items():
            self.inboxes[user] = await check_inbox(device, 1 + self.looks % 4)
        self._conclude(State.of(fresh), fresh)
        for device in fresh.values():
            device.line.drop()  # type: ignore[union-attr]

    def _check_manners(self, device: Device) -> None:
        if device.faults:
            raise device.faults[0]
        closed = device.code is None or device.code in COME_AGAIN
        assert closed, f"{device} was closed with {device.code}"
        reads = device.line is not None and not device.line.stalled
        assert device.steady or not reads, f"{device} waits: {device.wants}"

    def _conclude(self, state: State, fresh: dict[int, Device]) -> None:
        books = {chat_id: book for device in fresh.values() for chat_id, book in device.books.items()}
        for chat_id, book in books.items():
            self.ledger.check(chat_id, book)
            before = self.joined.get(chat_id, {})
            self.joined[chat_id] = {user: before.get(user, self.looks) for user in book.users}
        state.nonces = self.ledger.nonces()
        self.state = state


def _is_busy(node: TestNode) -> bool:
    """It waits for the store."""
    link = node.own_link
    return bool(link.connected and link._pipeline.waiting) or bool(node.bus.link._unconfirmed)
