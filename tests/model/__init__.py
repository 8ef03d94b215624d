"""The model-based test of devices: whatever happens to their connections and nodes, they end up in step.

Three users with two full-profile devices each (and one of the core profile) on two nodes do random things; after
each step every connected device knows exactly what a device that connects afresh is told, and both know what
was acknowledged. From the outside in:

``test_model``  runs it: a few dozen runs in ``make test``, as many and as long as asked for by ``make model``
``machine``     the hypothesis state machine: draws the steps, in a thread beside the reactor
``step``        what a step consists of: ``acts`` (requests) and ``moves`` (connections) of devices, and one of the
                ``faults`` while they are under way
``world``       the nodes, the devices, what was asked for; carries out a step
``look``        looks at the outcome: each device against a fresh one, and both against the ``model`` of the rules
``ledger``      every attempt to change messages, and how it was answered: what history must be
``device``      a client that keeps its state from frames alone: a ``book`` per chat, its ``relations``; it asks by
                ``caller`` and ``request`` over its ``line``
"""
