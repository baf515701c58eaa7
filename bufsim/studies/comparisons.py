"""Comparisons of scenarios: paired differences with a verdict in words, adjusted for all that were asked for."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Literal

import pandas as pd

from bufsim import checks
from bufsim.errors import InvalidValueError
from bufsim.studies.amounts import margin as read_margin
from bufsim.studies.evaluations import UndefinedError
from bufsim.studies.expressions import Expression
from bufsim.studies.labels import in_words
from bufsim.studies.statistics import Comparison, Margin, judge, paired_difference
from bufsim.studies.statistics.intervals import FloatArray
from bufsim.studies.told import Told

Word = Literal["better", "worse", "higher", "lower", "equivalent", "identical", "not separable"]
Pairs = list[tuple[str, str]] | tuple[tuple[str, str], ...]
_NEUTRAL: Mapping[str, Word] = {"better": "lower", "worse": "higher"}


@dataclass(frozen=True, slots=True)
class Compared:
    """One metric of two scenarios, compared.

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
        """Return the verdict in a sentence, with its interval, what pairing gained, and the replications needed."""
        said = self.comparison.sentence(self.expression.unit)
        if self.verdict != self.comparison.verdict:
            said = said.replace(f" is {self.comparison.verdict} than ", f" is {self.verdict} than ", 1)
        return f"{self.expression.name}: {in_words(said)}{self._effort()}"

    def _effort(self) -> str:
        """Return the replications needed, and what pairing gained: nothing where it gained nothing."""
        needed = self.comparison.replications_needed()
        if needed is None:
            return ""  # there is no difference to show
        ratio = self.comparison.difference.variance_ratio
        told = [] if self.verdict == "not separable" else [f"{_about(needed)} replications would show it"]
        told += [] if f"{ratio:.2g}" == "1" else [f"without pairing {_times(ratio)} as many"]
        return f" ({', '.join(told)})" if told else ""

    def row(self) -> tuple[object, ...]:
        """Return it as a row of `COLUMNS`."""
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
class Comparisons(Told):
    """Scenarios compared under common random numbers; verdicts and intervals are adjusted for all that were asked for.

    Parameters
    ----------
    rows : tuple of Compared
        Metric by metric, and in each pair by pair.
    """

    rows: tuple[Compared, ...]

    def sentences(self) -> list[str]:
        """Return a sentence a comparison."""
        return [row.sentence() for row in self.rows]

    def table(self) -> pd.DataFrame:
        """Return a row a comparison.

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
    values: Callable[[Expression, str], FloatArray],
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
    values : callable
        From an expression and a scenario to one value per replication.
    baseline : str, optional
        Compare every other scenario with this one.
    pairs : sequence of (str, str), or "all", optional
        Compare these; by default every scenario with the baseline, or without one all pairs.
    margin : Margin, number, str or mapping, optional
        What does not matter: ``"5 %"``, an amount in the metric's unit, or either by the metric's name.
    confidence : float
        Over all comparisons.
    where_defined : bool
        Leave out a comparison with a scenario in which the metric has no value, which is an error otherwise.
    """
    asked = _pairs(list(scenarios), baseline, pairs)
    margins = _margins(expressions, margin)
    needed = dict.fromkeys(name for pair in asked for name in pair)
    gaps, of, limits = [], [], []
    for expression in expressions:
        samples = _samples(expression, needed, values, where_defined)
        for first, second in asked:
            if first not in samples or second not in samples:
                continue
            gaps.append(paired_difference(samples[first], samples[second], names=(first, second)))
            of.append(expression)
            limits.append(margins[expression])
    if not gaps:
        return Comparisons(())
    lower = [expression.better != "higher" for expression in of]
    judged = judge(gaps, confidence=confidence, margins=limits, lower_is_better=lower)
    return Comparisons(tuple(Compared(expression, one) for expression, one in zip(of, judged, strict=True)))


def _samples(
    expression: Expression,
    scenarios: Iterable[str],
    values: Callable[[Expression, str], FloatArray],
    where_defined: bool,
) -> dict[str, FloatArray]:
    """Return one value per replication, of the scenarios that have them."""
    samples = {}
    for name in scenarios:
        try:
            samples[name] = values(expression, name)
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
        raise InvalidValueError(f"pairs must be 'all' or a list of pairs of scenarios, got {pairs!r}")
    for pair in pairs:
        if not isinstance(pair, list | tuple) or len(pair) != 2 or pair[0] == pair[1]:
            raise InvalidValueError(f"pairs must hold pairs of two scenarios, got {pair!r}")
        for name in pair:
            checks.one_of("a scenario in pairs", name, names)
    return pairs


def _margins(expressions: Iterable[Expression], margin: object) -> dict[Expression, Margin | None]:
    if not isinstance(margin, Mapping):
        return {one: None if margin is None else read_margin("margin", margin, one.unit) for one in expressions}
    by_name = {one.name: one for one in expressions}
    found: dict[Expression, Margin | None] = dict.fromkeys(expressions)
    for name, size in margin.items():
        key = name.name if isinstance(name, Expression) else str(name)
        full = key if key in by_name else next((known for known in by_name if known.startswith(f"{key}_")), key)
        expression = by_name[checks.one_of("a metric in margin", full, by_name)]
        found[expression] = read_margin(f"the margin of {full}", size, expression.unit)
    return found


def _about(needed: int) -> str:
    return "more than a million" if needed > 1_000_000 else f"about {float(f'{needed:.2g}'):,.0f}"


def _times(ratio: float) -> str:
    return "any number of times" if math.isinf(ratio) else f"{ratio:.2g} times"
