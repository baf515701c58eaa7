"""Verdicts in words on comparisons of scenarios, adjusted for how many were asked for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Literal

from numpy.typing import ArrayLike

from bufsim.checks import did_you_mean
from bufsim.errors import InvalidValueError
from bufsim.studies.statistics.adjustment import Adjustment, holm
from bufsim.studies.statistics.comparisons import PairedDifference, paired_difference
from bufsim.studies.statistics.equivalence import Equivalence, equivalence
from bufsim.studies.statistics.intervals import Interval
from bufsim.studies.statistics.margins import Margin

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
        Identical: every replication gives both the same value. Equivalent: within the margin, whichever is
        better. Not separable: none of this was shown.
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
        if self.verdict == "identical":
            return f"{pair} are identical: each of {self.difference.n} replications gives both the same value"
        if self.verdict == "equivalent" and self.equivalence is not None:
            within = f"{self.equivalence.margin}{'' if self.equivalence.margin.relative else unit}"
            level = f"{100.0 * self.equivalence.interval.confidence:g} % interval"
            return f"{pair} are equivalent within {within}: difference {self.interval}{unit}, {level} inside ±{within}"
        if self.verdict == "not separable":
            return f"{pair} are not separable: they differ by {self.interval}{unit}; {self._needed(unit)}"
        return f"{self.first} is {self.verdict} than {self.second} by {self.interval}{unit}"

    def _needed(self, unit: str) -> str:
        needed = self.replications_needed()
        shown = str(self.interval).split(" [")[0]
        if not shown.strip("-0."):
            # less than what the digits of its interval can show
            shown = f"{self.interval.estimate:.2g}"
        if needed is None:
            return "no number of replications would show a difference of 0"
        if needed > 1_000_000:
            return f"more than a million replications would be needed to show a difference of {shown}{unit}"
        return (
            f"with this noise about {float(f'{needed:.2g}'):,.0f} replications would show a difference of {shown}{unit}"
        )


def judge(
    differences: Sequence[PairedDifference],
    *,
    confidence: float = 0.95,
    margins: Margin | Sequence[Margin | None] | None = None,
    lower_is_better: bool | Sequence[bool] = True,
) -> tuple[Comparison, ...]:
    """Judge a family of paired differences, adjusted for their number by Holm's method.

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
    """
    directions = _directions(lower_is_better, len(differences))
    limits = _limits(margins, len(differences))
    adjustment = holm([difference.p_value for difference in differences], confidence=confidence)
    tests = _equivalences(differences, limits, confidence)
    return tuple(
        _comparison(difference, adjustment, index, directions[index], tests[index])
        for index, difference in enumerate(differences)
    )


def compare(
    samples: Mapping[str, ArrayLike],
    *,
    baseline: str | None = None,
    pairs: Iterable[tuple[str, str]] | None = None,
    confidence: float = 0.95,
    margin: Margin | None = None,
    lower_is_better: bool = True,
) -> tuple[Comparison, ...]:
    """Compare scenarios on one metric under common random numbers: with a baseline, in given pairs, or all pairs.

    Parameters
    ----------
    samples : mapping of str to array_like, shape (n,)
        One value per replication and scenario, in the same order of replications.
    baseline : str, optional
        Compare every other scenario with this one.
    pairs : iterable of (str, str), optional
        Compare exactly these; by default all pairs.
    confidence, margin, lower_is_better
        As in `judge`.

    Examples
    --------
    >>> [verdict] = compare({"today": [5.0, 5.2, 4.9, 5.1], "size 200": [3.1, 3.0, 3.2, 3.1]}, baseline="today")
    >>> print(verdict.sentence("s"))
    size 200 is better than today by -1.9 [-2.3, -1.6] s
    """
    asked = _pairs(list(samples), baseline, pairs)
    differences = [paired_difference(samples[a], samples[b], names=(a, b)) for a, b in asked]
    return judge(differences, confidence=confidence, margins=margin, lower_is_better=lower_is_better)


def _pairs(names: list[str], baseline: str | None, pairs: Iterable[tuple[str, str]] | None) -> list[tuple[str, str]]:
    if len(names) < 2:
        raise InvalidValueError(f"samples must hold at least 2 scenarios, got {len(names)}")
    asked = list(combinations(names, 2)) if pairs is None else list(pairs)
    if baseline is not None:
        if pairs is not None:
            raise InvalidValueError("give either baseline or pairs, not both")
        asked = [(name, baseline) for name in names if name != baseline]
    for name in dict.fromkeys(name for pair in asked for name in pair):
        if name not in names:
            raise InvalidValueError(f"samples has no scenario {name!r}{did_you_mean(name, names)}")
    return asked


def _directions(lower_is_better: bool | Sequence[bool], count: int) -> Sequence[bool]:
    if isinstance(lower_is_better, bool):
        return [lower_is_better] * count
    _as_many("lower_is_better", len(lower_is_better), count)
    return lower_is_better


def _limits(margins: Margin | Sequence[Margin | None] | None, count: int) -> Sequence[Margin | None]:
    if margins is None or isinstance(margins, Margin):
        return [margins] * count
    _as_many("margins", len(margins), count)
    return margins


def _as_many(name: str, given: int, count: int) -> None:
    if given != count:
        raise InvalidValueError(f"{name} must be one for all, or one for each of {count} differences, got {given}")


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


def _comparison(
    difference: PairedDifference, adjustment: Adjustment, index: int, lower_is_better: bool, test: Equivalence | None
) -> Comparison:
    family = len(adjustment.p_values)
    interval = difference.interval(adjustment.confidences[index], method=_method("paired t", family))
    separated = adjustment.separated[index]
    return Comparison(
        difference=difference,
        interval=replace(interval, confidence=adjustment.confidence),
        p_value=adjustment.p_values[index],
        verdict=_verdict(difference, separated, lower_is_better, test),
        family=family,
        equivalence=test,
    )


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
