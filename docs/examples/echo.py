"""A user who repeats what others write to him, and stays connected whatever happens, until one writes "bye".

Usage: echo.py TOKEN [ws://127.0.0.1:8080/ws]
"""

import sys

from twisted.internet.defer import Deferred
from twisted.internet.task import react

from chatsrv.client import Client, verbs

SEND = {(12, 1): verbs.send_private, (12, 2): verbs.send_group}


async def main(reactor, token, url="ws://127.0.0.1:8080/ws"):
    def on_event(event):
        if event.kind not in SEND or event.d["sender_id"] == client.hello.user_id:
            return
        chat_id, message_id, text = (event.d[key] for key in ("chat_id", "message_id", "message"))
        if text == "bye":
            client.stop()
        elif text:  # of a deleted message there is no text
            # With a nonce of our own it is answered once, even by two of us at the same time.
            nonce = f"echo {message_id}"
            sent = SEND[event.kind](client, chat_id, text, reply_to=message_id, nonce=nonce)
            sent.addErrback(lambda failure: print("not sent:", failure.value))

    def on_reset(chat_ids):
        print("a longer absence: we do not know what was said in the chats", chat_ids)

    def on_state(state, reason):
        print(state.value, reason or "")

    client = Client(reactor, url, lambda: token, on_event=on_event, on_reset=on_reset, on_state=on_state)
    reactor.addSystemEventTrigger("before", "shutdown", client.stop)  # at control-C: close, then go
    hello = await client.start()
    print("user", hello.user_id, "in the chats", hello.chat_ids)
    if (reason := await client.stopped) is not None:
        raise reason


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    react(lambda reactor, *arguments: Deferred.fromCoroutine(main(reactor, *arguments)), sys.argv[1:])
