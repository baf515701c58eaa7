"""Equivalence: showing that a difference is too small to matter, by two one-sided tests."""

from __future__ import annotations

from dataclasses import dataclass

from bufsim.studies.statistics.comparisons import PairedDifference
from bufsim.studies.statistics.intervals import Interval
from bufsim.studies.statistics.margins import Margin
from bufsim.studies.statistics.student_t import inner_probability, lower_tail, statistic


@dataclass(frozen=True, slots=True)
class Equivalence:
    """Whether a difference lies within a margin: its 1 − 2α interval does, strictly.

    Parameters
    ----------
    interval : Interval
        Of the difference, or of the relative difference where the margin is relative, at 1 − 2α.
    margin : Margin
        The margin asked about.
    p_value : float
        The larger of the two one-sided p-values.
    """

    interval: Interval
    margin: Margin
    p_value: float

    @property
    def holds(self) -> bool:
        """Whether the interval lies inside ± margin."""
        return -self.margin.size < self.interval.low and self.interval.high < self.margin.size


def equivalence(difference: PairedDifference, margin: Margin, *, confidence: float = 0.95) -> Equivalence:
    """Test whether first and second differ by less than a margin: two one-sided paired t tests, each at 1 − confidence.

    A relative margin is a share of |second|, which is itself estimated: the tests are then of
    first − second ± margin·|second|, so that its noise counts too.

    References
    ----------
    Schuirmann (1987), J. Pharmacokinetics and Biopharmaceutics 15, 657-680; with a relative margin Berger and
    Hsu (1996), Bioequivalence trials, intersection-union tests and equivalence confidence sets, Statistical Science
    11, 283-319.

    Examples
    --------
    >>> from bufsim.studies.statistics import paired_difference
    >>> difference = paired_difference([2.50, 2.53, 2.48, 2.51], [2.49, 2.52, 2.50, 2.50])
    >>> equivalence(difference, Margin(0.05, relative=True)).holds
    True
    """
    level = 2.0 * inner_probability("confidence", confidence) - 1.0
    p_value = max(_one_sided(difference, margin, side) for side in (1.0, -1.0))
    return Equivalence(_interval(difference, margin, level), margin, p_value)


def _interval(difference: PairedDifference, margin: Margin, level: float) -> Interval:
    if margin.relative:
        return difference.relative_interval(level, method="two one-sided tests, Fieller")
    return difference.interval(level, method="two one-sided tests")


def _one_sided(difference: PairedDifference, margin: Margin, side: float) -> float:
    """The p-value of the test that side·(first − second) is less than the margin."""
    variance = difference.variance
    if margin.relative:
        share = side * margin.size
        variance += share**2 * difference.second_variance - 2.0 * share * difference.covariance_with_size
    gap = side * difference.estimate - margin.at(difference.second_mean)
    return lower_tail(statistic(gap, max(variance, 0.0), difference.n), difference.n)
