"""A duration that grows with a size, fixed + per_job × size, fitted so that few slow measurements count for little."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from bufsim.errors import InvalidValueError
from bufsim.statistics.intervals import inner_probability

Floats = npt.NDArray[np.float64]
_RESAMPLES = 200
_SCALE = 0.1
# a part that is so small beside all that was measured is none
_NOTHING = 1e-6


@dataclass(frozen=True, slots=True)
class Line:
    """The duration fixed + per_job × size, with intervals of both.

    Parameters
    ----------
    fixed, per_job : float
        s, and s a job, ≥ 0.
    fixed_interval, per_job_interval : (float, float)
        Their intervals.
    """

    fixed: float
    per_job: float
    fixed_interval: tuple[float, float]
    per_job_interval: tuple[float, float]

    def at(self, size: float) -> float:
        """The duration at a size, s."""
        return self.fixed + self.per_job * size


def fit_line(sizes: Sequence[int], seconds: Sequence[float], *, confidence: float = 0.95, seed: int = 1) -> Line:
    """The line of measured durations, by robust regression of their logarithms.

    Parameters
    ----------
    sizes : sequence of int
        The size of each measurement, jobs, > 0; two different ones at least.
    seconds : sequence of float
        How long it took, s, > 0.
    confidence : float, default 0.95
        Of the intervals.
    seed : int, default 1
        Of the resamples.

    Notes
    -----
    The least sum of soft-L1 losses of log(measured) − log(fixed + per_job·size), by `scipy.optimize.least_squares`:
    errors are relative, since durations span five orders of magnitude, and one that is off by much more than a tenth
    counts by its distance and not by the square of it. Intervals are percentiles over 200 resamples (Efron's
    bootstrap) of the measurements of each size.

    Examples
    --------
    >>> line = fit_line([1, 1, 100, 100, 10_000], [0.011, 0.011, 0.11, 0.11, 10.01])
    >>> round(line.fixed, 6), round(line.per_job, 6)
    (0.01, 0.001)
    """
    n, y = np.asarray(sizes, np.float64), np.asarray(seconds, np.float64)
    level = inner_probability("confidence", confidence)
    if len(n) != len(y) or len(np.unique(n)) < 2:
        raise InvalidValueError(
            f"sizes must hold two different sizes, one for each of seconds, got {len(np.unique(n))} in {len(n)} for "
            f"{len(y)} seconds; measure at more sizes"
        )
    if not (np.isfinite(y).all() and (y > 0.0).all() and (n > 0.0).all()):
        raise InvalidValueError("sizes and seconds must be > 0 and finite; leave the others out")
    best = _fitted(n, y, _start(n, y))
    generator = np.random.default_rng(seed)
    groups = [np.flatnonzero(n == size) for size in np.unique(n)]
    again = []
    for _ in range(_RESAMPLES):
        rows = np.concatenate([generator.choice(group, len(group)) for group in groups])
        again.append(_fitted(n[rows], y[rows], _start(n[rows], y[rows])))
    tails = [(1.0 - level) / 2.0, (1.0 + level) / 2.0]
    low, high = np.quantile(np.array(again), tails, axis=0)
    return Line(
        fixed=float(best[0]),
        per_job=float(best[1]),
        fixed_interval=(float(min(low[0], best[0])), float(max(high[0], best[0]))),
        per_job_interval=(float(min(low[1], best[1])), float(max(high[1], best[1]))),
    )


def _start(n: Floats, y: Floats) -> Floats:
    """The logarithms of a line through the medians at the least and the largest size."""
    least, largest = np.median(y[n == n.min()]), np.median(y[n == n.max()])
    slope = max(largest - least, 1e-3 * largest) / (n.max() - n.min())
    return np.log([max(least - slope * n.min(), 1e-3 * least), slope])


def _fitted(n: Floats, y: Floats, start: Floats) -> Floats:
    from scipy.optimize import least_squares

    def residuals(logs: Floats) -> Floats:
        fixed, per_job = np.exp(logs)
        off: Floats = np.log(y) - np.log(fixed + per_job * n)
        return off

    def slopes(logs: Floats) -> Floats:
        fixed, per_job = np.exp(logs)
        share: Floats = fixed / (fixed + per_job * n)
        return np.stack([-share, share - 1.0], axis=1)

    # a part that plays no role runs away to 0: it may, within reason
    bounds = (start - 30.0, start + 30.0)
    found = least_squares(residuals, start, jac=slopes, loss="soft_l1", f_scale=_SCALE, bounds=bounds)
    fixed, per_job = np.exp(found.x)
    return np.array(
        [
            fixed if fixed > _NOTHING * y.min() else 0.0,
            per_job if per_job * n.max() > _NOTHING * y.min() else 0.0,
        ]
    )
