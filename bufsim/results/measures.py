"""What is kept of a sample of durations, and of a level over time: sums, peaks and a histogram."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from bufsim.results.histograms import TIMES, Floats, Histogram


@dataclass(frozen=True, slots=True)
class Sample:
    """What is kept of a sample of durations.

    Parameters
    ----------
    count : int
        How many.
    total : float
        Their sum, s.
    squares : float
        The sum of their squares, s².
    largest : float
        The largest, s.
    histogram : Histogram
        Their counts on the grid `histograms.TIMES`.
    """

    count: int
    total: float
    squares: float
    largest: float
    histogram: Histogram

    @classmethod
    def of(cls, durations: Floats) -> Sample:
        """Return what is kept of these durations, s, each ≥ 0."""
        if not len(durations):
            return cls(0, 0.0, 0.0, 0.0, Histogram.of(np.zeros(0, np.int64)))
        return cls(
            len(durations),
            float(durations.sum()),
            float((durations * durations).sum()),
            float(durations.max()),
            Histogram.of(TIMES.counts(durations)),
        )

    def __add__(self, other: Sample) -> Sample:
        """Return what is kept of both samples together."""
        return Sample(
            self.count + other.count,
            self.total + other.total,
            self.squares + other.squares,
            max(self.largest, other.largest),
            self.histogram + other.histogram,
        )


@dataclass(frozen=True, slots=True)
class Level:
    """What is kept of a level, a step function of time with whole values.

    Parameters
    ----------
    integral : float
        ∫ level dt over the window: job-seconds, or byte-seconds.
    peak : int
        The largest value; each level says which values count.
    """

    integral: float
    peak: int


@dataclass(frozen=True, slots=True)
class LevelDistribution:
    """What is kept of a level whose distribution over time is wanted.

    Parameters
    ----------
    integral : float
        ∫ level dt over the window, job-seconds.
    squares : float
        ∫ level² dt over the window.
    peak : int
        The largest value; each level says which values count.
    time_at : Histogram
        The seconds of the window spent at each value, on the grid `histograms.SIZES`; their sum is the window's span.
    """

    integral: float
    squares: float
    peak: int
    time_at: Histogram

    def without(self, seconds: float) -> LevelDistribution:
        """Return the distribution with so many seconds, spent at 0, left out."""
        if not seconds:
            return self
        amounts = self.time_at.amounts.astype(np.float64) - np.where(self.time_at.bins == 0, seconds, 0.0)
        # the seconds at 0 are a sum of their own, and may come out a rounding below those that are left out
        some = amounts > 1e-9 * seconds
        return replace(self, time_at=Histogram(self.time_at.bins[some], amounts[some]))
