"""From the tallies of several replications to one value per replication and an interval, whatever the metric is.

What is averaged differs by metric, and must not be mixed: means over jobs or flushes are ratios of sums over all
replications (the jackknife), quantiles come from inverting a ratio test over replications, everything else has a value
per replication.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from bufsim.errors import InvalidValueError
from bufsim.results.histograms import SIZES, TIMES, Grid, Histogram
from bufsim.results.metric import Metric
from bufsim.results.tallies import Tally
from bufsim.studies.statistics import (
    Interval,
    mean_interval,
    quantile_interval_from_counts,
    quantile_values_from_counts,
    ratio_interval,
    ratio_values,
)

Floats = npt.NDArray[np.float64]
_NEAR = 32
_PARTS = 64
"""So many bins on both sides of a quantile are looked at in so many parts: no interval is as coarse as a bin."""


_KEPT: Mapping[str, tuple[Callable[[Any], tuple[Histogram, float]], Grid]] = {
    "wait_s": (lambda buffer: (buffer.waits.histogram, buffer.waits.largest), TIMES),
    "buffer_size_jobs": (lambda buffer: (buffer.levels.size.time_at, buffer.levels.size.peak), SIZES),
    "batch_size_jobs": (lambda buffer: (buffer.batches, buffer.largest_batch), SIZES),
    "loss_at_stop_jobs": (lambda buffer: (buffer.levels.exposed.time_at, buffer.levels.exposed.peak), SIZES),
    "end_to_end_s": (lambda queue: (queue.end_to_end.histogram, queue.end_to_end.largest), TIMES),
    "queue_wait_s": (lambda queue: (queue.waits.histogram, queue.waits.largest), TIMES),
}
"""Of what has quantiles: the histogram that is kept of a buffer or a queue, its largest value, and its grid."""


@dataclass(frozen=True, slots=True)
class Measured:
    """A metric of one scenario over its replications.

    Parameters
    ----------
    metric : Metric
        What.
    of : str or None
        Of which buffer or queue; None: all together.
    tallies : sequence of Tally
        One a replication, in order.
    """

    metric: Metric
    of: str | None
    tallies: Sequence[Tally]

    def raw(self) -> Floats:
        """Return the metric of each replication by itself: for looking at, not for means of ratios."""
        return np.array([self.metric(tally, self.of) for tally in self.tallies])

    def values(self) -> Floats:
        """Return one value per replication whose mean estimates the metric, for comparisons in pairs."""
        if self.metric.quantile is not None:
            grid, counts, totals = self._counts()
            return quantile_values_from_counts(grid, counts, self.metric.quantile.q, totals=totals)
        sums = self._sums()
        return self.raw() if sums is None else ratio_values(sums[:, 0], sums[:, 1])

    def interval(self, confidence: float = 0.95) -> Interval:
        """Return the metric over all replications, with its confidence interval."""
        if self.metric.quantile is not None:
            grid, counts, totals = self._counts()
            is_time = self.metric.average == "time-weighted"
            return quantile_interval_from_counts(
                grid, counts, self.metric.quantile.q, totals=totals, counts=not is_time, confidence=confidence
            )
        sums = self._sums()
        if sums is None:
            return mean_interval(self.raw(), confidence=confidence)
        return ratio_interval(sums[:, 0], sums[:, 1], confidence=confidence)

    def _sums(self) -> npt.NDArray[np.float64] | None:
        sums = [self.metric.sums(tally, self.of) for tally in self.tallies]
        return None if any(pair is None for pair in sums) else np.array(sums, np.float64)

    def _counts(self) -> tuple[Floats, npt.NDArray[np.float64], Floats]:
        """Return a grid, each replication's amount at or below each point of it, and its whole amount."""
        assert self.metric.quantile is not None
        kept, bins = _KEPT[self.metric.quantile.of]
        histograms = [kept(self.metric.part(tally, self.of)) for tally in self.tallies]
        totals = np.array([float(histogram.counts.sum()) for histogram, _ in histograms])
        if not totals.all():
            raise InvalidValueError(
                f"{self.metric.name} needs observations in every replication, got none in replication "
                f"{int(np.argmin(totals))}; lengthen the run"
            )
        largest = max(largest for _, largest in histograms)
        grid, table = cumulative([histogram for histogram, _ in histograms], bins, largest, self.metric.quantile.q)
        # seconds, added up in another order, need not make the same total to the last bit
        return grid, table, table[:, -1]


def cumulative(
    histograms: Sequence[Histogram], grid: Grid, largest: float, q: float
) -> tuple[Floats, npt.NDArray[np.float64]]:
    """Return points, and for each histogram the amount at or below each point.

    A bin of one whole number is a point. A wider bin near the q-quantile is cut into parts, between which what lies in
    it is taken to be spread evenly; no point is above `largest`, where everything is at or below.
    """
    first = min(histogram.first for histogram in histograms)
    last = max(histogram.first + len(histogram.counts) for histogram in histograms)
    amounts = np.zeros((len(histograms), last - first))
    for row, histogram in zip(amounts, histograms, strict=True):
        row[histogram.first - first : histogram.first - first + len(histogram.counts)] = histogram.counts
    low, high = grid.edges[first:last], np.minimum(grid.edges[first + 1 : last + 1], largest)
    if grid.whole:
        high = np.minimum(np.ceil(grid.edges[first + 1 : last + 1]) - 1.0, largest)
    pooled = np.cumsum(amounts.sum(axis=0))
    middle = int(np.searchsorted(pooled, q * pooled[-1]))
    near = np.abs(np.arange(last - first) - middle) <= _NEAR
    parts = np.where(near & (high > low), _PARTS, 1)
    bins = np.repeat(np.arange(last - first), parts)
    share = (np.arange(len(bins)) - np.repeat(np.cumsum(parts) - parts, parts) + 1) / parts[bins]
    points = low[bins] + (high - low)[bins] * share
    below = np.cumsum(amounts, axis=1)
    table = (below - amounts)[:, bins] + amounts[:, bins] * share
    # points that fall together, at the largest value, keep the last
    keep = np.append(points[1:] > points[:-1], True)
    return points[keep], table[:, keep]
