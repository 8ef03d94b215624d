"""Who someone is: the key that tokens are checked with (``keys``), and the check itself (``tokens``).

The only door to PyJWT. Nothing here waits, talks to a network or imports Twisted, so that the handshake can
verify in one step and ``chatsrv token`` starts fast. Source: PROTOCOL section 1, RELIABILITY 3.1 and W5.
"""
