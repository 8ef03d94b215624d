"""WebSocket conformance by the bytes, after the sections of the Autobahn Testsuite (whose own code is Python 2).

``case`` says what a case is; ``handshake``, ``framing``, … hold the tables, one module per section; ``chunking`` cuts
what is sent into pieces; ``runner`` plays cases against a server. ``python -m tests.conformance``, which is
``make conformance``, plays every case in every chunking and prints a table; ``test_conformance`` plays a cut of it.

The server is no echo server. A request of an unknown ``op`` with an ``id`` is answered with that ``id``, so what was
received shows once and whole; any other text is answered with ``bad_json``.
"""
