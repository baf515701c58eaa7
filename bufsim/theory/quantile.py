"""Quantiles of a wait from its survival function."""

from __future__ import annotations

from collections.abc import Callable


def quantile(longer_than: Callable[[float], float], share: float, longest: float) -> float:
    """The least w ≤ `longest` with P(W > w) ≤ 1 − `share`.

    `longer_than` is P(W > w): it falls, and is continuous up to `longest`, beyond which no job waits.
    """
    from scipy import optimize

    missed = 1.0 - share
    if longer_than(0.0) <= missed:
        return 0.0
    # just below `longest`: at `longest` itself an atom may hide more than `missed`
    if longer_than(longest * (1.0 - 1e-15)) >= missed:
        return longest
    return float(optimize.brentq(lambda wait: longer_than(wait) - missed, 0.0, longest, xtol=1e-300, rtol=1e-14))
