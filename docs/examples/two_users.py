"""Two users of one program: they open their private chat, and one writes to the other.

Usage: two_users.py TOKEN_OF_USER_1 TOKEN_OF_USER_2 [ws://127.0.0.1:8080/ws]
"""

import sys

from twisted.internet import reactor
from twisted.internet.defer import Deferred, DeferredQueue
from twisted.internet.task import react

from chatsrv.client import RequestRefused, connect, verbs


async def main(token_1, token_2, url="ws://127.0.0.1:8080/ws"):
    arrived = DeferredQueue()  # what the second user is told, in order
    one = await connect(reactor, url, token_1)
    two = await connect(reactor, url, token_2, on_event=arrived.put)

    chat = await verbs.create_private(one, two.hello.user_id)
    print("the chat of users", chat.users)

    sent = await verbs.send_private(one, chat.chat_id, "Hello")
    print("stored as message", sent.message_id)

    while (event := await arrived.get()).kind != (12, 1):
        pass
    print(f"user {two.hello.user_id} received {event.d['message']!r} from user {event.d['sender_id']}")

    try:
        await verbs.edit(two, chat.chat_id, sent.message_id, "I never said that")
    except RequestRefused as refused:
        print(f"user {two.hello.user_id} may not edit it:", refused)

    await one.close()
    await two.close()


if __name__ == "__main__":
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    react(lambda _, *arguments: Deferred.fromCoroutine(main(*arguments)), sys.argv[1:])
