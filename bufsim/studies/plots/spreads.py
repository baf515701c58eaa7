"""What varies, and what it is in the mean: what a SMORE picture shows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bufsim.errors import InvalidValueError
from bufsim.model.flush_policy import FlushPolicy
from bufsim.results import metrics
from bufsim.studies.comparisons import compare
from bufsim.studies.expressions import Expression
from bufsim.studies.expressions import metric as as_expression
from bufsim.studies.formulas import expression
from bufsim.studies.plots import subjects
from bufsim.studies.plots.subjects import Subject
from bufsim.studies.statistics import Interval, order_statistic_interval

if TYPE_CHECKING:
    from bufsim.studies.study_result import StudyResult

_APART = ("better", "worse", "lower", "higher")
_PERCENTS = ("5", "50", "95")
_WHOM = {"job-weighted": "jobs", "time-weighted": "the time", "flush-weighted": "flushes", "work-weighted": "works"}


@dataclass(frozen=True, slots=True)
class Spread:
    """The mean and the spread of one scenario.

    Attributes
    ----------
    subject : Subject
        The scenario.
    mean, p5, median, p95 : Interval
        Each with its interval.
    """

    subject: Subject
    mean: Interval
    p5: Interval
    median: Interval
    p95: Interval


@dataclass(frozen=True, slots=True)
class Spreads:
    """Scenarios by their means, the best first.

    Attributes
    ----------
    rows : list of Spread
        The scenarios.
    mean : Expression
        What is averaged.
    of : str
        What varies: "jobs", "the time", "flushes", "works" or "replications".
    ties : list of (int, int)
        The first and the last row of each stretch of rows of which no two are separable.
    """

    rows: list[Spread]
    mean: Expression
    of: str
    ties: list[tuple[int, int]]

    @classmethod
    def of_study(
        cls,
        study_result: StudyResult,
        metric: str | Expression,
        of: str | None,
        load: float | None,
        scenarios: Sequence[str | FlushPolicy] | None,
        confidence: float,
    ) -> Spreads:
        """Return the spreads of a study's scenarios at one load."""
        shown = subjects.at_load(study_result, load, scenarios)
        stem = _stem(metric)
        mean = expression(metric, of) if stem is None else as_expression(f"mean_{stem}", of)
        rows = []
        for one in shown:
            found = study_result.interval(mean, one.name, confidence=confidence)
            rows.append(Spread(one, found, *_quantiles(study_result, one.name, mean, stem, of, confidence)))
        sign = -1.0 if mean.better == "higher" else 1.0
        ordered = sorted(rows, key=lambda row: (sign * row.mean.estimate, row.subject.name))
        whom = "replications" if stem is None else _WHOM[metrics.find(f"p50_{stem}").average]
        return cls(ordered, mean, whom, _ties(study_result, mean, ordered, confidence))


def _stem(metric: str | Expression) -> str | None:
    """Return what a name such as "wait" has quantiles of: "wait_s"; None for a metric or an expression."""
    if not isinstance(metric, str):
        return None
    try:
        found = metrics.find(f"p50_{metric}")
    except InvalidValueError:
        return None
    return None if found.quantile is None else found.quantile.of


def _quantiles(
    study_result: StudyResult, scenario: str, mean: Expression, stem: str | None, of: str | None, confidence: float
) -> list[Interval]:
    if stem is not None:
        asked = [as_expression(f"p{percent}_{stem}", of) for percent in _PERCENTS]
        return [study_result.interval(one, scenario, confidence=confidence) for one in asked]
    values = study_result.measured(mean, scenario).raw()
    return [order_statistic_interval(values, float(percent) / 100.0, confidence=confidence) for percent in _PERCENTS]


def _ties(
    study_result: StudyResult, mean: Expression, ordered: Sequence[Spread], confidence: float
) -> list[tuple[int, int]]:
    """Return the longest stretches of rows of which no two are shown to differ."""
    names = [row.subject.name for row in ordered]
    if len(names) < 2:
        return []
    compared = compare(
        [mean],
        names,
        lambda asked, name: study_result.measured(asked, name).values(),
        pairs="all",
        confidence=confidence,
    )
    apart = {frozenset((row.first, row.second)) for row in compared.rows if row.verdict in _APART}
    return stretches([[frozenset((a, b)) not in apart for b in names] for a in names])


def stretches(together: Sequence[Sequence[bool]]) -> list[tuple[int, int]]:
    """Return the longest stretches of places of which every two go together, as their first and last places.

    Examples
    --------
    >>> stretches([[True, True, False], [True, True, True], [False, True, True]])
    [(0, 1), (1, 2)]
    """
    found: list[tuple[int, int]] = []
    for first in range(len(together)):
        last = first
        while last + 1 < len(together) and all(together[last + 1][place] for place in range(first, last + 1)):
            last += 1
        # a stretch within the one before says nothing new
        if last > first and (not found or last > found[-1][1]):
            found.append((first, last))
    return found
