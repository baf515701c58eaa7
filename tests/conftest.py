"""What all tests share: Hypothesis draws the same examples on every run, and never judges by the clock."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import matplotlib
import pytest
from hypothesis import settings

matplotlib.use("Agg")
# processes that a test starts find what tests share too
os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, (str(Path(__file__).parent), os.environ.get("PYTHONPATH"))))

settings.register_profile("fixed", derandomize=True, deadline=None)
settings.load_profile("fixed")


@pytest.fixture
def interrupts_are_heard() -> Iterator[None]:
    """Processes that a test starts hear an interrupt, also where the tests run in the background, which does not."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)
