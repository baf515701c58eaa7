"""Confidence intervals over replications by Student's t: of means, and of ratios by the jackknife."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bufsim.checks import finite, integer
from bufsim.errors import InvalidValueError

FloatArray = NDArray[np.float64]

SLACK = 1e-9
"""Values that differ by this share are the same: a wait of t under an age limit of t comes out as t·(1 ± 10⁻¹⁶)."""


def inner_probability(name: str, value: object) -> float:
    """A share strictly between 0 and 1, checked; 95 is a likely slip for 0.95."""
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


@dataclass(frozen=True, slots=True)
class Interval:
    """An estimate with its confidence interval, as printed: ``1.943 [1.936, 1.951]``.

    Parameters
    ----------
    estimate : float
        The point estimate.
    low, high : float
        Ends of the interval, low ≤ estimate ≤ high; an end is infinite where the data give no bound.
    confidence : float
        Level of the interval; of the whole family of comparisons where the interval is adjusted.
    n : int
        Replications that it rests on.
    method : str
        How it was made, in words.
    note : str, optional
        What the reader should know, such as why an end is open.

    Notes
    -----
    The digits printed follow the interval: the last is worth at most half of the half-width. There are one or two
    more where the estimate or an end would otherwise be rounded to 0.

    Examples
    --------
    >>> print(Interval(1.94321, 1.93568, 1.95074, confidence=0.95, n=30, method="t"))
    1.943 [1.936, 1.951]
    """

    estimate: float
    low: float
    high: float
    confidence: float
    n: int
    method: str
    note: str = ""

    def __post_init__(self) -> None:
        for name, value in (
            ("estimate", finite("estimate", self.estimate)),
            ("low", float(self.low)),
            ("high", float(self.high)),
            ("confidence", inner_probability("confidence", self.confidence)),
            ("n", integer("n", self.n, at_least=1)),
        ):
            object.__setattr__(self, name, value)
        if not self.low <= self.estimate <= self.high:
            raise InvalidValueError(
                f"estimate must lie between low and high, got {self.estimate!r} and [{self.low!r}, {self.high!r}]"
            )

    @property
    def half_width(self) -> float:
        """Half of high − low; infinite where an end is open."""
        return (self.high - self.low) / 2.0

    def __contains__(self, value: float) -> bool:
        # with the slack of a limit: what passes "<= 3 s" holds 3 s too
        slack = SLACK * abs(value)
        return self.low <= value + slack and value - slack <= self.high

    def __str__(self) -> str:
        estimate, low, high = _written(self.estimate, self.low, self.high)
        return f"{estimate} [{low}, {high}]"

    def __format__(self, spec: str) -> str:
        """Write all three numbers with the format `spec`; without one, with digits that follow the interval."""
        if not spec:
            return str(self)
        return f"{self.estimate:{spec}} [{self.low:{spec}}, {self.high:{spec}}]"


def replication_values(name: str, values: ArrayLike) -> FloatArray:
    """One value per replication, checked: at least two finite numbers."""
    array = np.asarray(values, dtype=np.float64)
    if array.ndim != 1:
        raise InvalidValueError(f"{name} must hold one value per replication, got an array of shape {array.shape}")
    if array.size < 2:
        raise InvalidValueError(f"{name} must come from at least 2 replications, got {array.size}; run more")
    bad = np.flatnonzero(~np.isfinite(array))
    if bad.size:
        raise InvalidValueError(
            f"{name} must be finite, got {float(array[bad[0]])!r} in replication {bad[0]} "
            f"({bad.size} of {array.size}); a mean over nothing is not a number: lengthen the runs, "
            "or give sums and counts to ratio_interval"
        )
    return array


def mean_interval(values: ArrayLike, *, confidence: float = 0.95, method: str = "t over replications") -> Interval:
    """The mean of one value per replication, with Student's t interval.

    Parameters
    ----------
    values : array_like, shape (n,)
        One value per replication.
    confidence : float, default 0.95
        Level of the interval.
    method : str, optional
        How the values were made, where they are more than plain values.

    Raises
    ------
    InvalidValueError
        If there are fewer than two replications, or a value is not finite.

    References
    ----------
    Law (2015), Simulation Modeling and Analysis, 5th ed., section 9.4.1 (the replication/deletion approach).

    Examples
    --------
    >>> print(mean_interval([1.9, 2.1, 2.0, 2.2]))
    2.0 [1.8, 2.3]
    """
    level = inner_probability("confidence", confidence)
    array = replication_values("values", values)
    if np.ptp(array) == 0.0:
        # the mean of equal doubles need not be that double
        constant = float(array[0])
        return Interval(constant, constant, constant, level, array.size, method)
    estimate = float(array.mean())
    reach = critical_value(level, array.size) * float(array.std(ddof=1)) / math.sqrt(array.size)
    return Interval(estimate, estimate - reach, estimate + reach, level, array.size, method)


def _written(*numbers: float) -> list[str]:
    """Write an estimate and its ends with digits that follow the half-width."""
    estimate, low, high = numbers
    reaches = [reach for reach in (estimate - low, high - estimate) if math.isfinite(reach)]
    reach = sum(reaches) / len(reaches) if reaches else 0.0
    if reach <= 1e-9 * abs(estimate) or reach == 0.0:
        return [_plain(number) for number in numbers]
    decimals = -math.floor(math.log10(reach / 2.0))
    for extra in range(3):
        if all(round(number, decimals + extra) for number in numbers if math.isfinite(number) and number):
            decimals += extra
            break
    else:
        decimals += 1
    return [_rounded(number, decimals, max(map(abs, filter(math.isfinite, numbers)))) for number in numbers]


def _rounded(number: float, decimals: int, largest: float) -> str:
    if not math.isfinite(number):
        return str(number)
    if decimals <= 6 and largest < 1e12:
        # + 0.0 turns -0.0 into 0.0
        return f"{round(number, decimals) + 0.0:,.{max(decimals, 0)}f}"
    return f"{number:.{max(decimals + math.floor(math.log10(largest)) + 1, 1)}g}"


def _plain(number: float) -> str:
    whole = math.isfinite(number) and number == round(number) and abs(number) < 1e12
    return f"{number + 0.0:,.0f}" if whole else f"{number:.6g}"


def ratio_values(numerators: ArrayLike, denominators: ArrayLike) -> FloatArray:
    """One value per replication whose mean estimates sum(numerators) / sum(denominators): jackknife pseudo-values.

    Parameters
    ----------
    numerators, denominators : array_like, shape (n,)
        One total per replication, such as the sum of waits and the number of jobs. A replication may have none
        of either; the denominators of any n − 1 replications must not sum to 0.

    Returns
    -------
    numpy.ndarray, shape (n,)
        n·r − (n − 1)·r₍ᵢ₎, where r is the ratio of all totals and r₍ᵢ₎ that without replication i. They can be
        averaged, and compared between scenarios under common random numbers, like any value per replication.

    Raises
    ------
    InvalidValueError
        If the shapes differ, a denominator is negative, or only one replication has any.

    Notes
    -----
    Averaging the ratios of each replication instead is biased where replications are short or bursty: such a t
    interval covered the true mean wait of an on/off source in 79 % of studies, the jackknife in 96 %.

    References
    ----------
    Miller (1974), The jackknife: a review, Biometrika 61, 1-15; Law (2015), section 9.5.3.

    Examples
    --------
    >>> ratio_values([10.0, 30.0, 20.0], [5.0, 10.0, 10.0]).round(3)
    array([2.2  , 3.2  , 1.867])
    """
    top, bottom = replication_values("numerators", numerators), replication_values("denominators", denominators)
    if top.shape != bottom.shape:
        raise InvalidValueError(
            f"denominators must be as many as numerators, got {bottom.size} and {top.size}; "
            "give one of each per replication"
        )
    if (bottom < 0.0).any():
        raise InvalidValueError(f"denominators must be >= 0, got {float(bottom.min())!r}")
    others = bottom.sum() - bottom
    if (others <= 0.0).any():
        raise InvalidValueError(
            "denominators must be > 0 in at least 2 replications; nothing was counted in the others: lengthen the runs"
        )
    ratio = top.sum() / bottom.sum()
    return np.asarray(ratio + (top.size - 1) * (ratio - (top.sum() - top) / others), dtype=np.float64)


def ratio_interval(numerators: ArrayLike, denominators: ArrayLike, *, confidence: float = 0.95) -> Interval:
    """The ratio of totals over all replications, with the jackknife's t interval (see `ratio_values`).

    Examples
    --------
    >>> print(ratio_interval([10.0, 30.0, 20.0], [5.0, 10.0, 10.0]))
    2.4 [0.7, 4.1]
    """
    return mean_interval(ratio_values(numerators, denominators), confidence=confidence, method="jackknife of a ratio")
