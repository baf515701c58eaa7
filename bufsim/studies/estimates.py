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
        if sum(histogram.counts.any() for histogram, _ in histograms) < 2:
            raise InvalidValueError(
                f"{self.metric.name} needs observations in at least 2 replications, got none in the others; "
                "lengthen the runs"
            )
        largest = max(largest for _, largest in histograms)
        grid, table = cumulative([histogram for histogram, _ in histograms], bins, largest, self.metric.quantile.q)
        # seconds, added up in another order, need not make the same total to the last bit
        return grid, table, table[:, -1]


def cumulative(
    histograms: Sequence[Histogram], grid: Grid, largest: float, q: float
) -> tuple[Floats, npt.NDArray[np.float64]]:
    """Return points, and for each histogram the amount at or below each point.

    What lies in a bin is taken to be spread evenly over it: over its whole numbers where the values are whole. Each of
    these near the q-quantile is a point, or else each of many parts of the bin; no point is above `largest`, where
    everything is at or below.
    """
    first = min(histogram.first for histogram in histograms if len(histogram.counts))
    last = max(histogram.first + len(histogram.counts) for histogram in histograms)
    amounts = np.zeros((len(histograms), last - first))
    for row, histogram in zip(amounts, histograms, strict=True):
        if len(histogram.counts):
            row[histogram.first - first : histogram.first - first + len(histogram.counts)] = histogram.counts
    pooled = np.cumsum(amounts.sum(axis=0))
    middle = int(np.searchsorted(pooled, q * pooled[-1]))
    near = np.abs(np.arange(last - first) - middle) <= _NEAR
    points, share, bins = _points(grid, first, last, largest, near)
    below = np.cumsum(amounts, axis=1)
    table = (below - amounts)[:, bins] + amounts[:, bins] * share
    # points that fall together, at the largest value, keep the last
    keep = np.append(points[1:] > points[:-1], True)
    return points[keep], table[:, keep]


def _points(
    grid: Grid, first: int, last: int, largest: float, near: npt.NDArray[np.bool_]
) -> tuple[Floats, Floats, npt.NDArray[np.intp]]:
    """Return points in bins, ascending, the share of its bin that lies at or below each, and its bin."""
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
