"""The bus: the only place that knows pub/sub channels. The fast path; the log in the store is the truth."""

from chatsrv.bus.bus import Bus
from chatsrv.bus.channels import Channels

__all__ = ["Bus", "Channels"]
