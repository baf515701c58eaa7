"""Estimates: metrics and expressions of one scenario over its replications, with their confidence intervals."""

from __future__ import annotations

import functools
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
    paired_difference,
    ratio_interval,
    ratio_values,
)
from bufsim.statistics.differences import NO_PROOF, PairedDifference
from bufsim.statistics.intervals import inner_probability, replication_values
from bufsim.statistics.quantiles import Amounts, TooFew, quantile_interval, quantile_values, too_few
from bufsim.statistics.rare_events import FEW, RareEvents, constant_in_words
from bufsim.statistics.samples import RareTerm, Sample
from bufsim.studies.chances import draws, impossible, most_ticks
from bufsim.studies.expressions import Expression, Term

Floats = npt.NDArray[np.float64]
_NEAR = 32
_PARTS = 64
"""So many bins on both sides of a quantile are looked at in so many parts."""
_SMALLEST = 2.0**-30
"""Durations below this, s, some 1 ns, have one bin."""


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
    at most. Where these are too few its interval is open, and so is the difference from another scenario, and a note
    says how many are needed; not so where nothing is drawn.
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
        return self.values_and_reach()[0]

    def values_and_reach(self) -> tuple[Floats, tuple[float, float]]:
        """The values, and how far below and above their mean the metric may lie: a quantile is known to its bin."""
        if self.metric.quantile is None:
            sums = self._sums()
            return self.raw() if sums is None else ratio_values(sums[:, 0], sums[:, 1]), (0.0, 0.0)
        counted = self._counts()
        values, (low, high) = _quantile_values(counted, self.metric.quantile.q), counted.ends
        if metrics.QUANTILES[self.metric.quantile.of].grid.whole and low == high:
            return values, (0.0, 0.0)
        mean = float(values.mean())
        return values, (max(mean - low, 0.0), max(high - mean, 0.0))

    def interval(self, confidence: float = 0.95) -> Interval:
        """The metric over all replications, with its confidence interval."""
        return self.by_few_events(confidence) or self._by_spread(confidence)

    def by_few_events(self, confidence: float) -> Interval | None:
        """The exact bounds of a metric that counts events which few runs saw; None of any other."""
        events = self.rare_events()
        if events is None or events.is_certain:
            return None
        note = events.text(confidence)
        return Interval(events.estimate, *events.bounds(confidence), confidence, events.runs, EXACT_BOUNDS, note)

    def rare_events(self) -> RareEvents | None:
        """The events that the metric counts, where few runs saw any, or where that is known without runs; or None."""
        event, runs = self.metric.event, len(self.tallies)
        if event is None or runs < 2:
            return None
        values = self.raw()
        if not np.isfinite(values).all():
            return None
        seen, is_all = int(np.count_nonzero(values)), bool(event.otherwise) and bool((values == 1.0).all())
        if seen >= min(FEW, runs) and not is_all:
            return None
        if not self._is_possible(event):
            first = float(values[0])
            is_certain = bool((values == first).all())
            return RareEvents(0, runs, first, first, event.phrase, is_certain=True) if is_certain else None
        if is_all:
            return RareEvents(0, runs, 1.0, 1.0, event.otherwise, is_all=True)
        estimate = 0.0
        if seen:
            sums = self._sums()
            estimate = float(values.mean() if sums is None else sums[:, 0].sum() / sums[:, 1].sum())
        return RareEvents(seen, runs, estimate, self._at_most(event), event.phrase)

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
            counted = self._counts()
            # seconds are no observations, and where nothing is drawn a few jobs tell as much as many
            cycles, of = self._cycles()
            interval = quantile_interval(
                counted.amounts,
                self.metric.quantile.q,
                counts=self.metric.average != "time-weighted" and math.isfinite(cycles),
                flushes=cycles,
                of=of,
                confidence=confidence,
            )
            return counted.widened(interval)
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

    def too_few(self, confidence: float) -> TooFew | None:
        """Why so few flushes cannot bound a quantile; None where they can, and of any other metric."""
        if self.metric.quantile is None:
            return None
        cycles, of = self._cycles()
        if math.isinf(cycles):
            return None
        return too_few(self.metric.quantile.q, int(cycles), of=of, confidence=confidence)

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

    def _counts(self) -> Cumulative:
        """The amounts of each replication at or below points near the quantile."""
        assert self.metric.quantile is not None
        row = metrics.QUANTILES[self.metric.quantile.of]
        histograms = [row.histogram(self.metric.part(tally, self.of)) for tally in self.tallies]
        if sum(len(histogram.bins) > 0 for histogram, _ in histograms) < 2:
            raise InvalidValueError(
                f"{self.metric.name} needs observations in at least 2 replications, got none in the others; "
                "lengthen the runs"
            )
        largest = max(largest for _, largest in histograms)
        return cumulative(tuple(histogram for histogram, _ in histograms), row.grid, largest, self.metric.quantile.q)


