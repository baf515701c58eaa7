"""How the tally of the job queues is made from what an engine wrote down; see `bufsim.results.tallies`."""

from __future__ import annotations

from functools import cached_property

import numpy as np
import numpy.typing as npt

from bufsim.engines.recording import COMPLETED, FAILED, LOST, RUNNING, Recording
from bufsim.results.copies import Copies, Floats, Positions, distinct
from bufsim.results.measures import Sample
from bufsim.results.series import Series
from bufsim.results.steps import presence
from bufsim.results.tallies import QueueLevels, QueueTally
from bufsim.results.window import Window


class Works:
    """The works of one queue, or of all: rows of a recording's `work` columns."""

    def __init__(self, record: Recording, busy_times: Floats, window: Window, rows: Positions | slice) -> None:
        self.window = window
        self.queued_at: Floats = record.work_queued_at[rows]
        self.started_at: Floats = record.work_started_at[rows]
        self.finished_at: Floats = record.work_finished_at[rows]
        self.lost_at: Floats = record.work_lost_at[rows]
        self.attempts: npt.NDArray[np.int64] = record.work_attempts[rows]
        self.finished_attempts: npt.NDArray[np.int64] = record.work_finished_attempts[rows]
        self.items: npt.NDArray[np.int64] = record.work_items[rows]
        self.outcome: npt.NDArray[np.int8] = record.work_outcome[rows]
        self.busy_times: Floats = busy_times[rows]

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

    def busy_time(self) -> float:
        """Return the worker-seconds in service in the window, by the definition of `QueueTally.busy_time`."""
        if not distinct(self.attempts).any():
            return 0.0
        once, done = self.attempts == 1, (self.outcome == COMPLETED) | (self.outcome == FAILED)
        lost_at_once = (self.outcome == LOST) & (self.finished_attempts == 0)
        first = np.flatnonzero(once & (done | (self.outcome == RUNNING) | lost_at_once))
        end = self._until_gone(self.finished_at)[first]
        again = self.finished[self.attempts[self.finished] > 1]
        return float(self.window.overlap(self.started_at[first], end).sum()) + float(self.busy_times[again].sum())

    def waits(self) -> Sample:
        """Return the waits for the first start."""
        if np.isnan(distinct(self.started_at)).all():
            return Sample.of(np.empty(0))
        started = np.flatnonzero(self.window.holds(self.started_at))
        return Sample.of(self.started_at[started] - self.queued_at[started])

    def tally(self, concurrency: int, end_to_end: Sample) -> QueueTally:
        """Return what is kept of the queue."""
        handed = self.items[self.window.first(self.queued_at) :]
        finished = self.finished
        busy = self.busy_times[finished]
        return QueueTally(
            concurrency=concurrency,
            handed=len(handed),
            items=int(handed.sum()),
            largest_items=int(handed.max(initial=0)),
            completed=int((self.outcome[finished] == COMPLETED).sum()),
            failed=int((self.outcome[finished] == FAILED).sum()),
            lost=int(self.window.holds(distinct(self.lost_at)).sum()),
            attempts=int(self.attempts[finished].sum()),
            service_time=float(busy.sum()),
            longest_service=float(busy.max(initial=0.0)),
            busy_time=self.busy_time(),
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
