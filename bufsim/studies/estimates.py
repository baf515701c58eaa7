"""Estimates: metrics and expressions of one scenario over its replications, with their confidence intervals."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from bufsim.errors import InvalidValueError, message
from bufsim.results import metrics
from bufsim.results.measures import Grid, Histogram
from bufsim.results.metrics import Event, Metric
from bufsim.results.tallies import BufferTally, QueueTally, Tally
from bufsim.simulation import Simulation
from bufsim.statistics import (
    Interval,
    mean_interval,
    order_statistic_interval,
    ratio_interval,
    ratio_values,
)
from bufsim.statistics.intervals import inner_probability, replication_values
from bufsim.statistics.quantiles import Amounts, quantile_interval, quantile_values
from bufsim.statistics.rare_events import FEW, constant_in_words, few_in_words, most_runs
from bufsim.studies.chances import draws, impossible, most_ticks
from bufsim.studies.expressions import Expression, Term

Floats = npt.NDArray[np.float64]
_NEAR = 32
_PARTS = 64
"""So many bins on both sides of a quantile are looked at in so many parts: no interval is as coarse as a bin."""


DETERMINISTIC = "exact: nothing is drawn at random"
EXACT_BOUNDS = "exact bounds over runs"


def is_deterministic(tallies: Sequence[Tally], simulation: Simulation | None = None) -> bool:
    """Whether the replications are all the same, down to the last bit of what moves with every draw.

    Parameters
    ----------
    tallies : sequence of Tally
        What is kept of a scenario's replications; one alone cannot show it.
    simulation : Simulation, optional
        The scenario: one that draws anything is random, though the runs may all be the same by chance.
    """
    if simulation is not None and draws(simulation):
        return False
    telling = [metric for metric in metrics.METRICS.values() if metric.tells_draws]
    return len(tallies) > 1 and all(len({metric(tally) for tally in tallies}) == 1 for metric in telling)


def deterministic_text(interval: Interval, unit: str) -> str:
    """The text of a number that is known without error, with its unit, and why it has no interval.

    Examples
    --------
    >>> deterministic_text(Interval(14.9099, 14.9099, 14.9099, 0.95, 30, "t over replications"), "s")
    '14.9099 s (exact: nothing is drawn at random)'
    """
    return f"{str(interval).split(' [')[0]} {unit}".rstrip() + f" ({DETERMINISTIC})"


@dataclass(frozen=True, slots=True)
class Measured:
    """The estimate of a metric of one scenario, over its replications.

    Parameters
    ----------
    metric : Metric
        The metric.
    of : str or None
        Of which buffer or queue; None: all together.
    tallies : sequence of Tally
        One a replication, in order.
    simulation : Simulation or None
        The scenario, which tells what can happen in it; None: anything can.

    Notes
    -----
    Where a metric counts events (`metrics.Event`: losses, failures, empty ticks, ...) and fewer than `rare_events.FEW`
    of the runs saw one, though not all of them, its interval is [0, p·m]. With the confidence of the interval no more
    than a share p of runs sees any (Clopper and Pearson, over runs, which are independent; jobs of a run are not), and
    none sees more than m, if as much comes to it as to the busiest run that was seen. That is wide: how much such a run
    would lose, nobody has seen. It is 0 without doubt only where the model cannot have the event, or draws nothing. A
    share that is all in every run has the same bounds from the other side.

    Of a largest value that is the same in every run, a note says how large a share of runs may have another.

    For a quantile, of jobs or of a level over time, there are as many independent observations as there were flushes,
    at most. Where these are too few its interval is open, and a note says how many are needed; not so where nothing is
    drawn.
    """

    metric: Metric
    of: str | None
    tallies: Sequence[Tally]
    simulation: Simulation | None = None

    def raw(self) -> Floats:
        """The metric of each replication by itself: for looking at, not for means of ratios."""
        return np.array([self.metric(tally, self.of) for tally in self.tallies])

    def values(self) -> Floats:
        """One value per replication whose mean estimates the metric, for comparisons in pairs."""
        if self.metric.quantile is not None:
            return quantile_values(self._amounts(), self.metric.quantile.q)
        sums = self._sums()
        return self.raw() if sums is None else ratio_values(sums[:, 0], sums[:, 1])

    def interval(self, confidence: float = 0.95) -> Interval:
        """The metric over all replications, with its confidence interval."""
        return self.by_few_events(confidence) or self._by_spread(confidence)

    def by_few_events(self, confidence: float) -> Interval | None:
        """The exact bounds of a metric that counts events which few runs saw; None of any other."""
        event, runs = self.metric.event, len(self.tallies)
        if event is None or runs < 2:
            return None
        values = self.raw()
        if not np.isfinite(values).all() or not self._is_possible(event):
            return None
        seen = int(np.count_nonzero(values))
        if event.otherwise and (values == 1.0).all():
            share = most_runs(0, runs, confidence=confidence)
            note = few_in_words(0, runs, event.otherwise, confidence=confidence)
            return Interval(1.0, 1.0 - share, 1.0, confidence, runs, EXACT_BOUNDS, note)
        if seen >= min(FEW, runs):
            return None
        estimate = 0.0
        if seen:
            sums = self._sums()
            estimate = float(values.mean() if sums is None else sums[:, 0].sum() / sums[:, 1].sum())
        high = max(most_runs(seen, runs, confidence=confidence) * self._at_most(event), estimate)
        note = few_in_words(seen, runs, event.phrase, confidence=confidence)
        return Interval(estimate, 0.0, high, confidence, runs, EXACT_BOUNDS, note)

    def _at_most(self, event: Event) -> float:
        """The metric in a run in which the event happens to everything that it can happen to."""
        if "tick" in event.causes:
            ticks = math.inf if self.simulation is None else most_ticks(self.simulation, self.of)
            return event.at_most(ticks, self.tallies[0].window.span)
        return max(event.at_most(self.metric.part(tally, self.of), tally.window.span) for tally in self.tallies)

    def _is_possible(self, event: Event) -> bool:
        """Whether the model can have an event, as far as is known, and draws anything."""
        if self.simulation is not None and set(event.causes) <= impossible(self.simulation, self.of):
            return False
        return not self.is_deterministic

    def _by_spread(self, confidence: float) -> Interval:
        """The metric with the interval that the spread of the replications gives."""
        if self.metric.quantile is not None:
            # seconds are no observations, and where nothing is drawn a few jobs tell as much as many
            cycles, of = self._cycles()
            return quantile_interval(
                self._amounts(),
                self.metric.quantile.q,
                counts=self.metric.average != "time-weighted" and math.isfinite(cycles),
                flushes=cycles,
                of=of,
                confidence=confidence,
            )
        sums = self._sums()
        if sums is not None:
            return ratio_interval(sums[:, 0], sums[:, 1], confidence=confidence)
        interval = mean_interval(self.raw(), confidence=confidence)
        if self.metric.average != "extreme" or interval.low < interval.high or self.is_deterministic:
            return interval
        return replace(interval, note=constant_in_words(interval.n, confidence=confidence))

    @property
    def is_deterministic(self) -> bool:
        """Whether nothing is drawn at random in the scenario."""
        return is_deterministic(self.tallies, self.simulation)

    def _cycles(self) -> tuple[float, str]:
        """How many observations a quantile is worth at most, and what they are: flushes, or of a level also runs."""
        if self.is_deterministic:
            return math.inf, "flushes"
        flushes, runs = self._flushes(), len(self.tallies)
        # a level that is never flushed is another in every run
        is_by_run = self.metric.average == "time-weighted" and runs > flushes
        return (runs, "runs") if is_by_run else (flushes, "flushes")

    def _flushes(self) -> int:
        """The flushes in which the jobs came that the metric is about; a job that no buffer collects came by itself."""
        total = 0
        for tally in self.tallies:
            part = self.metric.part(tally, self.of)
            total += part.flushes if isinstance(part, BufferTally) else tally.all_buffers.flushes + tally.bypassed
        return total

    def _sums(self) -> npt.NDArray[np.float64] | None:
        sums = [self.metric.sums(tally, self.of) for tally in self.tallies]
        return None if any(pair is None for pair in sums) else np.array(sums, np.float64)

    def _amounts(self) -> Amounts:
        """Each replication's amount at or below each point of a grid."""
        assert self.metric.quantile is not None
        row = metrics.QUANTILES[self.metric.quantile.of]
        histograms = [row.histogram(self.metric.part(tally, self.of)) for tally in self.tallies]
        if sum(bool(histogram.amounts.any()) for histogram, _ in histograms) < 2:
            raise InvalidValueError(
                f"{self.metric.name} needs observations in at least 2 replications, got none in the others; "
                "lengthen the runs"
            )
        largest = max(largest for _, largest in histograms)
        return cumulative([histogram for histogram, _ in histograms], row.grid, largest, self.metric.quantile.q)


