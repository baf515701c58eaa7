"""Paired comparisons of scenarios under common random numbers: differences, equivalence, and families of verdicts."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal, TypeVar

import numpy as np
from numpy.typing import ArrayLike

from bufsim import formats
from bufsim.checks import positive
from bufsim.errors import InvalidValueError
from bufsim.statistics.families import holm
from bufsim.statistics.intervals import (
    SLACK,
    FloatArray,
    Interval,
    critical_value,
    inner_probability,
    lower_tail,
    replication_values,
    statistic,
)
from bufsim.statistics.quantiles import TooFew, worst_of
from bufsim.statistics.replications import replications_for_power

T = TypeVar("T")
Reach = tuple[float, float]
"""How far a value may lie below and above the mean of its replications, because it is known to its bin alone."""

NO_PROOF = 3
"""So few runs with the same difference prove nothing: two runs of whole numbers, such as peaks, often have one."""

UNSEEN = "exact bounds over runs"
"""How the interval of a difference is made that no replication shows, though unseen events may make one."""
_AT_ONCE = 4096
"""So many pairs are worked out together, whose values lie in memory at once."""


@dataclass(frozen=True, slots=True)
class Margin:
    """A size that does not matter: absolute, or relative to the value beside it.

    Parameters
    ----------
    size : float
        > 0; in the metric's unit, or as a share where `relative` (0.05 is 5 %).
    relative : bool, default False
        Whether `size` is a share of the absolute value beside it.

    Examples
    --------
    >>> print(Margin(0.05), Margin(0.05, relative=True), Margin(0.05, relative=True).at(2.5))
    0.05 5 % 0.125
    """

    size: float
    relative: bool = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "size", positive("size", self.size))

    def at(self, value: float) -> float:
        """The margin in the metric's unit, beside `value`."""
        return self.size * abs(value) if self.relative else self.size

    def __str__(self) -> str:
        return formats.level(self.size) if self.relative else f"{self.size:g}"


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
    exact : bool
        Whether nothing is drawn at random in either scenario, so that even two replications are proof.
    below, above : float
        How far the difference may lie below and above its estimate, because values are known to their bins alone: a
        quantile lies somewhere in the bin of its histogram.
    unseen : float
        How far the difference may be from its estimate by events that none, or few, of the replications saw. Its bound
        holds with the confidence that is asked for, and replaces that of the replications' spread.
    unbounded : TooFew or None
        Why nothing bounds it, where it is one of quantiles of too few flushes.
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
    exact: bool = False
    below: float = 0.0
    above: float = 0.0
    unseen: float = 0.0
    unbounded: TooFew | None = None

    @property
    def least(self) -> float:
        """The difference nearest to 0 that the bins of the values allow."""
        return min(max(0.0, self.estimate - self.below), self.estimate + self.above)

    @property
    def is_in_one_bin(self) -> bool:
        """Whether the values are not told apart: they lie in one bin, with less noise than that is wide."""
        spread = critical_value(0.95, self.n) * math.sqrt(self.variance / self.n)
        return self.least == 0.0 and spread <= self.below + self.above and self.below + self.above > 0.0

    @property
    def is_constant_zero(self) -> bool:
        """Whether every replication gave the same value to both, up to rounding."""
        return self.estimate == 0.0 and self.variance == 0.0

    @property
    def is_chance(self) -> bool:
        """Whether it is a difference that all of a few replications have, which may be by chance."""
        return self.variance == 0.0 and self.least != 0.0 and self.n <= NO_PROOF and not self.exact

    @property
    def t(self) -> float:
        """The t statistic against 0; 0 where a constant difference proves nothing, or nothing bounds it."""
        if self.is_chance or self.unbounded or self.unseen:
            return 0.0
        return statistic(self.least, self.variance, self.n)

    @property
    def is_identical(self) -> bool:
        """Whether every replication gave both the same value, or one in the same bin, and nothing unseen parts them."""
        return (self.is_constant_zero or self.is_in_one_bin) and self.unseen == 0.0 and self.unbounded is None

    @property
    def standard_deviation(self) -> float:
        """Sample standard deviation of the paired differences."""
        return math.sqrt(self.variance)

    @property
    def p_value(self) -> float:
        """Two-sided p-value of the paired t test; 1 for identical values, 0 for a constant difference other than 0.

        In up to 3 replications that draw at random a constant difference is no proof, and 1 too.
        """
        return 2.0 * lower_tail(-abs(self.t), self.n)

    @property
    def variance_ratio(self) -> float:
        """Gain by pairing: variance of an unpaired difference over that of the paired one.

        As many times more replications would be needed with independent arrivals. Infinite where the difference
        is constant, 1 where both values are.
        """
        unpaired = self.first_variance + self.second_variance
        if self.variance > 0.0:
            return unpaired / self.variance
        return math.inf if unpaired > 0.0 else 1.0

    def interval(self, confidence: float = 0.95, *, method: str = "paired t", family: float | None = None) -> Interval:
        """The t interval of the difference at `confidence`; of a constant one that proves nothing, as far as 0.

        Open at both ends where it is one of quantiles of too few flushes.

        Parameters
        ----------
        confidence : float, default 0.95
            Its level by itself.
        method : str, optional
            How it was made, in words.
        family : float, optional
            The confidence that it tells, where that is of a whole family of differences.
        """
        level = inner_probability("confidence", confidence)
        told = level if family is None else family
        if self.unbounded:
            return self.unbounded.interval(self.estimate, told, self.n)
        if self.is_chance:
            return self._no_proof(self.estimate, told)
        if self.unseen:
            low, high = self.estimate - self.unseen, self.estimate + self.unseen
            return Interval(self.estimate, low, high, told, self.n, UNSEEN)
        reach = critical_value(level, self.n) * math.sqrt(self.variance / self.n)
        low, high = self.estimate - self.below - reach, self.estimate + self.above + reach
        return Interval(self.estimate, low, high, told, self.n, method)

    def _no_proof(self, estimate: float, confidence: float) -> Interval:
        low, high = sorted((0.0, 2.0 * estimate))
        return Interval(estimate, low, high, confidence, self.n, f"the same in {self.n} replications: no proof")

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
        if self.unbounded:
            return self.unbounded.interval(self.estimate / abs(self.second_mean), level, self.n)
        if self.is_chance:
            return self._no_proof(self.estimate / abs(self.second_mean), level)
        size, against = abs(self.second_mean), self.covariance_with_size
        if self.unseen:  # the second itself may be 0
            return Interval(self.estimate / size, -math.inf, math.inf, level, self.n, UNSEEN)
        curvature = size**2 - square * self.second_variance
        estimate, low, high = self.estimate / size, -math.inf, math.inf
        if curvature > 0.0:
            centre = self.estimate * size - square * against
            spread = centre**2 - curvature * (self.estimate**2 - square * self.variance)
            root = math.sqrt(max(spread, 0.0))
            low, high = min((centre - root) / curvature, estimate), max((centre + root) / curvature, estimate)
        return Interval(estimate, low - self.below / size, high + self.above / size, level, self.n, method)

    @property
    def covariance_with_size(self) -> float:
        """Sample covariance of first − second with second, taken with the sign of second's mean."""
        sign = math.copysign(1.0, self.second_mean)
        return sign * (self.first_variance - self.second_variance - self.variance) / 2.0

    def replications_to_separate(self, *, power: float = 0.8, confidence: float = 0.95) -> int | None:
        """The replications that would show a difference as large as the one estimated; None if none would.

        Of a constant one, unless nothing is drawn at random, the fewest that are proof.
        """
        if self.unbounded or self.unseen:
            return None
        needed = replications_for_power(self.least, self.standard_deviation, power=power, confidence=confidence)
        is_constant = needed is not None and self.variance == 0.0 and not self.exact
        return NO_PROOF + 1 if is_constant else needed


