"""What became of each job in each buffer: columns that follow from a recording, each made once, when it is needed."""

from __future__ import annotations

from functools import cached_property
from typing import NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt

from bufsim import memory
from bufsim.engines.recording import LOST, QUEUE, Recording

Generic = TypeVar("Generic", bound=np.generic)
Floats = npt.NDArray[np.float64]
Positions = npt.NDArray[np.intp]

OUTCOMES = ("passed_by", "flushed", "buffered", "in_flight", "lost")
"""What can have become of a job by the end: no buffer collects it; it came out of a flush; it is still in the
buffer; it is in a flush that has not ended; it was lost."""
PASSED_BY, FLUSHED, BUFFERED, IN_FLIGHT, GONE = range(len(OUTCOMES))


class Fates(NamedTuple):
    """Each copy's finish, s, the time of its loss, s, and its cause (−1: not lost)."""

    finished_at: Floats
    lost_at: Floats
    loss: npt.NDArray[np.int8]


class Copies:
    """The rows of `jobs`, a job in one of its buffers each, and what became of them.

    A column that is the same in all rows may be one value with stride 0, in a recording and here.
    """

    def __init__(self, record: Recording) -> None:
        self.record = record

    def __len__(self) -> int:
        return len(self.record.copy_job)

    def of_job(self, column: npt.NDArray[Generic]) -> npt.NDArray[Generic]:
        """Return a column of the jobs for each copy; the column itself where the copies are the jobs."""
        rows = self.record.copy_job
        if len(rows) == len(column) and (not len(rows) or (rows[0] == 0 and rows[-1] == len(rows) - 1)):
            # rows are in the order of jobs, at least one for each: as many rows as jobs are the jobs
            return column
        return one_value(column, len(rows)) if is_one_value(column) else column[rows]

    @cached_property
    def created_at(self) -> Floats:
        """Each copy's arrival, s."""
        return self.of_job(self.record.job_time)

    @cached_property
    def flushed_at(self) -> Floats:
        """The start of each copy's flush, s; NaN without one."""
        record = self.record
        if record.copy_flushed_at is not None:
            return record.copy_flushed_at
        if isinstance(self.by_flush, slice):
            return np.repeat(np.append(record.flush_start, np.nan), np.append(record.flush_jobs, len(self.unflushed)))
        return at(record.flush_start, record.copy_flush)

    @cached_property
    def without_flush(self) -> npt.NDArray[np.bool_]:
        """Whether no flush took a row."""
        order = self.record.order
        return missing(self.record.copy_flush) if order is None else _from(order.taken, len(self))

    @cached_property
    def without_work(self) -> npt.NDArray[np.bool_]:
        """Whether no work is known to carry a row."""
        order = self.record.order
        if order is None:
            return missing(self.record.copy_work)
        return self.without_flush if order.carried == order.taken else _from(order.carried, len(self))

    @cached_property
    def unflushed(self) -> Positions:
        """The rows that no flush took."""
        if self.record.order is not None:
            return np.arange(self.record.order.taken, len(self))
        return np.flatnonzero(self.without_flush)

    @cached_property
    def buffered(self) -> Positions:
        """The rows that are still in a buffer."""
        rows, record = self.unflushed, self.record
        return rows[(record.copy_loss[rows] < 0) & (record.copy_buffer[rows] >= 0)]

    @cached_property
    def by_flush(self) -> Positions | slice:
        """The rows that flushes took, flush by flush; a slice where they stand so."""
        if self.record.order is not None:
            return slice(0, self.record.order.taken)
        flush = self.record.copy_flush
        taken = len(flush) - len(self.unflushed)
        first = flush[:taken]
        if not (first[1:] < first[:-1]).any() and (taken == len(flush) or self.unflushed[0] == taken):
            return slice(0, taken)
        rows = np.flatnonzero(flush >= 0)
        return rows[np.argsort(flush[rows], kind="stable")]

    @cached_property
    def numbers(self) -> npt.NDArray[np.int16]:
        """Each row's number among the rows of the same job, which stand together."""
        job = self.record.copy_job
        if len(job) == len(self.record.job_time):
            return one_value(np.zeros(1, np.int16), len(job))
        first = np.ones(len(job), np.bool_)
        first[1:] = job[1:] != job[:-1]
        row = np.arange(len(job))
        return (row - np.maximum.accumulate(np.where(first, row, 0))).astype(np.int16)

    @cached_property
    def outcome(self) -> npt.NDArray[np.int8]:
        """What has become of each copy, as a position in `OUTCOMES`."""
        record = self.record
        outcome: npt.NDArray[np.int8] = memory.empty(len(self), np.int8)
        outcome[:] = FLUSHED
        outcome[self.unflushed] = np.where(record.copy_buffer[self.unflushed] < 0, PASSED_BY, BUFFERED)
        open_flushes = np.isnan(record.flush_end)
        if open_flushes.any():
            inside = record.copy_flush >= 0
            inside[inside] = open_flushes[record.copy_flush[inside]]
            outcome[inside] = IN_FLIGHT
        outcome[self.lost] = GONE
        return outcome

    @cached_property
    def lost(self) -> Positions:
        """The rows that are lost."""
        loss = self.fates.loss
        if (distinct(loss) < 0).all():
            return np.empty(0, np.intp)
        return np.flatnonzero(loss >= 0)

    @cached_property
    def unlinked(self) -> Positions:
        """The rows that came out of a flush without a known work."""
        record = self.record
        if record.order is not None:
            return np.empty(0, np.intp)
        rows = np.flatnonzero((record.copy_work < 0) & (record.copy_flush >= 0))
        ended: npt.NDArray[np.bool_] = ~np.isnan(record.flush_end[record.copy_flush[rows]])
        return rows[ended]

    @cached_property
    def fates(self) -> Fates:
        """What became of each copy with its work; of one without a known work, with all works of its flush.

        Then it is finished when the last of them is, and lost when one of them is.
        """
        record = self.record
        finished_at, lost_at, loss = self._finished_at(), record.copy_lost_at, record.copy_loss
        if not (distinct(record.work_outcome) == LOST).any():
            return Fates(finished_at, lost_at, loss)
        lost_with = at(record.work_lost_at, record.copy_work)
        if len(self.unlinked):
            lost_with[self.unlinked] = self._lost_of_flush()[record.copy_flush[self.unlinked]]
        lost = ~np.isnan(lost_with)
        finished_at, lost_at, loss = finished_at.copy(), lost_at.copy(), loss.copy()
        finished_at[lost], lost_at[lost], loss[lost] = np.nan, lost_with[lost], QUEUE
        return Fates(finished_at, lost_at, loss)

    def _finished_at(self) -> Floats:
        record = self.record
        if record.copy_finished_at is not None:
            return record.copy_finished_at
        if np.isnan(distinct(record.work_finished_at)).all():
            return one_value(np.full(1, np.nan), len(self))
        finished_at = at(record.work_finished_at, record.copy_work)
        if len(self.unlinked):
            finished_at[self.unlinked] = self._last_of_flush()[record.copy_flush[self.unlinked]]
        return finished_at

    def _last_of_flush(self) -> Floats:
        """Return, for each flush, the finish of its last work; NaN while one is unfinished, or without works."""
        record = self.record
        last = np.full(len(record.flush_start), -np.inf)
        rows = np.flatnonzero(record.work_flush >= 0)
        # the maximum with a NaN is NaN: a flush with unfinished work has no finish
        with np.errstate(invalid="ignore"):
            np.maximum.at(last, record.work_flush[rows], record.work_finished_at[rows])
        last[np.isneginf(last)] = np.nan
        return last

    def _lost_of_flush(self) -> Floats:
        """Return, for each flush, when a work of it was lost with its queue, else NaN."""
        record = self.record
        lost_at = np.full(len(record.flush_start), np.nan)
        rows = np.flatnonzero((record.work_outcome == LOST) & (record.work_flush >= 0))
        lost_at[record.work_flush[rows]] = record.work_lost_at[rows]
        return lost_at


