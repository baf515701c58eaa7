"""Tally of the job buffers, made from what an engine wrote down; see `bufsim.results.tallies`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property

import numpy as np
import numpy.typing as npt

from bufsim.engines.recording import COMPLETED, FAILED, IN_FLIGHT, LOSS_CAUSES, QUEUE
from bufsim.model.declaration import Declaration
from bufsim.results import empty_ticks
from bufsim.results.columns import Positions, at, distinct
from bufsim.results.measures import SIZES, Floats, Histogram, Sample, Window
from bufsim.results.records import OUTCOMES, Copies, Tables
from bufsim.results.steps import Changes, Series, Steps, distribution, lasting_peak, level, presence
from bufsim.results.tallies import BufferLevels, BufferTally, QueueLevels, QueueTally, Tally

Whole = npt.NDArray[np.int64]
Downtimes = Sequence[tuple[float, float]]


class Buffers:
    """Events of the buffers of one run, and their tallies.

    Parameters
    ----------
    simulation : Declaration
        What ran.
    copies : Copies
        What the engine wrote down, and what became of each row.
    downtimes : sequence of (stop, restart)
        When the server was down, s.
    window : Window
        The part of the run that counts.
    """

    def __init__(self, simulation: Declaration, copies: Copies, downtimes: Downtimes, window: Window) -> None:
        self.simulation = simulation
        self.copies = copies
        self.record = copies.record
        self.downtimes = downtimes
        self.window = window
        self.count = len(self.record.buffers)

    # counts of rows by buffer; place 0 is for those of no buffer

    @cached_property
    def arrivals(self) -> Whole:
        """The rows whose job arrived in the window."""
        return self._by_buffer(self.record.copy_buffer[self._arrived :])

    @cached_property
    def further_copies(self) -> Whole:
        """Of the arrivals, those of jobs that an earlier buffer collects too."""
        numbers = self.copies.numbers[self._arrived :]
        if not distinct(numbers).any():
            return np.zeros_like(self.arrivals)
        return self._by_buffer(self.record.copy_buffer[self._arrived :][numbers > 0])

    @cached_property
    def lost(self) -> Whole:
        """The rows lost in the window, by buffer and cause."""
        counts = np.zeros((self.count + 1, len(LOSS_CAUSES)), np.int64)
        fates, rows = self.copies.fates, self.copies.lost
        rows = rows[self.window.holds(fates.lost_at[rows])]
        np.add.at(counts, (self.record.copy_buffer[rows] + 1, fates.loss[rows]), 1)
        return counts

    @cached_property
    def _arrived(self) -> int:
        return self.window.first(self.copies.created_at)

    def _by_buffer(self, buffers: npt.NDArray[np.int16]) -> Whole:
        if len(distinct(buffers)) == 1:
            counts = np.zeros(self.count + 1, np.int64)
            counts[buffers[0] + 1] = len(buffers)
            return counts
        return np.bincount(buffers + np.int16(1), minlength=self.count + 1)

    # flushes

    @cached_property
    def waits(self) -> list[Sample]:
        """The waits of each buffer's jobs whose flush started in the window."""
        record = self.record
        first = self.window.first(record.flush_start)
        sizes = record.flush_jobs[first:]
        waits = np.repeat(record.flush_start[first:], sizes)
        waits -= self.copies.created_at[self.copies.by_flush][int(record.flush_jobs[:first].sum()) :]
        if self.count == 1:
            return [Sample.of(waits)]
        buffer = np.repeat(record.flush_buffer[first:], sizes)
        return [Sample.of(waits[buffer == index]) for index in range(self.count)]

    @cached_property
    def gone(self) -> Floats:
        """Each flush's end, or the stop that interrupts it; infinity if neither has come."""
        gone: Floats = np.where(np.isnan(self.record.flush_end), np.inf, self.record.flush_end)
        lost = self.copies.lost
        rows = lost[self.record.copy_loss[lost] == IN_FLIGHT]
        gone[self.record.copy_flush[rows]] = self.record.copy_lost_at[rows]
        return gone

    def _flushes(self, buffer: int | None) -> Positions | slice:
        """Return the rows of one buffer's flushes, or of all."""
        if buffer is None or self.count == 1:
            return slice(None)
        return np.flatnonzero(self.record.flush_buffer == buffer)

    def tally(self, buffer: int) -> BufferTally:
        """Return what is kept of a buffer."""
        record = self.record
        sizes, nbytes = self._steps(buffer, record.size_jobs), self._steps(buffer, record.size_nbytes)
        seen = np.arange(len(record.flush_start))[self._flushes(buffer)]
        seen = seen[record.flush_start[seen] >= self.window.start]
        ended = seen[~np.isnan(record.flush_end[seen])]
        batch, reduced, taken = record.flush_jobs[seen], record.flush_reduced[ended], record.flush_nbytes[seen]
        times = record.flush_end[ended] - record.flush_start[ended]
        return BufferTally(
            arrivals=int(self.arrivals[buffer + 1]),
            stored=int(np.count_nonzero(sizes.changes()[1][self.window.first(sizes.times) :] > 0)),
            further_copies=int(self.further_copies[buffer + 1]),
            lost=tuple(self.lost[buffer + 1].tolist()),
            flushes=len(seen),
            causes=self._causes(seen),
            batch_jobs=int(batch.sum()),
            batch_squares=int((batch * batch).sum()),
            largest_batch=int(batch.max(initial=0)),
            batches=Histogram.of(SIZES, batch),
            ended=len(ended),
            ended_jobs=int(record.flush_jobs[ended].sum()),
            reduced_jobs=int(reduced.sum()),
            largest_reduced=int(reduced.max(initial=0)),
            batch_nbytes=int(taken.sum()),
            largest_nbytes=int(taken.max(initial=0)),
            flush_time=float(times.sum()),
            longest_flush=float(times.max(initial=0.0)),
            repeated=(self._hand_overs(buffer) - 1) * int(record.flush_jobs[ended].sum()),
            waits=self.waits[buffer],
            empty_ticks=self._empty_ticks(buffer, sizes),
            left=sizes.last,
            left_nbytes=nbytes.last,
            levels=self.levels(buffer),
        )

    def _hand_overs(self, buffer: int) -> int:
        return self.simulation.storage_of(self.simulation.buffers[buffer]).hand_overs

    def _causes(self, flushes: Positions) -> dict[str, int]:
        counts = np.bincount(self.record.flush_cause[flushes], minlength=len(self.record.causes)).tolist()
        return {name: count for name, count in zip(self.record.causes, counts, strict=True) if count}

    def _empty_ticks(self, buffer: int, sizes: Steps) -> int:
        counted = self.record.empty_ticks.get(buffer)
        if counted is not None:
            return counted
        policy = self.simulation.buffers[buffer].policy
        if not empty_ticks.has_ticks(policy):
            return 0
        flushes = self._flushes(buffer)
        start, gone = self.record.flush_start[flushes], self.gone[flushes]
        return empty_ticks.count(
            policy, empty_ticks.gaps(sizes, start, gone, self.downtimes, self.window), self.window.end
        )

    # levels

    def levels(self, buffer: int | None) -> BufferLevels:
        """Return the levels of one buffer, or of all together."""
        record, window, flushes = self.record, self.window, self._flushes(buffer)
        sizes = self._steps(buffer, record.size_jobs)
        size = distribution(sizes, window)
        start, gone, jobs = record.flush_start[flushes], self.gone[flushes], record.flush_jobs[flushes]
        others = self._in_flight(start, gone, jobs) + self._in_queue(buffer)
        durable = [self.simulation.storage_of(one).durable for one in self.simulation.buffers]
        if buffer is not None:
            durable = [durable[buffer]]
        if any(durable) or others:
            steps = Steps.of_changes(*self._at_risk(sizes, durable), *others)
            exposed = replace(distribution(steps, window), peak=lasting_peak(steps, window))
        else:
            exposed = replace(size, peak=lasting_peak(sizes, window))
        return BufferLevels(
            size=size,
            nbytes=level(self._steps(buffer, record.size_nbytes), window),
            in_flight=presence(start, gone, window, jobs),
            in_flight_nbytes=presence(start, gone, window, record.flush_nbytes[flushes]),
            exposed=exposed.without(window.share_of(self.downtimes)),
        )

    def all_levels(self, of_each: Sequence[BufferLevels]) -> BufferLevels:
        """Return the levels of all buffers together."""
        volatile = not all(map(self.simulation.is_durable, self.record.queues))
        if self.count == 1 and not (volatile and (self.record.copy_buffer < 0).any()):
            return of_each[0]
        return self.levels(None)

    def series(self) -> Series:
        """Return the sum of the buffer sizes over the whole run."""
        return Series.of_steps(self._steps(None, self.record.size_jobs), self.window.end)

    def _steps(self, buffer: int | None, levels: Whole) -> Steps:
        """Return a column of a buffer's series over time, or its sum over all buffers."""
        record = self.record
        if self.count == 1:
            return Steps(record.size_time, levels)
        if buffer is not None:
            rows = np.flatnonzero(record.size_buffer == buffer)
            return Steps(record.size_time[rows], levels[rows])
        deltas = np.zeros(len(levels), np.int64)
        for index in range(self.count):
            rows = np.flatnonzero(record.size_buffer == index)
            deltas[rows] = np.diff(levels[rows], prepend=0)
        return Steps(record.size_time, np.cumsum(deltas))

    def _at_risk(self, sizes: Steps, durable: Sequence[bool]) -> list[Changes]:
        """Return how the buffered rows that a stop would lose change: `sizes`, without those of durable storages."""
        if len(set(durable)) == 1:
            return [] if durable[0] else [sizes.changes()]
        levels = self.record.size_jobs
        return [self._steps(index, levels).changes() for index, is_durable in enumerate(durable) if not is_durable]

    def _in_flight(self, start: Floats, gone: Floats, jobs: Whole) -> list[Changes]:
        """Return how the rows in flight change; nothing if no flush takes time."""
        if not (gone > start).any():
            return []
        ended = gone < np.inf
        return [(start, jobs), (gone[ended], -jobs[ended])]

    def _in_queue(self, buffer: int | None) -> list[Changes]:
        """Return how the rows in queues that a stop would lose change; nothing if the queues are durable."""
        record, copies = self.record, self.copies
        volatile = np.array([not self.simulation.is_durable(name) for name in record.queues])
        if not volatile.any():
            return []
        at_risk = volatile[record.work_queue]
        inside = ~copies.without_work
        inside[inside] = at_risk[record.copy_work[inside]]
        finished_at = copies.fates.finished_at
        if len(copies.unlinked):
            # a row whose task is not known is in a queue with its flush's tasks; if that enqueued nothing, in none
            last, flush = copies.last_of_flush(at_risk), record.copy_flush[copies.unlinked]
            inside[copies.unlinked] = np.isin(flush, record.work_flush[at_risk])
            finished_at = finished_at.copy()
            finished_at[copies.unlinked] = last[flush]
        begin = np.where(record.copy_flush < 0, copies.created_at, at(record.flush_end, record.copy_flush))
        rows = np.flatnonzero(inside)
        if buffer is not None:
            rows = rows[record.copy_buffer[rows] == buffer]
        end = np.where(copies.fates.loss[rows] == QUEUE, copies.fates.lost_at[rows], finished_at[rows])
        end = end[~np.isnan(end)]
        return [(begin[rows], np.ones(len(rows), np.int64)), (end, np.full(len(end), -1))]


