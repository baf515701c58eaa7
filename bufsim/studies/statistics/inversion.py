"""The inversion behind quantile intervals: which x a t test over replications accepts as the q-quantile."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from bufsim.studies.statistics.intervals import FloatArray
from bufsim.studies.statistics.student_t import critical_value, statistic

# For the position of a candidate value, the amounts at or below it, one a replication.
Cumulative = Callable[[int], FloatArray]


@dataclass(frozen=True, slots=True)
class Inversion:
    """Positions, among the candidate values, of the estimate and of the interval's ends; -1 and None are open ends.

    Parameters
    ----------
    low : int
        First candidate x of which F(x) is not shown to be below q.
    estimate : int
        First candidate with F(x) ≥ q over all replications together.
    high : int or None
        First candidate of which F(x) is shown to be above q; None if no candidate is.
    independent : float
        As many independent observations would know F as well there (infinite where nothing varies).
    """

    low: int
    estimate: int
    high: int | None
    independent: float


def invert(cumulative: Cumulative, candidates: int, totals: FloatArray, q: float, confidence: float) -> Inversion:
    """Accept x as the q-quantile when a t test over replications of [amount ≤ x] − q·[amount] accepts 0.

    Parameters
    ----------
    cumulative : Cumulative
        The amounts, jobs or seconds, at or below a candidate.
    candidates : int
        How many candidates there are, in ascending order; the last holds at least a share q of all.
    totals : numpy.ndarray, shape (n,)
        The amounts, one a replication.
    """
    n = totals.size
    critical = critical_value(confidence, n)
    # 0.07 * 100 is a little more than 7
    wanted = q * totals.sum() * (1.0 - 1e-12)

    def t(position: int) -> float:
        excess = cumulative(position) - q * totals
        flat = np.ptp(excess) <= 1e-12 * float(totals.max())
        return statistic(float(excess.mean()), 0.0 if flat else float(excess.var(ddof=1)), n)

    estimate = first_position(lambda position: float(cumulative(position).sum()) >= wanted, 0, candidates)
    low = first_position(lambda position: t(position) >= -critical, 0, estimate)
    high = first_position(lambda position: t(position) > critical, estimate, candidates)
    return Inversion(low, estimate, high if high < candidates else None, _independent(cumulative, estimate, totals))


def first_position(holds: Callable[[int], bool], start: int, stop: int) -> int:
    """The first position in [start, stop) where `holds`, which stays true once it is; `stop` if there is none."""
    while start < stop:
        middle = (start + stop) // 2
        if holds(middle):
            stop = middle
        else:
            start = middle + 1
    return start


def _independent(cumulative: Cumulative, estimate: int, totals: FloatArray) -> float:
    """p(1 − p) over the variance of the ratio p = sum of amounts ≤ x / sum of totals, just below the estimate."""
    for position in (estimate - 1, estimate):
        amounts = cumulative(position) if position >= 0 else np.zeros_like(totals)
        share = float(amounts.sum() / totals.sum())
        if 0.0 < share < 1.0:
            residuals = (amounts - share * totals) / totals.mean()
            variance = float(residuals.var(ddof=1)) / totals.size
            return share * (1.0 - share) / variance if variance > 0.0 else math.inf
    return math.inf
