"""``python -m bufsim``: the command line."""

from __future__ import annotations

import sys

from bufsim.cli import main

sys.exit(main())
