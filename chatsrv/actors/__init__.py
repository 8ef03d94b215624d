"""The actors: one `UserActor` per user with a connection on this node, one `ChatActor` per chat with a
connected member on this node, and what they share, the `Node`.

They put requests in order, save round trips and deliver events; whether something is allowed, the scripts in
the store decide. Sessions call them and are called back through the `Subscriber` interface.
"""

from chatsrv.actors.node import Node, NodeOptions
from chatsrv.actors.subscriber import Result, Subscriber
from chatsrv.actors.user import Join

__all__ = ["Join", "Node", "NodeOptions", "Result", "Subscriber"]