class Tasks:
    """The tasks of one queue, or of all: rows of a recording's `work` columns."""

    def __init__(self, tables: Tables, window: Window, rows: Positions | slice) -> None:
        record = tables.record
        self.window = window
        self.queued_at: Floats = record.work_queued_at[rows]
        self.started_at: Floats = record.work_started_at[rows]
        self.finished_at: Floats = record.work_finished_at[rows]
        self.lost_at: Floats = record.work_lost_at[rows]
        self.attempts: npt.NDArray[np.int64] = record.work_attempts[rows]
        self.items: npt.NDArray[np.int64] = record.work_items[rows]
        self.outcome: npt.NDArray[np.int8] = record.work_outcome[rows]
        self.busy_times: Floats = tables.busy_times[rows]

    @cached_property
    def finished(self) -> Positions:
        """Which were completed or failed for good in the window."""
        if np.isnan(distinct(self.finished_at)).all():
            return np.empty(0, np.intp)
        return np.flatnonzero(self.window.holds(self.finished_at))

    def levels(self) -> QueueLevels:
        """Return how many wait, and how many are unfinished, over time."""
        return QueueLevels(
            presence(self.queued_at, self._until_gone(self.started_at), self.window),
            presence(self.queued_at, self._until_gone(self.finished_at), self.window),
        )

    def series(self) -> Series:
        """Return how many are unfinished, over the whole run."""
        return Series.of_stays(self.queued_at, self._until_gone(self.finished_at), self.window.end)

    def _until_gone(self, times: Floats) -> Floats:
        """Return the times; where one has not come the time of the loss; without a loss infinity."""
        return np.fmin(np.fmin(times, self.lost_at), np.inf)

    def waits(self) -> Sample:
        """Return the waits for the first start."""
        if np.isnan(distinct(self.started_at)).all():
            return Sample.of(np.empty(0))
        started = np.flatnonzero(self.window.holds(self.started_at))
        return Sample.of(self.started_at[started] - self.queued_at[started])

    def tally(self, concurrency: int, end_to_end: Sample, busy_time: float) -> QueueTally:
        """Return what is kept of the queue, but for what is given."""
        items = self.items[self.window.first(self.queued_at) :]
        finished = self.finished
        busy = self.busy_times[finished]
        return QueueTally(
            concurrency=concurrency,
            enqueued=len(items),
            items=int(items.sum()),
            largest_items=int(items.max(initial=0)),
            completed=int((self.outcome[finished] == COMPLETED).sum()),
            failed=int((self.outcome[finished] == FAILED).sum()),
            lost=int(self.window.holds(distinct(self.lost_at)).sum()),
            attempts=int(self.attempts[finished].sum()),
            service_time=float(busy.sum()),
            longest_service=float(busy.max(initial=0.0)),
            busy_time=busy_time,
            waits=self.waits(),
            end_to_end=end_to_end,
            levels=self.levels(),
        )


