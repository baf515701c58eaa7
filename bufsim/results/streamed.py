"""The tally of a run that the compiled engine only counted, in bounded memory."""

from __future__ import annotations

import math
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd

from bufsim.engines import bins, compiled_engine
from bufsim.engines.arrays import Accumulators
from bufsim.engines.counts import BufferCounts, QueueCounts, counts_of
from bufsim.engines.kernel import tallies
from bufsim.engines.randomness import stop_times
from bufsim.engines.recording import LOSS_CAUSES
from bufsim.engines.workload import Workload
from bufsim.model.declaration import Declaration
from bufsim.results import records
from bufsim.results.measures import (
    EMPTY,
    SIZES,
    TIMES,
    Floats,
    Grid,
    Histogram,
    Level,
    LevelDistribution,
    Sample,
    Window,
)
from bufsim.results.steps import Series
from bufsim.results.tallies import BufferLevels, BufferTally, QueueLevels, QueueTally, Tally


def summary(simulation: Declaration, workload: Workload) -> Tally:
    """Run a simulation on the compiled engine, in bounded memory; return its tally."""
    return tally(simulation, compiled_engine.count(simulation, workload), _down(simulation, workload))


def flushes(simulation: Declaration, workload: Workload) -> tuple[Tally, pd.DataFrame]:
    """Run a simulation on the compiled engine, in memory for its flushes; return its tally and its flushes."""
    ages = Ages()
    counted = compiled_engine.count(simulation, workload, taken=ages.add)
    assert counted.flushes is not None
    names = {"buffers": counted.buffer_ids, "causes": counted.causes}
    down = _down(simulation, workload)
    return tally(simulation, counted, down), records.flush_table(counted.flushes, names, ages.oldest(), ages.mean())


class Ages:
    """The wait of the oldest job, and the mean wait, of each flush, collected while a run goes on."""

    def __init__(self) -> None:
        self._oldest: list[Floats] = []
        self._mean: list[Floats] = []

    def add(self, starts: Floats, sizes: Any, created_at: Floats) -> None:
        """Add flushes: their starts, their batch sizes, and the arrivals of all that they took."""
        oldest, mean = records.ages_of(sizes, np.repeat(starts, sizes), created_at)
        self._oldest.append(oldest)
        self._mean.append(mean)

    def oldest(self) -> Floats:
        """Return the waits of the oldest jobs, s."""
        return np.concatenate([np.empty(0), *self._oldest])

    def mean(self) -> Floats:
        """Return the mean waits, s."""
        return np.concatenate([np.empty(0), *self._mean])


def _down(simulation: Declaration, workload: Workload) -> float:
    """Return for how long of the window the server is down, s."""
    times = stop_times(simulation.stops, seed=workload.seed, replication=workload.replication, until=simulation.until)
    return Window(simulation.warm_up, simulation.until).share_of(times)


def tally(simulation: Declaration, counted: Accumulators, down: float) -> Tally:
    """Return the tally of what an engine counted in a run whose window holds so many seconds of downtime."""
    parts = _Parts(counted, down)
    run = parts.run
    lost = counted.counts[: len(LOSS_CAUSES)]
    buffers = {name: _buffer(parts, index) for index, name in enumerate(counted.buffer_ids)}
    queues = {name: _queue(parts, index) for index, name in enumerate(counted.queue_names)}
    # of one buffer alone, and of one queue, all together are that one
    only_buffer = next(iter(buffers.values())).levels if run.all_buffers < 0 else None
    every_queue = run.all_queues if run.all_queues >= 0 else run.queue_levels
    return Tally(
        window=Window(simulation.warm_up, simulation.until),
        jobs=run.job,
        rows=run.row,
        outcomes=_outcomes(parts),
        bypassed=run.bypassed,
        bypassed_lost=tuple(lost.tolist()),
        buffers=buffers,
        queues=queues,
        buffer_levels=only_buffer or parts.buffer_levels(run.all_buffers),
        queue_levels=parts.queue_levels(every_queue),
        buffered=parts.series(max(run.all_buffers, 0) + tallies.SIZE),
        unfinished=parts.series(run.served_level),
    )


def _outcomes(parts: _Parts) -> tuple[int, ...]:
    """Return the rows by what has become of them, in the order of `copies.OUTCOMES`."""
    run, buffers = parts.run, parts.buffers
    buffered = sum(b.jobs for b in buffers)
    in_flight = sum(b.flight_jobs for b in buffers if b.flushing)
    return run.outside - run.outside_lost, run.landed - run.landed_lost, buffered, in_flight, run.lost