# Two replications: of 40 waits each, A has 30 in the bin (1.0, 1.1] s and 10 in (1.1, 1.2], B has 20 and 20. Of all 80,
# 50 are at or below 1.1 s, so that the median lies in the first bin; the ends of the bins alone tell no more than that.
# So the bin is split into parts, here five: at 1.02, 1.04, 1.06, 1.08 and 1.10 s there are 6, 12, 18, 24 and 30 of A,
# and 4, 8, 12, 16 and 20 of B. At 1.08 s it is 40 of 80: that is the estimate, and the ends of its interval are found
# among such points too. Bins far from the quantile are not split. A bin of whole numbers, as that of 256 and 257 jobs,
# is split at these numbers; the last bin ends at the largest value that was seen.
def cumulative(histograms: Sequence[Histogram], grid: Grid, largest: float, q: float) -> Amounts:
    """The points near a quantile, and for each histogram the amount at or below each point.

    What lies in a bin is taken to be spread evenly over it: over its whole numbers where the values are whole. Each of
    these near the q-quantile is a point, or else each of many parts of the bin; no point is above `largest`, where
    everything is at or below.
    """
    bins = np.concatenate([histogram.bins for histogram in histograms], dtype=np.intp, casting="unsafe")
    amounts = np.concatenate([histogram.amounts for histogram in histograms], dtype=np.float64, casting="unsafe")
    first, last = int(bins.min()), int(bins.max()) + 1
    bins -= first
    pooled = np.cumsum(np.bincount(bins, weights=amounts))
    near = np.abs(np.arange(last - first) - int(np.searchsorted(pooled, q * pooled[-1]))) <= _NEAR
    points, share, bin_of = _points(grid, first, last, largest, near)
    # points that fall together, at the largest value, keep the last
    keep = np.append(points[1:] > points[:-1], True)
    lengths = [len(histogram.bins) for histogram in histograms]
    at = _lookup(bins, amounts, lengths, near, share[keep], bin_of[keep])
    # seconds, added up in another order, need not make the same total to the last bit
    return Amounts(points[keep], at(np.array([np.count_nonzero(keep) - 1]))[:, 0], at)


