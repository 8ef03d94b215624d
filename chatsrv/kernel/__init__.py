"""The actor kernel: mailbox, envelope, actor, registry. It knows no chat.

An actor owns its state and does one thing at a time. Whoever wants something of it puts an *envelope* into
its bounded *mailbox* and gets exactly one answer. The *registry* spawns actors by key, restarts those that
crash and passivates those that idle.
"""

from chatsrv.kernel.actor import UNTIL_RESUMED, Actor, Shut
from chatsrv.kernel.envelope import Answer, Envelope, Overdue
from chatsrv.kernel.mailbox import Mailbox, MailboxFull
from chatsrv.kernel.registry import Registry

__all__ = [
    "UNTIL_RESUMED",
    "Actor",
    "Answer",
    "Envelope",
    "Mailbox",
    "MailboxFull",
    "Overdue",
    "Registry",
    "Shut",
]
