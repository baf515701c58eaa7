"""Comparisons of scenarios: paired differences with verdicts, how they read, and the Pareto front of two objectives."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import combinations
from typing import Literal

import pandas as pd

from bufsim import checks
from bufsim.errors import InvalidValueError, quoted
from bufsim.statistics import Comparison, Interval, Margin, judge, pareto_front
from bufsim.statistics.comparisons import about
from bufsim.statistics.differences import PairedDifference, paired_differences
from bufsim.statistics.intervals import inner_probability
from bufsim.statistics.quantiles import TooFew, worst_of
from bufsim.statistics.samples import Sample
from bufsim.statistics.selection import Place
from bufsim.studies.answers import Answer
from bufsim.studies.estimates import Evaluation, UndefinedError
from bufsim.studies.expressions import Expression
from bufsim.studies.formulas import margin as read_margin
from bufsim.studies.scenarios import in_words

Word = Literal["better", "worse", "higher", "lower", "equivalent", "identical", "not separable"]
Pairs = list[tuple[str, str]] | tuple[tuple[str, str], ...]
_NEUTRAL: Mapping[str, Word] = {"better": "lower", "worse": "higher"}


@dataclass(frozen=True, slots=True)
class Compared:
    """The comparison of two scenarios in one metric.

    Parameters
    ----------
    expression : Expression
        What is compared.
    comparison : Comparison
        The paired difference, its adjusted interval and its verdict.
    """

    expression: Expression
    comparison: Comparison

    @property
    def first(self) -> str:
        """The scenario that the verdict is on."""
        return self.comparison.first

    @property
    def second(self) -> str:
        """The scenario that it is compared with."""
        return self.comparison.second

    @property
    def verdict(self) -> Word:
        """The verdict; "higher" or "lower" where a metric is by itself neither good nor bad."""
        if self.expression.better is None:
            return _NEUTRAL.get(self.comparison.verdict, self.comparison.verdict)
        return self.comparison.verdict

    def sentence(self) -> str:
        """The verdict in a sentence, with its interval, what pairing gained, and the replications needed."""
        text = self.comparison.sentence(self.expression.unit)
        if self.verdict != self.comparison.verdict:
            text = text.replace(f" is {self.comparison.verdict} than ", f" is {self.verdict} than ", 1)
        return f"{self.expression.name}: {in_words(text)}{self._effort()}"

    def _effort(self) -> str:
        """The replications needed, and what pairing gained: nothing where it gained nothing."""
        needed = self.comparison.replications_needed()
        if needed is None or self.comparison.difference.rare:
            return ""  # there is no difference to show, or pairing has no part in its bounds
        ratio = self.comparison.difference.variance_ratio
        times = "any number of times" if math.isinf(ratio) else f"{ratio:.2g} times"
        parts = [] if self.verdict == "not separable" else [f"{about(needed)} replications would show it"]
        parts += [] if f"{ratio:.2g}" == "1" else [f"without pairing {times} as many"]
        return f" ({', '.join(parts)})" if parts else ""

    def row(self) -> tuple[object, ...]:
        """The comparison as a row of `COLUMNS`."""
        gap, interval = self.comparison.difference, self.comparison.interval
        needed = self.comparison.replications_needed()
        return (
            self.expression.name,
            self.first,
            self.second,
            interval.estimate,
            interval.low,
            interval.high,
            self.expression.unit,
            self.verdict,
            self.comparison.p_value,
            interval.confidence,
            interval.n,
            gap.variance_ratio,
            math.nan if needed is None else needed,
            interval.method,
        )


COLUMNS = [
    "metric",
    "first",
    "second",
    "difference",
    "low",
    "high",
    "unit",
    "verdict",
    "p_value",
    "confidence",
    "n",
    "variance_ratio",
    "replications_needed",
    "method",
]


@dataclass(frozen=True, slots=True, repr=False)
class Comparisons(Answer):
    """Comparisons of scenarios under common random numbers, with verdicts and intervals adjusted for all of them.

    Parameters
    ----------
    rows : tuple of Compared
        Metric by metric, and in each pair by pair.
    """

    rows: tuple[Compared, ...]

    def sentences(self) -> list[str]:
        """A sentence a comparison."""
        return [row.sentence() for row in self.rows]

    def table(self) -> pd.DataFrame:
        """A row a comparison.

        Returns
        -------
        DataFrame
            metric, first, second, difference (first − second), low, high, unit, verdict, p_value (adjusted, as the
            interval is), confidence (of all together), n, variance_ratio (how many times more replications would be
            needed without pairing), replications_needed (to show a difference as large as the one estimated, with a
            chance of 80 %), method.
        """
        return pd.DataFrame([row.row() for row in self.rows], columns=COLUMNS)


def compare(
    expressions: Sequence[Expression],
    scenarios: Sequence[str],
    measured: Callable[[Expression, str], Evaluation],
    *,
    baseline: str | None = None,
    pairs: Pairs | Literal["all"] | None = None,
    margin: object = None,
    confidence: float = 0.95,
    where_defined: bool = False,
) -> Comparisons:
    """Compare scenarios in every expression, adjusted by Holm's method for all of these comparisons together.

    Parameters
    ----------
    expressions, scenarios : sequence
        What is compared, and which scenarios there are.
    measured : callable
        From an expression and a scenario to its estimate over the replications.
    baseline, pairs, margin, confidence, where_defined
        As for `StudyResult.compare`; without `baseline` and `pairs` all pairs are compared.
    """
    confidence = inner_probability("confidence", confidence)
    chosen = _pairs(list(scenarios), baseline, pairs)
    margins = _margins(expressions, margin)
    needed = dict.fromkeys(name for pair in chosen for name in pair)
    rows: list[Expression] = []
    gaps: list[PairedDifference] = []
    for expression in expressions:
        samples = _samples(expression, needed, measured, where_defined, confidence)
        defined = [pair for pair in chosen if pair[0] in samples and pair[1] in samples]
        gaps += paired_differences(samples, defined)
        rows += [expression] * len(defined)
    if not gaps:
        return Comparisons(())
    lower = [expression.better != "higher" for expression in rows]
    limits = [margins[expression] for expression in rows]
    judged = judge(gaps, confidence=confidence, margins=limits, lower_is_better=lower)
    return Comparisons(tuple(map(Compared, rows, judged)))


def _samples(
    expression: Expression,
    scenarios: Iterable[str],
    measured: Callable[[Expression, str], Evaluation],
    where_defined: bool,
    confidence: float,
) -> dict[str, Sample]:
    """What is known of the scenarios that have a value."""
    samples = {}
    for name in scenarios:
        try:
            samples[name] = measured(expression, name).sample(confidence)
        except UndefinedError:
            if not where_defined:
                raise
    return samples


def _pairs(names: list[str], baseline: str | None, pairs: Pairs | Literal["all"] | None) -> Pairs:
    if len(names) < 2:
        raise InvalidValueError(f"a comparison needs at least 2 finished scenarios, got {len(names)}: {names}")
    if pairs is None and baseline is not None:
        checks.one_of("baseline", baseline, names)
        return [(name, baseline) for name in names if name != baseline]
    if pairs is None or pairs == "all":
        return list(combinations(names, 2))
    if not isinstance(pairs, list | tuple) or not pairs:
        raise InvalidValueError(f"pairs must be 'all' or a list of pairs of scenarios, got {quoted(pairs)}")
    for pair in pairs:
        if not isinstance(pair, list | tuple) or len(pair) != 2 or pair[0] == pair[1]:
            raise InvalidValueError(f"pairs must hold pairs of two scenarios, got {quoted(pair)}")
        for name in pair:
            checks.one_of("a scenario in pairs", name, names)
    return pairs


def _margins(expressions: Iterable[Expression], margin: object) -> dict[Expression, Margin | None]:
    """The margin of each expression; a metric's name may lack its unit."""
    if margin is None:
        return dict.fromkeys(expressions)
    if not isinstance(margin, Mapping):
        return {expression: read_margin("margin", margin, expression.unit) for expression in expressions}
    margins: dict[Expression, Margin | None] = dict.fromkeys(expressions)
    by_name = {expression.name: expression for expression in expressions}
    for name, size in margin.items():
        key = name.name if isinstance(name, Expression) else str(name)
        full = key if key in by_name else next((known for known in by_name if known.startswith(f"{key}_")), key)
        expression = by_name[checks.one_of("a metric in margin", full, by_name)]
        margins[expression] = read_margin(f"the margin of {full}", size, expression.unit)
    return margins


