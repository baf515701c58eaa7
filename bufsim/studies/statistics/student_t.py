"""Student's t distribution over replications: the one place where this wing asks scipy for it."""

from __future__ import annotations

from bufsim.checks import finite
from bufsim.errors import InvalidValueError


def inner_probability(name: str, value: object) -> float:
    """Return `value` as a float strictly between 0 and 1.

    Raises
    ------
    InvalidValueError
        If it is not; 95 is a likely slip for 0.95.
    """
    level = finite(name, value)
    if not 0.0 < level < 1.0:
        hint = f"; write {level / 100:g} for {level:g} %" if 1.0 < level < 100.0 else ""
        raise InvalidValueError(f"{name} must be > 0 and < 1, got {value!r}{hint}")
    return level


def critical_value(confidence: float, n: int) -> float:
    """The quantile of t with n − 1 degrees of freedom that leaves (1 − confidence) / 2 on either side."""
    from scipy.special import stdtrit

    return -float(stdtrit(n - 1, (1.0 - confidence) / 2.0))


def lower_tail(t: float, n: int) -> float:
    """P(T ≤ t) for Student's t over `n` replications (n − 1 degrees of freedom); `t` may be infinite."""
    from scipy.special import stdtr

    return float(stdtr(n - 1, t))


def statistic(estimate: float, variance: float, n: int) -> float:
    """The t statistic of a mean of `n` values against 0: estimate / sqrt(variance / n).

    Without variance it is −inf, 0 or inf, by the sign of the estimate.
    """
    if variance > 0.0:
        return float(estimate / (variance / n) ** 0.5)
    return 0.0 if estimate == 0.0 else float("inf") if estimate > 0.0 else float("-inf")
