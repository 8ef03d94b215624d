"""chatsrv, a chat server: WebSockets in front, actors in the middle, Redis as the truth.

The way of one message::

    frame in  - session/shell - wire/codec - session/session - actors/chat - store/lua in Redis --+
    frame out - session/outbox - actors/feed (encoded once) - actors/chat - bus (Redis pub/sub) <-+

The stages, each a folder or file of this package::

    tap.py        what `twistd chatsrv` takes        service.py   the composition root: start, stop, drain
    assembly.py   from settings to objects           welcome.py   what the operator reads at start
    preflight.py  what is checked before daemonising endpoints.py where it listens, TLS certificates
    listeners.py  its ports, opened and closed
    revocation.py what an operator says of a user's tokens
    config.py     option, environment, file, default settings.py  the table of all settings
    exit.py       signals and exit codes             log.py       the logger, with its threshold
    garbage.py    the garbage collector's settings   monotonic.py the reactor's clock
    _version.py   the version
    session/      one connection: handshake, frames in and out, its outbox and limits
    wire/         the format, sans-IO: frames, codec, error and close codes, the reference tables
    actors/       users and chats on this node, presence, handoff
    kernel/       the actor kernel, which knows no chat
    store/        all that knows Redis keys; one Lua script per change
    bus/          all that knows pub/sub channels
    redis/        connections to Redis, and the embedded server
    auth/         tokens and their keys
    client/       the Twisted client library
    cli/          the `chatsrv` command

Imports go one way: `tap, cli -> service -> session -> actors -> store, bus, auth -> redis, kernel, wire, config`;
`client -> wire`. docs/architecture.md follows a message through the files.
"""