class _Parts:
    """What stands where in the accumulators."""

    def __init__(self, counted: Accumulators, down: float) -> None:
        self.counted = counted
        self.down = down
        (self.run,) = _plain(counted.run)
        self.buffers = _plain(counted.buffers)
        self.queues = _plain(counted.queues)
        self.levels = _plain(counted.levels)
        self.samples = _plain(counted.samples)

    def level(self, index: int, peak: str = "lasting") -> Level:
        """Return a level without a distribution."""
        record = self.levels[index]
        return Level(record.integral, getattr(record, peak))

    def spread(self, index: int, peak: str = "lasting") -> LevelDistribution:
        """Return a level with its distribution."""
        record, seconds = self.levels[index], self.counted.seconds
        exact = seconds[record.exact : record.exact + min(record.peak + 1, tallies.EXACT)]
        values = np.arange(len(exact), dtype=np.float64)
        time_at = Histogram.of_whole(SIZES, exact)
        if record.peak >= tallies.EXACT:
            time_at += self._large(record.bins)
        weighted = values * exact
        integral, squares = float(record.integral + weighted.sum()), float(record.squares + (weighted * values).sum())
        return LevelDistribution(integral, squares, getattr(record, peak), time_at)

    def _large(self, first: int) -> Histogram:
        """Return the time at the values of a level that have no place of their own."""
        seconds, behind = self.counted.seconds, first + SIZES.size
        some = np.flatnonzero(seconds[first:behind])
        least, most = seconds[behind : behind + 2 * SIZES.size].reshape(-1, 2)[some].T
        return Histogram.of_ends(some, seconds[first:behind][some], least, most, singles=SIZES.singles)

    def series(self, index: int) -> Series:
        """Return a level's time averages."""
        first = self.levels[index].series
        areas = self.counted.seconds[first : first + bins.SERIES + 1]
        return Series(np.diff(areas) * (bins.SERIES / self.run.until))

    def buffer_levels(self, first: int) -> BufferLevels:
        """Return the levels of a buffer, or of all together."""
        return BufferLevels(
            size=self.spread(first + tallies.SIZE, "peak"),
            nbytes=self.level(first + tallies.NBYTES, "peak"),
            in_flight=self.level(first + tallies.IN_FLIGHT),
            in_flight_nbytes=self.level(first + tallies.IN_FLIGHT_NBYTES),
            exposed=self.spread(first + tallies.EXPOSED).without(self.down),
        )

    def queue_levels(self, first: int) -> QueueLevels:
        """Return the levels of a queue, or of all together."""
        return QueueLevels(self.level(first + tallies.WAITING), self.level(first + tallies.UNFINISHED))

    def sample(self, index: int) -> Sample:
        """Return what is kept of a sample."""
        record = self.samples[index]
        # most runs leave some samples empty: their bins are not searched
        histogram = self.histogram(record.bins, TIMES) if record.count else EMPTY
        return Sample(record.count, record.total, record.squares, record.largest, histogram)

    def histogram(self, first: int, grid: Grid) -> Histogram:
        """Return what `kernel.tallies.count_in_bin` has counted."""
        counts, behind = self.counts(first, grid.size), first + grid.size
        some = np.flatnonzero(counts)
        amounts = counts[some]
        least, most = self.counts(behind, 2 * grid.size).view(np.float64).reshape(-1, 2)[some].T
        # what is wide has gone on without its ends
        most = np.where(amounts < 0, math.inf, most)
        return Histogram.of_ends(
            some, np.where(amounts < 0, amounts - bins.WIDE, amounts), least, most, singles=grid.singles
        )

    def counts(self, first: int, n: int) -> Any:
        """Return `n` of the counts."""
        return self.counted.counts[first : first + n]


def _buffer(parts: _Parts, index: int) -> BufferTally:
    b, causes = parts.buffers[index], parts.counted.causes
    by_cause = zip(causes, parts.counts(b.causes_first, len(causes)).tolist(), strict=True)
    return BufferTally(
        **counts_of(BufferCounts, b),
        lost=tuple(parts.counts(b.lost_first, len(LOSS_CAUSES)).tolist()),
        causes={cause: count for cause, count in by_cause if count},
        batches=parts.histogram(b.batches_first, SIZES),
        waits=parts.sample(index),
        left=b.jobs,
        left_nbytes=b.held_nbytes,
        levels=parts.buffer_levels(index * tallies.OF_BUFFER),
    )


def _queue(parts: _Parts, index: int) -> QueueTally:
    q, first = parts.queues[index], parts.run.queue_samples + 2 * index
    return QueueTally(
        **counts_of(QueueCounts, q),
        concurrency=q.concurrency,
        waits=parts.sample(first),
        end_to_end=parts.sample(first + 1),
        levels=parts.queue_levels(parts.run.queue_levels + index * tallies.OF_QUEUE),
    )


def _plain(records: Any) -> list[SimpleNamespace]:
    """Return records as Python's own numbers, by their names."""
    return [SimpleNamespace(**dict(zip(records.dtype.names, record, strict=True))) for record in records.tolist()]
