"""Poisson counts, as the closed forms need them: tails, capped moments, expectations."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

# beyond so many standard deviations and counts from the mean, a Poisson probability is below 1e-25
_SPREAD = 12.0
_MARGIN = 60


def at_most(count: int, mean: float) -> float:
    """P(X ≤ count)."""
    from scipy import special

    return float(special.pdtr(count, mean)) if count >= 0 else 0.0


def more_than(count: int, mean: float) -> float:
    """P(X > count), to full relative accuracy also where it is tiny."""
    from scipy import special

    return float(special.pdtrc(count, mean)) if count >= 0 else 1.0


def capped_moments(mean: float, cap: int) -> tuple[float, float]:
    """E[Y] and E[Y²] of Y = min(X, cap).

    Notes
    -----
    k·P(X = k) = m·P(X = k − 1) gives E[Y] = m·P(X ≤ cap−2) + cap·P(X ≥ cap) and
    E[Y²] = m²·P(X ≤ cap−3) + m·P(X ≤ cap−2) + cap²·P(X ≥ cap): no differences, no long sums. As
    ∑_{j<cap} P(X > j) = E[Y] and ∑_{j<cap} j·P(X > j) = E[Y(Y−1)]/2, these are the sums of the closed forms.
    """
    reached = more_than(cap - 1, mean)
    below = mean * at_most(cap - 2, mean)
    first = below + cap * reached
    second = mean * mean * at_most(cap - 3, mean) + below + float(cap) ** 2 * reached
    return first, second


def excess(mean: float, cap: int) -> float:
    """E[(X − cap)⁺], to full relative accuracy on both sides of the mean."""
    if cap <= mean:
        return mean - capped_moments(mean, cap)[0]
    from scipy import special

    # summed, because far above the mean the difference of mean and capped mean has no digits left
    beyond = np.arange(cap, most(cap))
    return float(special.pdtrc(beyond, mean).sum())


def support(mean: float) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float64]]:
    """Counts that have a probability above some 1e-25, and their probabilities."""
    counts = np.arange(max(0, math.floor(mean - _SPREAD * math.sqrt(mean))), most(mean))
    return counts, probabilities(counts, mean)


def most(mean: float) -> int:
    """A count that is exceeded with a probability below 1e-25."""
    return math.ceil(mean + _SPREAD * math.sqrt(mean)) + _MARGIN


def probabilities(counts: npt.NDArray[np.int64], mean: float | npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """P(X = count) for all `counts` (last axis), which hold nearly all the probability."""
    from scipy import special

    weights = np.exp(special.xlogy(counts, mean) - special.gammaln(counts + 1.0) - mean)
    # the logarithms of a large mean round by as much as 1e-10, nearly the same for all counts
    return np.asarray(weights / weights.sum(axis=-1, keepdims=True))