def end_to_end(copies: Copies, window: Window, queues: int) -> list[Sample]:
    """Return, for each queue, the times from arrival to finish of the rows finished in the window."""
    finished_at = copies.fates.finished_at
    if np.isnan(distinct(finished_at)).all():
        return [Sample.of(np.empty(0))] * queues
    rows = np.flatnonzero(window.holds(finished_at))
    times = finished_at[rows] - copies.created_at[rows]
    if queues == 1:
        return [Sample.of(times)]
    queue = copies.of_job(copies.record.job_queue)[rows]
    return [Sample.of(times[queue == index]) for index in range(queues)]


def busy_times(tables: Tables, window: Window) -> list[float]:
    """Return, for each queue, the worker-seconds in service in the window: of all attempts, also those that go on."""
    record, started = tables.record, tables.started_attempts
    queues = len(record.queues)
    if not len(started.work):
        return [0.0] * queues
    inside = window.overlap(started.started_at, started.ended_at)
    if queues == 1:
        return [float(inside.sum())]
    queue = record.work_queue[started.work]
    return [float(inside[queue == index].sum()) for index in range(queues)]


def tally(simulation: Declaration, tables: Tables, downtimes: Downtimes) -> Tally:
    """Return the tally of a run.

    Parameters
    ----------
    simulation : Declaration
        What ran.
    tables : Tables
        What the engine wrote down, and what follows from it.
    downtimes : sequence of (stop, restart)
        When the server was down, s.
    """
    window = Window(simulation.warm_up, simulation.until)
    copies, record = tables.copies, tables.record
    buffers = Buffers(simulation, copies, downtimes, window)
    of_buffers = {name: buffers.tally(index) for index, name in enumerate(record.buffers)}
    of_queues = _queues(simulation, tables, window)
    all_works = Tasks(tables, window, slice(None))
    return Tally(
        window=window,
        jobs=len(record.job_time),
        rows=len(copies),
        outcomes=tuple(np.bincount(copies.outcome, minlength=len(OUTCOMES)).tolist()),
        bypassed=int(buffers.arrivals[0]),
        bypassed_lost=tuple(buffers.lost[0].tolist()),
        buffers=of_buffers,
        queues=of_queues,
        buffer_levels=buffers.all_levels([counted.levels for counted in of_buffers.values()]),
        queue_levels=all_works.levels() if len(of_queues) > 1 else next(iter(of_queues.values())).levels,
        buffered=buffers.series(),
        unfinished=_unfinished(simulation, tables, window),
    )


def _unfinished(simulation: Declaration, tables: Tables, window: Window) -> Series:
    """Return the series of the tasks of the queues that have workers: in the others they only gather."""
    record = tables.record
    served = [index for index, name in enumerate(record.queues) if simulation.workers_of(name)]
    rows = slice(None) if len(served) == len(record.queues) else np.flatnonzero(np.isin(record.work_queue, served))
    return Tasks(tables, window, rows).series()


def _queues(simulation: Declaration, tables: Tables, window: Window) -> dict[str, QueueTally]:
    record = tables.record
    times, busy = end_to_end(tables.copies, window, len(record.queues)), busy_times(tables, window)
    tallies = {}
    for index, name in enumerate(record.queues):
        rows = slice(None) if len(record.queues) == 1 else np.flatnonzero(record.work_queue == index)
        workers = simulation.workers_of(name)
        tasks = Tasks(tables, window, rows)
        tallies[name] = tasks.tally(workers.concurrency if workers else 0, times[index], busy[index])
    return tallies