def without_bound(difference: PairedDifference, few: Mapping[str, TooFew]) -> PairedDifference:
    """The difference, which nothing bounds where either is a quantile of too few flushes.

    Two that vary, and have the same value in every replication, are the same however few flushes they have.

    Parameters
    ----------
    difference : PairedDifference
        Of two scenarios.
    few : mapping of str to TooFew
        By scenario, of those that have too few.

    Examples
    --------
    >>> from bufsim.statistics.quantiles import too_few
    >>> difference = paired_difference([2.1, 2.4, 2.0, 2.6], [2.0, 2.2, 1.9, 2.4], names=("A", "B"))
    >>> print(without_bound(difference, {"B": too_few(0.99, 300)}).interval())
    0.15 [-inf, inf]
    """
    found = {name: few[name] for name in (difference.first, difference.second) if name in few}
    if not found or (difference.is_constant_zero and difference.first_variance > 0.0):
        return difference
    return replace(difference, unbounded=worst_of(found))


def paired_difference(
    first: ArrayLike,
    second: ArrayLike,
    *,
    names: tuple[str, str] = ("first", "second"),
    exact: bool = False,
    reaches: tuple[Reach, Reach] = ((0.0, 0.0), (0.0, 0.0)),
) -> PairedDifference:
    """First − second, replication by replication, of two scenarios under common random numbers.

    Parameters
    ----------
    first, second : array_like, shape (n,)
        One value per replication, in the same order of replications; for ratios and quantiles the pseudo-values
        of `ratio_values` and `quantile_values`.
    names : tuple of str, optional
        What they are called in verdicts.
    exact : bool, default False
        Whether nothing is drawn at random in either, so that even two replications are proof.
    reaches : tuple of (float, float), optional
        How far either may lie below and above its mean, because it is known to its bin alone.

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
    (difference,) = _differences(np.array([left, right]), [0], [1], [names], reaches)
    return replace(difference, exact=exact)


def paired_differences(
    samples: Mapping[str, ArrayLike], pairs: Sequence[tuple[str, str]], reaches: Mapping[str, Reach] | None = None
) -> list[PairedDifference]:
    """The `paired_difference` of each pair of scenarios, all worked out together.

    Parameters
    ----------
    samples : mapping of str to array_like, shape (n,)
        One value per replication and scenario, in the same order of replications.
    pairs : sequence of (str, str)
        The scenarios of each difference.
    reaches : mapping of str to (float, float), optional
        How far each scenario may lie below and above its mean, because it is known to its bin alone.

    Examples
    --------
    >>> samples = {"today": [2.0, 2.2, 1.9, 2.4], "new": [2.1, 2.4, 2.0, 2.6]}
    >>> print(*(difference.interval() for difference in paired_differences(samples, [("new", "today")])))
    0.15 [0.06, 0.24]
    """
    values = {name: replication_values(name, sample) for name, sample in samples.items()}
    if len({sample.size for sample in values.values()}) > 1:
        sizes = {name: sample.size for name, sample in values.items()}
        raise InvalidValueError(f"samples must have the same replications in every scenario, got {sizes}")
    table, row = np.array(list(values.values())), {name: index for index, name in enumerate(values)}
    known = [(reaches or {}).get(name, (0.0, 0.0)) for name in values]
    made: list[PairedDifference] = []
    for start in range(0, len(pairs), _AT_ONCE):
        some = pairs[start : start + _AT_ONCE]
        made += _differences(table, [row[first] for first, _ in some], [row[second] for _, second in some], some, known)
    return made


def _differences(
    table: FloatArray,
    firsts: Sequence[int],
    seconds: Sequence[int],
    names: Sequence[tuple[str, str]],
    reaches: Sequence[Reach],
) -> list[PairedDifference]:
    """The differences of pairs of rows of a table: each sum is over one row, the same however many pairs there are."""
    left, right = table[firsts], table[seconds]
    gaps = left - right
    sizes = np.maximum(np.abs(left), np.abs(right))
    gaps[np.abs(gaps) <= SLACK * sizes] = 0.0
    constant = np.ptp(gaps, axis=1) == 0.0
    estimates = np.where(constant, gaps[:, 0], gaps.mean(axis=1)).tolist()
    variances = np.where(constant, 0.0, gaps.var(axis=1, ddof=1)).tolist()
    means, spreads, n = table.mean(axis=1).tolist(), table.var(axis=1, ddof=1).tolist(), table.shape[1]
    known = np.array(reaches)
    # as far as the first may lie below and the second above, and the other way round; rounding apart
    ends = known[firsts] + known[seconds][:, ::-1]
    ends[ends.sum(axis=1) <= SLACK * sizes.mean(axis=1)] = 0.0
    # histograms that vary from run to run, and agree in every one, are the same jobs' waits
    ends[constant & (gaps[:, 0] == 0.0) & (left.var(axis=1) > 0.0)] = 0.0
    below, above = ends.T.tolist()
    return [
        PairedDifference(
            *pair,
            n,
            estimates[i],
            variances[i],
            means[a],
            means[b],
            spreads[a],
            spreads[b],
            below=below[i],
            above=above[i],
        )
        for i, (pair, a, b) in enumerate(zip(names, firsts, seconds, strict=True))
    ]


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
    """The test for a difference below a margin: two one-sided paired t tests, each at 1 − confidence.

    A relative margin is a share of |second|, which is itself estimated: the tests are then of
    first − second ± margin·|second|, so that its noise counts too.

    References
    ----------
    Schuirmann (1987), J. Pharmacokinetics and Biopharmaceutics 15, 657-680; with a relative margin Berger and
    Hsu (1996), Bioequivalence trials, intersection-union tests and equivalence confidence sets, Statistical Science
    11, 283-319.

    Examples
    --------
    >>> from bufsim.statistics import paired_difference
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
    if difference.is_chance or difference.unbounded:
        return 1.0
    if difference.unseen:
        far = math.inf if margin.relative else side * difference.estimate + difference.unseen
        return 0.0 if far < margin.size else 1.0
    variance = difference.variance
    if margin.relative:
        share = side * margin.size
        variance += share**2 * difference.second_variance - 2.0 * share * difference.covariance_with_size
    farthest = difference.estimate + (difference.above if side > 0.0 else -difference.below)
    gap = side * farthest - margin.at(difference.second_mean)
    return lower_tail(statistic(gap, max(variance, 0.0), difference.n), difference.n)


