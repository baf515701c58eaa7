"""The tally of a run that the compiled engine only counted, in bounded memory."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from bufsim.engines import bins, compiled_engine
from bufsim.engines import kernel_levels as kl
from bufsim.engines.accumulators import Accumulators
from bufsim.engines.recording import LOSS_CAUSES
from bufsim.engines.workload import Workload
from bufsim.model.declaration import Declaration
from bufsim.results import records
from bufsim.results.histograms import SIZES, Floats, Histogram
from bufsim.results.measures import Level, LevelDistribution, Sample
from bufsim.results.series import Series
from bufsim.results.tallies import BufferLevels, BufferTally, QueueLevels, QueueTally, Tally
from bufsim.results.window import Window


def summary(simulation: Declaration, workload: Workload) -> Tally:
    """Run a simulation on the compiled engine, in bounded memory; return its tally."""
    return tally(simulation, compiled_engine.count(simulation, workload))


def flushes(simulation: Declaration, workload: Workload) -> tuple[Tally, pd.DataFrame]:
    """Run a simulation on the compiled engine, in memory for its flushes; return its tally and its flushes."""
    ages = Ages()
    counted = compiled_engine.count(simulation, workload, taken=ages.add)
    assert counted.flushes is not None
    names = {"buffers": counted.buffer_ids, "causes": counted.causes}
    return tally(simulation, counted), records.flush_table(counted.flushes, names, ages.oldest(), ages.mean())


class Ages:
    """The wait of the oldest job, and the mean wait, of each flush, collected while a run goes on."""

    def __init__(self) -> None:
        self._oldest: list[Floats] = []
        self._mean: list[Floats] = []

    def add(self, starts: Floats, sizes: Any, created_at: Floats) -> None:
        """Add flushes: their starts, their batch sizes, and the arrivals of all that they took."""
        oldest, mean = records.ages_of(starts, sizes, created_at)
        self._oldest.append(oldest)
        self._mean.append(mean)

    def oldest(self) -> Floats:
        """Return the waits of the oldest jobs, s."""
        return np.concatenate([np.empty(0), *self._oldest])

    def mean(self) -> Floats:
        """Return the mean waits, s."""
        return np.concatenate([np.empty(0), *self._mean])


def tally(simulation: Declaration, counted: Accumulators) -> Tally:
    """Return the tally of what an engine counted."""
    run, parts = counted.run, _Parts(counted)
    lost = counted.counts[: len(LOSS_CAUSES)]
    buffers = {name: _buffer(parts, index) for index, name in enumerate(counted.buffer_ids)}
    queues = {name: _queue(parts, index) for index, name in enumerate(counted.queue_names)}
    every_queue = int(run.all_queues) if run.all_queues >= 0 else int(run.queue_levels)
    return Tally(
        window=Window(simulation.warm_up, simulation.until),
        jobs=int(run.job),
        rows=int(run.row),
        outcomes=_outcomes(counted),
        passed_by=int(run.passed_by),
        passed_by_lost=tuple(lost.tolist()),
        buffers=buffers,
        queues=queues,
        buffer_levels=parts.buffer_levels(max(int(run.all_buffers), 0)),
        queue_levels=parts.queue_levels(every_queue),
        buffered=parts.series(max(int(run.all_buffers), 0) + kl.SIZE),
        unfinished=parts.series(int(run.served_level)),
    )


def _outcomes(counted: Accumulators) -> tuple[int, ...]:
    """Return the rows by what has become of them, in the order of `copies.OUTCOMES`."""
    run, buffers = counted.run, counted.buffers
    passed_by = int(run.passed - run.passed_lost)
    flushed = int(run.landed - run.landed_lost)
    buffered = int(buffers["jobs"].sum())
    in_flight = int(buffers["batch_jobs"][buffers["flushing"]].sum())
    return passed_by, flushed, buffered, in_flight, int(run.lost)


class _Parts:
    """What stands where in the accumulators."""

    def __init__(self, counted: Accumulators) -> None:
        self.counted = counted
        self.run = counted.run

    def level(self, index: int, peak: str = "lasting") -> Level:
        """Return a level without a distribution."""
        record = self.counted.levels[index]
        return Level(float(record.integral), int(record[peak]))

    def spread(self, index: int, peak: str = "lasting") -> LevelDistribution:
        """Return a level with its distribution."""
        record, seconds = self.counted.levels[index], self.counted.seconds
        exact = seconds[record.exact : record.exact + kl.EXACT]
        exact = exact[: int(np.flatnonzero(exact)[-1]) + 1] if exact.any() else exact[:0]
        values = np.arange(len(exact), dtype=np.float64)
        time_at = seconds[record.bins : record.bins + bins.SIZES.last + 1] + SIZES.weights(values, exact)
        weighted = values * exact
        integral, squares = float(record.integral + weighted.sum()), float(record.squares + (weighted * values).sum())
        return LevelDistribution(integral, squares, int(record[peak]), Histogram.of(time_at))

    def series(self, index: int) -> Series:
        """Return a level's time averages."""
        first = int(self.counted.levels[index].series)
        areas = self.counted.seconds[first : first + bins.SERIES + 1]
        return Series(np.diff(areas) * (bins.SERIES / float(self.run.until)))

    def buffer_levels(self, first: int) -> BufferLevels:
        """Return the levels of a buffer, or of all together."""
        return BufferLevels(
            size=self.spread(first + kl.SIZE, "peak"),
            nbytes=self.level(first + kl.NBYTES, "peak"),
            in_flight=self.level(first + kl.IN_FLIGHT),
            in_flight_nbytes=self.level(first + kl.IN_FLIGHT_NBYTES),
            exposed=self.spread(first + kl.EXPOSED),
        )

    def queue_levels(self, first: int) -> QueueLevels:
        """Return the levels of a queue, or of all together."""
        return QueueLevels(self.level(first + kl.WAITING), self.level(first + kl.UNFINISHED))

    def sample(self, index: int) -> Sample:
        """Return what is kept of a sample."""
        record = self.counted.samples[index]
        counts = self.counted.counts[record.bins : record.bins + bins.TIMES.last + 1]
        total, squares, largest = float(record.total), float(record.squares), float(record.largest)
        return Sample(int(record["count"]), total, squares, largest, Histogram.of(counts))

    def counts(self, first: int, n: int) -> Any:
        """Return `n` of the counts."""
        return self.counted.counts[first : first + n]


