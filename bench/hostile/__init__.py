"""What hostile peers cost everybody else. ``make hostile``; in short ``python -m bench.hostile --quick``.

For each attack a fresh node with the default limits, and `bystanders`: people who chat all the time. They are timed
before and during the attack, which a process of its own makes (:mod:`attacker`, with the :mod:`attacks`), as one
connection after the other (:mod:`peer`) from other addresses than theirs. :mod:`scene` runs one attack and measures
it, ``__main__`` runs them all, :mod:`report` writes it down.
"""
