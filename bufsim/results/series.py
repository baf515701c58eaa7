"""A level over a whole run, coarsely: its time average in equal bins, from which a warm-up is judged."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from bufsim.results.steps import Steps

Floats = npt.NDArray[np.float64]

BINS = 128
"""Into so many equal bins [0, `until`) is cut."""


@dataclass(frozen=True, slots=True, eq=False)
class Series:
    """The time average of a level in `BINS` equal bins of [0, `until`), the warm-up included.

    Parameters
    ----------
    averages : array of float64
        One number a bin.
    """

    averages: Floats

    @classmethod
    def of_steps(cls, steps: Steps, until: float) -> Series:
        """Return the series of a step function."""
        edges = np.linspace(0.0, until, BINS + 1)
        levels, times = np.concatenate(([0], steps.levels)), np.concatenate(([0.0], steps.times))
        area = np.concatenate(([0.0], np.cumsum(levels[:-1] * np.diff(times))))
        held = np.searchsorted(times, edges, side="right") - 1
        return cls(np.diff(area[held] + levels[held] * (edges - times[held])) * (BINS / until))

    @classmethod
    def of_stays(cls, begin: Floats, end: Floats, until: float) -> Series:
        """Return the series of how many are there, each from its begin to its end, s; infinity if it stays."""
        come, gone = _since(begin, until), _since(end[end < until], until)
        return cls((come - gone) * (BINS / until))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Series):
            return NotImplemented
        return np.array_equal(self.averages, other.averages)

    def __hash__(self) -> int:
        return hash(self.averages.tobytes())


def _since(times: Floats, until: float) -> Floats:
    """Return, for each bin, the seconds in it that lie after each of the times, added up."""
    width = until / BINS
    bins = np.minimum((times / width).astype(np.int64), BINS - 1)
    counts = np.bincount(bins, minlength=BINS)
    ends = np.arange(1, BINS + 1) * width
    within = counts * ends - np.bincount(bins, weights=times, minlength=BINS)
    return np.asarray(within + (np.cumsum(counts) - counts) * width, dtype=np.float64)
