"""Comparisons of scenarios: the verdicts on a family of paired differences, and equivalence within a margin."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal, TypeVar

from bufsim import formats
from bufsim.checks import positive
from bufsim.errors import InvalidValueError
from bufsim.statistics.differences import PairedDifference, RareDifference, least_error
from bufsim.statistics.families import holm
from bufsim.statistics.intervals import Interval, inner_probability, lower_tail, statistic
from bufsim.statistics.rare_events import WORTH_KNOWING

T = TypeVar("T")


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
    if difference.unbounded:
        return 1.0
    if difference.rare:
        return 1.0 if margin.relative else least_error(lambda alpha: _far(difference, side, alpha) < margin.size)
    if difference.is_chance:
        return 1.0
    variance = difference.variance
    if margin.relative:
        share = side * margin.size
        variance += share**2 * difference.second_variance - 2.0 * share * difference.covariance_with_size
    farthest = difference.estimate + (difference.above if side > 0.0 else -difference.below)
    gap = side * farthest - margin.at(difference.second_mean)
    return lower_tail(statistic(gap, max(variance, 0.0), difference.n), difference.n)


def _far(difference: PairedDifference, side: float, alpha: float) -> float:
    """The end of the interval on one side that fails with `alpha`."""
    interval = difference.interval(1.0 - 2.0 * alpha)
    return interval.high if side > 0.0 else -interval.low


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
        if self.difference.rare:
            return self._needed_of_rare(self.difference.rare, needed, unit)
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

    def _needed_of_rare(self, rare: RareDifference, needed: int | None, unit: str) -> str:
        """How few replications saw what makes the difference, and how many would tell more."""
        gap, confidence = self.difference, self.interval.confidence
        seen = "too few" if rare.most_seen() else "none"
        text = f"{seen} of {gap.n} replications {'were' if rare.most_seen() else 'was'} seen to {rare.phrase}"
        if gap.rest is not None:
            rest = gap.rest.interval(1.0 - (1.0 - confidence) / self.family)
            allowed = f"the interval allows for others that do, each as much as it can (without that {rest}{unit})"
            return f"{text}; {allowed}; {way_out_of_rare([self])}"
        bound = gap.runs_to_bound(confidence)
        if needed is not None:
            return f"{text}; {about(needed)} replications may show it"
        if bound is not None:
            at = formats.level(WORTH_KNOWING)
            return f"{text}; {formats.number(bound, 2)} that do not would bound it at {at} of runs"
        return f"{text}; more would bound it closer"


def about(needed: int) -> str:
    """So many replications, in words."""
    return "more than a million" if needed > 1_000_000 else f"about {formats.number(needed, 2)}"


def way_out_of_rare(ties: Sequence[Comparison]) -> str:
    """What would part scenarios whose values count, beside other things, events that few runs saw; "" if none do."""
    parts = [tie for tie in ties if tie.difference.rest is not None]
    if not parts:
        return ""
    needed = [count for tie in parts if (count := tie.replications_needed()) is not None]
    more = f"{about(max(needed))} replications may show it, or " if needed else ""
    return f"{more}leave that out of what is compared, and bound it by a limit"


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
    >>> from bufsim.statistics import paired_difference
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
