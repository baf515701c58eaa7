"""What all tests share: Hypothesis draws the same examples on every run, and never judges by the clock."""

from __future__ import annotations

import matplotlib
from hypothesis import settings

matplotlib.use("Agg")

settings.register_profile("fixed", derandomize=True, deadline=None)
settings.load_profile("fixed")
