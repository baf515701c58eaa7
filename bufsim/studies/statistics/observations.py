"""What quantiles are taken of: the observations of each replication, or their cumulative counts on a shared grid."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from bufsim.errors import InvalidValueError
from bufsim.studies.statistics.intervals import FloatArray


def sorted_samples(samples: Sequence[ArrayLike]) -> list[FloatArray]:
    """Return each replication's observations in ascending order: of at least two replications, at least one in all."""
    if len(samples) < 2:
        raise InvalidValueError(f"samples must come from at least 2 replications, got {len(samples)}; run more")
    ordered = [np.sort(np.asarray(values, dtype=np.float64)) for values in samples]
    for replication, values in enumerate(ordered):
        if values.ndim != 1:
            raise InvalidValueError(
                f"samples must hold one array of observations per replication, got shape {values.shape} "
                f"in replication {replication}"
            )
        if values.size and not (np.isfinite(values[0]) and np.isfinite(values[-1])):
            raise InvalidValueError(f"samples must be finite, got another value in replication {replication}")
    if not any(values.size for values in ordered):
        raise InvalidValueError("samples must hold at least one observation; lengthen the runs")
    return ordered


def counts_up_to(ordered: Sequence[FloatArray], values: FloatArray) -> FloatArray:
    """How many observations of each replication are ≤ each value: shape (n, m)."""
    return np.array([np.searchsorted(own, values, "right") for own in ordered], dtype=np.float64)


def shared_grid(
    values: ArrayLike, cumulative: ArrayLike, totals: ArrayLike | None, q: float
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return the checked grid (k,), on which the q-quantile lies, cumulative amounts (n, k) and totals (n,)."""
    grid, table = np.asarray(values, dtype=np.float64), np.asarray(cumulative, dtype=np.float64)
    if grid.ndim != 1 or grid.size == 0 or not np.isfinite(grid).all() or (np.diff(grid) <= 0.0).any():
        raise InvalidValueError("values must be a finite grid that ascends strictly; sort it and merge equal values")
    if table.ndim != 2 or table.shape[1] != grid.size or table.shape[0] < 2:
        raise InvalidValueError(
            f"cumulative must have a row for each of at least 2 replications and a column for each of {grid.size} "
            f"values, got shape {table.shape}"
        )
    if not np.isfinite(table).all() or (table[:, 0] < 0.0).any() or (np.diff(table, axis=1) < 0.0).any():
        raise InvalidValueError("cumulative must not decrease along a row, nor be negative; give cumulative amounts")
    sums = table[:, -1] if totals is None else np.asarray(totals, dtype=np.float64)
    if sums.shape != table.shape[:1] or not np.isfinite(sums).all() or (sums < table[:, -1]).any():
        raise InvalidValueError("totals must be one per replication, each at least the last cumulative amount")
    if sums.sum() <= 0.0:
        raise InvalidValueError("totals must not all be 0; lengthen the runs")
    # 0.07 * 100 is a little more than 7
    if table[:, -1].sum() < q * sums.sum() * (1.0 - 1e-12):
        raise InvalidValueError(
            f"values must reach the {q:g} quantile, got a grid that ends at {grid[-1]:g}; give it higher values"
        )
    return grid, table, sums
