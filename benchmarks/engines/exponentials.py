"""NumPy's own exponentials, and nothing else: what no simulation of them can beat."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from benchmarks.engines import Run
from benchmarks.works import RATE, SERVICE, Work


class Draws(NamedTuple):
    """What was drawn, held until the clock has stopped, as the others' results are."""

    gaps: np.ndarray
    services: np.ndarray | None

    def __call__(self) -> None:
        """Return nothing: there is no outcome to compare."""


def prepare(work: Work, n: int) -> Run:
    generator = np.random.default_rng(1)

    def run():
        gaps = generator.exponential(1.0 / RATE, size=n)
        services = generator.exponential(SERVICE, size=n) if work.served else None
        return Draws(gaps, services)

    return run
