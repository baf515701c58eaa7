"""Quantiles as one value per replication, for comparisons under common random numbers."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from bufsim.errors import InvalidValueError
from bufsim.studies.statistics.intervals import FloatArray
from bufsim.studies.statistics.inversion import first_position
from bufsim.studies.statistics.observations import reaches, several, shared_grid, sorted_samples
from bufsim.studies.statistics.student_t import inner_probability


def quantile_values(samples: Sequence[ArrayLike], q: float) -> FloatArray:
    """One value per replication whose mean estimates the q-quantile over all jobs: jackknife pseudo-values.

    For differences between scenarios under common random numbers; the quantile itself has its interval from
    `quantile_interval`.

    Parameters
    ----------
    samples : sequence of array_like
        As in `quantile_interval`.
    q : float
        Which quantile, > 0 and < 1.

    Notes
    -----
    Leaving out whole replications, each of many jobs, is the delete-d jackknife, which is consistent for quantiles
    where leaving out single observations is not.

    References
    ----------
    Shao and Wu (1989), A general theory for jackknife variance estimation, Annals of Statistics 17, 1176-1197.

    Examples
    --------
    >>> quantile_values([[1.0, 2.0, 3.0, 4.0], [2.0, 3.0, 4.0, 6.0], [1.0, 3.0, 5.0, 7.0]], 0.5)
    array([3., 3., 3.])
    """
    share = inner_probability("q", q)
    ordered = sorted_samples(samples)
    pooled = np.sort(np.concatenate(ordered))
    several(np.array([values.size for values in ordered], dtype=np.float64))
    everything = _without(pooled, pooled[:0], share)
    others = np.array([_without(pooled, values, share) for values in ordered])
    return np.asarray(everything + (len(ordered) - 1) * (everything - others), dtype=np.float64)


def quantile_values_from_counts(
    values: ArrayLike, cumulative: ArrayLike, q: float, *, totals: ArrayLike | None = None
) -> FloatArray:
    """As `quantile_values`, from cumulative counts or times on a shared grid (see `quantile_interval_from_counts`)."""
    share = inner_probability("q", q)
    grid, table, sums = shared_grid(values, cumulative, totals)
    several(sums)
    everything = reaches(table, sums, share)
    others = np.stack([reaches(np.delete(table, i, 0), np.delete(sums, i), share) for i in range(sums.size)])
    if not (everything[-1] and others[:, -1].all()):
        raise InvalidValueError(
            f"values must reach the {share:g} quantile in all replications, got a grid that ends at {grid[-1]:g}; "
            "give it higher values"
        )
    estimate = grid[np.argmax(everything)]
    return np.asarray(estimate + (sums.size - 1) * (estimate - grid[np.argmax(others, axis=1)]), dtype=np.float64)


def _without(pooled: FloatArray, own: FloatArray, q: float) -> float:
    """The q-quantile of the pooled observations without a replication's own."""
    wanted = q * (pooled.size - own.size) * (1.0 - 1e-12)

    def reached(position: int) -> bool:
        value = pooled[position]
        return bool(np.searchsorted(pooled, value, "right") - np.searchsorted(own, value, "right") >= wanted)

    return float(pooled[first_position(reached, 0, pooled.size)])
