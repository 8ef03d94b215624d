"""The ``twistd chatsrv`` command, for ``twisted.plugin``: strings only, so that a look-up imports nothing."""

from twisted.application.service import ServiceMaker

chatsrv = ServiceMaker(
    "chatsrv", "chatsrv.tap", "A chat server: WebSockets, everything kept in Redis", "chatsrv"
)
