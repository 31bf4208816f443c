"""The command `earshot` as a file to run, ``python earshot.py``: see `terminal`."""

from __future__ import annotations

import sys

from terminal.__main__ import main

if __name__ == "__main__":
    sys.exit(main())
