"""The ``chatsrv`` command: ``main`` reads the arguments; ``token``, ``revoke`` and ``sample`` do the work.

Top of the import order, beside ``tap``. Only ``revoke`` imports Twisted, and only when it must
talk to the store, so that a token is there in a moment.
"""
