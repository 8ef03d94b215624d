"""The ``chatsrv`` command: ``main`` reads the arguments; ``token`` and ``sample`` do the work.

Top of the import order, beside ``tap``. It never imports Twisted, so that a token is there in a moment.
"""
