"""``python -m chatsrv.cli``: the ``chatsrv`` command where it is not on the path."""

import sys

from chatsrv.cli.main import main

sys.exit(main())
