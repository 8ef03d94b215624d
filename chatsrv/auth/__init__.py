"""Who someone is: the keys that tokens are checked with, and the check itself (``tokens``).

``keyset`` says which key fits a token; ``keys`` has those of the settings, ``jwks`` (with ``jwk`` and ``fetch``)
those of an issuer's URL. The only door to PyJWT and treq. The check never waits, so that the handshake can verify
in one step; only ``jwks`` and ``fetch`` know Twisted, so that ``chatsrv token`` starts fast. Source: PROTOCOL
section 1, RELIABILITY 3.1 and W5.
"""