# Of some 17,000 bins between the shortest wait and the longest one a few thousand are filled, and of these an interval
# looks at some hundred: the amounts are summed up over the filled ones only, and interpolated where they are needed.
def _lookup(
    bins: npt.NDArray[np.intp],
    amounts: Floats,
    lengths: Sequence[int],
    near: npt.NDArray[np.bool_],
    share: Floats,
    bin_of: npt.NDArray[np.intp],
) -> Callable[[npt.NDArray[np.intp]], Floats]:
    """The function from points to each histogram's amounts at or below them, at a share of the bin of each."""
    is_filled = np.bincount(bins) > 0
    column_of = np.cumsum(is_filled) - 1
    shape = len(lengths), int(column_of[-1]) + 1
    cells = column_of[bins]
    cells += np.repeat(np.arange(shape[0]) * shape[1], lengths)
    upto = np.asarray(np.bincount(cells, weights=amounts, minlength=math.prod(shape)).reshape(shape), np.float64)
    # only near the quantile does a point lie within its bin
    start = int(np.count_nonzero(is_filled[: np.argmax(near)]))
    own = upto[:, start : start + np.count_nonzero(is_filled & near)].copy()
    np.cumsum(upto, axis=1, out=upto)

    def at(positions: npt.NDArray[np.intp]) -> Floats:
        inside = bin_of[positions]
        column, split = column_of[inside], (is_filled & near)[inside]
        found = upto[:, column]
        part = own[:, column[split] - start]
        found[:, split] = (found[:, split] - part) + part * share[positions[split]]
        return found

    return at


