"""What all tests share: Hypothesis draws the same examples on every run, and never judges by the clock."""

from __future__ import annotations

import os
from pathlib import Path

import matplotlib
from hypothesis import settings

matplotlib.use("Agg")
# processes that a test starts find what tests share too
os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, (str(Path(__file__).parent), os.environ.get("PYTHONPATH"))))

settings.register_profile("fixed", derandomize=True, deadline=None)
settings.load_profile("fixed")