# how differences read


def tie_in_words(tie: Comparison, unit: str) -> str:
    """The text of a tie: the rival, its difference, and the replications that would show it."""
    if tie.verdict == "identical":
        return f"{tie.first} (the same in every replication)"
    if tie.interval.note:
        return f"{tie.first} (difference {tie.interval} {unit}".rstrip() + f"), since {tie.interval.note}"
    needed = tie.replications_needed()
    more = "no number of replications would show it"
    if needed is not None:
        more = f"{about(needed)} replications would be needed"
    return f"{tie.first} (difference {tie.interval} {unit}".rstrip() + f"; {more})"


def percent(share: Interval) -> Interval:
    """A share in per cent."""
    return replace(share, estimate=100.0 * share.estimate, low=100.0 * share.low, high=100.0 * share.high)


def against(difference: Interval, unit: str, today: str, deterministic: bool) -> str:
    """The text of a difference, such as "3 [2, 4] % less than today's", or that its sign is not shown."""
    if deterministic and difference.low == difference.high == 0.0:
        return f"the same as today's {today}"
    if difference.low <= 0.0 <= difference.high:
        why = f", since {difference.note}" if difference.note else ""
        return f"not separable from today's {today} (difference {difference}{unit}){why}"
    if difference.low > 0.0:
        return f"{_text(difference, deterministic)}{unit} more than today's {today}"
    less = replace(difference, estimate=-difference.estimate, low=-difference.high, high=-difference.low)
    return f"{_text(less, deterministic)}{unit} less than today's {today}"