def _points(
    grid: Grid, first: int, last: int, largest: float, near: npt.NDArray[np.bool_]
) -> tuple[Floats, Floats, npt.NDArray[np.intp]]:
    """The points in bins, ascending, the share of its bin that lies at or below each, and its bin."""
    # values that are whole fill (low − 1, high], the others (low, high]
    low, high = grid.edges[first:last], grid.edges[first + 1 : last + 1]
    if grid.whole:
        low, high = np.ceil(low) - 1.0, np.ceil(high) - 1.0
    else:
        # the bin of zeros holds nothing else, though its edge is the least double above
        high = np.where(low == 0.0, 0.0, high)
    high = np.minimum(high, largest)
    widths = high - low
    most = np.minimum(widths, _PARTS) if grid.whole else np.where(widths > 0.0, _PARTS, 1)
    parts = np.where(near, np.maximum(most, 1), 1).astype(np.intp)
    bins = np.repeat(np.arange(last - first), parts)
    share = (np.arange(len(bins)) - np.repeat(np.cumsum(parts) - parts, parts) + 1) / parts[bins]
    points = low[bins] + widths[bins] * share
    if grid.whole:
        points = np.floor(points + 1e-9)
        share = np.divide(points - low[bins], widths[bins], out=np.ones_like(points), where=widths[bins] > 0.0)
    return points, share, bins


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
        return message(self.text + self.in_python)

    @property
    def text(self) -> str:
        """The message for readers who write no Python."""
        return f"{self.reason}; {self.way_out}" if self.way_out else self.reason