# Two replications: of 40 waits each, A has 30 in the bin (1.0, 1.1] s and 10 in (1.1, 1.2], B has 20 and 20. Of all 80,
# 50 are at or below 1.1 s, so that the median lies in the first bin; the ends of the bins alone tell no more than that.
# So the bin is split into parts, here five: at 1.02, 1.04, 1.06, 1.08 and 1.10 s there are 6, 12, 18, 24 and 30 of A,
# and 4, 8, 12, 16 and 20 of B. At 1.08 s it is 40 of 80: that is the estimate, and the ends of its interval are found
# among such points too. But that the waits lie evenly is only supposed, so that these go on to the ends of their bins,
# to 1.0 or 1.1 s. If all 50 waits had been 1.07 s, this were the only point of the bin, and exact. Bins far from the
# quantile are not split. A bin of whole numbers, as that of 256 and 257 jobs, is split at these numbers; the last bin
# ends at the largest value that was seen.
@dataclass(frozen=True, slots=True, eq=False)
class Cumulative:
    """Points near a quantile, and for each replication the amount at or below each of them.

    Parameters
    ----------
    amounts : Amounts
        The points and the amounts.
    least, most : array, shape (k,)
        Between these lies each value of a point's bin.
    ends : tuple of float
        Between these lies the quantile over all replications: the ends of its bin.
    """

    amounts: Amounts
    least: Floats
    most: Floats
    ends: tuple[float, float]

    def widened(self, interval: Interval) -> Interval:
        """An interval between two points, as far as the ends of their bins: where in a bin values lie is not known."""
        low, high, note = interval.low, interval.high, interval.note
        if math.isfinite(low):
            low = float(self.least[np.searchsorted(self.amounts.values, low)])
        if math.isfinite(high):
            high = float(self.most[np.searchsorted(self.amounts.values, high)])
        if low < high <= _SMALLEST:
            note = "; ".join(filter(None, (note, "durations below 1 ns are not told apart: it is known to 1 ns")))
        return replace(interval, low=low, high=high, note=note)


@functools.lru_cache(maxsize=32)
def cumulative(histograms: tuple[Histogram, ...], grid: Grid, largest: float, q: float) -> Cumulative:
    """The points near a quantile, and for each histogram the amount at or below each point.

    What lies in a bin is taken to be spread evenly over it: over its whole numbers where the values are whole. Each of
    these near the q-quantile is a point, or else each of many parts of the bin; where all values in it are nearly the
    same, the largest. No point is above `largest`, where everything is at or below.
    """
    both = Histogram.together(histograms)
    least, most = both.ends(grid)
    most = np.minimum(most, largest)
    pooled = np.cumsum(both.amounts, dtype=np.float64)
    # 0.07 * 100 is a little more than 7
    own = int(np.searchsorted(pooled, q * pooled[-1] * (1.0 - 1e-12)))
    near = np.abs(both.bins.astype(np.int64) - int(both.bins[own])) <= _NEAR
    near &= ~np.isin(both.bins, both.narrow)
    points, share, place = _points(least, most, near, whole=grid.whole)
    # points that fall together, at a whole number or the largest value, keep the last
    keep = np.append(points[1:] > points[:-1], True)
    points, place = points[keep], place[keep]
    at = _lookup(histograms, both.bins, near, share[keep], place)
    # seconds, added up in another order, need not make the same total to the last bit
    amounts = Amounts(points, at(np.array([len(points) - 1]))[:, 0], at)
    return Cumulative(amounts, least[place], most[place], (float(least[own]), float(most[own])))


@functools.lru_cache(maxsize=32)
def _quantile_values(counted: Cumulative, q: float) -> Floats:
    """The values of a quantile, each once: policies that never differ, as in grids, give the same histograms."""
    values = quantile_values(counted.amounts, q)
    values.flags.writeable = False
    return values