def _buffer(parts: _Parts, index: int) -> BufferTally:
    b, causes = parts.counted.buffers[index], parts.counted.causes
    by_cause = zip(causes, parts.counts(b.causes_first, len(causes)).tolist(), strict=True)
    return BufferTally(
        arrivals=int(b.arrivals),
        stored=int(b.stored),
        further_copies=int(b.further_copies),
        lost=tuple(parts.counts(b.lost_first, len(LOSS_CAUSES)).tolist()),
        flushes=int(b.started),
        causes={cause: count for cause, count in by_cause if count},
        batch_jobs=int(b.batch_sum),
        batch_squares=int(b.batch_squares),
        largest_batch=int(b.largest_batch),
        batches=Histogram.of(parts.counts(b.batches_first, bins.SIZES.last + 1)),
        ended=int(b.ended),
        ended_jobs=int(b.ended_jobs),
        reduced_jobs=int(b.reduced_jobs),
        largest_reduced=int(b.largest_reduced),
        batch_nbytes=int(b.batch_nbytes),
        largest_nbytes=int(b.largest_nbytes),
        flush_time=float(b.flush_time),
        longest_flush=float(b.longest_flush),
        waits=parts.sample(index),
        empty_ticks=int(b.empty_ticks),
        left=int(b.jobs),
        left_nbytes=int(b.held),
        levels=parts.buffer_levels(index * kl.OF_BUFFER),
    )


def _queue(parts: _Parts, index: int) -> QueueTally:
    q, first = parts.counted.queues[index], int(parts.run.queue_samples) + 2 * index
    return QueueTally(
        concurrency=int(q.concurrency),
        handed=int(q.came),
        items=int(q["items"]),
        largest_items=int(q.largest_items),
        completed=int(q.completed),
        failed=int(q.failed),
        lost=int(q.lost),
        attempts=int(q.attempts),
        service_time=float(q.service_time),
        longest_service=float(q.longest_service),
        busy_time=float(q.busy_time),
        waits=parts.sample(first),
        end_to_end=parts.sample(first + 1),
        levels=parts.queue_levels(int(parts.run.queue_levels) + index * kl.OF_QUEUE),
    )
