"""Step functions of time with whole values: integrals, peaks, and the time spent at each value, over a window."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from bufsim.results.columns import distinct
from bufsim.results.measures import SIZES, Floats, Histogram, Level, LevelDistribution, Window

Whole = npt.NDArray[np.int64]
Changes = tuple[Floats, Whole]
"""Times, s, and what is added at them."""


@dataclass(frozen=True, eq=False, slots=True)
class Steps:
    """A step function: 0, then `levels[i]` from `times[i]` on; of equal times the last holds.

    Parameters
    ----------
    times : array of float64
        s, non-decreasing, ≥ 0.
    levels : array of int64
        The values.
    """

    times: Floats
    levels: Whole

    @classmethod
    def of_changes(cls, *changes: Changes) -> Steps:
        """Return the step function that has all of these changes; without any it stays 0."""
        times = np.concatenate([np.empty(0), *(times for times, _ in changes)])
        deltas = np.concatenate([np.empty(0, np.int64), *(deltas for _, deltas in changes)])
        order = np.argsort(times, kind="stable")
        return cls(times[order], np.cumsum(deltas[order]))

    @property
    def last(self) -> int:
        """The value at the end."""
        return int(self.levels[-1]) if len(self.levels) else 0

    def changes(self) -> Changes:
        """Return the times, and what is added at them."""
        return self.times, np.diff(self.levels, prepend=0)

    def within(self, window: Window) -> tuple[Whole, Floats]:
        """Return the values in a window, the one that it starts with first, and their bounds: one more, s."""
        first = window.first(self.times)
        before = self.levels[first - 1] if first else 0
        bounds = np.concatenate(([window.start], self.times[first:], [window.end]))
        return np.concatenate(([before], self.levels[first:])), bounds


def level(steps: Steps, window: Window) -> Level:
    """Return a level's integral and its peak over all values."""
    if not distinct(steps.levels).any():
        return Level(0.0, 0)
    values, bounds = steps.within(window)
    return Level(float((values * np.diff(bounds)).sum()), int(values.max()))


def distribution(steps: Steps, window: Window) -> LevelDistribution:
    """Return a level's integral, its distribution over time, and its peak over all values."""
    values, bounds = steps.within(window)
    spans = np.diff(bounds)
    weighted = values * spans
    integral = float(weighted.sum())
    weighted *= values
    time_at = Histogram.of(SIZES, values, spans)
    return LevelDistribution(integral, float(weighted.sum()), int(values.max()), time_at)


def lasting_peak(steps: Steps, window: Window) -> int:
    """Return a level's peak over the values that last: the largest that holds after all events of an instant."""
    values, bounds = steps.within(window)
    return int(values[bounds[1:] > bounds[:-1]].max())


def presence(begin: Floats, end: Floats, window: Window, weights: Whole | None = None) -> Level:
    """Return the level of what is there from `begin` to `end`: its integral, and its peak over values that last.

    Parameters
    ----------
    begin : array of float64
        s, non-decreasing.
    end : array of float64
        s, each ≥ its begin; infinity if it stays.
    weights : array of int64, optional
        By how much each one raises the level; 1 by default.
    """
    if not len(begin):
        return Level(0.0, 0)
    spans = window.overlap(begin, end)
    come = np.flatnonzero(end < np.inf)
    if weights is None:
        entered, ends = np.arange(1, len(begin) + 1), np.sort(end[come])
        left = np.arange(len(ends) + 1)
    else:
        order = come[np.argsort(end[come], kind="stable")]
        entered, ends = np.cumsum(weights), end[order]
        left = np.concatenate(([0], np.cumsum(weights[order])))
        spans = spans * weights
    # at one instant all ends come off each begin: the last begin of the instant has the value that lasts
    first = window.first(begin)
    values = entered[first:] - left[np.searchsorted(ends, begin[first:], side="right")]
    entered_before = entered[first - 1] if first else 0
    before = entered_before - left[np.searchsorted(ends, window.start, side="right")]
    return Level(float(spans.sum()), max(int(values.max(initial=0)), int(before)))


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
