"""Gaps between arrivals, and the times to which they add up."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from bufsim.model.distribution import BLOCK, FloatArray


def exponential_gaps(generator: np.random.Generator, mean: float) -> Iterator[FloatArray]:
    """Yield blocks of exponential gaps without end."""
    while True:
        gaps = generator.standard_exponential(BLOCK)
        gaps *= mean
        yield gaps


def accumulate(gaps: FloatArray, now: float) -> float:
    """Turn gaps into times after `now`, in place, and return the last of them."""
    gaps[0] += now
    np.cumsum(gaps, out=gaps)
    return float(gaps[-1])


def cumulated(gap_blocks: Iterator[FloatArray], until: float) -> Iterator[FloatArray]:
    """Yield the partial sums below `until`, block by block; the blocks of gaps are overwritten."""
    now = 0.0
    while now < until:
        times = next(gap_blocks)
        now = accumulate(times, now)
        yield from before(until, times)


def before(until: float, times: FloatArray) -> Iterator[FloatArray]:
    """Yield the sorted `times` below `until`, if there are any."""
    kept = times if times[-1] < until else times[: np.searchsorted(times, until)]
    if kept.size:
        yield kept
