"""The inversion behind quantile intervals: which x a t test over replications accepts as the q-quantile."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bufsim.studies.statistics.intervals import FloatArray
from bufsim.studies.statistics.student_t import critical_value

# For the positions of m candidate values, the amounts at or below each, a row per replication: shape (n, m).
Cumulative = Callable[[NDArray[np.intp]], FloatArray]

# Positions looked at in one pass; up to so many candidates every one is tried.
WIDTH = 256


@dataclass(frozen=True, slots=True)
class Inversion:
    """Positions, among the candidate values, of the estimate and of the interval's ends; None is an open end.

    Parameters
    ----------
    low : int or None
        First candidate x of which F(x) is not shown to be below q; None if even F = 0 is not.
    estimate : int
        First candidate with F(x) ≥ q over all replications together.
    high : int or None
        First candidate from which on F(x) is shown to be above q; None if that of the last is not.
    independent : float
        As many independent observations would know F as well there (infinite where nothing varies).
    """

    low: int | None
    estimate: int
    high: int | None
    independent: float


def invert(cumulative: Cumulative, candidates: int, totals: FloatArray, q: float, confidence: float) -> Inversion:
    """Accept x as the q-quantile when a t test over replications of [amount ≤ x] − q·[amount] accepts 0.

    Parameters
    ----------
    cumulative : Cumulative
        The amounts, jobs or seconds, at or below candidates.
    candidates : int
        How many candidates there are, in ascending order; the last holds at least a share q of all.
    totals : numpy.ndarray, shape (n,)
        The amounts, one a replication.
    """
    critical = critical_value(confidence, totals.size)
    # 0.07 * 100 is a little more than 7
    wanted = q * totals.sum() * (1.0 - 1e-12)

    def t(positions: NDArray[np.intp]) -> FloatArray:
        return _t_statistics(cumulative(positions) - q * totals[:, None], float(totals.max()))

    nothing = float(_t_statistics(-q * totals[:, None], float(totals.max()))[0])
    estimate = _first(lambda positions: cumulative(positions).sum(axis=0) >= wanted, 0, candidates)
    low = _first(lambda positions: t(positions) >= -critical, 0, estimate + 1)
    # mirrored: the last candidate that is not shown to be too high
    last = candidates - 1 - _first(lambda back: t(candidates - 1 - back) <= critical, 0, candidates - estimate)
    return Inversion(
        low=None if nothing >= -critical else low,
        estimate=estimate,
        high=max(last + 1, estimate) if last + 1 < candidates else None,
        independent=_independent(cumulative, estimate, totals),
    )


def _t_statistics(excess: FloatArray, scale: float) -> FloatArray:
    """One t statistic per column against 0; infinite where a column does not vary, 0 where it is 0 throughout."""
    mean = excess.mean(axis=0)
    mean[np.abs(mean) <= 1e-12 * scale] = 0.0
    error = excess.std(axis=0, ddof=1) / math.sqrt(excess.shape[0])
    flat = np.ptp(excess, axis=0) <= 1e-12 * scale
    certain = np.where(mean == 0.0, 0.0, np.copysign(math.inf, mean))
    return np.where(flat, certain, mean / np.where(flat, 1.0, error))


def _first(holds: Callable[[NDArray[np.intp]], NDArray[np.bool_]], start: int, stop: int) -> int:
    """The first position in [start, stop) where `holds`, narrowed down from evenly spread ones; `stop` if none does."""
    while True:
        positions = np.unique(np.linspace(start, stop - 1, min(WIDTH, stop - start)).astype(np.intp))
        flags = holds(positions)
        if not flags.any():
            return stop
        found = int(np.argmax(flags))
        if positions.size == stop - start or found == 0:
            return int(positions[found])
        start, stop = int(positions[found - 1]) + 1, int(positions[found]) + 1


def _independent(cumulative: Cumulative, estimate: int, totals: FloatArray) -> float:
    """p(1 − p) over the variance of the ratio p = sum of amounts ≤ x / sum of totals, just below the estimate."""
    for position in (estimate - 1, estimate):
        amounts = cumulative(np.array([position]))[:, 0] if position >= 0 else np.zeros_like(totals)
        share = float(amounts.sum() / totals.sum())
        if 0.0 < share < 1.0:
            residuals = (amounts - share * totals) / totals.mean()
            variance = float(residuals.var(ddof=1)) / totals.size
            return share * (1.0 - share) / variance if variance > 0.0 else math.inf
    return math.inf
