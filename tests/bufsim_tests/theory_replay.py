"""A plain replay of one batch after another under Poisson arrivals: an oracle that shares no formula."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

# from the arrival times since the first job (which is at 0) to the flush time
FlushRule = Callable[[np.ndarray], float]


def waits_and_batches(rule: FlushRule, *, rate: float, batches: int, longest: float) -> tuple[np.ndarray, np.ndarray]:
    """Per batch, the sum of its waits and its size."""
    generator = np.random.default_rng(20240519)
    totals, sizes = np.empty(batches), np.empty(batches)
    for i in range(batches):
        count = generator.poisson(rate * longest)
        times = np.concatenate([[0.0], np.sort(generator.uniform(0.0, longest, count))])
        end = rule(times)
        taken = times[times <= end]
        totals[i], sizes[i] = (end - taken).sum(), len(taken)
    return totals, sizes


def mean_wait(totals: np.ndarray, sizes: np.ndarray) -> tuple[float, float]:
    """The ratio of the means and its standard error."""
    ratio = totals.mean() / sizes.mean()
    return ratio, float((totals - ratio * sizes).std(ddof=1) / sizes.mean() / np.sqrt(len(sizes)))
