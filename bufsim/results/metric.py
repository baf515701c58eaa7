"""What a metric is: a named number that follows from a tally."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple, TypeVar

from bufsim.checks import did_you_mean
from bufsim.errors import InvalidValueError
from bufsim.results.tallies import Tally

Kind = Literal["buffer", "queue", "model"]
"""What a metric is about: a buffer, a job queue, or the whole model."""
Average = Literal["time-weighted", "job-weighted", "flush-weighted", "work-weighted", "count", "extreme", "share"]
"""Over what a metric averages: time, jobs (rows of `jobs`), flushes, or works (rows of `work`), which must not be
mixed; or whether it is a count (or a rate), a largest value, or a ratio of two sums."""


class Quantile(NamedTuple):
    """Which quantile of what a metric is: 0.99 of "wait_s"."""

    of: str
    q: float


@dataclass(frozen=True, slots=True)
class Metric:
    """A named number that follows from a tally.

    Parameters
    ----------
    name : str
        With its unit: ``"mean_wait_s"``.
    unit : str
        "" for ratios.
    kind : {"buffer", "queue", "model"}
        What it is about.
    average : str
        Over what it averages.
    meaning : str
        One sentence.
    function : callable
        From what is kept of one buffer, queue or model, and the span of the window in s, to the number.
    quantile : Quantile, optional
        Which quantile of what it is.

    Examples
    --------
    >>> from bufsim.results.metrics import METRICS
    >>> METRICS["mean_wait_s"].unit, METRICS["mean_wait_s"].average
    ('s', 'job-weighted')
    """

    name: str
    unit: str
    kind: Kind
    average: Average
    meaning: str
    function: Callable[[Any, float], float] = field(repr=False, compare=False)
    quantile: Quantile | None = None

    def __call__(self, tally: Tally, of: str | None = None) -> float:
        """Return the metric of a buffer or a queue, or (None) of all of them together; nan where it is undefined."""
        return float(self.function(self.part(tally, of), tally.window.span))

    def sums(self, tally: Tally, of: str | None = None) -> tuple[float, float] | None:
        """Return the two sums whose ratio the metric is; None for another kind of metric."""
        value = self.function(self.part(tally, of), tally.window.span)
        return (value.top, value.bottom) if isinstance(value, Ratio) else None

    def part(self, tally: Tally, of: str | None) -> object:
        """Return what is kept of the buffer or queue named, or of all; an InvalidValueError says when there is none."""
        if self.kind == "model":
            if of is not None:
                raise InvalidValueError(f"{self.name} is about the whole model, got of={of!r}; leave it out")
            return tally
        if self.kind == "buffer":
            return tally.all_buffers if of is None else _named(self, of, tally.buffers)
        return tally.all_queues if of is None else _named(self, of, tally.queues)


Part = TypeVar("Part")


def _named(metric: Metric, of: str, parts: Mapping[str, Part]) -> Part:
    if of in parts:
        return parts[of]
    listed = ", ".join(map(repr, parts))
    raise InvalidValueError(
        f"{metric.name} is about a {metric.kind}, one of {listed}, got of={of!r}{did_you_mean(of, parts)}"
    )


def metric(function: Callable[[Any, float], float], unit: str, kind: Kind, average: Average) -> Metric:
    """Return the metric that a function computes: its name is the function's, its meaning the docstring."""
    return Metric(function.__name__, unit, kind, average, (function.__doc__ or "").rstrip("."), function)


class Ratio(float):
    """A ratio of two sums, nan without anything to divide by, that knows its sums.

    Over several runs the sums are to be added first: a mean of ratios is biased where runs are short.
    """

    top: float
    bottom: float

    def __new__(cls, top: float, bottom: float) -> Ratio:
        """Return top / bottom."""
        one = super().__new__(cls, top / bottom if bottom else math.nan)
        one.top, one.bottom = float(top), float(bottom)
        return one


def ratio(a: float, b: float) -> Ratio:
    """Return a / b, and nan when there is nothing to divide by."""
    return Ratio(a, b)


def known(value: float, count: int) -> float:
    """Return a largest value, and nan when it is the largest of none."""
    return value if count else math.nan


def deviation(total: float, squares: float, weight: float) -> float:
    """Return the standard deviation from a sum, a sum of squares and the sum of weights."""
    if not weight:
        return math.nan
    mean = total / weight
    return math.sqrt(max(squares / weight - mean * mean, 0.0))
