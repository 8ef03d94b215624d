"""``RawCase``: a test case with a real server, and clients of bytes that were said hello to."""

from tests.support.chat import ChatCase
from tests.support.raw import RawClient


class RawCase(ChatCase):
    """See the module's docstring."""

    async def raw(self, user_id, profile="chatsrv.v1"):
        """A connection of bytes."""
        client = await RawClient.open(self.node.port, user_id, profile)
        self.addCleanup(client.close)
        return client

    async def error_to(self, client, text):
        """Send a text (or what becomes JSON); the frame that answers, which must be a 3/1."""
        client.say(text)
        frame = await client.json()
        self.assertEqual((frame["op"], frame["t"]), (3, 1), (text, frame))
        self.assertIsInstance(frame["d"]["code"], str)
        self.assertIsInstance(frame["d"]["message"], str)
        return frame