# Of some 17,000 bins between the shortest wait and the longest one a few thousand are filled, and of these an interval
# looks at some hundred: the amounts are summed up over the filled ones only, and interpolated where they are needed.
def _lookup(
    histograms: Sequence[Histogram],
    filled: npt.NDArray[np.signedinteger],
    near: npt.NDArray[np.bool_],
    share: Floats,
    place: npt.NDArray[np.intp],
) -> Callable[[npt.NDArray[np.intp]], Floats]:
    """The function from points to each histogram's amounts at or below them, at a share of the bin of each."""
    bins = np.concatenate([histogram.bins for histogram in histograms], dtype=np.intp, casting="unsafe")
    amounts = np.concatenate([histogram.amounts for histogram in histograms])
    column_of = np.zeros(int(filled[-1]) + 1, np.intp)
    column_of[filled] = np.arange(len(filled))
    shape = len(histograms), len(filled)
    cells = column_of[bins]
    cells += np.repeat(np.arange(shape[0]) * shape[1], [len(histogram.bins) for histogram in histograms])
    # counts are added up as integers: the same sums, in a fifth of the time
    upto = np.zeros(math.prod(shape), np.int64 if amounts.dtype.kind == "i" else np.float64)
    upto[cells] = amounts
    upto = upto.reshape(shape)
    # only near the quantile does a point lie within its bin
    own, own_of = upto[:, near].astype(np.float64), np.cumsum(near) - 1
    np.cumsum(upto, axis=1, out=upto)

    def at(positions: npt.NDArray[np.intp]) -> Floats:
        inside = place[positions]
        split = np.flatnonzero(near[inside])
        found = upto[:, inside].astype(np.float64, copy=False)
        if len(split):
            part = own[:, own_of[inside[split]]]
            found[:, split] = (found[:, split] - part) + part * share[positions[split]]
        return found

    return at


def _points(
    least: Floats, most: Floats, near: npt.NDArray[np.bool_], *, whole: bool
) -> tuple[Floats, Floats, npt.NDArray[np.intp]]:
    """The points in bins, ascending, the share of its bin that lies at or below each, and its bin."""
    # values that are whole fill (least − 1, most], the others (least, most]
    low = least - 1.0 if whole else least
    widths = most - low
    parts = np.minimum(widths, _PARTS) if whole else np.where(widths > 0.0, _PARTS, 1)
    parts = np.where(near, np.maximum(parts, 1), 1).astype(np.intp)
    place = np.repeat(np.arange(len(least)), parts)
    share = (np.arange(len(place)) - np.repeat(np.cumsum(parts) - parts, parts) + 1) / parts[place]
    points = np.where(share == 1.0, most[place], low[place] + widths[place] * share)
    if whole:
        points = np.floor(points + 1e-9)
        share = (points - low[place]) / widths[place]
    return points, share, place


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

    def sample(self, confidence: float = 0.95) -> Sample:
        """What the replications tell of the value, for comparisons; of quantiles whether at that confidence."""
        parts = [(term, self._measured(term)) for term in self.expression.terms]
        known = self._defined(lambda: self._known([part for _, part in parts]))
        columns = [values for values, _ in known]
        below = above = 0.0
        for term, (_, reach) in zip(self.expression.terms, known, strict=True):
            near, far = (abs(term.factor) * end for end in (reach if term.factor > 0.0 else reach[::-1]))
            below, above = below + near, above + far
        rare = {
            (term.metric, term.of): RareTerm(term.factor, events, term.factor * values)
            for (term, part), values in zip(parts, columns, strict=True)
            if (events := part.rare_events())
        }
        few = len(self.tallies) <= NO_PROOF
        return Sample(
            self._combined(columns), below, above, self.too_few(confidence), rare, few and self.is_deterministic
        )

    def _known(self, parts: Sequence[Measured]) -> list[tuple[Floats, tuple[float, float]]]:
        known = [part.values_and_reach() for part in parts]
        replication_values(self.expression.name, self._combined([values for values, _ in known]))
        return known

    def against(
        self, other: Evaluation, *, names: tuple[str, str] = ("first", "second"), confidence: float = 0.95
    ) -> PairedDifference:
        """The value less that of another scenario, replication by replication."""
        return paired_difference(self.sample(confidence), other.sample(confidence), names=names)

    def too_few(self, confidence: float = 0.95) -> TooFew | None:
        """Why so few flushes cannot bound a quantile among the terms, of several the one that lacks most; or None."""
        found = [few for term in self.expression.terms if (few := self._measured(term).too_few(confidence))]
        return max(found, key=lambda few: few.shortage, default=None)

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