Verdict = Literal["better", "worse", "equivalent", "identical", "not separable"]


@dataclass(frozen=True, slots=True)
class Comparison:
    """A paired difference with its verdict on first against second, and the interval that agrees with it.

    Parameters
    ----------
    difference : PairedDifference
        First − second, unadjusted.
    interval : Interval
        Of the difference, adjusted for the family: it excludes 0 exactly where the difference is shown.
    p_value : float
        Adjusted.
    verdict : {"better", "worse", "equivalent", "identical", "not separable"}
        Identical: every replication gives both the same value, or the values lie in one bin of a histogram. Equivalent:
        within the margin, whichever is better. Not separable: none of this was shown.
    family : int
        Comparisons that the adjustment counts.
    equivalence : Equivalence or None
        The test against the margin, adjusted, where one was given.
    """

    difference: PairedDifference
    interval: Interval
    p_value: float
    verdict: Verdict
    family: int
    equivalence: Equivalence | None = None

    @property
    def first(self) -> str:
        """Name of the scenario that the verdict is on."""
        return self.difference.first

    @property
    def second(self) -> str:
        """Name of the scenario that it is compared with."""
        return self.difference.second

    def replications_needed(self, *, power: float = 0.8) -> int | None:
        """The replications with which this family would show a difference as large as the one estimated."""
        confidence = 1.0 - (1.0 - self.interval.confidence) / self.family
        return self.difference.replications_to_separate(power=power, confidence=confidence)

    def sentence(self, unit: str = "") -> str:
        """The verdict in one sentence, with the interval that it rests on; `unit` follows each number."""
        unit = f" {unit}" if unit else ""
        pair = f"{self.first} and {self.second}"
        if self.verdict == "identical" and self.difference.is_in_one_bin:
            ends = (
                abs(self.difference.estimate - self.difference.below),
                self.difference.estimate + self.difference.above,
            )
            return f"{pair} are identical as far as histograms tell: they differ by less than {max(ends):.2g}{unit}"
        if self.verdict == "identical":
            return f"{pair} are identical: each of {self.difference.n} replications gives both the same value"
        if self.verdict == "equivalent" and self.equivalence is not None:
            within = f"{self.equivalence.margin}{'' if self.equivalence.margin.relative else unit}"
            level = f"{formats.level(self.equivalence.interval.confidence)} interval"
            return f"{pair} are equivalent within {within}: difference {self.interval}{unit}, {level} inside ±{within}"
        if self.verdict == "not separable":
            return f"{pair} are not separable: they differ by {self.interval}{unit}; {self._needed(unit)}"
        return f"{self.first} is {self.verdict} than {self.second} by {self.interval}{unit}"

    def _needed(self, unit: str) -> str:
        needed = self.replications_needed()
        if self.difference.least == 0.0 and self.difference.below + self.difference.above > 0.0:
            return "they lie in one bin of their histograms, in which values are not told apart"
        if self.difference.unbounded:
            return str(self.difference.unbounded)
        if self.difference.unseen and not self.difference.is_constant_zero:
            return f"too few of {self.difference.n} replications saw such an event; more would bound it closer"
        if self.difference.unseen:
            return f"none of {self.difference.n} replications shows a difference; more would bound it closer"
        if self.difference.is_chance:
            return f"the same difference in {self.difference.n} replications is no proof; run more"
        shown = str(self.interval).split(" [")[0]
        if not shown.strip("-0."):
            # less than what the digits of its interval can show
            shown = f"{self.interval.estimate:.2g}"
        if needed is None:
            return "no number of replications would show a difference of 0"
        if needed > 1_000_000:
            return f"more than a million replications would be needed to show a difference of {shown}{unit}"
        return (
            f"with this noise about {formats.number(needed, 2)} replications would show a difference of {shown}{unit}"
        )


