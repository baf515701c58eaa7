"""Confidence intervals, and the t interval over replications."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bufsim.checks import finite, integer
from bufsim.errors import InvalidValueError
from bufsim.studies.statistics.student_t import critical_value, inner_probability

FloatArray = NDArray[np.float64]


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
        return self.low <= value <= self.high

    def __str__(self) -> str:
        estimate, low, high = _written(self.estimate, self.low, self.high)
        return f"{estimate} [{low}, {high}]"

    def __format__(self, spec: str) -> str:
        """Write all three numbers with the format `spec`; without one, with digits that follow the interval."""
        if not spec:
            return str(self)
        return f"{self.estimate:{spec}} [{self.low:{spec}}, {self.high:{spec}}]"


def replication_values(name: str, values: ArrayLike) -> FloatArray:
    """Return `values`, one a replication, as a float array of at least two finite numbers."""
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
