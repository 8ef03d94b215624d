"""Python's cyclic garbage collector, set for a server: many long-lived objects, few cycles.

Called by ``service`` where the process is its own, after the start; who embeds the server decides for himself.
By default a collection comes with every 700 objects more, and looks at all that lives again and again: a quarter
of the CPU time under load, and pauses that grow with the connections. What ends here is freed by its reference
count (connections and actors break their cycles when they end), so that collections may be rare.
"""

from __future__ import annotations

import gc

#: Objects more than were freed until the youngest are looked at; so many looks until the next older generation's.
THRESHOLDS = (50_000, 20, 50)


def tune() -> None:
    """Leave what the start made out of all collections, and make them rare."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*THRESHOLDS)
