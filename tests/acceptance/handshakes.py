"""What the handshake suites share: a raw upgrade request, and the HTTP answer to it."""

from tests.support.chat import ChatCase
from tests.support.raw import RawClient, upgrade

BAD_TOKEN = 'Bearer error="invalid_token"'


class HandshakeCase(ChatCase):
    async def answer(self, data=None, **headers):
        client = await RawClient.connected(self.node.port)
        self.addCleanup(client.close)
        client.send(data if data is not None else upgrade(**headers))
        return await client.response()

    async def refused(self, status, data=None, **headers):
        response = await self.answer(data, **headers)
        self.assertEqual(response.status, status, (response, headers))
        return response

    async def accepted(self, **headers):
        response = await self.answer(**headers)
        self.assertEqual(response.status, 101, (response, headers))
        return response


def bearer(token):
    return {"Authorization": f"Bearer {token}"}