def at(values: Floats, positions: npt.NDArray[np.int64]) -> Floats:
    """Return values[positions], and NaN where the position is −1."""
    if not len(values):
        return np.full(len(positions), np.nan)
    taken = values.take(positions, mode="clip")
    taken[positions < 0] = np.nan
    return taken


def missing(positions: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
    """Return where there is no position, −1."""
    return one_value(positions < 0, len(positions)) if is_one_value(positions) else positions < 0


def _from(first: int, n: int) -> npt.NDArray[np.bool_]:
    """Return n times False, but True from `first` on."""
    mask: npt.NDArray[np.bool_] = memory.empty(n, np.bool_)
    mask[:first] = False
    mask[first:] = True
    return mask


def is_one_value(column: npt.NDArray[Generic]) -> bool:
    """Return whether a column is one value for all rows, with stride 0."""
    return column.strides == (0,) and len(column) > 0


def distinct(column: npt.NDArray[Generic]) -> npt.NDArray[Generic]:
    """Return a column's values; of one that is the same in all rows, only the first."""
    return column[:1] if is_one_value(column) else column


def one_value(value: npt.NDArray[Generic], n: int) -> npt.NDArray[Generic]:
    """Return the first of the given values n times, in the space of one."""
    return np.broadcast_to(value[0], (n,))
