"""An expression of metrics over the replications of one scenario: values, and an interval."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np

from bufsim.errors import InvalidValueError
from bufsim.results import metrics
from bufsim.results.tallies import QueueTally, Tally
from bufsim.studies.estimates import Floats, Measured
from bufsim.studies.exactness import is_exact
from bufsim.studies.expressions import Expression, Term
from bufsim.studies.statistics import Interval, mean_interval, order_statistic_interval
from bufsim.studies.statistics.intervals import replication_values
from bufsim.studies.statistics.student_t import inner_probability

Value = TypeVar("Value")


class UndefinedError(InvalidValueError):
    """A metric has no value in the replications that there are, such as the mean wait where nothing was flushed.

    Parameters
    ----------
    reason : str
        Which metric of which scenario, and why.
    way_out : str
        What to do about it, wherever that is read.
    in_python : str
        How that is written in Python.
    """

    def __init__(self, reason: str, way_out: str = "", in_python: str = "") -> None:
        super().__init__(reason, way_out, in_python)
        self.reason, self.way_out, self.in_python = reason, way_out, in_python

    def __str__(self) -> str:
        return self.told() + self.in_python

    def told(self) -> str:
        """Return it for readers who write no Python."""
        return f"{self.reason}; {self.way_out}" if self.way_out else self.reason


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
            raise self._undefined(error) from None

    def _undefined(self, error: InvalidValueError) -> UndefinedError:
        """Return why it has no value, and what to do about it."""
        what = f"{self.expression.name} of {self.scenario or 'these replications'} is undefined"
        without = int(np.isnan(self.raw()).sum())
        if not without:
            return UndefinedError(f"{what}: {error}")
        if any(self._is_unserved(term) for term in self.expression.terms):
            return UndefinedError(
                f"{what}: nothing serves the queue, for the model has no workers",
                "give it some, or ask for another metric",
            )
        reason = (
            f"{what}: it has no value in {without} of {len(self.tallies)} replications (there is nothing to take it "
            "of, such as waits where nothing was flushed)"
        )
        if not self.scenario:
            return UndefinedError(reason, "lengthen the runs")
        return UndefinedError(
            reason, "lengthen the runs, or leave it out", in_python=f": result.without({self.scenario!r})"
        )

    def _is_unserved(self, term: Term) -> bool:
        """Return whether a term has no value and is of a queue without workers."""
        metric, first = metrics.find(term.metric), self.tallies[0]
        part = metric.part(first, term.of)
        return isinstance(part, QueueTally) and not part.concurrency and math.isnan(metric(first, term.of))

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
