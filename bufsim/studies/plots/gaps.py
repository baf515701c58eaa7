"""Paired differences, each in the unit in which it is drawn: what a picture of differences shows."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from bufsim.errors import InvalidValueError
from bufsim.model.flush_policy import FlushPolicy
from bufsim.results.plots.units import Unit
from bufsim.studies.comparisons import Compared, compare
from bufsim.studies.expressions import Expression
from bufsim.studies.formulas import expression
from bufsim.studies.plots import subjects
from bufsim.studies.plots.subjects import Subject
from bufsim.studies.quantities import Quantity
from bufsim.studies.statistics import Interval

if TYPE_CHECKING:
    from bufsim.studies.study_result import StudyResult

Pairs = Sequence[tuple[str | FlushPolicy, str | FlushPolicy]] | Literal["all"]


@dataclass(frozen=True, slots=True)
class Gap:
    """A paired difference, first − second.

    Attributes
    ----------
    compared : Compared
        The difference and its verdict.
    first, second : Subject
        The scenarios.
    raw : Interval
        Of the difference by itself, not adjusted, at the level of `interval`, in the metric's unit.
    unit : Unit
        In which it is drawn.
    """

    compared: Compared
    first: Subject
    second: Subject
    raw: Interval
    unit: Unit

    @property
    def quantity(self) -> Quantity:
        """The metric."""
        return Quantity(self.compared.expression, self.unit)

    @property
    def margin(self) -> float:
        """What does not matter, in the unit that is drawn; nan without it."""
        test, mean = self.compared.comparison.equivalence, self.compared.comparison.difference.second_mean
        return math.nan if test is None else self.quantity.scaled(test.margin.at(mean))

    @property
    def interval(self) -> Interval:
        """The interval on which the verdict rests, in the unit that is drawn."""
        return self.quantity.interval(verdict_interval(self.compared))

    @property
    def needed(self) -> int | None:
        """The replications that would show a difference as large as the one estimated."""
        return self.compared.comparison.replications_needed()


def verdict_interval(compared: Compared) -> Interval:
    """Return the adjusted interval on which a verdict rests, in the metric's unit.

    For "equivalent" that is the one of the two one-sided tests, at 1 − 2α, which lies within the margin.
    """
    comparison = compared.comparison
    test = comparison.equivalence
    if comparison.verdict != "equivalent" or test is None:
        return comparison.interval
    size = abs(comparison.difference.second_mean) if test.margin.relative else 1.0
    one = test.interval
    return replace(one, estimate=size * one.estimate, low=size * one.low, high=size * one.high)


@dataclass(frozen=True, slots=True)
class Gaps:
    """The differences of one picture.

    Attributes
    ----------
    rows : list of Gap
        Metric by metric.
    is_relative : bool
        Whether they are drawn as shares of the second one's mean.
    """

    rows: list[Gap]
    is_relative: bool

    @classmethod
    def of(
        cls,
        study_result: StudyResult,
        metrics: Sequence[str | Expression],
        baseline: str | FlushPolicy | None,
        pairs: Pairs | None,
        margin: object,
        relative: bool | None,
        load: float | None,
        scenarios: Sequence[str | FlushPolicy] | None,
        confidence: float,
    ) -> Gaps:
        """Return the differences of a study's scenarios at one load."""
        shown = subjects.at_load(study_result, load, scenarios)
        if len(shown) < 2:
            raise InvalidValueError(
                f"differences needs at least 2 finished scenarios at one load, got {len(shown)}: {shown[0].name!r}; "
                "give the study more policies"
            )
        by_name = {one.name: one for one in shown}
        comparisons = compare(
            [expression(one) for one in metrics or ("mean_wait",)],
            list(by_name),
            lambda asked, name: study_result.measured(asked, name).values(),
            baseline=_baseline(study_result, shown, baseline) if pairs is None else None,
            pairs=_pairs(study_result, shown, pairs),
            margin=margin,
            confidence=confidence,
        ).rows
        is_relative = len(metrics) > 1 if relative is None else relative
        raw = [one.comparison.difference.interval(verdict_interval(one).confidence) for one in comparisons]
        units = _units(comparisons, raw, is_relative=is_relative)
        return cls(
            [
                Gap(one, by_name[one.first], by_name[one.second], alone, unit)
                for one, alone, unit in zip(comparisons, raw, units, strict=True)
            ],
            is_relative,
        )

    @property
    def quantities(self) -> list[Quantity]:
        """The metrics, each once."""
        return list({row.compared.expression: row.quantity for row in self.rows}.values())

    @property
    def baseline(self) -> Subject | None:
        """With what all are compared; None if that differs."""
        seconds = list(dict.fromkeys(row.second for row in self.rows))
        return seconds[0] if len(seconds) == 1 else None

    def name(self, row: Gap) -> str:
        """Return what a row is called: its scenario, its pair, or its metric."""
        pair = row.first.label if self.baseline else f"{row.first.label}\nvs {row.second.label}"
        if len(self.quantities) == 1:
            return pair
        alone = len({(one.first, one.second) for one in self.rows}) == 1
        return row.quantity.name if alone else f"{row.quantity.name}: {pair}"


def _baseline(study_result: StudyResult, shown: Sequence[Subject], baseline: str | FlushPolicy | None) -> str | None:
    if baseline is not None:
        return subjects.find(baseline, shown, study_result).name
    return next((one.name for one in shown if one.is_today), None)


def _pairs(
    study_result: StudyResult, shown: Sequence[Subject], pairs: Pairs | None
) -> list[tuple[str, str]] | Literal["all"] | None:
    if pairs is None or pairs == "all":
        return pairs
    for pair in pairs:
        if isinstance(pair, str | FlushPolicy) or len(pair) != 2:
            raise InvalidValueError(f"pairs must be 'all' or hold pairs of two scenarios, got {pair!r}")
    return [(subjects.find(a, shown, study_result).name, subjects.find(b, shown, study_result).name) for a, b in pairs]


def _units(comparisons: Sequence[Compared], raw: Sequence[Interval], *, is_relative: bool) -> list[Unit]:
    """Return the unit of each row: per cent of the second one's mean, or one that fits the metric's differences."""
    if is_relative:
        return [_share(one) for one in comparisons]
    found = []
    for one in comparisons:
        of_metric = [gap for other, gap in zip(comparisons, raw, strict=True) if other.expression == one.expression]
        found.append(Quantity.of(one.expression, [end for gap in of_metric for end in (gap.low, gap.high)]).unit)
    return found


def _share(one: Compared) -> Unit:
    mean = abs(one.comparison.difference.second_mean)
    if mean == 0.0:
        raise InvalidValueError(
            f"{one.expression.name} of {one.second!r} is 0, so that no difference is a share of it; give relative=False"
        )
    return Unit("%", 0.01 * mean)
