"""The wire format, sans-IO: frames, their codec, and the one registry of error and close codes.

Nothing here knows Twisted or a socket. The structs are the one source of the format: validation
and the reference tables in ``docs/protocol.md`` both come from them.
"""
