"""How a study result shows itself: a line of what ran, and a table of the usual metrics with their intervals."""

from __future__ import annotations

import html
import math
from collections.abc import Mapping, Sized
from typing import Any, Protocol

import pandas as pd

from bufsim.studies.evaluations import Evaluation, UndefinedError
from bufsim.studies.statistics import Interval

USUAL = ("mean_wait_s", "p99_wait_s", "mean_buffer_size_jobs", "peak_buffer_size_jobs", "flush_rate_per_s")
_MOST_COUNTED = 6
COLUMNS = ["scenario", "metric", "estimate", "low", "high", "unit", "confidence", "n", "method"]


class Shown(Protocol):
    """What is shown of a study result."""

    @property
    def seed(self) -> int:
        """The root seed."""

    @property
    def complete(self) -> bool:
        """Whether all has run."""

    @property
    def failures(self) -> pd.DataFrame:
        """What did not finish."""

    @property
    def scenarios(self) -> Sized:
        """What ran."""

    @property
    def tallies(self) -> Mapping[str, Sized]:
        """What is kept of each scenario's finished replications."""

    @property
    def finished(self) -> tuple[str, ...]:
        """The scenarios that finished."""

    @property
    def replications(self) -> int:
        """How many replications each has."""

    def interval(self, metric: str, scenario: str) -> Interval:
        """Return a metric with its interval."""


def row(scenario: str, evaluation: Evaluation, confidence: float) -> tuple[Any, ...]:
    """Return a row of the table of intervals."""
    metric = evaluation.expression
    try:
        interval = evaluation.interval(confidence)
    except UndefinedError as error:
        missing = (math.nan, math.nan, math.nan, metric.unit, confidence, len(evaluation.tallies))
        return (scenario, metric.name, *missing, error.reason)
    numbers = (interval.estimate, interval.low, interval.high, metric.unit, interval.confidence, interval.n)
    return (scenario, metric.name, *numbers, interval.method)


def header(result: Shown) -> str:
    """Return the line of what ran."""
    parts = [f"Study  seed {result.seed}", _counted(len(result.scenarios))]
    if result.finished and (result.complete or result.replications >= 2):
        parts.append(f"{result.replications} replications each, common random numbers")
    if not result.complete:
        parts.append(f"INCOMPLETE: interrupted, this is what was finished{_so_far(result)}")
    if len(result.failures):
        parts.append(f"{_counted(result.failures['scenario'].nunique())} failed, see .failures")
    return " · ".join(parts)


def _so_far(result: Shown) -> str:
    """Return how many replications each scenario has, where they are not the same of all."""
    even = len(result.finished) == len(result.tallies) and all(
        len(found) == result.replications for found in result.tallies.values()
    )
    return "" if even else f" (replications: {counts(result.tallies)})"


def counts(tallies: Mapping[str, Sized]) -> str:
    """Return how many replications each scenario has, or of many from how many to how many.

    Examples
    --------
    >>> counts({"A": [1, 2, 3], "B": []})
    'A 3, B 0'
    """
    found = {name: len(kept) for name, kept in tallies.items()}
    if len(found) > _MOST_COUNTED:
        return f"from {min(found.values())} to {max(found.values())} of {len(found)} scenarios"
    return ", ".join(f"{name} {count}" for name, count in found.items())


def _counted(scenarios: int) -> str:
    return "1 scenario" if scenarios == 1 else f"{scenarios:,} scenarios"


def table(result: Shown) -> pd.DataFrame:
    """Return the usual metrics, a row a scenario, as "estimate [low, high]"."""
    return pd.DataFrame({name: {metric: _cell(result, metric, name) for metric in USUAL} for name in result.finished}).T


def _cell(result: Shown, metric: str, scenario: str) -> str:
    try:
        return str(result.interval(metric, scenario))
    except UndefinedError:
        return "undefined"  # such as the wait where nothing is flushed


def text(result: Shown) -> str:
    """Return the result as text."""
    shown = header(result)
    return f"{shown}\n{table(result).to_string()}" if result.finished else shown


def page(result: Shown) -> str:
    """Return the result as HTML."""
    shown = f"<p>{html.escape(header(result))}</p>"
    return shown + table(result).to_html() if result.finished else shown
