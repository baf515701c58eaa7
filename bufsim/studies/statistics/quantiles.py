"""Quantiles over jobs (or over time) across replications, by inverting a ratio test."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from bufsim.studies.statistics.intervals import FloatArray, Interval
from bufsim.studies.statistics.inversion import Inversion, invert
from bufsim.studies.statistics.observations import counts_up_to, shared_grid, sorted_samples
from bufsim.studies.statistics.order_statistics import open_note, order_statistic_interval
from bufsim.studies.statistics.student_t import inner_probability


def quantile_interval(samples: Sequence[ArrayLike], q: float, *, confidence: float = 0.95) -> Interval:
    """The q-quantile over the jobs of all replications, with its interval.

    x is in the interval when a t test over replications of [jobs with wait ≤ x] − q·[jobs] accepts 0.

    Parameters
    ----------
    samples : sequence of array_like
        The waits (or batch sizes) of each replication, in any order; a replication may have none. Where each has
        exactly one, the observations are independent and order statistics are used.
    q : float
        Which quantile, > 0 and < 1.
    confidence : float, default 0.95
        Level of the interval.

    Returns
    -------
    Interval
        Its ends are observed values; at an atom they may all be one value. An end is open (infinite) where the
        data are worth fewer independent observations than a bound needs; the note then says how many.

    Notes
    -----
    Jobs of one replication depend on each other and their number varies, so neither jobs nor per-replication
    quantiles may be averaged: under bursts a t interval over per-replication quantiles covered 78 %, this 95 %.

    References
    ----------
    The ratio test is Fieller's (1954), read as a test of the distribution function at x; for the worth in
    independent observations Kish (1965), Survey Sampling, section 8.2 (design effect).

    Examples
    --------
    >>> rng = np.random.default_rng(1)
    >>> print(quantile_interval([rng.exponential(1.0, 1000) for _ in range(30)], 0.95))
    3.00 [2.95, 3.04]
    """
    share, level = inner_probability("q", q), inner_probability("confidence", confidence)
    ordered = sorted_samples(samples)
    if all(values.size == 1 for values in ordered):
        return order_statistic_interval(np.concatenate(ordered), share, confidence=level)
    pooled = np.sort(np.concatenate(ordered))
    totals = np.array([values.size for values in ordered], dtype=np.float64)
    found = invert(lambda positions: counts_up_to(ordered, pooled[positions]), pooled.size, totals, share, level)
    return _interval(pooled, pooled, found, totals, share, level, jobs=float(pooled.size))


def quantile_interval_from_counts(
    values: ArrayLike,
    cumulative: ArrayLike,
    q: float,
    *,
    totals: ArrayLike | None = None,
    between: bool = False,
    counts: bool = True,
    confidence: float = 0.95,
) -> Interval:
    """The q-quantile from cumulative counts (or times) on a grid that all replications share.

    Parameters
    ----------
    values : array_like, shape (k,)
        The grid, strictly ascending.
    cumulative : array_like, shape (n, k)
        Jobs of each replication with a wait ≤ each grid value, or seconds at a level ≤ each.
    q : float
        Which quantile, > 0 and < 1.
    totals : array_like, shape (n,), optional
        All jobs (or seconds) of each replication, where some lie beyond the grid; by default the last column.
    between : bool, default False
        Whether jobs lie anywhere between grid values (a histogram) rather than on them; the lower end then
        reaches down to the grid value below.
    counts : bool, default True
        Whether the amounts count jobs, which bounds what they are worth; False for seconds.
    confidence : float, default 0.95
        Level of the interval.

    Raises
    ------
    InvalidValueError
        If shapes do not fit, the grid or a row does not ascend, or the quantile lies beyond the grid.

    Examples
    --------
    >>> print(quantile_interval_from_counts([0, 1, 2], [[5, 9, 10], [4, 9, 10], [6, 8, 10]], 0.5))
    0.0 [0.0, 1.0]
    """
    share, level = inner_probability("q", q), inner_probability("confidence", confidence)
    grid, table, sums = shared_grid(values, cumulative, totals, share)
    found = invert(lambda positions: table[:, positions], grid.size, sums, share, level)
    floor = np.concatenate(([-math.inf], grid[:-1])) if between else grid
    return _interval(grid, floor, found, sums, share, level, jobs=float(sums.sum()) if counts else math.inf)


def _interval(
    grid: FloatArray, floor: FloatArray, found: Inversion, totals: FloatArray, q: float, level: float, *, jobs: float
) -> Interval:
    """Read the positions off the grid, and open the ends that the data are not worth."""
    worth, failure = min(found.independent, jobs), (1.0 - level) / 2.0
    few = (1.0 - q) ** worth > failure, q**worth > failure
    low = -math.inf if found.low is None or few[0] else float(floor[found.low])
    high = math.inf if found.high is None or few[1] else float(grid[found.high])
    note = open_note(low, high, _source(worth, jobs), q, level) if any(few) else ""
    if not note and (found.low is None or found.high is None):
        ends = "upper" if found.low is not None else "lower" if found.high is not None else "lower and no upper"
        note = f"no {ends} bound at {100.0 * level:g} %: {_reach(found)}"
    return Interval(float(grid[found.estimate]), low, high, level, totals.size, "inverted ratio test", note)


def _reach(found: Inversion) -> str:
    if found.low is None:
        return "the replications differ too much in size; run more"
    return "the interval reaches beyond the grid; give it higher values"


def _source(worth: float, jobs: float) -> str:
    if worth >= jobs:
        return f"{jobs:,.0f} jobs"
    observed = f"{jobs:,.0f} jobs" if math.isfinite(jobs) else "levels"
    return f"{observed} worth {worth:,.0f} independent ones"