@dataclass(frozen=True, slots=True)
class Evaluation:
    """The estimate of an expression of metrics of one scenario, over its replications.

    Parameters
    ----------
    expression : Expression
        The expression.
    tallies : sequence of Tally
        One a replication, in order.
    scenario : str
        Whose they are, for messages; "" if nobody's.
    simulation : Simulation or None
        The scenario itself.
    """

    expression: Expression
    tallies: Sequence[Tally]
    scenario: str = ""
    simulation: Simulation | None = None

    @property
    def is_deterministic(self) -> bool:
        """Whether nothing is drawn at random in the scenario, so that its numbers are exact."""
        return is_deterministic(self.tallies, self.simulation)

    def raw(self) -> Floats:
        """The value in each replication by itself: for looking at, not for means of ratios."""
        return self._combined([self._measured(term).raw() for term in self.expression.terms])

    def values(self) -> Floats:
        """One value per replication whose mean estimates it, for comparisons under common random numbers."""
        return self._defined(lambda: replication_values(self.expression.name, self._values()))

    def _values(self) -> Floats:
        return self._combined([self._measured(term).values() for term in self.expression.terms])

    def interval(self, confidence: float = 0.95) -> Interval:
        """The value over all replications, with its confidence interval; that of a metric is the metric's own."""
        level = inner_probability("confidence", confidence)
        return self._defined(lambda: self._interval(level))

    def unseen(self, confidence: float = 0.95) -> tuple[float, float]:
        """Reach below and above the estimate by events that few runs saw; 0 where there are none."""
        terms = self.expression.terms
        below = above = 0.0
        for term in terms:
            # the bounds of all terms hold together by Bonferroni's inequality
            bounds = self._measured(term).by_few_events(1.0 - (1.0 - confidence) / len(terms))
            if bounds is not None:
                moved = _moved(bounds, term.factor, 0.0)
                below, above = below + moved.estimate - moved.low, above + moved.high - moved.estimate
        return below, above

    def over_runs(self, q: float, confidence: float = 0.95) -> Interval:
        """The value that a share q of single runs stay at or below, with its confidence interval."""
        share, level = inner_probability("q", q), inner_probability("confidence", confidence)
        return self._defined(lambda: order_statistic_interval(self.raw(), share, confidence=level))

    def _interval(self, confidence: float) -> Interval:
        terms = self.expression.terms
        if len(terms) == 1:
            return _moved(self._measured(terms[0]).interval(confidence), terms[0].factor, self.expression.constant)
        rare = [term for term in terms if self._measured(term).by_few_events(confidence) is not None]
        spread = self._with_rare(rare, confidence) if rare else mean_interval(self.values(), confidence=confidence)
        return self._opened(spread, confidence)

    def _opened(self, interval: Interval, confidence: float) -> Interval:
        """The interval, open at the ends at which a quantile among the terms has no bound, for its reason."""
        quantiles = [term for term in self.expression.terms if metrics.find(term.metric).quantile is not None]
        parts = [_moved(self._measured(term).interval(confidence), term.factor, 0.0) for term in quantiles]
        low = -math.inf if any(part.low == -math.inf for part in parts) else interval.low
        high = math.inf if any(part.high == math.inf for part in parts) else interval.high
        if (low, high) == (interval.low, interval.high):
            return interval
        notes = (interval.note, *(part.note for part in parts))
        return replace(interval, low=low, high=high, note="; ".join(dict.fromkeys(filter(None, notes))))

    def _with_rare(self, rare: Sequence[Term], confidence: float) -> Interval:
        """The value where few runs saw what some terms count: bounds of these, and the interval of the rest, added.

        All of them hold together by Bonferroni's inequality.
        """
        level = 1.0 - (1.0 - confidence) / (len(rare) + 1)
        parts = [_moved(self._bounds(term, level), term.factor, 0.0) for term in rare]
        others = tuple(term for term in self.expression.terms if term not in rare)
        rest = replace(self, expression=replace(self.expression, terms=others))
        parts.append(mean_interval(replication_values(self.expression.name, rest._values()), confidence=level))
        return Interval(
            sum(part.estimate for part in parts),
            sum(part.low for part in parts),
            sum(part.high for part in parts),
            confidence,
            len(self.tallies),
            f"{EXACT_BOUNDS} for rare events, t for the rest",
            "; ".join(dict.fromkeys(part.note for part in parts if part.note)),
            parts[-1].skewness,
        )

    def _bounds(self, term: Term, confidence: float) -> Interval:
        bounds = self._measured(term).by_few_events(confidence)
        assert bounds is not None
        return bounds

    def _defined(self, compute: Callable[[], Value]) -> Value:
        """The computed value; a metric of a buffer that is not there is another error than one without a value."""
        for term in self.expression.terms:
            metrics.find(term.metric).part(self.tallies[0], term.of)
        try:
            return compute()
        except UndefinedError:
            raise
        except InvalidValueError as error:
            raise self._undefined(error) from None

    def _undefined(self, error: InvalidValueError) -> UndefinedError:
        """The error that says why there is no value, and what to do about it."""
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
        """Whether a term has no value and is of a queue without workers."""
        metric, first = metrics.find(term.metric), self.tallies[0]
        part = metric.part(first, term.of)
        return isinstance(part, QueueTally) and not part.concurrency and math.isnan(metric(first, term.of))

    def _measured(self, term: Term) -> Measured:
        return Measured(metrics.find(term.metric), term.of, self.tallies, self.simulation)

    def _combined(self, values: Sequence[Floats]) -> Floats:
        total = np.full(len(self.tallies), self.expression.constant)
        for term, column in zip(self.expression.terms, values, strict=True):
            total += term.factor * column
        return total


def _moved(interval: Interval, factor: float, constant: float) -> Interval:
    """The interval of factor·x + constant."""
    if factor == 1.0 and constant == 0.0:
        return interval
    ends = sorted((factor * interval.low + constant, factor * interval.high + constant))
    return replace(interval, estimate=factor * interval.estimate + constant, low=ends[0], high=ends[1])
