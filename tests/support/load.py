"""Clients that send as fast as they are answered, while something is done to the server.

``Load`` sends each message once, ``RetryingLoad`` until it is answered.
"""

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater

from chatsrv.client import ConnectionClosed, ErrorCode, RequestRefused
from tests.support.chat import together


class Load:
    """Clients that send requests without ``nonce`` and wait for each reply, until told to stop."""

    def __init__(self, chat_id, users):
        self.chat_id, self.users = chat_id, users
        self.replied = {}
        self.unavailable = 0
        self.stopping = False
        self.count = 0

    def run(self):
        """All clients at once; fires when each has stopped or lost its connection."""
        return Deferred.fromCoroutine(together(*[self._send(user) for user in self.users]))

    async def replies(self, number):
        """Wait until so many more have been answered."""
        wanted = len(self.replied) + number
        while len(self.replied) < wanted:
            await deferLater(reactor, 0.005)

    async def _send(self, user):
        while not self.stopping:
            self.count += 1
            text = f"{user.user_id}/{self.count}"
            try:
                reply = await user.call(11, 2, chat_id=self.chat_id, message=text)
            except ConnectionClosed:
                return
            except RequestRefused as error:
                if error.code is not ErrorCode.UNAVAILABLE:
                    raise
                self.unavailable += 1
                await deferLater(reactor, 0.02)
            else:
                assert reply["message_id"] not in self.replied, reply
                self.replied[reply["message_id"]] = (user.user_id, text)


class RetryingLoad(Load):
    """Clients that send with ``nonce``, and again what was not answered, over a new connection if need be."""

    def __init__(self, chat_id, users, connected):
        super().__init__(chat_id, users)
        self.lost = set()
        self._connected = connected

    async def _send(self, user):
        while not self.stopping:
            self.count += 1
            text = f"{user.user_id}/{self.count}"
            while (reply := await self._try(user, text)) is None:
                if user in self.lost:
                    user = await self._connected(user.user_id)
            assert reply["message_id"] not in self.replied, reply
            self.replied[reply["message_id"]] = (user.user_id, text)

    async def _try(self, user, text):
        """The reply; None when the outcome is unknown."""
        try:
            return await user.call(11, 2, chat_id=self.chat_id, message=text, nonce=text)
        except ConnectionClosed:
            self.lost.add(user)
        except RequestRefused as error:
            if error.code is not ErrorCode.UNAVAILABLE:
                raise
            self.unavailable += 1
            await deferLater(reactor, 0.02)
        return None