def judge(
    differences: Sequence[PairedDifference],
    *,
    confidence: float = 0.95,
    margins: Margin | Sequence[Margin | None] | None = None,
    lower_is_better: bool | Sequence[bool] = True,
) -> tuple[Comparison, ...]:
    """The verdicts on a family of paired differences, adjusted for their number by Holm's method.

    Parameters
    ----------
    differences : sequence of PairedDifference
        The family: every comparison asked for, over scenarios and metrics.
    confidence : float, default 0.95
        Level of the family.
    margins : Margin, sequence of Margin or None, optional
        What does not matter: one for all, or one (or None) for each.
    lower_is_better : bool or sequence of bool, default True
        For all, or for each.

    Notes
    -----
    The verdicts do not depend on the order of the family. Claims of difference and of equivalence are two
    families, each adjusted by itself; where both can be claimed the margin decides: equivalent.

    Examples
    --------
    >>> new, today = [3.1, 3.0, 3.2, 3.1], [5.0, 5.2, 4.9, 5.1]
    >>> [verdict] = judge([paired_difference(new, today, names=("size 200", "today"))])
    >>> print(verdict.sentence("s"))
    size 200 is better than today by -1.9 [-2.3, -1.6] s
    """
    directions = _for_each("lower_is_better", lower_is_better, len(differences))
    limits = _for_each("margins", margins, len(differences))
    adjustment = holm([difference.p_value for difference in differences], confidence=confidence)
    tests = _equivalences(differences, limits, confidence)
    family, method = len(differences), _method("paired t", len(differences))
    return tuple(
        Comparison(
            difference=gap,
            interval=gap.interval(level, method=method, family=adjustment.confidence),
            p_value=p_value,
            verdict=_verdict(gap, separated, lower_is_better, test),
            family=family,
            equivalence=test,
        )
        for gap, level, p_value, separated, lower_is_better, test in zip(
            differences,
            adjustment.confidences,
            adjustment.p_values,
            adjustment.separated,
            directions,
            tests,
            strict=True,
        )
    )


