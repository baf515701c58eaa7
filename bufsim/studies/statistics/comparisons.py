"""Paired differences of two scenarios that met the same arrivals (common random numbers)."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from bufsim.errors import InvalidValueError
from bufsim.studies.statistics.intervals import Interval, replication_values
from bufsim.studies.statistics.replications import replications_for_half_width, replications_for_power
from bufsim.studies.statistics.student_t import critical_value, inner_probability, lower_tail, statistic

# Differences this small, relative to the values, come from the order of float sums, not from the model.
ROUNDING = 1e-12


@dataclass(frozen=True, slots=True)
class PairedDifference:
    """The mean over replications of first − second, with what is needed for its interval at any level.

    Made by `paired_difference`.

    Parameters
    ----------
    first, second : str
        Names of the two scenarios (or of one metric under both).
    n : int
        Replications.
    estimate : float
        Mean of the paired differences.
    variance : float
        Sample variance of the paired differences.
    first_mean, second_mean, first_variance, second_variance : float
        Means and sample variances of either.
    """

    first: str
    second: str
    n: int
    estimate: float
    variance: float
    first_mean: float
    second_mean: float
    first_variance: float
    second_variance: float

    @property
    def is_identical(self) -> bool:
        """Whether every replication gave the same value to both, up to rounding."""
        return self.estimate == 0.0 and self.variance == 0.0

    @property
    def standard_deviation(self) -> float:
        """Sample standard deviation of the paired differences."""
        return math.sqrt(self.variance)

    @property
    def p_value(self) -> float:
        """Two-sided p-value of the paired t test; 1 for identical values, 0 for a constant difference other than 0."""
        return 2.0 * lower_tail(-abs(statistic(self.estimate, self.variance, self.n)), self.n)

    @property
    def variance_ratio(self) -> float:
        """What pairing gained: variance of an unpaired difference over that of the paired one.

        As many times more replications would be needed with independent arrivals. Infinite where the difference
        is constant, 1 where both values are.
        """
        unpaired = self.first_variance + self.second_variance
        if self.variance > 0.0:
            return unpaired / self.variance
        return math.inf if unpaired > 0.0 else 1.0

    def interval(self, confidence: float = 0.95, *, method: str = "paired t") -> Interval:
        """The t interval of the difference at `confidence`."""
        level = inner_probability("confidence", confidence)
        reach = critical_value(level, self.n) * math.sqrt(self.variance / self.n)
        return Interval(self.estimate, self.estimate - reach, self.estimate + reach, level, self.n, method)

    def relative_interval(self, confidence: float = 0.95, *, method: str = "paired t, Fieller") -> Interval:
        """The interval of (first − second) / |second|: each ρ whose first − second − ρ·|second| passes a t test of 0.

        Open at both ends where the mean of second itself is not separable from 0.

        References
        ----------
        Fieller (1954), Some problems in interval estimation, J. Royal Statistical Society B 16, 175-185.
        """
        level = inner_probability("confidence", confidence)
        square = critical_value(level, self.n) ** 2 / self.n
        if self.second_mean == 0.0:
            raise InvalidValueError(
                f"a relative difference needs a mean of {self.second!r} other than 0; ask for the absolute one"
            )
        size, against = abs(self.second_mean), self.covariance_with_size
        curvature = size**2 - square * self.second_variance
        estimate, low, high = self.estimate / size, -math.inf, math.inf
        if curvature > 0.0:
            centre = self.estimate * size - square * against
            spread = centre**2 - curvature * (self.estimate**2 - square * self.variance)
            root = math.sqrt(max(spread, 0.0))
            low, high = min((centre - root) / curvature, estimate), max((centre + root) / curvature, estimate)
        return Interval(estimate, low, high, level, self.n, method)

    @property
    def covariance_with_size(self) -> float:
        """Sample covariance of first − second with second, taken with the sign of second's mean."""
        sign = math.copysign(1.0, self.second_mean)
        return sign * (self.first_variance - self.second_variance - self.variance) / 2.0

    def replications_for(self, half_width: float, *, confidence: float = 0.95) -> int:
        """The replications that bring the difference's interval to `half_width`, with this noise."""
        return replications_for_half_width(self.standard_deviation, half_width, confidence=confidence)

    def replications_to_separate(self, *, power: float = 0.8, confidence: float = 0.95) -> int | None:
        """The replications that would show a difference as large as the one estimated; None if that is 0."""
        return replications_for_power(self.estimate, self.standard_deviation, power=power, confidence=confidence)


def paired_difference(
    first: ArrayLike, second: ArrayLike, *, names: tuple[str, str] = ("first", "second")
) -> PairedDifference:
    """First − second, replication by replication, of two scenarios under common random numbers.

    Parameters
    ----------
    first, second : array_like, shape (n,)
        One value per replication, in the same order of replications; for ratios and quantiles the pseudo-values
        of `ratio_values` and `quantile_values`.
    names : tuple of str, optional
        What they are called in verdicts.

    Raises
    ------
    InvalidValueError
        If there are fewer than two replications, a value is not finite, or the numbers of replications differ.

    References
    ----------
    Law (2015), Simulation Modeling and Analysis, 5th ed., sections 10.2.1 and 11.2.

    Examples
    --------
    >>> difference = paired_difference([2.1, 2.4, 2.0, 2.6], [2.0, 2.2, 1.9, 2.4])
    >>> print(difference.interval(), round(difference.variance_ratio, 1))
    0.15 [0.06, 0.24] 37.5
    """
    left, right = replication_values(names[0], first), replication_values(names[1], second)
    if left.size != right.size:
        raise InvalidValueError(
            f"{names[0]} and {names[1]} must have the same replications, got {left.size} and {right.size}; "
            "pairing compares values that met the same arrivals"
        )
    gap = left - right
    gap[np.abs(gap) <= ROUNDING * np.maximum(np.abs(left), np.abs(right))] = 0.0
    constant = np.ptp(gap) == 0.0
    return PairedDifference(
        first=names[0],
        second=names[1],
        n=left.size,
        estimate=float(gap[0] if constant else gap.mean()),
        variance=0.0 if constant else float(gap.var(ddof=1)),
        first_mean=float(left.mean()),
        second_mean=float(right.mean()),
        first_variance=float(left.var(ddof=1)),
        second_variance=float(right.var(ddof=1)),
    )
