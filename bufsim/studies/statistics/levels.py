"""How long a level, such as the buffer size, stood at each value: the time-weighted distribution of a step function."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from bufsim.checks import finite
from bufsim.errors import InvalidValueError
from bufsim.studies.statistics.intervals import FloatArray, Interval
from bufsim.studies.statistics.quantiles import quantile_interval_from_counts
from bufsim.studies.statistics.ratios import ratio_interval
from bufsim.studies.statistics.student_t import inner_probability


@dataclass(frozen=True, slots=True, eq=False)
class LevelDistribution:
    """The share of time that a level spent at each value, in one replication's window.

    What a stop at a random moment finds is distributed like this (PASTA), so it is also the distribution of the
    jobs that such a stop would lose.

    Parameters
    ----------
    values : numpy.ndarray, shape (k,)
        Levels that occurred for some time, ascending.
    seconds : numpy.ndarray, shape (k,)
        Time at each, s; > 0.

    References
    ----------
    Wolff (1982), Poisson arrivals see time averages, Operations Research 30, 223-231.
    """

    values: FloatArray
    seconds: FloatArray

    @property
    def mean(self) -> float:
        """Time average of the level."""
        return float(self.values @ self.seconds / self.seconds.sum())

    def quantile(self, q: float) -> float:
        """The smallest level at or below which the time is at least a share q of the window."""
        wanted = inner_probability("q", q) * self.seconds.sum() * (1.0 - 1e-12)
        return float(self.values[np.searchsorted(np.cumsum(self.seconds), wanted)])

    def beyond(self, level: float) -> float:
        """Share of time above `level`: the probability that a stop loses more than that."""
        return float(self.seconds[self.values > level].sum() / self.seconds.sum())


def level_distribution(times: ArrayLike, sizes: ArrayLike, start: float, end: float) -> LevelDistribution:
    """The distribution of a right-continuous step function over [start, end).

    Parameters
    ----------
    times : array_like, shape (k,)
        When the level changed, s, not descending, the first at or before `start`; of equal times the last counts.
    sizes : array_like, shape (k,)
        The level from that time on.
    start, end : float
        The window, s.

    Examples
    --------
    >>> distribution = level_distribution([0.0, 1.0, 2.0, 4.0], [0, 1, 2, 0], start=0.0, end=5.0)
    >>> distribution.mean, distribution.quantile(0.95), distribution.beyond(0)
    (1.0, 2.0, 0.6)
    """
    clock, levels = np.asarray(times, dtype=np.float64), np.asarray(sizes, dtype=np.float64)
    first, last = finite("start", start), finite("end", end)
    if last <= first:
        raise InvalidValueError(f"end must be > start, got {end!r} and {start!r}")
    if clock.shape != levels.shape or clock.ndim != 1 or not clock.size:
        raise InvalidValueError(f"times and sizes must be as many, got shapes {clock.shape} and {levels.shape}")
    if (np.diff(clock) < 0.0).any() or clock[0] > first:
        raise InvalidValueError(f"times must not descend and must begin at or before start = {start!r}")
    held = np.diff(np.clip(np.append(clock, last), first, last))
    values, places = np.unique(levels[held > 0.0], return_inverse=True)
    return LevelDistribution(values, np.bincount(places, held[held > 0.0]).astype(np.float64))


def level_mean_interval(distributions: Sequence[LevelDistribution], *, confidence: float = 0.95) -> Interval:
    """The time average of a level over replications, with its t interval."""
    areas = [distribution.values @ distribution.seconds for distribution in distributions]
    seconds = [distribution.seconds.sum() for distribution in distributions]
    return ratio_interval(areas, seconds, confidence=confidence)


def level_quantile_interval(
    distributions: Sequence[LevelDistribution], q: float, *, confidence: float = 0.95
) -> Interval:
    """The q-quantile of a level over time, with its interval (see `quantile_interval`; time in place of jobs).

    Examples
    --------
    >>> rows = [level_distribution([0.0, 1.0 + 0.1 * i, 2.0], [0, 1, 2], 0.0, 4.0) for i in range(5)]
    >>> print(level_quantile_interval(rows, 0.3))
    0.0 [0.0, 1.0]
    """
    values = np.unique(np.concatenate([distribution.values for distribution in distributions]))
    cumulative = np.stack([_seconds_up_to(distribution, values) for distribution in distributions])
    return quantile_interval_from_counts(values, cumulative, q, counts=False, confidence=confidence)


def _seconds_up_to(distribution: LevelDistribution, values: FloatArray) -> FloatArray:
    seconds = np.concatenate(([0.0], np.cumsum(distribution.seconds)))
    return np.asarray(seconds[np.searchsorted(distribution.values, values, "right")], dtype=np.float64)