def _text(interval: Interval, deterministic: bool) -> str:
    """The text of an interval; of a number without error the number alone."""
    return str(interval).split(" [")[0] if deterministic and interval.low == interval.high else str(interval)


# the Pareto front


@dataclass(frozen=True, slots=True, repr=False)
class FrontPoint:
    """The place of a scenario with respect to the front.

    Parameters
    ----------
    scenario : str
        Its name.
    place : {"on the front", "not separable", "dominated"}
        See `bufsim.statistics.ParetoPoint`.
    x, y : Interval
        The two objectives, each with its own interval.
    dominated_by : str or None
        A scenario that is better in both, as far as it was seen.
    """

    scenario: str
    place: Place
    x: Interval
    y: Interval
    dominated_by: str | None


@dataclass(frozen=True, slots=True, repr=False)
class Front(Answer):
    """The Pareto front of two objectives over scenarios, with intervals and what is not separable from it.

    Parameters
    ----------
    x, y : Expression
        The objectives.
    points : tuple of FrontPoint
        In the study's order.
    open : mapping of Expression to TooFew
        The objectives that are quantiles of too few flushes, each with the scenario that lacks most: in such a one a
        scenario that has too few neither dominates nor is dominated.
    """

    x: Expression
    y: Expression
    points: tuple[FrontPoint, ...]
    open: Mapping[Expression, TooFew] = field(default_factory=dict)

    def named(self, place: Place) -> tuple[str, ...]:
        """The scenarios at a place."""
        return tuple(point.scenario for point in self.points if point.place == place)

    def sentences(self) -> list[str]:
        """The front, what is not separable from it, and how many are dominated."""
        near = self.named("not separable")
        axes = [axis.name if axis.better else f"{axis.name} (less taken as better)" for axis in (self.x, self.y)]
        return [
            f"On the front of {' and '.join(axes)}: {', '.join(self.named('on the front'))}.",
            *([f"Not separable from it: {', '.join(near)}."] if near else []),
            f"Dominated: {len(self.named('dominated'))} of {len(self.points)}.",
            *(f"Open: {axis.name}, since {worst}." for axis, worst in self.open.items()),
        ]

    def table(self) -> pd.DataFrame:
        """A row a scenario: scenario, place, dominated_by, and both objectives with their ends."""
        columns = ["scenario", "place", "dominated_by"]
        for expression in (self.x, self.y):
            columns += [expression.name, f"{expression.name} low", f"{expression.name} high"]
        rows = [
            (point.scenario, point.place, point.dominated_by, *_ends(point.x), *_ends(point.y)) for point in self.points
        ]
        return pd.DataFrame(rows, columns=columns)


def _ends(interval: Interval) -> tuple[float, float, float]:
    return interval.estimate, interval.low, interval.high


def front(
    x: Expression,
    y: Expression,
    scenarios: Sequence[str],
    evaluate: Callable[[Expression, str], Evaluation],
    *,
    confidence: float = 0.95,
) -> Front:
    """Place scenarios with respect to the Pareto front of two objectives (see `statistics.pareto_front`).

    Of an objective that is by itself neither good nor bad, such as the flush rate, less counts as better, and the
    sentences say so; ``expression.named("batch size", better="higher")`` says otherwise.
    """
    samples = {name: [evaluate(axis, name).sample(confidence) for axis in (x, y)] for name in scenarios}
    lower = [axis.better != "higher" for axis in (x, y)]
    points = []
    for point in pareto_front(samples, confidence=confidence, lower_is_better=lower):
        ends = [evaluate(axis, point.name).interval(confidence) for axis in (x, y)]
        points.append(FrontPoint(point.name, point.place, ends[0], ends[1], point.dominated_by))
    few = [{name: few for name, rows in samples.items() if (few := rows[index].few)} for index in range(2)]
    worst = {axis: worst_of(lacking) for axis, lacking in zip((x, y), few, strict=True) if lacking}
    return Front(x, y, tuple(points), worst)
