"""An expression of metrics over the replications of one scenario: values, and an interval."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np

from bufsim.errors import InvalidValueError
from bufsim.results import metrics
from bufsim.results.tallies import Tally
from bufsim.studies.estimates import Floats, Measured
from bufsim.studies.exactness import is_exact
from bufsim.studies.expressions import Expression, Term
from bufsim.studies.statistics import Interval, mean_interval, order_statistic_interval
from bufsim.studies.statistics.intervals import replication_values
from bufsim.studies.statistics.student_t import inner_probability

Value = TypeVar("Value")


class UndefinedError(InvalidValueError):
    """A metric has no value in the replications that there are, such as the mean wait where nothing was flushed."""


@dataclass(frozen=True, slots=True)
class Evaluation:
    """An expression of metrics over the replications of one scenario.

    Parameters
    ----------
    expression : Expression
        What.
    tallies : sequence of Tally
        One a replication, in order.
    scenario : str
        Whose they are, for messages; "" if nobody's.
    """

    expression: Expression
    tallies: Sequence[Tally]
    scenario: str = ""

    @property
    def is_exact(self) -> bool:
        """Whether nothing is drawn at random in the scenario, so that its numbers are exact."""
        return is_exact(self.tallies)

    def raw(self) -> Floats:
        """Return its value in each replication by itself: for looking at, not for means of ratios."""
        return self._combined([self._measured(term).raw() for term in self.expression.terms])

    def values(self) -> Floats:
        """Return one value per replication whose mean estimates it, for comparisons under common random numbers."""
        return self._defined(lambda: replication_values(self.expression.name, self._values()))

    def _values(self) -> Floats:
        return self._combined([self._measured(term).values() for term in self.expression.terms])

    def interval(self, confidence: float = 0.95) -> Interval:
        """Return it over all replications, with its confidence interval; that of a metric is the metric's own."""
        level = inner_probability("confidence", confidence)
        return self._defined(lambda: self._interval(level))

    def over_runs(self, q: float, confidence: float = 0.95) -> Interval:
        """Return what it stays at or below in a share q of single runs, with its confidence interval."""
        share, level = inner_probability("q", q), inner_probability("confidence", confidence)
        return self._defined(lambda: order_statistic_interval(self.raw(), share, confidence=level))

    def _interval(self, confidence: float) -> Interval:
        if len(self.expression.terms) != 1:
            return mean_interval(self.values(), confidence=confidence)
        (term,) = self.expression.terms
        return _moved(self._measured(term).interval(confidence), term.factor, self.expression.constant)

    def _defined(self, compute: Callable[[], Value]) -> Value:
        """Return what is computed; a metric of a buffer that is not there is another error than one without a value."""
        for term in self.expression.terms:
            metrics.find(term.metric).part(self.tallies[0], term.of)
        try:
            return compute()
        except UndefinedError:
            raise
        except InvalidValueError as error:
            whose = self.scenario or "these replications"
            raise UndefinedError(f"{self.expression.name} of {whose} is undefined: {self._why(error)}") from None

    def _why(self, error: InvalidValueError) -> str:
        """Return why it has no value, and what to do about it."""
        without = int(np.isnan(self.raw()).sum())
        if not without:
            return str(error)
        way_out = f", or leave it out: result.without({self.scenario!r})" if self.scenario else ""
        return (
            f"it has no value in {without} of {len(self.tallies)} replications (there is nothing to take it of, such "
            f"as waits where nothing was flushed); lengthen the runs{way_out}"
        )

    def _measured(self, term: Term) -> Measured:
        return Measured(metrics.find(term.metric), term.of, self.tallies)

    def _combined(self, values: Sequence[Floats]) -> Floats:
        total = np.full(len(self.tallies), self.expression.constant)
        for term, one in zip(self.expression.terms, values, strict=True):
            total += term.factor * one
        return total


def _moved(interval: Interval, factor: float, constant: float) -> Interval:
    """Return the interval of factor·x + constant."""
    if factor == 1.0 and constant == 0.0:
        return interval
    ends = sorted((factor * interval.low + constant, factor * interval.high + constant))
    return replace(interval, estimate=factor * interval.estimate + constant, low=ends[0], high=ends[1])
