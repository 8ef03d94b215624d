"""One connection: the WebSocket shell around Autobahn, the session's state, its limits and its outbox."""