def _for_each(name: str, given: T | Sequence[T], count: int) -> Sequence[T]:
    """One for all, or one for each of `count` differences, as one for each."""
    if not isinstance(given, Sequence):
        return [given] * count
    if len(given) != count:
        raise InvalidValueError(f"{name} must be one for all, or one for each of {count} differences, got {len(given)}")
    return given


def _equivalences(
    differences: Sequence[PairedDifference], limits: Sequence[Margin | None], confidence: float
) -> list[Equivalence | None]:
    """The tests that have a margin, adjusted for how many they are."""
    raw = [
        None if limit is None else equivalence(gap, limit, confidence=confidence)
        for gap, limit in zip(differences, limits, strict=True)
    ]
    asked = [test.p_value for test in raw if test is not None]
    if not asked:
        return raw
    levels = iter(holm(asked, confidence=confidence).confidences)
    return [
        None if test is None else _adjusted(gap, test, next(levels), len(asked))
        for gap, test in zip(differences, raw, strict=True)
    ]


def _adjusted(difference: PairedDifference, test: Equivalence, level: float, family: int) -> Equivalence:
    adjusted = equivalence(difference, test.margin, confidence=level)
    interval = replace(
        adjusted.interval, confidence=test.interval.confidence, method=_method(adjusted.interval.method, family)
    )
    return replace(adjusted, interval=interval)


def _verdict(difference: PairedDifference, separated: bool, lower_is_better: bool, test: Equivalence | None) -> Verdict:
    if difference.is_identical:
        return "identical"
    if test is not None and test.holds:
        return "equivalent"
    if not separated:
        return "not separable"
    return "better" if (difference.estimate < 0.0) == lower_is_better else "worse"


def _method(method: str, family: int) -> str:
    return method if family == 1 else f"{method}, Holm over {family} comparisons"
