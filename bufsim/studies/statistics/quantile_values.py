"""Quantiles as one value per replication, for comparisons under common random numbers."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from bufsim.studies.statistics.intervals import FloatArray
from bufsim.studies.statistics.inversion import Cumulative, invert
from bufsim.studies.statistics.observations import counts_up_to, shared_grid, sorted_samples
from bufsim.studies.statistics.student_t import inner_probability


def quantile_values(samples: Sequence[ArrayLike], q: float) -> FloatArray:
    """One value per replication whose mean estimates the q-quantile over all jobs: what each replication did to it.

    For differences between scenarios under common random numbers. The quantile itself has its interval from
    `quantile_interval`, which needs no density and knows when to refuse.

    Parameters
    ----------
    samples : sequence of array_like
        As in `quantile_interval`.
    q : float
        Which quantile, > 0 and < 1.

    Returns
    -------
    numpy.ndarray, shape (n,)
        x + (q·Nᵢ − Cᵢ(x)) / (N̄·f), where x is the quantile over all jobs, Cᵢ(x) of a replication's Nᵢ jobs are ≤ x,
        and f is the mean density over the quantile's own 95 % interval. Where that interval is a single value (an
        atom), it is that value for every replication.

    References
    ----------
    Bahadur (1966), A note on quantiles in large samples, Annals of Mathematical Statistics 37, 577-580;
    Woodruff (1952), Confidence intervals for medians and other position measures, J. American Statistical
    Association 47, 635-646 (the density over the interval).

    Examples
    --------
    >>> quantile_values([[1.0, 2.0, 3.0, 4.0], [2.0, 3.0, 4.0, 6.0], [1.0, 3.0, 5.0, 7.0]], 0.5).round(2)
    array([1.33, 3.  , 3.  ])
    """
    ordered = sorted_samples(samples)
    pooled = np.sort(np.concatenate(ordered))
    totals = np.array([values.size for values in ordered], dtype=np.float64)
    return _influence(pooled, lambda positions: counts_up_to(ordered, pooled[positions]), totals, q)


def quantile_values_from_counts(
    values: ArrayLike, cumulative: ArrayLike, q: float, *, totals: ArrayLike | None = None
) -> FloatArray:
    """As `quantile_values`, from cumulative counts or times on a shared grid (see `quantile_interval_from_counts`)."""
    grid, table, sums = shared_grid(values, cumulative, totals, q)
    return _influence(grid, lambda positions: table[:, positions], sums, q)


def _influence(grid: FloatArray, cumulative: Cumulative, totals: FloatArray, q: float) -> FloatArray:
    found = invert(cumulative, grid.size, totals, inner_probability("q", q), confidence=0.95)
    ends = np.array([found.low or 0, found.estimate, grid.size - 1 if found.high is None else found.high])
    low, estimate, high = grid[ends]
    if low == high:
        return np.full(totals.size, estimate)
    below, amounts, above = cumulative(ends).T
    excess = q * totals - amounts
    return np.asarray(estimate + excess * (high - low) / (above - below).mean(), dtype=np.float64)
